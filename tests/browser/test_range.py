"""The time range in a real browser: its picker, zooms, comparing, where it was read, and charts before Dash."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from dash import html
from playwright.sync_api import Browser, Page, Route, expect

from dashboard.components.chart import chart
from dashboard.data.request import ViewRequest
from dashboard.data.source import LIVE, Source
from dashboard.pages import base as pages
from tests.browser.conftest import Face, ready

pytestmark = pytest.mark.browser

PANELS = ("one", "two")
SHOWN = """id => {
    const range = document.querySelector(`#react-entry-point #chart-${id} .js-plotly-plot`).layout.xaxis.range;
    return range.map(end => typeof end === "number" ? end : Date.parse(`${end.replace(" ", "T")}Z`));
}"""
"""The ends of a chart's horizontal axis in epoch ms."""


class Times:
    """A page of two time charts, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[ViewRequest] = []
        self.source: Source = LIVE
        self.awaits = False

    def page(self) -> pages.Page:
        """Its charts hold a line over the range that was asked for."""

        def layout() -> html.Div:
            frame = {"xaxis": {"type": "date"}, "yaxis": {"rangemode": "tozero"}}
            plots = [html.Div(chart(name, name, frame), id=f"plot-{name}", className="plot") for name in PANELS]
            return html.Div(plots, id="page-times", className="page", **{"data-filled": "no"})

        def load(_services: Any, request: ViewRequest, now: float) -> ViewRequest:
            self.asked.append(request)
            return request

        def view(request: ViewRequest, now: float) -> pages.View:
            wanted = request.range(now)
            line: Mapping[str, Any] = {
                "type": "scatter", "mode": "lines", "x0": wanted.start * 1000, "dx": wanted.seconds * 250,
                "y": [1, 4, 2, 5, 3],
            }  # fmt: skip
            drawn = {f"chart-{name}": [line] for name in PANELS}
            filled, soon = {"page-times": {"data-filled": "yes"}}, 1.0 if self.awaits else None
            return pages.View(filled, now, drawn, soon, self.source, awaits=self.awaits)

        return pages.Page(
            "times", "/times", "Times", "Two time charts", layout, load, view,
            filters=("range",), compares=True, time_charts=tuple(f"chart-{name}" for name in PANELS),
            styles=("events.css",),
        )  # fmt: skip


TIMES = Times()


@pytest.fixture(scope="module")
def _timed() -> Iterator[Face]:
    face = Face(TIMES.page())
    yield face
    face.stop()
    face.services.views.close()
    face.services.answers.close()


@pytest.fixture
def face(_timed: Face) -> Face:
    """The server with the page of time charts, as new."""
    TIMES.asked.clear()
    TIMES.source, TIMES.awaits = LIVE, False
    return _timed


@pytest.fixture
def tab(own_tab: Page) -> Page:
    """One for each test: what is held back or counted here is fetched with an empty cache alone."""
    return own_tab


def test_charts_stand_before_dash_and_a_zoom_is_the_range_of_the_page(tab: Page, face: Face) -> None:
    held: list[Route] = []
    fetched: list[str] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.on("request", lambda request: fetched.append(request.url))
    tab.route("**/dash_renderer*", hold)
    tab.goto("/times?refresh=1s")
    early = tab.locator("#first-paint #chart-two .scatterlayer .trace")
    expect(early).to_have_count(2)  # the line, and the trace that holds the range
    place = tab.locator("#plot-two").bounding_box()
    tab.wait_for_function("() => document.querySelectorAll('script[src*=dash_renderer]').length")
    held[0].continue_()
    ready(tab, "times")
    assert tab.locator("#react-entry-point #plot-two").bounding_box() == place
    expect(tab.locator("#react-entry-point .scatterlayer .trace")).to_have_count(4)
    assert len([url for url in fetched if "plotly" in url]) == 1

    upright = "Plotly.relayout(document.querySelector('#chart-one .js-plotly-plot'), {'yaxis.range': [0, 9]})"
    tab.evaluate(upright)
    expect(tab).to_have_url(re.compile(r"/times\?refresh=1s$"))
    drag(tab, "#chart-one")
    expect(tab).to_have_url(re.compile(r"from=\d{13}&to=\d{13}"))
    ends = [int(end) for end in re.findall(r"=(\d{13})", tab.url)]
    assert 0 < ends[1] - ends[0] < 3_600_000
    expect(tab.locator("html")).to_have_attribute("data-paused", "zoom")
    tab.wait_for_function(f"ends => ({SHOWN})('two').every((end, i) => Math.abs(end - ends[i]) <= 1)", arg=ends)
    # The finer data comes, and both charts still show what was chosen, though the server widened it to its grid.
    tab.wait_for_function(
        "before => document.querySelector('#chart-one .js-plotly-plot').data[1].dx < before", arg=3_600_000 / 4
    )
    assert TIMES.asked[-1].range(face.services.now()).seconds * 1000 >= ends[1] - ends[0]
    for name in PANELS:
        assert tab.evaluate(SHOWN, name) == pytest.approx(ends, abs=1)

    tab.locator("#chart-two .nsewdrag").dblclick()
    expect(tab.locator("#range-label")).to_have_text("Last hour")
    expect(tab.locator("html")).not_to_have_attribute("data-paused", "zoom")
    tab.wait_for_function(
        f"() => {{ const [a, b] = ({SHOWN})('one'); return b - a > 3500e3 && b > Date.now() - 6e4; }}"
    )
    drag(tab, "#chart-two")
    tab.get_by_role("button", name="Back to live").click()
    expect(tab.locator("#range-label")).to_have_text("Last hour")
    expect(tab.get_by_role("button", name="Back to live")).to_be_hidden()


def drag(tab: Page, place: str) -> None:
    """Chooses the middle third of a chart."""
    box = tab.locator(f"{place} .nsewdrag").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] / 3, height)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 2 / 3, height, steps=4)
    tab.mouse.up()


def test_steps_and_comparing_are_kept_by_links_and_said_where_they_do_not_apply(tab: Page, face: Face) -> None:
    tab.goto("/jobs?from=now-1h&compare=previous&theme=dark")
    ready(tab, "jobs")
    expect(tab.locator("#chips")).to_contain_text("This page does not compare")
    expect(tab.get_by_role("button", name="Compare")).to_be_hidden()
    expect(tab.locator("#source-words")).to_have_text("Live from DynamoDB")
    tab.get_by_role("link", name="Times").click()
    expect(tab.get_by_role("button", name="Compare")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#chips")).to_be_empty()
    tab.wait_for_function("() => document.querySelector('#page-times[data-filled=yes]')")
    assert TIMES.asked[-1].compare
    tab.get_by_role("button", name="Half a range earlier").click()
    expect(tab.locator("#range-label")).to_have_text(re.compile(r"\d\d:\d\d – .*\d\d:\d\d UTC"))
    expect(tab.get_by_role("button", name="Back to live")).to_be_visible()
    tab.get_by_role("button", name="Half a range later").click()
    expect(tab.locator("#range-label")).to_have_text("Last hour")
    expect(tab.get_by_role("button", name="Half a range later")).to_be_disabled()
    tab.get_by_role("button", name="Twice the range").click()
    expect(tab).to_have_url(re.compile(r"from=now-2h&compare=previous"))
    # Twice 360 days is what there is at most, as the server counts: both ends are widened to its grid.
    tab.evaluate("window.pulseboard.change({ from: 'now-360d' })")
    with tab.expect_response("**/api/v1/view/times?from=1*") as answer:
        tab.get_by_role("button", name="Twice the range").click()
    assert answer.value.status == 200
    longest = tab.url
    tab.get_by_role("button", name="Twice the range").click()
    assert tab.url == longest
    tab.get_by_role("button", name="Back to live").click()
    tab.get_by_role("button", name="Compare").click()
    expect(tab).not_to_have_url(re.compile("compare"))
    tab.get_by_role("button", name="Pause").click()
    tab.get_by_role("button", name="Back to live").press("Enter")
    expect(tab.get_by_role("button", name="Pause")).to_be_visible()


def test_days_of_23_and_25_hours_are_as_long_as_they_are(chromium: Browser, face: Face) -> None:
    context = chromium.new_context(base_url=face.url, timezone_id="Europe/Berlin")
    tab = context.new_page()
    tab.goto("/?tz=browser")
    picker = tab.locator("#range summary")

    def choose(start: str, end: str) -> None:
        picker.click()
        expect(tab.locator("#range-zone")).to_have_text("Local time, Europe/Berlin; charts are in UTC")
        tab.locator("#range-from").fill(start)
        tab.locator("#range-to").fill(end)
        tab.get_by_role("button", name="Apply").click()

    choose("2026-10-25T00:00", "2026-10-26T00:00")
    expect(tab).to_have_url(re.compile("from=1792879200000&to=1792969200000"))
    expect(tab.locator("#range-label")).to_have_text("25 Oct 00:00 UTC+2 – 26 Oct 00:00 UTC+1")
    choose("2026-03-29T02:30", "2026-03-30T00:00")
    expect(tab.locator("#range-problem")).to_have_text(re.compile("2026-03-29 02:30 does not exist here.*Choose 03:30"))
    picker.click()
    choose("2026-03-29T00:00", "2026-03-30T00:00")
    expect(tab).to_have_url(re.compile("from=1774738800000&to=1774821600000"))
    # The second 02:30 of a day that has two: what is not touched keeps its instant.
    tab.evaluate("window.pulseboard.change({ from: '1792891800000', to: '1792895400000' })")
    picker.click()
    tab.get_by_role("button", name="Apply").click()
    expect(tab).to_have_url(re.compile("from=1792891800000&to=1792895400000"))
    context.close()


def test_history_is_watched_while_it_is_read_and_can_be_given_up(tab: Page, face: Face) -> None:
    sent: list[Any] = []

    def cancel(route: Route) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            route.fulfill(status=403, json={"error": {"code": "cross_site", "message": "Not from here"}})
            return
        TIMES.source = Source("both", "cancelled", error="cancelled by a reader", key="k1")
        route.fulfill(status=404, json={"error": {"code": "unknown_reading", "message": "It has ended"}})

    tab.route("**/api/v1/history/cancel", cancel)
    TIMES.awaits = True
    tab.goto("/times?refresh=1s")
    ready(tab, "times")
    with tab.expect_response("**/api/v1/view/times*"):
        tab.get_by_role("button", name="Pause").click()
    TIMES.source, TIMES.awaits = Source("both", "running", key="k1", since=face.services.now() - 4), False
    words = tab.locator("#source-words")
    expect(words).to_have_text(re.compile(r"Reading history from Athena … \d s"))
    tab.get_by_role("button", name="Cancel").click()
    expect(words).to_have_text(re.compile(r"Reading history from Athena … \d+ s\. Not from here"))
    tab.get_by_role("button", name="Cancel").click()
    expect(words).to_have_text("History was not read: cancelled by a reader")
    assert sent == [{"key": "k1"}] * 2
    expect(tab.get_by_role("button", name="Try again")).to_be_visible()
    TIMES.source = Source("both", scanned_bytes=3_100_000, dollars=0.00005, days="24 Oct to 20 Nov")
    tab.goto("/times?kiosk")
    expect(words).to_have_text(
        "Live from DynamoDB and history from Athena (24 Oct to 20 Nov), 3.1 MB scanned, $0.00005"
    )
    assert tab.locator("button:visible").count() == 0
