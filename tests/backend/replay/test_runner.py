"""A replay from its creation to its end, on moto."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.events import EventRecord
from backend.replay.lease import ReplayLeases
from backend.replay.recording import Recorder
from backend.replay.sending import QueueUnavailable
from backend.replay.store import ReplayStore
from tests.backend.replay.world import LEASE, World

MakeEvent = Callable[..., EventRecord]


def test_every_event_of_the_selection_is_sent_once(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(25)])
    world.put([events(100, status="processed", error=None), events(101, received_at=world.clock.now - 7200)])
    replay = world.create()
    assert (replay.status, replay.matched) == ("pending", 25)
    assert world.run(replay) == "ended"
    sent = world.sent()
    assert sorted(body["event_id"] for body in sent) == sorted(event.event_id for event in chosen)
    assert {(body["replay_id"], body["replay_count"]) for body in sent} == {(replay.replay_id, 1)}
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.sent, ended.failed, ended.skipped, ended.error) == ("succeeded", 25, 0, 0, "")
    assert [result.outcome for result in world.results(replay)] == ["sent"] * 25


def test_the_event_itself_tells_that_it_was_sent_again(world: World, events: MakeEvent) -> None:
    (event,) = world.put([events(1)])
    replay = world.create()
    world.run(replay)
    stored = world.stored(event)
    assert (stored.replay_count, stored.last_replay_id, stored.status) == (1, replay.replay_id, "failed")
    (step,) = world.trace(event)
    assert (step.stage, step.replay_id) == ("replayed", replay.replay_id)
    assert step.detail == "sent again to event-processor by ops@example.com: fixed the parser"
    (message,) = world.take(world.settings.event_queue_url)
    assert message["MessageAttributes"]["traceparent"]["StringValue"] == step.traceparent


def test_events_at_the_cap_of_replays_are_skipped_and_say_why(world: World, events: MakeEvent) -> None:
    capped, free = world.put([events(1, replay_count=5), events(2, replay_count=4)])
    replay = world.create()
    world.run(replay)
    assert [body["event_id"] for body in world.sent()] == [free.event_id]
    results = {result.event_id: result for result in world.results(replay)}
    assert results[capped.event_id].outcome == "skipped"
    assert results[capped.event_id].detail == "was sent again 5 times; replay.max_replays is 5"
    assert (world.replays.get(replay.replay_id).skipped, world.stored(capped).replay_count) == (1, 5)


def test_an_event_that_loops_stops_at_the_cap(world: World, events: MakeEvent) -> None:
    (event,) = world.put([events(1)])
    for _ in range(7):
        world.run(world.create())
    assert len(world.sent()) == 5
    assert world.stored(event).replay_count == 5


def test_replays_made_at_once_stop_at_the_cap_where_the_others_are_counted(world: World, events: MakeEvent) -> None:
    (event,) = world.put([events(1)])
    replays = [world.create() for _ in range(6)]
    for replay in replays:
        world.run(replay)
    assert [body["replay_count"] for body in world.sent()] == [1, 2, 3, 4, 5]
    assert world.stored(event).replay_count == 5
    (result,) = world.results(replays[-1])
    assert (result.outcome, result.detail) == ("skipped", "was sent again 5 times; replay.max_replays is 5")


def test_counts_that_are_read_late_are_asked_for_again(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n, replay_count=n) for n in range(3)])

    class Busy(Through):
        """Answers for one key at a time."""

        def batch_get_item(self, **request: Any) -> Any:
            table, wanted = next(iter(request["RequestItems"].items()))
            first, *rest = wanted["Keys"]
            answer = self._client.batch_get_item(RequestItems={table: {**wanted, "Keys": [first]}})
            return {**answer, "UnprocessedKeys": {table: {**wanted, "Keys": rest}} if rest else {}}

    recorder = Recorder(Busy(world.clients.dynamodb), world.settings, world.clock.sleep)
    stale = [replace(event, replay_count=0) for event in [*chosen, events(9)]]
    assert [event.replay_count for event in recorder.current(stale)] == [0, 1, 2, 0]


def test_a_slice_that_is_over_hands_on_and_the_next_goes_on(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(20)])
    replay = world.create(rate_per_second=4.0)
    world.take(world.settings.replay_queue_url)
    runner, runs = world.runner(), 0
    while runner.run(replay.replay_id, world.clock.now + 1.0) == "continued":
        runs += 1
        (message,) = world.take(world.settings.replay_queue_url)
        assert json.loads(message["Body"]) == {"replay_id": replay.replay_id}
    assert runs >= 2
    assert sorted(body["event_id"] for body in world.sent()) == sorted(event.event_id for event in chosen)
    assert world.replays.get(replay.replay_id).status == "succeeded"


def test_a_replay_keeps_its_rate(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(50)])
    replay = world.create(rate_per_second=10.0)
    world.run(replay)
    ended = world.replays.get(replay.replay_id)
    assert ended.measured_rate == pytest.approx(10, rel=0.05)
    assert world.clock.now - replay.created_at == pytest.approx(5, rel=0.05)


def test_cancelling_while_it_sends_stops_it_and_keeps_what_was_sent(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(60)])
    replay = world.create(rate_per_second=10.0)
    cancel = After(14, lambda: world.replays.cancel(replay.replay_id, "ops@example.com"))
    assert world.run(replay, sqs=Watched(world.clients.sqs, cancel)) == "ended"
    ended = world.replays.get(replay.replay_id)
    sent = [body["event_id"] for body in world.sent()]
    assert ended.status == "cancelled"
    assert len(sent) == 20
    assert ended.sent == len(sent) == len(world.results(replay))
    counts = world.counts(chosen)
    assert {event.event_id for event, count in zip(chosen, counts, strict=True) if count} == set(sent)
    (entry,) = world.audit.entries(ended.created_at, ended.created_at + 60, outcome="cancelled")
    assert (entry.action, entry.details["sent"]) == ("replay.create", 20)
    assert world.run(replay) == "nothing"


def test_a_paused_replay_waits_and_goes_on_where_it_stopped(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(40)])
    replay = world.create(rate_per_second=10.0)
    pause = After(4, lambda: world.replays.pause(replay.replay_id, "ops@example.com"))
    assert world.run(replay, sqs=Watched(world.clients.sqs, pause)) == "paused"
    assert world.depth(world.settings.event_queue_url) == 10
    assert world.replays.get(replay.replay_id).status == "paused"
    assert world.run(replay) == "nothing"
    assert world.runner().sweep() == 0
    world.replays.resume(replay.replay_id, "ops@example.com")
    assert world.run(replay) == "ended"
    assert sorted(body["event_id"] for body in world.sent()) == sorted(event.event_id for event in chosen)


@pytest.mark.parametrize(("steer", "status", "sent"), [("cancel", "cancelled", 200), ("resume", "succeeded", 230)])
def test_steering_while_a_paused_replay_is_put_on_record_is_heard(
    world: World, events: MakeEvent, steer: str, status: str, sent: int
) -> None:
    chosen = world.put([events(n) for n in range(230)])
    replay = world.create()
    pause = After(1, lambda: world.replays.pause(replay.replay_id, "ops@example.com"))
    counting = Counting(
        world.clients.dynamodb, lambda: getattr(world.replays, steer)(replay.replay_id, "ops@example.com")
    )
    assert world.run(replay, sqs=Watched(world.clients.sqs, pause), dynamodb=counting) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.sent, ended.pause_requested) == (status, sent, steer == "cancel")
    assert len({body["event_id"] for body in world.sent()}) == sent
    assert sum(world.counts(chosen)) == sent
    assert world.runner().sweep() == 0
    outcomes = {entry.action: entry.outcome for entry in world.audit.entries(replay.created_at, world.clock.now + 1)}
    assert outcomes["replay.create"] == status


def test_only_what_the_queue_refused_is_sent_again(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(30)])
    sqs = Refusing(world.clients.sqs, first=3)
    replay = world.create()
    world.run(replay, sqs=sqs)
    assert sorted(body["event_id"] for body in world.sent()) == sorted(event.event_id for event in chosen)
    assert world.replays.get(replay.replay_id).sent == 30


def test_an_event_that_the_queue_keeps_refusing_counts_as_failed(world: World, events: MakeEvent) -> None:
    bad, *_ = world.put([events(n) for n in range(30)])
    replay = world.create()
    world.run(replay, sqs=Refusing(world.clients.sqs, always=bad.event_id))
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.sent, ended.failed) == ("failed", 29, 1)
    assert ended.error == "1 of 30 could not be sent; the results say why."
    (result,) = [result for result in world.results(replay) if result.outcome == "failed"]
    assert (result.event_id, result.detail) == (bad.event_id, "InternalError: try again")
    assert world.stored(bad).replay_count == 0


def test_a_queue_that_does_not_answer_is_tried_later(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(5)])
    replay = world.create()
    with pytest.raises(QueueUnavailable):
        world.run(replay, sqs=Failing(world.clients.sqs, "ServiceUnavailable"))
    waiting = world.replays.get(replay.replay_id)
    assert (waiting.status, waiting.done) == ("running", 0)
    assert "ServiceUnavailable" in waiting.error
    assert world.runner().sweep() == 1
    assert world.run(replay) == "ended"
    assert (world.replays.get(replay.replay_id).error, len(world.sent())) == ("", 5)


def test_a_replay_that_never_gets_anywhere_gives_up(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    runner = world.runner(sqs=Failing(world.clients.sqs, "ServiceUnavailable"))
    for _ in range(10):
        with pytest.raises(QueueUnavailable):
            runner.run(replay.replay_id, world.clock.now + 100)
    assert runner.run(replay.replay_id, world.clock.now + 100) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert ended.status == "failed"
    assert ended.error.startswith("gave up after 10 starts without progress: QueueUnavailable")


def test_a_queue_that_may_not_be_sent_to_ends_the_replay_at_once(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    assert world.run(replay, sqs=Failing(world.clients.sqs, "AccessDenied")) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.done) == ("failed", 0)
    assert "event-processor can't be sent to" in ended.error


def test_a_second_runner_has_nothing_to_do_while_the_first_works(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(5)])
    replay = world.create()
    others: list[str] = []
    sqs = Watched(world.clients.sqs, lambda _: others.append(world.run(replay)))
    assert world.run(replay, sqs=sqs) == "ended"
    assert others == ["nothing"]
    assert len(world.sent()) == 5


def test_a_runner_that_slept_through_its_lease_writes_nothing_more(world: World, events: MakeEvent) -> None:
    chosen = world.put([events(n) for n in range(5)])
    replay = world.create()
    others: list[str] = []

    def fall_asleep(_: Any) -> None:
        world.clock.now += LEASE + 1
        others.append(world.run(replay))

    assert world.run(replay, sqs=Watched(world.clients.sqs, fall_asleep)) == "lost"
    assert others == ["ended"]
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.sent) == ("succeeded", 5)
    assert {body["event_id"] for body in world.sent()} == {event.event_id for event in chosen}
    assert world.counts(chosen) == [1] * 5


def test_a_replay_whose_runner_is_gone_is_taken_up_by_the_sweep(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(5)])
    replay = world.create()
    with pytest.raises(KeyboardInterrupt):
        world.run(replay, sqs=Watched(world.clients.sqs, die))
    world.take(world.settings.replay_queue_url)
    assert world.runner().sweep() == 0
    world.clock.now += LEASE + 1
    assert world.runner().sweep() == 1
    (message,) = world.take(world.settings.replay_queue_url)
    assert json.loads(message["Body"])["replay_id"] == replay.replay_id
    assert world.run(replay) == "ended"
    assert world.runner().sweep() == 0


def test_the_audit_log_has_the_result_once_the_replay_has_ended(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(5)])
    replay = world.create()
    (entry,) = world.audit.entries(world.clock.now - 60, world.clock.now + 60)
    assert (entry.action, entry.who, entry.outcome) == ("replay.create", "ops@example.com", "started")
    world.run(replay)
    (entry,) = world.audit.entries(world.clock.now - 60, world.clock.now + 60)
    assert (entry.outcome, entry.subject, entry.reason) == ("succeeded", replay.replay_id, "fixed the parser")
    assert (entry.details["sent"], entry.details["status"]) == (5, "succeeded")
    assert entry.details["selection"]["status"] == "failed"


def test_the_table_is_not_asked_for_what_is_no_id_of_a_replay() -> None:
    nobody: Any = None
    for text in ("nowhere", "0" * 2_100, "0" * 31 + "/", "queue#event-processor-dlq"):
        assert ReplayLeases(nobody, "Replays").take(text, 0.0) is None
        with pytest.raises(KeyError):
            ReplayStore(nobody, "Replays").get(text)


def die(_: Any) -> None:
    """What SIGKILL looks like from inside: nothing that follows runs, not even what handles errors."""
    raise KeyboardInterrupt


class After:
    """Acts once, when so many messages were sent."""

    def __init__(self, messages: int, act: Callable[[], Any]) -> None:
        self._left = messages
        self._act = act
        self._lock = threading.Lock()

    def __call__(self, entries: Any) -> None:
        with self._lock:
            due = 0 < self._left <= len(entries)
            self._left -= len(entries)
        if due:
            self._act()


class Through:
    """A client with one call replaced."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Watched(Through):
    """Tells of each batch after it was sent."""

    def __init__(self, client: Any, tell: Callable[[Any], None]) -> None:
        super().__init__(client)
        self._tell = tell

    def send_message_batch(self, **request: Any) -> Any:
        answer = self._client.send_message_batch(**request)
        self._tell(request["Entries"])
        return answer


