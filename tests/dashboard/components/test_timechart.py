from __future__ import annotations

from backend.contract.anomaly import Anomaly
from backend.contract.catalogue import load_catalogue
from dashboard.components.marks import AXIS
from dashboard.components.timechart import (
    PALETTE,
    PROMISE,
    anomaly_trace,
    band_traces,
    frame,
    highest,
    line_traces,
    moved,
    now_marker,
    threshold_traces,
)
from dashboard.data.models import Line

CATALOGUE = load_catalogue()
ENDS = (1000.0, 4600.0)


def line(name: str, *values: float | None, x0: float = 1000.0) -> Line:
    return Line(name, x0, 10.0, values)


def test_a_line_travels_as_a_start_and_a_spacing_and_keeps_its_gaps() -> None:
    (trace,) = line_traces([line("p99", 1.0, 2.0, None, 3.0, 4.0)], "ms")
    assert (trace["x0"], trace["dx"], trace["y"]) == (1_000_000, 10_000, [1.0, 2.0, None, 3.0, 4.0])
    assert "x" not in trace
    assert trace["connectgaps"] is False
    assert trace["showlegend"] is False
    assert trace["mode"] == "lines"


def test_a_value_between_two_gaps_is_a_point_because_no_line_shows_it() -> None:
    (trace,) = line_traces([line("p99", 1.0, 2.0, None, 3.0, None)], "ms")
    assert trace["mode"] == "lines+markers"
    assert [bool(size) for size in trace["marker"]["size"]] == [False, False, False, True, False]


def test_the_period_before_is_dotted_behind_in_the_colour_of_its_line() -> None:
    before = moved([line("b", 7.0, 8.0, x0=0.0)], 1000.0)
    behind, first, second = line_traces([line("a", 1.0, 2.0), line("b", 3.0, 4.0)], "ms", previous=before)
    assert behind["x0"] == 1_000_000
    assert behind["name"] == "b, period before"
    assert behind["line"]["dash"] == "dot"
    assert behind["opacity"] < 1
    assert behind["line"]["color"] == second["line"]["color"] == PALETTE[1]
    assert first["line"]["color"] == PALETTE[0]


def test_a_line_keeps_the_colour_it_was_given_and_steps_back_where_asked() -> None:
    one, other = line_traces([line("a", 1.0, 2.0), line("b", 3.0, 4.0)], "", colours={"b": "#123456"}, faded=["a"])
    assert (one["opacity"] < 1, "opacity" in other) == (True, False)
    assert other["line"]["color"] == "#123456"


def test_names_of_producers_are_text_on_a_chart() -> None:
    (trace,) = line_traces([line("<b>x</b>", 1.0, 2.0)], "<i>", stacked=True)
    assert trace["name"] == "&lt;b&gt;x&lt;/b&gt;"
    assert "<i>" not in trace["hovertemplate"]


def test_thresholds_come_from_the_catalogue_and_equal_ones_are_one_line() -> None:
    latency = CATALOGUE["latency_ms"]
    words = [trace["text"] for trace in threshold_traces(latency, 4000, ENDS) if trace["mode"] == "text"]
    assert words == [["warning 3 s"], ["critical and promised 5 s"]]
    assert threshold_traces(latency, 400, ENDS) == []
    assert len(threshold_traces(latency, 400, ENDS, always=True)) == 4


def test_the_words_at_a_threshold_do_not_widen_the_range_that_is_shown() -> None:
    for trace in threshold_traces(CATALOGUE["latency_ms"], 4000, ENDS):
        if trace["mode"] == "text":
            assert f"xaxis{trace['xaxis'][1:]}" in frame("ms")
        else:
            assert trace["x"] == [1_000_000, 4_600_000]


def test_a_threshold_that_data_falls_below_is_always_near() -> None:
    brokers = threshold_traces(CATALOGUE["kafka_broker_alive_count"], 1, ENDS)
    assert [trace["y"] for trace in brokers if trace["mode"] == "lines"] == [[2, 2], [3, 3]]


def test_a_promise_alone_has_its_own_colour() -> None:
    latency = CATALOGUE.with_overrides({"latency_ms": {"critical": 9000}})["latency_ms"]
    drawn = threshold_traces(latency, 9000, ENDS)
    tones = {trace["name"]: trace["line"]["color"] for trace in drawn if trace["mode"] == "lines"}
    assert tones["promised 5 s"] == PROMISE


def test_a_band_is_the_area_between_two_lines() -> None:
    low, high = band_traces(line("low", 1.0, 2.0), line("high", 3.0, 4.0), "90 % of hosts", PALETTE[0])
    assert "fill" not in low
    assert (high["fill"], high["name"]) == ("tonexty", "90 % of hosts")


def test_what_was_unusual_says_what_had_been_expected() -> None:
    (trace,) = anomaly_trace([Anomaly(1500.0, 4200.0, 600.0, 500.0, 900.0, 9.0, "jump")], "ms")
    assert (trace["x"], trace["y"]) == ([1_500_000], [4200.0])
    assert trace["text"] == ["an unusual jump: 4.2 s, expected 500 ms to 900 ms"]
    assert anomaly_trace([], "ms") == []


def test_the_present_is_marked_across_the_whole_height() -> None:
    marker = now_marker(2000.0)
    assert (marker["yaxis"], marker["x"], marker["y"]) == (AXIS, [2_000_000] * 2, [0, 1])


def test_a_frame_names_its_axis_and_hovers_the_nearest_of_many_lines() -> None:
    assert frame("ms")["yaxis"]["title"]["text"] == "ms"
    assert (frame("ms")["hovermode"], frame("ms", many=True)["hovermode"]) == ("x unified", "closest")
    assert frame("%", stacked=True)["legend"]["traceorder"] == "reversed"


def test_the_highest_value_of_all_lines_is_zero_without_one() -> None:
    assert highest([line("a", 1.0, None), line("b", 3.0)]) == 3.0
    assert highest([line("a", None)]) == 0.0
