"""Services: pages are loaded once for all who ask, and what could not be read again is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from botocore.exceptions import EndpointConnectionError

from dashboard.data.request import ViewRequest
from dashboard.data.source import Source
from dashboard.pages.base import View
from tests.dashboard.data.feeding import NOW, every, put, samples
from tests.dashboard.small import SMALL, TICK, Dashboard

SEEN = ViewRequest("small", "production")


@pytest.fixture
def dashboard() -> Iterator[Dashboard]:
    dashboard = Dashboard()
    put(dashboard.table, samples("consumer_lag_records", every(10, -1200, value=100), partition="0"))
    yield dashboard
    dashboard.services.close()


def test_a_view_carries_what_the_page_needs(dashboard: Dashboard) -> None:
    body = orjson.loads(dashboard.services.view(SEEN).raw)
    assert body == {
        "page": "small",
        "build": "build-1",
        "as_of": NOW,
        "refresh_ms": 60_000,
        "live": True,
        "source": {"kind": "live", "state": "done"},
        "props": {"verdict": {"children": "healthy"}},
        "charts": {},
    }


def test_an_unknown_page_is_a_key_error(dashboard: Dashboard) -> None:
    with pytest.raises(KeyError):
        dashboard.services.view(ViewRequest("nowhere", "production"))
    with pytest.raises(KeyError):
        dashboard.services.load(ViewRequest("nowhere", "production"))


def test_equal_data_keeps_its_etag_while_time_passes(dashboard: Dashboard) -> None:
    first = dashboard.services.view(SEEN)
    dashboard.go_on(3 * TICK)
    again = dashboard.services.view(SEEN)
    assert again.made_at == first.made_at + 3 * TICK
    assert again.etag == first.etag


def test_many_viewers_cost_what_one_costs(dashboard: Dashboard) -> None:
    dashboard.services.view(SEEN)
    dashboard.go_on(120)
    dashboard.table.queries.clear()
    dashboard.services.view(SEEN)
    one = len(dashboard.table.queries)
    dashboard.go_on(120)
    dashboard.table.queries.clear()
    barrier = threading.Barrier(20)

    def look() -> None:
        barrier.wait(10)
        dashboard.services.view(SEEN)

    threads = [threading.Thread(target=look) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 0 < len(dashboard.table.queries) <= one


def test_a_view_made_of_data_that_could_not_be_read_again_says_since_when(dashboard: Dashboard) -> None:
    assert dashboard.services.view(SEEN).error is None
    dashboard.table.broken = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    dashboard.go_on(3 * TICK)
    view = dashboard.services.view(SEEN)
    assert orjson.loads(view.raw)["props"]["verdict"]["children"] == "healthy"
    assert view.error is not None
    assert view.error.startswith("EndpointConnectionError")
    assert view.stale_since == NOW
    dashboard.table.broken = None
    dashboard.go_on(3 * TICK)
    assert dashboard.services.view(SEEN).error is None


def test_pages_refresh_as_configured_unless_they_say_otherwise(dashboard: Dashboard) -> None:
    assert dashboard.services.refresh_seconds(SMALL) == 60
    assert dashboard.services.page("small") is SMALL
    assert dashboard.services.page("other") is None


def test_what_views_share_is_read_once_a_refresh_and_again_after_an_action(dashboard: Dashboard) -> None:
    services, reads = dashboard.services, []

    def read() -> int:
        reads.append(dashboard.clock.now)
        return len(reads)

    assert [services.shared("errors", read) for _ in range(3)] == [1, 1, 1]
    assert services.shared("others", read) == 2
    dashboard.go_on(TICK)
    assert services.shared("errors", read) == 3
    services.acted()
    assert services.shared("errors", read) == 4


def test_a_shared_reading_that_failed_is_tried_again(dashboard: Dashboard) -> None:
    def fail() -> int:
        raise EndpointConnectionError(endpoint_url="http://nowhere")

    with pytest.raises(EndpointConnectionError):
        dashboard.services.shared("errors", fail)
    assert dashboard.services.shared("errors", lambda: 7) == 7


def test_what_may_be_read_seldom_only_is_shared_for_longer(dashboard: Dashboard) -> None:
    services, reads = dashboard.services, []

    def read() -> int:
        reads.append(dashboard.clock.now)
        return len(reads)

    dashboard.clock.now -= dashboard.clock.now % 30
    assert services.shared("queue", read, every=30) == 1
    dashboard.go_on(29)
    assert services.shared("queue", read, every=30) == 1
    dashboard.go_on(1)
    assert services.shared("queue", read, every=30) == 2


def test_a_page_of_what_moves_by_the_second_is_made_each_second(dashboard: Dashboard) -> None:
    services = dashboard.services
    made: list[float] = []
    dashboard.clock.now -= dashboard.clock.now % TICK

    def view_of(data: Any, now: float) -> View:
        made.append(now)
        return View({}, now)

    services.pages = (replace(SMALL, load=lambda *_: None, view=view_of, tick_seconds=1.0),)
    for _ in range(3):
        services.view(ViewRequest("small", "production"))
        dashboard.go_on(1.0)
        services.view(ViewRequest("small", "production"))
        dashboard.settle()
    assert len(made) == 4


@pytest.mark.parametrize(
    ("view", "awaits"),
    [
        (View({}, NOW), False),
        (View({}, NOW, awaits=True), True),
        (View({}, NOW, source=Source("live", "running", key="k")), True),
    ],
)
def test_a_view_says_that_something_is_awaited(dashboard: Dashboard, view: View, awaits: bool) -> None:
    dashboard.services.pages = (replace(SMALL, load=lambda *_: None, view=lambda *_: view),)
    body = orjson.loads(dashboard.services.view(SEEN).raw)
    assert body.get("awaits", False) is awaits
    assert (SEEN.key in dashboard.services.watched) is awaits


def test_history_is_shown_by_the_first_look_after_it_came(dashboard: Dashboard) -> None:
    history: Any = SimpleNamespace(ended=3, close=lambda: None)
    states = iter(["running", "running", "done"])

    def view_of(_data: Any, _now: float) -> View:
        return View({}, NOW, source=Source("live", next(states), key="k"))

    def look() -> str:
        dashboard.go_on(0.01)
        state: str = orjson.loads(dashboard.services.view(SEEN).raw)["source"]["state"]
        return state

    dashboard.services.history = history
    dashboard.services.pages = (replace(SMALL, load=lambda *_: None, view=view_of),)
    assert [look(), look()] == ["running", "running"], "made once: nothing came in between"
    history.ended += 1
    assert look() == "running", "another reading ended, not this one's"
    assert look() == "running"
    history.ended += 1
    assert look() == "done"
    history.ended += 1
    assert look() == "done", "nobody waits for it any more"