class Counting(Through):
    """Acts once, when the first events are counted."""

    def __init__(self, client: Any, act: Callable[[], Any]) -> None:
        super().__init__(client)
        self._acts = [act]

    def transact_write_items(self, **request: Any) -> Any:
        while self._acts:
            self._acts.pop()()
        return self._client.transact_write_items(**request)


class Refusing(Through):
    """Refuses some messages of a batch: the first few ever, or one always."""

    def __init__(self, client: Any, first: int = 0, always: str = "nothing") -> None:
        super().__init__(client)
        self._left = first
        self._always = always

    def send_message_batch(self, **request: Any) -> Any:
        refused = [entry for entry in request["Entries"] if self._always in entry["MessageBody"]]
        if self._left:
            refused = request["Entries"][: self._left]
            self._left -= len(refused)
        kept = [entry for entry in request["Entries"] if entry not in refused]
        answer = self._client.send_message_batch(**{**request, "Entries": kept}) if kept else {}
        failed = [
            {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "try again"}
            for entry in refused
        ]
        return {**answer, "Failed": failed}


class Failing(Through):
    """Answers every batch with an error."""

    def __init__(self, client: Any, code: str) -> None:
        super().__init__(client)
        self._code = code

    def send_message_batch(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "SendMessageBatch")
