"""A search finds exactly what a look at every event would find, page by page, and says what it looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.events import EventError, EventPage, EventQuery, EventRecord, utc_text
from backend.events import investigation, search_reader
from backend.events.search_token import write_token
from backend.settings import Config, Events, EventType, Settings
from tests.backend.events.index_world import NOW, Index, index, record

DAY = 86_400
FEW_SHARDS = Settings(config=Config(events=Events(shards=2)))
WIDE = EventQuery(NOW - 40 * DAY, NOW + DAY)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with index() as tables:
        yield tables


def failed(entry: EventRecord, error_type: str = "parse_error", operator: str = "billing") -> EventRecord:
    error = EventError(error_type, "why", operator, entry.received_at + 1)
    return replace(entry, status="failed", error=error)


def ids(page: EventPage) -> list[str]:
    return [entry.event_id for entry in page.events]


def walk(world: Index, query: EventQuery, limit: int) -> tuple[list[str], list[EventPage]]:
    """All pages of a search, one after the other."""
    pages = [world.service().search(query, limit)]
    while token := pages[-1].next_token:
        pages.append(world.service().search(query, limit, token))
    return [event_id for page in pages for event_id in ids(page)], pages


@st.composite
def some_events(draw: st.DrawFn) -> list[EventRecord]:
    """Events at few distinct instants: many share theirs, as those of a batch do."""
    instants = draw(st.lists(st.integers(0, 250_000), min_size=1, max_size=5))
    return [draw_event(draw, number, instants) for number in range(draw(st.integers(8, 24)))]


def draw_event(draw: st.DrawFn, number: int, instants: list[int]) -> EventRecord:
    at = NOW - draw(st.sampled_from([0, 1, *instants]))
    status = draw(st.sampled_from(["received", "processed", "failed"]))
    error = EventError(draw(st.sampled_from(["parse_error", "timeout"])), "why", "op", at)
    return record(
        str(draw(st.integers(0, 99)) + 100 * number),
        received_at=at,
        occurred_at=at - draw(st.sampled_from([-250.0, 0.0, 1.5, 200.0])),
        entity_id=draw(st.sampled_from(["order-1", "order-2"])),
        event_type=draw(st.sampled_from(["placed", "paid"])),
        source=draw(st.sampled_from(["web", "app"])),
        correlation_id=draw(st.sampled_from(["c-1", "c-2"])),
        status=status,
        error=error if status == "failed" else None,
    )


VALUES = {
    "entity_id": ["order-1"],
    "event_type": ["placed", "none"],
    "source": ["web"],
    "status": ["failed", "received"],
    "error_type": ["parse_error"],
    "operator": ["op", "other"],
    "correlation_id": ["c-1"],
}


@st.composite
def queries(draw: st.DrawFn) -> EventQuery:
    """At most two filters, so that most queries find more than a page."""
    start = NOW - draw(st.sampled_from([1, 4_000, 90_000, 270_000, 270_000]))
    end = draw(st.sampled_from([start + 50_000, NOW, NOW + 1, NOW + 1]))
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=2))
    filters = {name: draw(st.sampled_from(VALUES[name])) for name in names}
    return EventQuery(start, end, draw(st.sampled_from(["received", "received", "occurred"])), **filters)


def naive(records: list[EventRecord], query: EventQuery) -> list[str]:
    """A look at every event."""

    def means(entry: EventRecord) -> bool:
        at = entry.received_at if query.time == "received" else entry.occurred_at
        plain = ("entity_id", "event_type", "source", "status", "correlation_id")
        wanted = {name: getattr(query, name) for name in plain if getattr(query, name) is not None}
        return (
            query.start <= at < query.end
            and all(getattr(entry, name) == value for name, value in wanted.items())
            and (not query.error_type or (entry.error is not None and entry.error.error_type == query.error_type))
            and (not query.operator or (entry.error is not None and entry.error.operator == query.operator))
            and (not query.event_ids or entry.event_id in query.event_ids)
        )

    meant = [entry for entry in records if means(entry)]
    newest_first = sorted(meant, key=lambda entry: (utc_text(entry.received_at), entry.event_id), reverse=True)
    return [entry.event_id for entry in newest_first]


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions are read two items at a time, so that few events take many answers."""
    monkeypatch.setattr(search_reader, "SMALLEST", 2)
    monkeypatch.setattr(investigation, "STREAMED_ITEMS", 2)
    monkeypatch.setattr(investigation, "PAGE_EVENTS", 3)


