"""One event whole: its raw object, its headers, the trace of its correlation id; and what is odd about many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.event_items import trace_item
from backend.contract.events import EventQuery, TraceStep
from backend.events import investigation
from backend.events.findings import GAP_EVENTS, findings_of
from tests.backend.events.index_world import LATER, NOW, Index, index, record

RANGE = EventQuery(NOW - 86_400, NOW + 1)
RAW = b'{"payload": {"amount": 12.5}}\n'


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with index() as tables:
        yield tables


def stored(world: Index, number: int | str, **changes: Any) -> str:
    """An event with its raw object; its id."""
    entry = record(number, sha256=hashlib.sha256(RAW).hexdigest(), **changes)
    world.clients.s3.put_object(Bucket=world.settings.bucket, Key=entry.raw_key, Body=RAW)
    world.put([entry])
    return entry.event_id


def gate(world: Index, event_id: str, **attributes: Any) -> None:
    item: Any = {"event_id": {"S": event_id}, **attributes}
    world.clients.dynamodb.put_item(TableName=world.settings.gate_table, Item=item)


def step(world: Index, event_id: str, at: float, stage: str, expires_at: int = LATER) -> None:
    item: Any = trace_item(TraceStep(at, stage, event_id, "why", error_type="timeout"), 1, expires_at)
    world.clients.dynamodb.put_item(TableName=world.settings.events_table, Item=item)


def test_an_event_is_shown_with_its_raw_object_and_its_headers(world: Index) -> None:
    event_id = stored(world, 0)
    gate(world, event_id, headers={"M": {"user-agent": {"S": "curl"}}})
    detail = world.service().detail(event_id)
    assert detail is not None
    assert (detail.raw, detail.intact, detail.problem) == (RAW.decode(), True, "")
    assert detail.headers == {"user-agent": "curl"}


def test_a_changed_raw_object_is_shown_and_said(world: Index) -> None:
    event_id = stored(world, 0)
    key = record(0).raw_key
    world.clients.s3.put_object(Bucket=world.settings.bucket, Key=key, Body=b"\xff other")
    detail = world.service().detail(event_id)
    assert detail is not None
    assert (detail.raw, detail.intact) == ("\ufffd other", False)
    assert "was changed" in detail.problem


def test_a_raw_object_that_is_gone_is_said(world: Index) -> None:
    world.put([record(0)])
    detail = world.service().detail(record(0).event_id)
    assert detail is not None
    assert (detail.raw, detail.intact, detail.problem) == (None, None, "the raw object is gone")


def test_a_bucket_that_does_not_answer_costs_the_raw_object_alone(world: Index) -> None:
    event_id = stored(world, 0)

    def refuse(**_: Any) -> Any:
        error = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return type("Answer", (), {"status_code": 403})(), error

    world.clients.s3.meta.events.register("before-call.s3.GetObject", refuse)
    detail = world.service().detail(event_id)
    assert detail is not None
    assert "can't be read" in detail.problem
    assert detail.trace


def test_the_trace_covers_every_event_of_the_correlation_id_in_order(world: Index) -> None:
    placed = stored(world, "placed", received_at=NOW - 100, correlation_id="c", processed_at=NOW - 90)
    paid = stored(world, "paid", received_at=NOW - 50, correlation_id="c")
    stored(world, "other", received_at=NOW - 70, correlation_id="d")
    gate(world, placed, duplicates={"N": "2"}, traceparent={"S": "00-a-b-01"})
    step(world, paid, NOW - 40, "failed")
    step(world, paid, NOW - 95, "failed", expires_at=int(NOW))
    detail = world.service().detail(paid)
    assert detail is not None
    assert [(entry.stage, entry.event_id) for entry in detail.trace] == [
        ("ingested", placed), ("processed", placed), ("ingested", paid), ("failed", paid),
    ]  # fmt: skip
    assert "sent again 2 times" in detail.trace[0].detail
    assert detail.trace[0].traceparent == "00-a-b-01"
    assert not detail.trace_cut


def test_a_long_trace_says_that_it_is_cut_and_keeps_its_own_event(
    world: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(investigation, "TRACED_EVENTS", 2)
    ids = [stored(world, n, correlation_id="c") for n in range(5)]
    detail = world.service().detail(ids[0])
    assert detail is not None
    assert detail.trace_cut
    assert ids[0] in {entry.event_id for entry in detail.trace}


@pytest.mark.parametrize("event_id", ["", "@known", "../../etc/passwd", "0" * 64, "G" * 64])
def test_what_is_no_known_event_is_none(world: Index, event_id: str) -> None:
    assert world.service().get(event_id) is None
    assert world.service().detail(event_id) is None


def test_types_and_sources_that_arrived_are_known(world: Index) -> None:
    assert world.service().known() == ((), ())
    world.put([record(0), record(1, event_type="order_paid", source="pos")])
    assert world.service().known() == (("order_paid", "order_placed"), ("pos", "shop-web"))


def test_late_arrivals_and_repeats_are_found(world: Index) -> None:
    world.put([record(n, late=n == 2) for n in range(4)])
    gate(world, record(1).event_id, duplicates={"N": "3"})
    gate(world, record(2).event_id, duplicates={"N": "0"})
    service = world.service()
    found = service.findings(service.search(RANGE).events, RANGE)
    assert [entry.event_id for entry in found.late] == [record(2).event_id]
    assert found.duplicates == {record(1).event_id: 3}


def arrivals(*minutes_ago: int, **changes: Any) -> list[Any]:
    return [record(n, **changes) for n in minutes_ago]


def test_a_silence_of_more_than_three_usual_intervals_is_a_gap() -> None:
    events = arrivals(0, 1, 2, 3, 10, 11, 12)
    (gap,) = findings_of(events, RANGE, {}, NOW).gaps
    assert (gap.name, gap.kind, gap.seconds, gap.usual_seconds) == ("shop-web", "source", 420, 60)
    assert (gap.start, gap.end) == (record(10).received_at, record(3).received_at)


def test_a_silence_that_lasts_has_no_end() -> None:
    (gap,) = findings_of(arrivals(5, 6, 7, 8, 9), RANGE, {}, NOW).gaps
    assert (gap.start, gap.end, gap.seconds) == (record(5).received_at, None, 300)


def test_a_range_in_the_past_ends_where_it_ends() -> None:
    past = replace(RANGE, end=NOW - 280)
    assert findings_of(arrivals(5, 6, 7, 8, 9), past, {}, NOW).gaps == ()


def test_an_entity_is_judged_by_its_own_events() -> None:
    query = replace(RANGE, entity_id="order-1")
    (gap,) = findings_of(arrivals(0, 1, 2, 3, 20), query, {}, NOW).gaps
    assert (gap.name, gap.kind) == ("order-1", "entity")


def test_the_interval_configured_for_a_type_is_its_usual_one() -> None:
    query = replace(RANGE, event_type="order_placed")
    assert findings_of(arrivals(0, 1, 2, 3, 10), query, {}, NOW, 600).gaps == ()
    assert len(findings_of(arrivals(0, 1, 2, 3, 10), query, {}, NOW, 60).gaps) == 1


def test_too_few_events_have_no_usual_interval() -> None:
    assert findings_of(arrivals(*range(0, 4 * (GAP_EVENTS - 1), 4)), RANGE, {}, NOW).gaps == ()


@pytest.mark.parametrize("chosen", [{"status": "failed"}, {"error_type": "timeout"}, {"event_ids": ("0" * 64,)}])
def test_events_chosen_by_how_they_went_have_no_gaps(chosen: dict[str, Any]) -> None:
    assert findings_of(arrivals(0, 1, 2, 3, 90), replace(RANGE, **chosen), {}, NOW).gaps == ()
