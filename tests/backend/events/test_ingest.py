"""An event is stored once and completely, whoever sends it, how often, and wherever an earlier try broke off."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.contract.event_items import record_of
from backend.events.gate import gate_of, message_entry
from backend.events.ingest import Ingest
from tests.backend.events.ingest_world import BUCKET, NOW, Killed, World, event, world
from tests.loggers import fresh_logger

__all__ = ["world"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
XRAY = "1-5759e988-bd862e3fe1be46a994272793"


def refused_error(code: str = "ProvisionedThroughputExceededException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Any")  # type: ignore[typeddict-item]


def test_an_event_lands_in_all_four_places(world: World) -> None:
    outcome = world.ingest().take(event(), world.delivery())
    assert outcome.status == "stored"
    ((key, raw),) = world.objects().items()
    assert key == f"events/source=shop-web/year=2026/month=11/day=21/{outcome.event_id}.json"
    assert json.loads(raw) == {
        "event_id": outcome.event_id,
        "source": "shop-web",
        "event_type": "order_placed",
        "entity_id": "order-1",
        "occurred_at": "2026-11-21T11:06:58.250000Z",
        "received_at": "2026-11-21T11:07:03.250Z",
        "correlation_id": outcome.event_id,
        "payload": {"order_id": "order-1", "amount": 12.5, "customer_id": "c-7"},
    }
    (item,) = world.index()
    record = record_of(item)
    assert (record.status, record.size, record.lag_seconds) == ("received", len(raw), 5)
    assert record.sha256 == hashlib.sha256(raw).hexdigest()
    (gate,) = world.gates()
    assert (gate["state"]["S"], gate["raw_key"]["S"], gate["sha256"]["S"]) == ("stored", key, record.sha256)
    (message,) = world.messages()
    body = json.loads(message["Body"])
    assert (body["event_id"], body["raw_key"], body["sha256"]) == (outcome.event_id, key, record.sha256)
    assert world.known() == {"types": {"order_placed"}, "sources": {"shop-web"}}


def test_the_payload_keeps_its_keys_in_the_order_sent(world: World) -> None:
    world.ingest().take(event(payload={"z": 1, "a": {"y": 2, "b": 3}}), world.delivery())
    (raw,) = world.objects().values()
    assert b'"payload":{"z":1,"a":{"y":2,"b":3}}' in raw


def test_a_repeat_is_told_the_same_id_and_counted(world: World) -> None:
    ingest = world.ingest()
    first = ingest.take(event(), world.delivery())
    world.now += 86_400
    again = ingest.take(event(payload={"customer_id": "c-7", "amount": 12.5, "order_id": "order-1"}), world.delivery())
    assert (again.status, again.event_id) == ("duplicate", first.event_id)
    assert (len(world.objects()), len(world.index()), len(world.messages())) == (1, 1, 1)
    (gate,) = world.gates()
    assert gate["duplicates"]["N"] == "1"
    assert world.measured("duplicate_events") == {"shop-web": 1}
    assert world.measured("events_ingested") == {"shop-web": 1}


def test_a_key_makes_equal_events_two_and_the_same_key_makes_them_one(world: World) -> None:
    ingest, delivery = world.ingest(), world.delivery()
    first = ingest.take(event(idempotency_key="a"), delivery)
    assert ingest.take(event(idempotency_key="b"), delivery).status == "stored"
    assert ingest.take(event(idempotency_key="a", source="till"), delivery).status == "stored"
    again = ingest.take(event(idempotency_key="a"), delivery)
    assert (again.status, again.event_id) == ("duplicate", first.event_id)


def test_a_key_used_for_other_content_is_a_conflict(world: World) -> None:
    ingest = world.ingest()
    ingest.take(event(idempotency_key="a"), world.delivery())
    outcome = ingest.take(event(idempotency_key="a", payload={"amount": 13}), world.delivery())
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.error["field"]) == ("idempotency_conflict", "idempotency_key")
    assert (len(world.objects()), len(world.index()), len(world.messages())) == (1, 1, 1)


def test_a_batch_answers_for_every_entry_in_its_order(world: World) -> None:
    bad = InvalidInput("[1].source", "", "must be something")
    keyed, other = event(idempotency_key="k"), event(idempotency_key="k", payload=1)
    entries = [event(), bad, event(), keyed, other, event(entity_id="order-2")]
    outcomes = world.ingest().take_all(entries, world.delivery())
    assert [o.status for o in outcomes] == ["stored", "error", "duplicate", "stored", "error", "stored"]
    assert [(o.error or {}).get("field") for o in outcomes if o.error] == ["[1].source", "[4].idempotency_key"]
    assert outcomes[0].event_id == outcomes[2].event_id
    assert len(world.sent()) == len(world.index()) == len(world.objects()) == 3
    assert world.measured("events_ingested") == {"shop-web": 3}
    assert world.measured("duplicate_events") == {"shop-web": 1}


def test_a_hundred_at_once_are_one(world: World) -> None:
    ingests, barrier = [world.ingest() for _ in range(4)], Barrier(100)

    def take(number: int) -> str:
        barrier.wait()
        return ingests[number % 4].take(event(), world.delivery()).status

    with ThreadPoolExecutor(100) as pool:
        statuses = Counter(pool.map(take, range(100)))
    assert statuses == {"stored": 1, "duplicate": 99}
    assert (len(world.objects()), len(world.index()), len(world.gates())) == (1, 1, 1)
    assert len(set(world.sent())) == 1
    assert world.measured("events_ingested") == {"shop-web": 1}
    assert world.measured("duplicate_events") == {"shop-web": 99}
    assert world.gates()[0]["duplicates"]["N"] == "99"


def killed_at(number: int) -> Any:
    calls = iter(range(1, 1000))

    def before(_: str) -> None:
        if next(calls) == number:
            raise Killed

    return before


@pytest.mark.parametrize("number", range(1, 8))
def test_a_retry_completes_what_a_crash_left_and_doubles_nothing(world: World, number: int) -> None:
    dying = world.ingest(killed_at(number))
    with pytest.raises(Killed):
        dying.take(event(), world.delivery())
    gate_was_there, closed = number > 2, number == 7
    world.now += 86_400
    reordered = event(payload={"customer_id": "c-7", "amount": 12.5, "order_id": "order-1"}, correlation_id="other")
    outcome = world.ingest().take(reordered, world.delivery())
    assert outcome.status == ("duplicate" if closed else "stored")
    ((key, raw),) = world.objects().items()
    assert f"day={21 if gate_was_there else 22}/" in key
    (record,) = map(record_of, world.index())
    (gate,) = world.gates()
    assert gate["state"]["S"] == "stored"
    assert record.sha256 == gate["sha256"]["S"] == hashlib.sha256(raw).hexdigest()
    assert record.correlation_id == gate["correlation_id"]["S"] == json.loads(raw)["correlation_id"]
    messages = [json.loads(message["Body"]) for message in world.messages()]
    assert {(m["event_id"], m["raw_key"], m["sha256"]) for m in messages} == {(outcome.event_id, key, record.sha256)}
    assert world.ingest().take(event(), world.delivery()).status == "duplicate"


@pytest.mark.parametrize("number", range(1, 11))
def test_a_retry_completes_a_batch_wherever_it_broke_off(world: World, number: int) -> None:
    events = [event(entity_id=f"order-{number}") for number in range(3)]
    calls, dying = list[str](), world.ingest(killed_at(number))
    try:
        dying.take_all(events, world.delivery())
    except Killed:
        calls.append("killed")
    assert bool(calls) is (number < 10)
    world.now += 86_400
    statuses = Counter(outcome.status for outcome in world.ingest().take_all(events, world.delivery()))
    assert statuses == ({"duplicate": 3} if number >= 9 else {"stored": 3})
    assert len(world.objects()) == len(world.index()) == len(set(world.sent())) == 3
    assert {gate["state"]["S"] for gate in world.gates()} == {"stored"}


def test_a_batch_writes_its_gates_and_its_index_together(world: World) -> None:
    names: list[str] = []
    world.ingest(names.append).take_all([event(entity_id=f"order-{n}") for n in range(30)], world.delivery())
    assert Counter(names) == {
        "dynamodb.UpdateItem": 1, "dynamodb.TransactWriteItems": 6, "s3.PutObject": 30, "sqs.SendMessageBatch": 3,
        "dynamodb.BatchWriteItem": 1,
    }  # fmt: skip


def test_one_known_event_does_not_keep_a_batch_from_being_stored(world: World) -> None:
    ingest = world.ingest()
    ingest.take(event(entity_id="order-7"), world.delivery())
    outcomes = ingest.take_all([event(entity_id=f"order-{n}") for n in range(30)], world.delivery())
    assert [number for number, outcome in enumerate(outcomes) if outcome.status == "duplicate"] == [7]
    assert len(world.index()) == len(world.sent()) == 30


def test_every_call_of_an_ingest_was_a_crash_point(world: World) -> None:
    names: list[str] = []
    world.ingest(names.append).take(event(), world.delivery())
    assert names == [
        "dynamodb.UpdateItem", "dynamodb.PutItem", "s3.PutObject", "dynamodb.PutItem", "sqs.SendMessageBatch",
        "dynamodb.UpdateItem", "dynamodb.BatchWriteItem",
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(1, 7))
def test_a_call_that_fails_is_told_and_the_retry_stores(world: World, number: int) -> None:
    calls = iter(range(1, 1000))

    def failing(_: str) -> None:
        if next(calls) == number:
            raise refused_error()

    outcome = world.ingest(failing).take(event(), world.delivery())
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.error["message"]) == (
        "unavailable",
        "the event could not be stored now; send it again",
    )
    assert world.ingest().take(event(), world.delivery()).status == "stored"
    assert (len(world.objects()), len(world.index()), len(set(world.sent()))) == (1, 1, 1)


def test_numbers_that_can_not_be_written_cost_no_event(world: World) -> None:
    def failing(name: str) -> None:
        if name == "dynamodb.BatchWriteItem":
            raise refused_error("AccessDeniedException")

    assert world.ingest(failing).take(event(), world.delivery()).status == "stored"


def test_a_part_of_a_batch_that_the_queue_refuses_is_told_and_healed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = world.clients(lambda _: None)
    real = clients.sqs.send_message_batch

    def partly(**request: Any) -> Any:
        lost, kept = request["Entries"][0], request["Entries"][1:]
        answer = real(**{**request, "Entries": kept}) if kept else {"Successful": []}
        return {**answer, "Failed": [{"Id": lost["Id"], "SenderFault": False, "Code": "InternalError"}]}

    monkeypatch.setattr(clients.sqs, "send_message_batch", partly)
    ingest = Ingest(world.settings, clients, fresh_logger(world.log), clock=lambda: NOW, sleep=world.slept.append)
    events = [event(entity_id=f"order-{number}") for number in range(25)]
    outcomes = ingest.take_all(events, world.delivery())
    assert Counter(outcome.status for outcome in outcomes) == {"stored": 22, "error": 3}
    assert {gate["state"]["S"] for gate in world.gates()} == {"open", "stored"}
    healed = world.ingest().take_all(events, world.delivery())
    assert Counter(outcome.status for outcome in healed) == {"stored": 3, "duplicate": 22}
    assert len(world.sent()) == len(world.index()) == len(world.objects()) == 25


def test_an_event_in_other_hands_is_waited_for_before_it_is_taken_over(world: World) -> None:
    with pytest.raises(Killed):
        world.ingest(killed_at(3)).take(event(), world.delivery())
    assert world.ingest().take(event(), world.delivery()).status == "stored"
    assert len(world.slept) == 5


def test_an_object_of_an_earlier_try_counts_as_it_is(world: World) -> None:
    with pytest.raises(Killed):
        world.ingest(killed_at(4)).take(event(), world.delivery())
    ((key, raw),) = world.objects().items()
    reordered = event(payload={"customer_id": "c-7", "amount": 12.5, "order_id": "order-1"})
    world.ingest().take(reordered, world.delivery())
    assert world.objects() == {key: raw}
    assert record_of(world.index()[0]).sha256 == hashlib.sha256(raw).hexdigest()


def test_an_object_that_says_something_else_is_not_made_good(world: World) -> None:
    with pytest.raises(Killed):
        world.ingest(killed_at(4)).take(event(), world.delivery())
    ((key, raw),) = world.objects().items()
    forged = raw.replace(b"12.5", b"99.5")
    world.clients().s3.put_object(Bucket=BUCKET, Key=key, Body=forged)
    world.ingest().take(event(), world.delivery())
    assert record_of(world.index()[0]).sha256 == hashlib.sha256(raw).hexdigest()


def test_an_index_item_that_knows_more_is_left_alone(world: World) -> None:
    with pytest.raises(Killed):
        world.ingest(killed_at(6)).take(event(), world.delivery())
    (item,) = world.index()
    processed: Any = {**item, "status": {"S": "processed"}}
    world.clients().dynamodb.put_item(TableName=world.settings.events_table, Item=processed)
    world.ingest().take(event(), world.delivery())
    assert record_of(world.index()[0]).status == "processed"


def test_an_expired_gate_lets_its_event_in_again(world: World) -> None:
    world.ingest().take(event(), world.delivery())
    world.now += 91 * 86_400
    assert world.ingest().take(event(), world.delivery()).status == "stored"


@pytest.mark.parametrize(
    ("given", "traceparent", "wanted"),
    [
        ("mine", f"00-{TRACE}-00f067aa0ba902b7-01", "mine"),
        (None, f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (None, "nonsense", None),
    ],
)
def test_the_correlation_id_is_given_or_the_traces_or_the_events(
    world: World, given: str | None, traceparent: str, wanted: str | None
) -> None:
    outcome = world.ingest().take(event(correlation_id=given), world.delivery(traceparent=traceparent))
    assert record_of(world.index()[0]).correlation_id == (wanted or outcome.event_id)


def test_the_trace_goes_along_and_headers_are_kept_but_for_secrets(world: World) -> None:
    headers = {"User-Agent": "till/2", "authorization": "secret", "cookie": "secret"}
    headers |= {"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Amzn-Trace-Id": f"Root={XRAY};Sampled=1"}
    world.ingest().take(event(), world.delivery(**headers))
    (gate,) = world.gates()
    assert set(gate["headers"]["M"]) == {"user-agent", "traceparent", "x-amzn-trace-id"}
    assert gate["traceparent"]["S"].split("-")[1] == TRACE
    assert gate["xray_id"]["S"] == XRAY
    (message,) = world.messages()
    assert message["MessageAttributes"]["traceparent"]["StringValue"] == gate["traceparent"]["S"]
    (system,) = message_entry(gate_of(gate), "0")["MessageSystemAttributes"].items()
    assert system == ("AWSTraceHeader", {"DataType": "String", "StringValue": f"Root={XRAY}"})


def test_late_is_what_passes_the_limit_of_its_type(world: World) -> None:
    events = [event(occurred_at=NOW - 301), event(occurred_at=NOW - 299)]
    world.ingest().take_all(events, world.delivery())
    assert sorted(record_of(item).late for item in world.index()) == [False, True]
    assert world.measured("late_events") == {"shop-web": 1}
    assert world.measured("ingest_lag_seconds") == {"shop-web": 301}


def test_the_log_finds_an_event_by_its_ids(world: World) -> None:
    outcome = world.ingest().take(event(), world.delivery())
    (line,) = world.logged()
    wanted = {"event_id": outcome.event_id, "correlation_id": outcome.event_id, "order_id": "order-1"}
    wanted |= {"customer_id": "c-7", "operator": "ingest", "status": "stored", "message": "event taken"}
    assert wanted.items() <= line.items()
    assert line["latency_ms"] >= 0


def test_what_there_is_no_time_for_is_told(world: World) -> None:
    ticks = iter([0.0, *([100.0] * 1000)])
    clients = world.clients()
    ingest = Ingest(
        world.settings,
        clients,
        fresh_logger(world.log),
        clock=lambda: NOW,
        timer=lambda: next(ticks),
    )
    outcomes = ingest.take_all([event(), event(entity_id="order-2")], world.delivery())
    assert {(outcome.error or {})["code"] for outcome in outcomes} == {"unavailable"}
    assert world.gates() == []