@pytest.mark.usefixtures("small_answers")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=some_events(), query=queries(), named=st.sampled_from([False, False, True]), limit=st.integers(1, 5))
def test_it_finds_exactly_what_a_look_at_every_event_finds(
    world: Index, records: list[EventRecord], query: EventQuery, named: bool, limit: int
) -> None:
    world.settings = FEW_SHARDS
    world.clear()
    world.put(records)
    if named:
        query = replace(query, event_ids=tuple(entry.event_id for entry in records[::2]))
    found = [entry.event_id for page in world.service().pages(query) for entry in page]
    assert found == naive(records, query)
    walked, pages = walk(world, query, limit)
    assert walked == found
    assert all(len(page.events) <= limit and page.truncated == bool(page.next_token) for page in pages)


@pytest.mark.parametrize("named", [False, True])
def test_whoever_reads_all_gets_a_word_in_each_second(world: Index, named: bool) -> None:
    records = [record(n) for n in range(5)]
    world.put(records)
    seconds = iter(range(1_000_000))
    service = investigation.Investigation(
        world.clients.dynamodb, world.clients.s3, FEW_SHARDS, lambda: float(next(seconds))
    )
    event_ids = tuple(entry.event_id for entry in records) if named else ()
    query = replace(WIDE, entity_id=records[0].entity_id, event_ids=event_ids)
    pages = list(service.pages(query))
    assert len(pages) > 5
    assert sorted(entry.event_id for page in pages for entry in page) == sorted(entry.event_id for entry in records)


def test_an_entity_is_found_with_one_query(world: Index) -> None:
    world.put([record(n) for n in range(30)] + [record(f"x{n}", entity_id="order-2") for n in range(5)])
    world.queries.clear()
    page = world.service().search(replace(WIDE, entity_id="order-1"), 10)
    assert ids(page) == [record(n).event_id for n in range(10)]
    assert len(world.queries) == page.scanned.queries == 1
    assert page.scanned.items == 12
    assert (page.scanned.start, page.scanned.end) == (record(9).received_at, WIDE.end)
    assert page.truncated


def test_a_search_that_saw_everything_says_so(world: Index) -> None:
    world.put([record(n) for n in range(3)])
    page = world.service().search(replace(WIDE, entity_id="order-1"), 3)
    assert (page.truncated, page.next_token) == (False, None)
    assert (page.scanned.start, page.scanned.end, page.scanned.items) == (WIDE.start, WIDE.end, 3)


def test_failed_events_are_read_from_their_own_index(world: Index) -> None:
    world.put([failed(record(n)) if n % 10 == 0 else record(n) for n in range(100)])
    page = world.service().errors(NOW - 3600, NOW + 1)
    assert ids(page) == [record(n).event_id for n in range(0, 61, 10)]
    assert page.scanned.items == 7
    assert page.scanned.queries == 8


