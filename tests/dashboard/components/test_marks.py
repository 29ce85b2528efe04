"""Marks on time charts: data alone, at most fifty, and what is left out is said."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.alerts import Annotation
from dashboard.components.chart import chart
from dashboard.components.marks import AXIS, left_out, mark_traces, noted, with_marks
from dashboard.data.alerts_marks import Marks, chosen, read_marks
from dashboard.data.request import ViewRequest
from dashboard.pages.base import Page, View
from tests.dashboard import fakes
from tests.dashboard.alert_fakes import FakeAlerts, marks
from tests.dashboard.fakes import NOW

HOUR = ViewRequest("errors", "production")
LINE = {"type": "scatter", "x": [1], "y": [2]}


def read(service: FakeAlerts | None) -> Marks:
    services = fakes.services(pages=(), now=lambda: NOW)
    return read_marks(service, services.shared, HOUR, NOW)


def test_alerts_and_deploys_are_lines_on_an_axis_of_their_own_and_alerts_last_along_the_top() -> None:
    found = read(FakeAlerts(NOW, marks=marks(NOW)))
    traces: list[Any] = mark_traces(found)
    assert {trace["yaxis"] for trace in traces} == {AXIS}
    lines = {trace["name"]: trace for trace in traces if trace["mode"] == "lines+markers"}
    assert set(lines) == {"Critical", "High", "Mark"}
    assert lines["High"]["x"][:2] == [round((NOW - 2700) * 1000)] * 2
    assert lines["High"]["text"][0] == "Latency p99 above 5 s<br>High alert, 10 min"
    assert lines["Critical"]["text"][0].endswith(", open")
    assert lines["Mark"]["text"][0] == "checkout 4.12.0<br>deploy"
    bands = [trace for trace in traces if trace["mode"] == "lines"]
    assert len({band["y"][0] for band in bands}) == 2
    assert [tuple(band["x"][:2]) for band in bands] == [
        (round((NOW - 600) * 1000), round(NOW * 1000)),
        (round((NOW - 2700) * 1000), round((NOW - 2100) * 1000)),
    ]
    assert "layout" not in str(traces)
    figure: Any = chart("x", "X", {"yaxis": {"nticks": 5}}).figure
    assert figure["layout"]["yaxis"] == {"overlaying": AXIS, "tickmode": "auto", "nticks": 5}
    assert figure["layout"][f"yaxis{AXIS[1:]}"]["range"] == [0, 1]
    named: Any = chart("x", "X", {"yaxis": {"tickvals": [0.5], "ticktext": ["Indexed"]}}).figure
    assert named["layout"]["yaxis"]["tickmode"] == "array"


def test_what_began_before_the_range_lasts_into_it_without_a_line() -> None:
    early = Annotation(NOW - 7200, "Old", "alert", severity="HIGH", until=NOW - 60)
    traces: list[Any] = mark_traces(chosen([early], NOW - 3600, NOW))
    assert [trace["mode"] for trace in traces] == ["lines"]
    assert tuple(traces[0]["x"][:2]) == (round((NOW - 3600) * 1000), round((NOW - 60) * 1000))


def test_too_many_are_cut_to_the_worst_and_newest_and_the_number_is_said() -> None:
    many = [Annotation(NOW - n, f"a{n}", "alert", severity="LOW" if n % 2 else "CRITICAL") for n in range(1, 121)]
    found = chosen([*many, Annotation(NOW - 3000, "deploy", "deploy")], NOW - 3600, NOW)
    assert len(found.shown) == 50
    assert sum(mark.severity == "CRITICAL" for mark in found.shown) == 49
    assert [mark.at for mark in found.shown] == sorted(mark.at for mark in found.shown)
    assert left_out(found) == "50 of 121 marks shown"


def test_marks_are_of_the_environment_or_of_all_and_a_read_that_was_cut_is_said() -> None:
    other = Annotation(NOW - 60, "staging's", "alert", severity="HIGH", environment="staging")
    found = read(FakeAlerts(NOW, marks=[*marks(NOW), other], marks_cut=True))
    assert "staging's" not in {mark.title for mark in found.shown}
    assert left_out(found) == "3 of at least 3 marks shown"


def test_marks_outside_of_the_range_do_not_widen_it() -> None:
    outside = [Annotation(NOW + 60, "later", "deploy"), Annotation(NOW - 9000, "over", "alert", until=NOW - 8000)]
    assert chosen(outside, NOW - 3600, NOW).shown == ()


def test_titles_are_text_in_a_hover() -> None:
    hostile = Annotation(NOW - 60, "<a href='javascript:alert(1)'>x</a>" + "y" * 300, "<b>", severity="")
    text = mark_traces(chosen([hostile], NOW - 3600, NOW))[0]["text"][0]
    assert text.startswith("&lt;a href")
    assert text.count("<") == 1
    assert len(text) < 200


def test_marks_that_cant_be_read_are_said_and_cost_no_chart() -> None:
    service = FakeAlerts(NOW, error=EndpointConnectionError(endpoint_url="http://dynamodb"))
    found = read(service)
    assert left_out(found) == "marks of alerts can't be read now"
    assert with_marks([LINE], found)[1:] == [LINE]


def test_what_is_left_out_is_said_below_the_charts_and_not_in_them() -> None:
    props = {"plot-a": {"className": "plot"}, "page": {}}
    found = noted(props, ("chart-a", "chart-b"), "50 of 121 marks shown")
    assert found == {"plot-a": {"className": "plot", "data-note": "50 of 121 marks shown"}, "page": {}}


def test_alerts_that_begin_together_are_one_mark_of_the_worst_and_deploys_stay_apart() -> None:
    near = [
        Annotation(NOW - 1800 + n, f"a{n}", "alert", severity="CRITICAL" if n == 3 else "LOW", until=NOW - 1700)
        for n in range(7)
    ]
    found = chosen([*near, Annotation(NOW - 1799, "1.4.2", "deploy")], NOW - 3600, NOW)
    lines: list[Any] = [trace for trace in mark_traces(found) if trace["mode"] == "lines+markers"]
    assert {trace["name"]: len(trace["x"]) for trace in lines} == {"Critical": 3, "Mark": 3}
    assert lines[0]["text"][0] == "7 alerts<br>a3<br>a0<br>a1<br>and 4 more"
    assert lines[0]["x"][0] == round((NOW - 1800) * 1000)


@pytest.mark.parametrize(("number", "mode"), [(10, "lines+markers"), (11, "markers")])
def test_many_marks_are_shapes_without_lines(number: int, mode: str) -> None:
    many = [Annotation(NOW - 60 - 120 * n, f"a{n}", "alert", severity="LOW", until=NOW) for n in range(number)]
    traces: list[Any] = mark_traces(chosen(many, NOW - 3600, NOW))
    assert [trace["mode"] for trace in traces] == ["lines", mode]
    assert max(x for x in traces[1]["y"] if x is not None) == 1.0
    assert (0.0 in traces[1]["y"]) == (number == 10)


def test_an_empty_chart_stays_empty() -> None:
    assert with_marks([], read(FakeAlerts(NOW, marks=marks(NOW)))) == []
    assert with_marks([LINE], read(None))[1:] == [LINE]


def test_a_time_chart_shows_its_whole_range_whatever_data_there_is() -> None:
    first, second = (with_marks([LINE], Marks(at - 3600, at))[0] for at in (NOW + 1, NOW + 29))
    assert first == second
    assert (first["yaxis"], first["opacity"]) == (AXIS, 0)
    start, end = first["x"]
    assert start <= 1000 * (NOW + 1 - 3600)
    assert 1000 * (NOW + 29) <= end <= 1000 * (NOW + 60)


def test_the_time_charts_of_a_page_get_them_and_no_others_in_one_read_for_all() -> None:
    def view(_data: Any, _now: float) -> View:
        return View({}, NOW, {"chart-a": [LINE], "chart-b": [LINE]})

    pages = tuple(
        Page(name, f"/{name}", name, "", lambda: None, lambda *_: None, view, time_charts=("chart-a",))
        for name in ("one", "two")
    )
    services = fakes.services(pages=pages, now=lambda: NOW)
    service = FakeAlerts(NOW, marks=marks(NOW))
    services.alerts = service
    try:
        for page in pages:
            text = services.view(ViewRequest(page.name, "production")).raw.decode()
            assert text.count("checkout 4.12.0") == 2  # both ends of one line
    finally:
        services.close()
    assert service.reads == ["annotations"]


@pytest.mark.parametrize("number", [0, 1, 50])
def test_all_that_are_shown_is_nothing_to_say(number: int) -> None:
    found = chosen([Annotation(NOW - n - 1, "x", "deploy") for n in range(number)], NOW - 3600, NOW)
    assert left_out(found) == ""
