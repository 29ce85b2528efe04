"""What charts say to whoever does not see them."""

from __future__ import annotations

from backend.contract.catalogue import load_catalogue
from dashboard.components import errors_charts, timechart
from dashboard.components.chart import plot
from dashboard.components.chart_words import chart_words, words_props
from dashboard.data.errors import Count
from dashboard.data.models import Line

CATALOGUE = load_catalogue()
START = 1_795_269_600.0
"""21 Nov 2026, 14:00 UTC."""


def lines(*values: float | None, name: str = "p99") -> list[timechart.Trace]:
    return timechart.line_traces([Line(name, START, 60, values)], "ms")


def test_a_line_is_told_with_its_range_and_newest_value_and_ends() -> None:
    assert chart_words(lines(900, None, 1600, 1340)) == (
        "From 21 Nov, 14:00 UTC to 21 Nov, 14:03 UTC. p99: newest 1.34 s, lowest 900 ms, highest 1.6 s."
    )


def test_a_threshold_that_was_passed_is_said_with_the_side_of_the_newest_value() -> None:
    over = timechart.threshold_traces(CATALOGUE["latency_ms"], 6000, (START, START + 120))
    said = chart_words([*lines(900, 6000, 4000), *over])
    assert "passed a limit, now above warning 3 s and below critical and promised 5 s" in said
    assert said.endswith("Drawn as limits: warning 3 s, critical and promised 5 s.")
    assert "passed" not in chart_words([*lines(100, 200, 150), *over])


def test_of_many_lines_the_first_are_told_and_the_others_counted() -> None:
    many = timechart.line_traces([Line(f"host-{n}", START, 60, (n, n + 1)) for n in range(9)], "%")
    said = chart_words(many)
    assert "host-5: newest 6%" in said
    assert "host-6" not in said
    assert "And 3 more lines" in said


def test_slices_and_bars_are_told_by_their_numbers() -> None:
    slices = errors_charts.donut([Count("parse_error", 3), Count("timeout", 1)], None)
    assert chart_words(slices) == "parse_error 3 (75%), timeout 1 (25%)."
    bars = [{"type": "bar", "name": "timeout", "y": [2, None, 5]}]
    assert chart_words(bars) == "timeout: 7 in all, at most 5."


def test_what_only_decorates_is_not_told_and_markup_is_text() -> None:
    hidden = timechart.now_marker(START)
    assert chart_words([hidden]) == ""
    assert "<b>" not in chart_words(lines(1, 2, name="<b>bold</b>"))


def test_a_chart_s_place_is_named_with_its_axis_and_points_at_its_words() -> None:
    place = plot("latency", "Latency", timechart.frame("ms"))
    attributes = place.to_plotly_json()["props"]
    assert (attributes["role"], attributes["aria-label"]) == ("figure", "Latency, ms")
    assert attributes["aria-describedby"] == "words-latency" == attributes["children"][1].id
    assert words_props({"chart-latency": [], "chart-lag": lines(1, 2)}).keys() == {"words-latency", "words-lag"}