def test_bounds_end_a_search_that_finds_little_and_it_goes_on(world: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(investigation, "MOST_ITEMS", 20)
    world.put([record(n) for n in range(100)] + [record(100, status="processed")])
    query = replace(WIDE, entity_id="order-1", status="processed")
    found, pages = walk(world, query, 2)
    assert found == [record(100).event_id]
    assert len(pages) > 2
    assert pages[0].truncated
    assert pages[0].events == ()
    assert pages[0].scanned.start > record(100).received_at
    edges = [(page.scanned.start, page.scanned.end) for page in pages]
    assert all(after[1] == before[0] for before, after in pairwise(edges))
    assert edges[-1][0] == WIDE.start


def test_days_without_events_are_passed_by_within_the_bounds(world: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(investigation, "MOST_QUERIES", 20)
    old = record("old", received_at=NOW - 30 * DAY, occurred_at=NOW - 30 * DAY)
    world.put([old, record(0)])
    found, pages = walk(world, replace(WIDE, event_type="order_placed"), 10)
    assert found == [record(0).event_id, old.event_id]
    assert len(pages) > 1


def test_expired_events_are_left_out(world: Index) -> None:
    world.put([record(0)], expires_at=int(NOW))
    service = world.service()
    for query in (WIDE, replace(WIDE, entity_id="order-1"), replace(WIDE, event_ids=(record(0).event_id,))):
        assert service.search(query).events == ()
    assert service.get(record(0).event_id) is None
    assert service.detail(record(0).event_id) is None


def test_a_search_by_occurrence_reads_on_to_the_late_limit(world: Index) -> None:
    types = {"slow": EventType(late_seconds=3600)}
    configured = Settings(config=Config(events=Events(types=types, late_seconds=300)))
    late = record("late", event_type="slow", occurred_at=NOW - 3000, received_at=NOW - 10)
    world.put([late])
    service = world.service(configured)
    asked = EventQuery(NOW - 3100, NOW - 2900, "occurred")
    assert ids(service.search(asked)) == [late.event_id]
    assert service.search(asked).scanned.end == asked.end + 3600
    other = service.search(replace(asked, event_type="order_placed"))
    assert other.scanned.end == asked.end + 300


def test_entities_of_the_products_own_partitions_are_none(world: Index) -> None:
    assert world.service().search(replace(WIDE, entity_id="@trace#" + "0" * 64)).events == ()


@pytest.mark.parametrize("limit", [0, -1, 5001])
def test_a_wrong_limit_is_named(world: Index, limit: int) -> None:
    with pytest.raises(InvalidInput, match=f"limit: {limit} must lie between 1 and 5000"):
        world.service().search(WIDE, limit)


def test_a_token_goes_on_where_relative_times_have_moved(world: Index) -> None:
    world.put([record(n) for n in range(6)])
    first = world.service().search(EventQuery(NOW - 3600, NOW + 1), 4)
    world.put([record("new", received_at=NOW + 4)])
    moved = EventQuery(NOW - 3590, NOW + 11)
    second = world.service().search(moved, 4, first.next_token)
    assert ids(first) + ids(second) == [record(n).event_id for n in range(6)]


@pytest.mark.parametrize("change", [{"event_type": "other"}, {"time": "occurred"}, {"start": NOW - 9 * DAY}])
def test_a_token_of_another_search_is_refused(world: Index, change: dict[str, Any]) -> None:
    world.put([record(n) for n in range(6)])
    query = EventQuery(NOW - DAY, NOW + 1)
    token = world.service().search(query, 4).next_token
    with pytest.raises(InvalidInput, match=r"token: .* belongs to another search"):
        world.service().search(replace(query, **change), 4, token)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_what_is_no_token_is_refused(world: Index, text: str) -> None:
    if text:
        with pytest.raises(InvalidInput, match="token: "):
            world.service().search(WIDE, 4, text)


@pytest.mark.parametrize(
    ("start", "end", "position"),
    [
        (NOW - 10, NOW, "2026-13-45T99:99:99.999Z$"),
        (NOW - 10, NOW, "@trace"),
        (float("nan"), NOW, "2026-11-21T11:00:00.000Z$"),
        (-1e30, NOW, "2026-11-21T11:00:00.000Z$"),
        (NOW, NOW - 10, "2026-11-21T11:00:00.000Z$"),
    ],
)
def test_a_made_up_token_is_refused(world: Index, start: float, end: float, position: str) -> None:
    token = write_token(EventQuery(start, end), position)
    with pytest.raises(InvalidInput, match="token: "):
        world.service().search(EventQuery(NOW, NOW + 1), 4, token)


def test_a_changed_token_is_refused(world: Index) -> None:
    world.put([record(n) for n in range(6)])
    token = world.service().search(WIDE, 4).next_token
    assert token is not None
    for index_ in range(len(token)):
        other = token[:index_] + ("A" if token[index_] != "A" else "B") + token[index_ + 1 :]
        with pytest.raises(InvalidInput, match="token: "):
            world.service().search(WIDE, 4, other)
