"""An event is counted by its aggregate exactly once, however its messages come, and a message fails alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.tables import ERROR_DAY, EXPIRES_AT
from backend.events.aggregate_store import OLD_VERSION_SECONDS
from backend.events.aggregates import hash_of
from backend.settings import Plugins
from tests.backend.events.ingest_world import BUCKET, NOW, Killed, World, event, world
from tests.backend.events.processor_world import ORDER, TRACE, Pipeline, configured

__all__ = ["world"]


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


def order(number: int, **changes: Any) -> Any:
    payload = {"customer_id": "c-7", "amount": 10 + number}
    return event(**({"entity_id": f"order-{number}", "payload": payload} | changes))


def renamed(number: int) -> Any:
    return order(number, payload={"cust_id": "c-7", "amount": 10 + number})


def breaking(name: str, times: int = 1, do: Callable[[], None] | None = None) -> Callable[[str], None]:
    """Does something before the first calls of a name; kills the process by default."""
    left = [times]

    def before(call: str) -> None:
        if call == name and left[0]:
            left[0] -= 1
            if do is None:
                raise Killed
            do()

    return before


def test_an_ingested_event_is_counted_and_marked(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(1))
    assert pipeline.run() == []
    record = pipeline.record(event_id)
    assert (record.status, record.processed_at, record.error) == ("processed", pytest.approx(NOW), None)
    ((window, (version,)),) = pipeline.versions().items()
    assert window == "order_placed#2026-11-21T11:00:00Z"
    assert version.state == {"count": 1, "numbers": {"amount": {"count": 1, "sum": 11, "min": 11, "max": 11}}}
    assert (version.number, version.events, version.sample_ids) == (1, 1, (event_id,))
    assert version.input_hash == hash_of([event_id])


def test_a_new_version_only_when_events_came_in_and_old_ones_expire(pipeline: Pipeline) -> None:
    first = pipeline.take(order(1), order(2))
    pipeline.run()
    second = pipeline.take(order(3))
    pipeline.run()
    ((_, versions),) = pipeline.versions().items()
    assert [(version.number, version.events) for version in versions] == [(1, 2), (2, 3)]
    assert versions[1].input_hash == hash_of([*second, *reversed(first)])
    assert versions[1].sample_ids == tuple(sorted(first + second))
    items = pipeline.plain.dynamodb.scan(TableName="Aggregates")["Items"]
    expiry = {item["version"]["N"]: int(item[EXPIRES_AT]["N"]) for item in items}
    assert expiry["1"] == int(NOW) + OLD_VERSION_SECONDS < expiry["2"]


def test_a_message_that_comes_again_changes_nothing(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(1))
    delivered = pipeline.receive()
    assert pipeline.handle(delivered) == []
    before = pipeline.item(event_id)
    assert pipeline.handle(delivered) == []
    assert pipeline.item(event_id) == before
    assert pipeline.newest().number == 1


def test_an_event_twice_in_one_batch_counts_once(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(1))
    pipeline.replay(event_id, "r-1")
    delivered = pipeline.receive()
    assert len(delivered["Records"]) == 2
    assert pipeline.handle(delivered) == []
    assert pipeline.newest().events == 1
    assert pipeline.item(event_id)["processed_replays"] == {"SS": ["r-1"]}


def test_a_replayed_event_that_is_in_changes_no_aggregate_and_is_noted_once(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(1))
    pipeline.run()
    pipeline.world.now += 60
    pipeline.replay(event_id, "r-1")
    delivered = pipeline.receive()
    assert pipeline.handle(delivered) == []
    pipeline.world.now += 1
    assert pipeline.handle(delivered) == []
    assert (pipeline.newest().number, pipeline.newest().events) == (1, 1)
    steps = [step for step in pipeline.detail(event_id).trace if step.stage == "processed"]
    assert [(step.at, step.replay_id) for step in steps] == [
        (pytest.approx(NOW), ""), (pytest.approx(NOW + 60), "r-1"),
    ]  # fmt: skip


def test_a_failed_event_is_counted_when_a_replay_brings_it_after_the_fix(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(renamed(1))
    pipeline.run()
    assert pipeline.record(event_id).status == "failed"
    fixed = replace(ORDER, aliases={"customer_id": ["cust_id"]})
    pipeline.world.settings = configured(pipeline.world.settings, {"order_placed": fixed})
    pipeline.replay(event_id, "r-1")
    assert pipeline.run() == []
    record, item = pipeline.record(event_id), pipeline.item(event_id)
    assert (record.status, record.error) == ("processed", None)
    assert ERROR_DAY not in item
    assert pipeline.newest().events == 1
    steps = [(step.stage, step.replay_id) for step in pipeline.detail(event_id).trace]
    assert steps == [("ingested", ""), ("failed", ""), ("failed", ""), ("dead_lettered", ""), ("processed", "r-1")]


@pytest.mark.parametrize("call", ["dynamodb.BatchGetItem", "dynamodb.Query", "dynamodb.TransactWriteItems"])
def test_a_crash_before_any_call_is_healed_by_the_next_delivery(pipeline: Pipeline, call: str) -> None:
    ids = pipeline.take(order(1), order(2))
    delivered = pipeline.receive()
    with pytest.raises(Killed):
        pipeline.handle(delivered, pipeline.handler(breaking(call)))
    assert pipeline.handle(delivered) == []
    assert pipeline.newest().input_hash == hash_of(ids)


def test_a_crash_after_the_write_doubles_nothing(pipeline: Pipeline) -> None:
    ids = pipeline.take(order(1), order(2))
    delivered = pipeline.receive()
    handler = pipeline.handler()
    handler._measure = lambda *_: (_ for _ in ()).throw(Killed())  # type: ignore[method-assign]
    with pytest.raises(Killed):
        pipeline.handle(delivered, handler)
    assert pipeline.handle(delivered) == []
    assert (pipeline.newest().number, pipeline.newest().input_hash) == (1, hash_of(ids))


def test_two_processors_of_one_aggregate_count_both_events(pipeline: Pipeline) -> None:
    ids = pipeline.take(order(1))
    mine = pipeline.receive()
    ids += pipeline.take(order(2))
    theirs = pipeline.receive()
    between = breaking("dynamodb.TransactWriteItems", do=lambda: pipeline.handle(theirs) and None)
    assert pipeline.handle(mine, pipeline.handler(between)) == []
    assert (pipeline.newest().events, pipeline.newest().input_hash) == (2, hash_of(ids))
    assert pipeline.newest().state["count"] == 2


def test_two_processors_of_one_event_count_it_once(pipeline: Pipeline) -> None:
    ids = pipeline.take(order(1), order(2))
    delivered = pipeline.receive()
    first = {"Records": delivered["Records"][:1]}
    between = breaking("dynamodb.TransactWriteItems", do=lambda: pipeline.handle(first) and None)
    assert pipeline.handle(delivered, pipeline.handler(between)) == []
    assert (pipeline.newest().events, pipeline.newest().input_hash) == (2, hash_of(ids))


def test_an_aggregate_that_others_keep_writing_costs_a_retry_later(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(0))
    mine = pipeline.receive()

    def another() -> None:
        pipeline.take(order(pipeline.invocations + 10))
        pipeline.handle(pipeline.receive())

    handler = pipeline.handler(breaking("dynamodb.TransactWriteItems", times=99, do=another))
    assert len(pipeline.handle(mine, handler)) == 1
    error = pipeline.record(event_id).error
    assert error is not None
    assert error.error_type == "timeout"
    assert "others kept writing" in error.message


def test_good_messages_of_a_bad_batch_are_processed(pipeline: Pipeline) -> None:
    good, bad, other = pipeline.take(order(1), renamed(2), order(3, event_type="unknown_type", payload=[1, 2]))
    pipeline.plain.sqs.send_message(QueueUrl=pipeline.world.settings.event_queue_url, MessageBody="{oops")
    delivered = pipeline.receive()
    failed = pipeline.handle(delivered)
    assert len(failed) == 2
    assert [pipeline.record(name).status for name in (good, bad, other)] == ["processed", "failed", "processed"]
    lines = {line["message_id"]: line for line in pipeline.world.logged() if line["message"] == "event failed"}
    assert sorted(lines[name]["error_type"] for name in failed) == ["parse_error", "poison"]


def test_the_trace_goes_on_with_a_span_of_its_own(pipeline: Pipeline) -> None:
    world = pipeline.world
    sent = f"00-{TRACE}-00f067aa0ba902b7-01"
    outcome = world.ingest().take(order(1), world.delivery(traceparent=sent))
    pipeline.run()
    trace = pipeline.detail(str(outcome.event_id)).trace
    assert [step.stage for step in trace] == ["ingested", "processed"]
    assert {step.traceparent.split("-")[1] for step in trace} == {TRACE}
    assert len({step.traceparent for step in trace} | {sent}) == 3
    (line,) = [line for line in world.logged() if line["message"] == "event processed"]
    assert line["traceparent"] == trace[1].traceparent
    assert line["customer_id"] == "c-7"
    assert line["operator"] == "billing"


class Fragile:
    """Breaks on the payload's word."""

    def normalise(self, event: Any, fields: Any) -> Any:
        if fields.get("break") == "normalise":
            raise ZeroDivisionError("of the plug-in")
        return fields

    def window(self, event: Any, normal: Any) -> str:
        return "all#ever"

    def add(self, state: Any, events: Any) -> Any:
        if any(entry.get("break") == "add" for entry in events):
            raise KeyError("of the plug-in")
        if any(entry.get("break") == "json" for entry in events):
            return {"state": object()}
        return {"count": (state["count"] if state else 0) + len(events)}


