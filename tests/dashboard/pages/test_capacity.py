"""The Capacity page: the answer first, every resource with its limit, hosts as lines or bands, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.ranges import TimeRange
from dashboard.data.capacity import RESOURCE, CapacityData
from dashboard.data.capacity_costs import Amounts
from dashboard.data.forecast import HOUR
from dashboard.data.forecasts import Outlook
from dashboard.data.limits import Prospect
from dashboard.data.ranged import RangedAnswers
from dashboard.data.request import Role, ViewRequest, parse_view_request
from dashboard.data.series import SeriesRequest
from dashboard.data.source import Source
from dashboard.html import fill, render
from dashboard.pages.base import View
from dashboard.pages.capacity import PAGE, layout, load, view
from dashboard.services import Services
from tests.dashboard.capacity_desk import DISK, FakeForecasts, growing, outlook, services, table
from tests.dashboard.data.feeding import NOW
from tests.memory_table import MemoryTable

Ask = Callable[..., CapacityData]
EVIL = "<script>alert(1)</script>"


def asked(role: Role = "viewer", **args: str) -> ViewRequest:
    args = {name.removesuffix("_"): value for name, value in args.items()}
    return parse_view_request("capacity", args, "production", NOW, PAGE.parameters, role)


@pytest.fixture(scope="module")
def few() -> MemoryTable:
    return table()


@pytest.fixture(scope="module")
def fleet() -> MemoryTable:
    return table(24, minutes=6)


@pytest.fixture
def ask(few: MemoryTable) -> Iterator[Ask]:
    made: list[Services] = []

    def data(
        request: ViewRequest | None = None, forecasts: FakeForecasts | None = None, held: Any = None
    ) -> CapacityData:
        made.append(services(held or few, forecasts or FakeForecasts(outlook())))
        return load(made[-1], request or asked(), NOW)

    yield data
    for one in made:
        one.close()


def text(found: View, part: str = "") -> str:
    return render(found.props[part]["children"] if part else fill(layout(), found.props), NOW)


def test_a_view_fills_every_part_of_the_layout_and_is_pure(ask: Ask) -> None:
    data = ask()
    page = text(view(data, NOW))
    assert "skeleton" not in page
    assert 'data-filled="yes"' in page
    assert text(view(data, NOW)) == page
    assert view(data, NOW).charts == view(data, NOW).charts


def test_the_lead_answers_with_the_most_urgent_limit(ask: Ask) -> None:
    lead = text(view(ask(), NOW), "capacity-lead")
    assert "Disk usage of server-1 reaches its limit of 100% in 14 to 16 days." in lead
    calm = FakeForecasts(outlook(Prospect(DISK, "server-1", (NOW - HOUR, 40.0), growing(40, 0))))
    assert "No limit is in sight within 90 days." in text(view(ask(forecasts=calm), NOW), "capacity-lead")


def test_each_resource_says_how_far_its_limit_is_or_why_nobody_can_say(ask: Ask) -> None:
    rows = text(view(ask(), NOW), "card-limits")
    for words in ("in 14 to 16 days", "not reached within 90 days", "not enough data: 20 h of 48 h", "not connected"):
        assert words in rows
    assert rows.index("server-1") < rows.index("server-2") < rows.index("S3 bucket size")
    assert "70%" not in rows, "the newest value is shown, not the hourly one"
    assert "21%" in rows


def test_the_forecast_is_the_most_urgent_ones_or_the_one_that_was_chosen(ask: Ask) -> None:
    found = view(ask(), NOW)
    assert "Forecast: Disk usage of server-1" in text(found, "title-forecast")
    names = [trace["name"] for trace in found.charts["chart-forecast"]]
    assert {"80% range", "each day's peak", "expected", "limit 100%", "now"} <= set(names)
    other = view(ask(asked(**{RESOURCE: "memory_usage/server-2"})), NOW)
    assert "server-2" in text(other, "title-forecast")
    assert "data-set" in text(other, "card-limits")
    unknown = view(ask(asked(**{RESOURCE: "x/y"})), NOW)
    assert "server-1" in text(unknown, "title-forecast")


@pytest.mark.parametrize(
    ("forecasts", "words", "soon"),
    [
        (FakeForecasts(None, making=True), "Forecasts are being made", 1.0),
        (FakeForecasts(Outlook(error="ClientError: no table")), "ClientError: no table", None),
        (FakeForecasts(Outlook(at=NOW)), "Not enough data to say.", None),
    ],
    ids=["making", "failed", "nothing yet"],
)
def test_no_forecast_is_said_as_what_it_is(ask: Ask, forecasts: FakeForecasts, words: str, soon: float | None) -> None:
    found = view(ask(forecasts=forecasts), NOW)
    assert words in text(found, "capacity-lead")
    assert found.charts["chart-forecast"] == []
    assert found.refresh_seconds == soon
    assert found.awaits is (soon is not None)


def test_a_forecast_that_was_made_without_history_says_so(ask: Ask) -> None:
    late = replace(outlook(), source=Source("live", "running", days="24 Oct to 20 Nov"))
    lead = text(view(ask(forecasts=FakeForecasts(late)), NOW), "capacity-lead")
    assert "Made without history (24 Oct to 20 Nov): reading it takes too long." in lead
    assert "without history" not in text(view(ask(), NOW), "capacity-lead")


def test_a_chart_without_rings_says_that_nobody_can_tell_yet(ask: Ask) -> None:
    data = ask()
    assert "unusual values:" in text(view(data, NOW), "aside-cpu")
    assert "unusual" not in text(view(data, NOW), "aside-stack")


def test_hosts_are_lines_with_the_catalogues_thresholds_near_them(ask: Ask) -> None:
    traces = view(ask(), NOW).charts["chart-cpu"]
    assert [trace["name"] for trace in traces] == ["server-1", "server-2", "server-3"]
    stack = view(ask(), NOW).charts["chart-stack"]
    assert sum(max(value or 0 for value in trace["y"]) for trace in stack[:3]) == pytest.approx(22)
    assert {trace["stackgroup"] for trace in stack[:3]} == {"stack"}


def test_a_fleet_is_bands_with_its_highest_hosts(ask: Ask, fleet: MemoryTable) -> None:
    data = ask(held=fleet)
    found = view(data, NOW)
    names = [trace["name"] for trace in found.charts["chart-cpu"]]
    assert [name for name in names if name.startswith("server-")] == [
        f"server-{number}" for number in (24, 23, 22, 21, 20)
    ]
    assert "5th to 95th percentile" in names
    assert "24 hosts and the 5 highest" in text(found, "aside-cpu")
    assert [trace["name"] for trace in found.charts["chart-stack"]] == ["all hosts"]
    (network,) = (panel for panel in data.panels if panel.spec.key == "network")
    assert max(value or 0 for value in network.lines[0].values) == sum(20 + host for host in range(1, 25))


def test_a_host_narrows_what_is_per_host_and_the_rest_says_that_it_does_not(ask: Ask) -> None:
    found = view(ask(asked(host="server-2")), NOW)
    assert [trace["name"] for trace in found.charts["chart-cpu"]] == ["server-2"]
    nobody = view(ask(asked(host="nobody")), NOW)
    assert "nobody reported none of it" in text(nobody, "body-cpu")
    assert nobody.props["plot-cpu"]["className"] == "plot plot-empty"


def test_what_is_not_connected_is_told_apart_from_what_is_empty(ask: Ask) -> None:
    found = view(ask(), NOW)
    assert (found.props["card-lambda"]["data-state"], found.props["card-cpu"]["data-state"]) == ("not_connected", "ok")
    past = view(ask(asked(from_="now-3h", to="now-2h")), NOW)
    assert past.props["card-cpu"]["data-state"] == "empty"
    assert "not connected: out" in text(found, "aside-network")


def test_the_period_before_is_drawn_behind(ask: Ask) -> None:
    traces = view(ask(asked(from_="now-15m", compare="previous")), NOW).charts["chart-cpu"]
    before = [trace for trace in traces if trace["name"].endswith("period before")]
    assert len(before) == 3
    assert before[0]["line"]["dash"] == "dot"
    assert before[0]["x0"] >= (NOW - 960) * 1000


def test_the_cost_names_its_date_and_what_is_not_in_it(ask: Ask) -> None:
    card = text(view(ask(), NOW), "card-costs")
    assert "$0.85" in card
    assert "prices of 1 Nov 2026" in card
    assert "Usage of 7 d at that pace" in card
    assert "S3: storage" in card


def test_nothing_that_a_producer_named_is_read_as_html(ask: Ask) -> None:
    forecasts = FakeForecasts(outlook(Prospect(DISK, EVIL, (NOW - HOUR, 40.0), growing(90, 1))))
    found = view(ask(forecasts=forecasts), NOW)
    assert EVIL not in text(found)
    assert EVIL not in str(found.charts)


def test_displays_have_fewer_rows_say_the_rest_and_have_nothing_to_press(ask: Ask) -> None:
    many = [Prospect(DISK, f"server-{n}", (NOW - HOUR, 60.0), growing(60, 2 + n)) for n in range(9)]
    rows = text(view(ask(asked(role="display"), FakeForecasts(outlook(*many))), NOW), "card-limits")
    assert rows.count("<tr") == 7
    assert "And 9 more, the first of them in" in rows
    through_a_kiosk = text(view(ask(asked(), FakeForecasts(outlook(*many))), NOW), "card-limits")
    assert through_a_kiosk.count('class="beyond"') == 6
    assert through_a_kiosk.count("more, the first of them in") == 2, "one for each kind of screen"
    assert "<a " not in rows


def test_only_a_range_that_ends_now_may_grow_stale(ask: Ask) -> None:
    start, end = (str(int((NOW - ago) * 1000)) for ago in (10_800, 7_200))
    past = view(ask(asked(from_=start, to=end)), NOW)
    after = [found.props["page-capacity"]["data-stale-after"] for found in (view(ask(), NOW), past)]
    assert after == ["900", ""]


def test_while_history_is_on_its_way_the_page_asks_again_soon(ask: Ask) -> None:
    data = replace(ask(), source=Source("live", "running", key="k"))
    assert view(data, NOW).refresh_seconds == 1
    assert view(data, NOW).source.state == "running"
    assert view(data, NOW).awaits


class Running:
    """Reads as the services do, and says that history of the period before is on its way."""

    def __init__(self, built: Services) -> None:
        self._ranged = built.ranged
        self.asked: list[TimeRange] = []

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        self.asked.append(requests[0].range)
        found = self._ranged.read(requests, now)
        return found if requests[0].range.live else replace(found, source=Source("live", "running", key="k"))

    def bands(self, request: SeriesRequest, now: float) -> None:
        return None


def test_history_of_the_period_before_is_awaited_and_each_second_read_once(few: MemoryTable) -> None:
    built = services(few, FakeForecasts(outlook()))
    running: Any = Running(built)
    look = replace(built, ranged=running)
    try:
        compared = asked(compare="previous")
        assert load(look, compared, NOW).source.state == "running"
        assert len(running.asked) == 2, "the range and the one before, once"
        for _ in range(2):
            load(look, compared, NOW + 1)
        assert len(running.asked) == 4
    finally:
        built.close()


def test_a_cost_that_was_counted_for_less_time_than_others_says_so(ask: Ask) -> None:
    used = replace(outlook(), amounts=Amounts({"objects_put": 9.0, "write_units": 9.0, "bucket_bytes": 9.0},
                                              {"objects_put": 7 * 86400, "write_units": 7200}))  # fmt: skip
    card = text(view(ask(None, FakeForecasts(used)), NOW), "card-costs")
    assert (card.count("from 2 h"), card.count("from ")) == (1, 1)


def test_a_week_in_hours_still_tells_what_is_so_now(few: MemoryTable) -> None:
    built = services(few, FakeForecasts(outlook()))
    try:
        reading: Any = Running(built)
        load(replace(built, ranged=reading), asked(from_="now-7d"), NOW)
        assert [span.seconds for span in reading.asked] == [7 * 86400, 86400]
    finally:
        built.close()


def test_a_host_that_is_called_none_is_not_taken_for_no_host(few: MemoryTable) -> None:
    built = services(few, FakeForecasts(outlook()))
    try:
        load(built, asked(host="None"), NOW)
        panels = load(built, asked(), NOW).panels
        assert next(panel for panel in panels if panel.spec.key == "cpu").state == "ok"
    finally:
        built.close()


def test_a_reading_is_shared_by_all_who_look_at_the_range(few: MemoryTable) -> None:
    built = services(few, FakeForecasts(outlook()))
    try:
        load(built, asked(), NOW)
        before = len(few.queries)
        load(built, asked(role="display", **{RESOURCE: "memory_usage/server-2"}), NOW)
        assert len(few.queries) == before
    finally:
        built.close()