def fragile(settings: Any) -> Fragile:
    return Fragile()


@pytest.mark.parametrize("where", ["normalise", "add", "json"])
def test_a_plugin_that_breaks_costs_its_event_alone(pipeline: Pipeline, where: str) -> None:
    plugins = Plugins(aggregate=f"{__name__}:fragile")
    pipeline.world.settings = configured(pipeline.world.settings, {}, plugins)
    good, bad = pipeline.take(order(1), order(2, payload={"break": where}))
    assert len(pipeline.handle(pipeline.receive())) == 1
    assert (pipeline.record(good).status, pipeline.record(bad).status) == ("processed", "failed")
    error = pipeline.record(bad).error
    assert error is not None
    assert error.error_type == "poison"
    assert pipeline.newest().state == {"count": 1}


def test_an_event_that_left_the_index_is_not_counted(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(order(1))
    item = pipeline.item(event_id)
    key = {name: item[name] for name in ("entity_id", "received_key")}
    pipeline.plain.dynamodb.delete_item(TableName="PipelineEvents", Key=key)
    assert len(pipeline.handle(pipeline.receive())) == 1
    assert pipeline.versions() == {}
    (line,) = [line for line in pipeline.world.logged() if line["message"] == "event failed"]
    assert "not in the index" in line["error_message"]
    assert pipeline.plain.s3.list_objects_v2(Bucket=BUCKET, Prefix="errors/").get("KeyCount") == 0
