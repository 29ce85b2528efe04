"""Dead-letter queues: samples that change nothing, redrives that miss nothing, deletions on record."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.contract.events import EventRecord
from backend.contract.replays import DeadLetterFilter, QueueState, Replay
from backend.replay.dead_letters import DeadLetters
from backend.replay.queue_lease import QueueLeases
from backend.replay.queues import Letters
from backend.replay.redrive import SKEW_SECONDS
from tests.backend.replay.world import LEASE, World

MakeEvent = Callable[..., EventRecord]
OPS = "ops@example.com"
EVENTS, METRICS, ALERTS = "event-processor-dlq", "log-processor-dlq", "alert-consumer-dlq"


@pytest.fixture(autouse=True)
def real_time(world: World) -> None:
    """Messages carry the queue's own time, so these tests' clock starts there."""
    world.clock.now = time.time() + 1


def state(world: World, name: str = EVENTS) -> QueueState:
    return next(queue for queue in world.letters.queues() if queue.name == name)


def fill(world: World, events: MakeEvent, count: int, **changes: Any) -> dict[str, EventRecord]:
    """Dead letters of so many failed events: message id to event."""
    chosen = world.put([events(n, **changes) for n in range(count)])
    return {world.letter(event): event for event in chosen}


def redriven(world: World, wanted: DeadLetterFilter | None = None) -> Replay:
    replay = world.letters.redrive(EVENTS, wanted or DeadLetterFilter(), OPS, "fixed the parser")
    world.run(replay)
    return world.replays.get(replay.replay_id)


def test_queues_say_how_full_they_are(world: World, events: MakeEvent) -> None:
    fill(world, events, 3)
    assert (state(world).depth, state(world).in_flight, state(world).source) == (3, 0, "event-processor")
    empty = state(world, METRICS)
    assert (empty.depth, empty.oldest_age_seconds, empty.problem) == (0, None, "")


def test_the_oldest_age_is_unknown_until_someone_looked_or_cloudwatch_says(world: World, events: MakeEvent) -> None:
    fill(world, events, 2)
    assert state(world).oldest_age_seconds is None
    world.letters.listing(EVENTS)
    world.clock.now += 30
    age = state(world).oldest_age_seconds
    assert age is not None
    assert 30 <= age <= 60
    world.clock.now += 3600
    assert state(world).oldest_age_seconds is None


def test_a_queue_that_can_not_be_read_says_so_plainly_and_the_log_says_why(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.clients.sqs.delete_queue(QueueUrl=world.settings.event_dead_letter_queue_url)
    broken = state(world)
    assert (broken.depth, broken.oldest_age_seconds) == (None, None)
    assert broken.problem == "The queue can't be read now"
    assert "NonExistentQueue" in caplog.text or "does not exist" in caplog.text
    assert state(world, METRICS).depth == 0


def test_a_listing_joins_messages_with_their_events_and_gives_all_back(world: World, events: MakeEvent) -> None:
    fill(world, events, 25)
    junk = world.letter(body="<b>not json</b>")
    listing = world.letters.listing(EVENTS)
    assert (listing.seen, listing.about, len(listing.messages)) == (26, 26, 26)
    by_id = {letter.message_id: letter for letter in listing.messages}
    assert (by_id[junk].body, by_id[junk].event_id, by_id[junk].error_type) == ("<b>not json</b>", "", "")
    letter = next(letter for letter in listing.messages if letter.event_id)
    assert (letter.error_type, letter.operator, letter.event_type) == ("parse_error", "normalise", "order_placed")
    assert letter.error_message == "customer_id is missing"
    assert (state(world).depth, state(world).in_flight) == (26, 0)


def test_a_listing_shows_what_the_filter_takes_and_says_how_many_it_saw(world: World, events: MakeEvent) -> None:
    fill(world, events, 12)
    listing = world.letters.listing(EVENTS, DeadLetterFilter(entity_id="order-3"))
    assert {letter.entity_id for letter in listing.messages} == {"order-3"}
    assert (len(listing.messages), listing.seen) == (2, 12)


def test_a_large_queue_is_sampled(world: World, events: MakeEvent) -> None:
    url = world.settings.event_dead_letter_queue_url
    for first in range(0, 230, 10):
        entries = [{"Id": str(n), "MessageBody": f"message {n}"} for n in range(first, first + 10)]
        world.clients.sqs.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
    listing = world.letters.listing(EVENTS)
    assert (listing.about, 200 <= listing.seen < 230) == (230, True)
    assert state(world).in_flight == 0


def test_two_do_not_look_at_once(world: World) -> None:
    leases = QueueLeases(world.clients.dynamodb, world.settings.replays_table)
    owner = leases.take(EVENTS, 30, world.clock.now)
    with pytest.raises(InvalidInput, match="is being looked at") as busy:
        world.letters.listing(EVENTS)
    assert busy.value.code == "busy"
    leases.give_back(EVENTS, owner)
    assert world.letters.listing(EVENTS).seen == 0


@pytest.mark.parametrize("name", ["nowhere", "", None, "https://sqs/elsewhere"])
def test_an_unknown_queue_is_refused(world: World, name: Any) -> None:
    for call in (
        lambda: world.letters.listing(name),
        lambda: world.letters.redrive(name, DeadLetterFilter(), OPS, "because"),
        lambda: world.letters.delete(name, ["m-1"], OPS, "because"),
    ):
        with pytest.raises(InvalidInput, match="is not a known dead-letter queue; use event-processor-dlq, log"):
            call()


def test_a_redrive_of_all_empties_the_queue(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 25)
    ended = redriven(world)
    assert (ended.kind, ended.status, ended.matched, ended.sent) == ("redrive", "succeeded", 25, 25)
    sent = world.sent()
    assert Counter(body["event_id"] for body in sent) == Counter(event.event_id for event in letters.values())
    assert {(body["replay_id"], body["replay_count"]) for body in sent} == {(ended.replay_id, 1)}
    assert (state(world).depth, state(world).in_flight) == (0, 0)
    assert {result.message_id for result in world.results(ended)} == set(letters)
    event = next(iter(letters.values()))
    assert world.stored(event).replay_count == 1
    assert [step.stage for step in world.trace(event)] == ["redriven"]


def test_a_redrive_by_filter_gives_the_rest_back(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 14)
    junk = world.letter(body="not json")
    ended = redriven(world, DeadLetterFilter(entity_id="order-2"))
    assert (ended.status, ended.matched, ended.sent, ended.skipped) == ("succeeded", 15, 2, 13)
    assert len(world.sent()) == 2
    assert (state(world).depth, state(world).in_flight) == (13, 0)
    details = {result.message_id: result.detail for result in world.results(ended)}
    assert details[junk] == "does not match the filter"
    assert details.keys() == {*letters, junk}


def test_a_redrive_by_ids_touches_no_other_and_names_the_missing(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 12)
    chosen = list(letters)[:2]
    ended = redriven(world, DeadLetterFilter(message_ids=(*chosen, "gone")))
    assert (ended.matched, ended.sent, ended.skipped) == (3, 2, 1)
    assert {result.message_id: result.outcome for result in world.results(ended)} == {
        chosen[0]: "sent", chosen[1]: "sent", "gone": "skipped",
    }  # fmt: skip
    assert state(world).depth == 10


def test_what_is_no_event_goes_back_as_it_lies_there(world: World) -> None:
    url = world.settings.dead_letter_queue_url
    attributes = {"reason": {"DataType": "String", "StringValue": "access denied"}}
    world.clients.sqs.send_message(QueueUrl=url, MessageBody='{"Records": []}', MessageAttributes=attributes)  # type: ignore[arg-type]
    replay = world.letters.redrive(METRICS, DeadLetterFilter(), OPS, "mended the role")
    assert replay.target == "log-processor"
    world.run(replay)
    (message,) = world.take(world.settings.queue_url)
    assert message["Body"] == '{"Records": []}'
    assert message["MessageAttributes"]["reason"]["StringValue"] == "access denied"


def test_messages_of_the_alert_consumer_are_seen_and_sent_back_to_it(world: World) -> None:
    body = json.dumps({"Type": "Notification", "Message": "{}"})
    world.clients.sqs.send_message(QueueUrl=world.settings.alert_dead_letter_queue_url, MessageBody=body)
    (letter,) = world.letters.listing(ALERTS).messages
    assert (letter.body, state(world, ALERTS).source) == (body, "alert-consumer")
    world.run(world.letters.redrive(ALERTS, DeadLetterFilter(), OPS, "mended the consumer"))
    (message,) = world.take(world.settings.alert_queue_url)
    assert (message["Body"], state(world, ALERTS).depth) == (body, 0)


def test_messages_that_arrive_meanwhile_are_left_alone(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 12)
    # As old as a redrive may be for which none of the letters is too young.
    world.clock.now = time.time() - SKEW_SECONDS
    arrivals = [events(100 + n) for n in range(40)]
    world.put(arrivals)

    class Arriving:
        """A new dead letter for every request: the redriven events fail again at once."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.clients.sqs, name)

        def receive_message(self, **request: Any) -> Any:
            if arrivals:
                world.letter(arrivals.pop())
            return world.clients.sqs.receive_message(**request)

    replay = world.letters.redrive(EVENTS, DeadLetterFilter(), OPS, "fixed the parser")
    world.clock.now += 10
    while time.time() <= replay.created_at + SKEW_SECONDS + 0.01:
        time.sleep(0.001)
    assert world.run(replay, sqs=Arriving()) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert {result.message_id for result in world.results(ended)} == set(letters)
    assert len(world.sent()) == 12
    assert state(world).in_flight == 0
    assert state(world).depth == 40 - len(arrivals)


class Killed(BaseException):
    """What SIGKILL looks like from inside."""


@pytest.mark.parametrize("call", ["send_message_batch", "delete_message_batch", "receive_message"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_redrive_killed_anywhere_misses_nothing(
    world: World, events: MakeEvent, call: str, when: str, number: int
) -> None:
    letters = fill(world, events, 12)
    replay = world.letters.redrive(EVENTS, DeadLetterFilter(), OPS, "fixed the parser", 10.0)
    calls = itertools.count(1)

    class Dying:
        def __getattr__(self, name: str) -> Any:
            if name != call:
                return getattr(world.clients.sqs, name)

            def fatal(**request: Any) -> Any:
                this = next(calls)
                if this == number and when == "before":
                    raise Killed
                answer = getattr(world.clients.sqs, name)(**request)
                if this == number:
                    raise Killed
                return answer

            return fatal

    with pytest.raises(Killed):
        world.run(replay, sqs=Dying())
    show_hidden(world)
    world.clock.now += LEASE + 121
    while world.replays.get(replay.replay_id).status == "running":
        world.run(replay)
        world.clock.now += LEASE + 1
    sent = Counter(body["event_id"] for body in world.sent())
    assert sent.keys() == {event.event_id for event in letters.values()}
    assert max(sent.values()) <= 2
    assert (state(world).depth, state(world).in_flight) == (0, 0)
    assert world.counts(list(letters.values())) == [1] * 12


def show_hidden(world: World) -> None:
    """What happens after the time of visibility: moto knows real time only."""
    from moto.backends import get_backend
    from moto.core import DEFAULT_ACCOUNT_ID

    for queue in get_backend("sqs")[DEFAULT_ACCOUNT_ID]["us-east-1"].queues.values():
        for message in queue._messages:
            message.visible_at = 0
        queue.pending_messages.clear()


@pytest.mark.parametrize("now", [{"status": "processed", "error": None}, {"replay_count": 5}])
def test_what_was_sent_when_the_redrive_died_is_not_said_to_be_skipped(
    world: World, events: MakeEvent, now: dict[str, Any]
) -> None:
    letters = fill(world, events, 12)
    replay = world.letters.redrive(EVENTS, DeadLetterFilter(error_type="parse_error"), OPS, "fixed the parser")

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.clients.sqs, name)

        def send_message_batch(self, **request: Any) -> Any:
            world.clients.sqs.send_message_batch(**request)
            raise Killed

    with pytest.raises(Killed):
        world.run(replay, sqs=Dying())
    world.put([replace(event, **now) for event in letters.values()])
    show_hidden(world)
    world.clock.now += LEASE + 121
    assert world.run(replay) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert (ended.status, ended.sent, ended.skipped) == ("succeeded", 12, 0)
    assert (state(world).depth, state(world).in_flight) == (0, 0)
    assert {body["event_id"] for body in world.sent()} == {event.event_id for event in letters.values()}


def test_what_the_redrive_itself_made_fail_again_stays(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 12)
    # As if the queue's clock were behind: what comes now seems to have been there before.
    world.clock.now = time.time() + 60

    class FailingAgain:
        """What is sent is a dead letter at once."""

        left = 12

        def __getattr__(self, name: str) -> Any:
            return getattr(world.clients.sqs, name)

        def send_message_batch(self, **request: Any) -> Any:
            for entry in request["Entries"]:
                if self.left:
                    self.left -= 1
                    world.letter(body=entry["MessageBody"])
            return world.clients.sqs.send_message_batch(**request)

    replay = world.letters.redrive(EVENTS, DeadLetterFilter(), OPS, "fixed the parser")
    assert world.run(replay, sqs=FailingAgain()) == "ended"
    ended = world.replays.get(replay.replay_id)
    assert (ended.matched, ended.sent, ended.skipped) == (12, 12, 0)
    assert {result.message_id for result in world.results(ended)} == set(letters)
    assert (state(world).depth, state(world).in_flight) == (12, 0)


def test_an_empty_queue_is_not_redriven(world: World) -> None:
    with pytest.raises(InvalidInput, match="is empty; there is nothing to redrive"):
        world.letters.redrive(EVENTS, DeadLetterFilter(), OPS, "fixed the parser")


def test_an_event_at_the_cap_stays_a_dead_letter(world: World, events: MakeEvent) -> None:
    fill(world, events, 1, replay_count=5)
    ended = redriven(world)
    assert (ended.sent, ended.skipped, state(world).depth) == (0, 1, 1)
    assert "replay.max_replays is 5" in world.results(ended)[0].detail


def test_deleting_keeps_the_bodies_on_record(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 12)
    chosen = list(letters)[:2]
    assert world.letters.delete(EVENTS, [*chosen, "gone"], OPS, "test orders") == 2
    assert (state(world).depth, state(world).in_flight) == (10, 0)
    (entry,) = world.audit.entries(world.clock.now - 60, world.clock.now + 60)
    assert (entry.action, entry.who, entry.reason, entry.outcome) == (
        "dead_letters.delete", OPS, "test orders", "failed",
    )  # fmt: skip
    assert (entry.details["deleted"], entry.details["not_found"]) == (2, 1)
    kept = {json.loads(body)["event_id"] for body in entry.details["bodies"].values()}
    assert kept == {letters[message_id].event_id for message_id in chosen}


def test_deleting_what_is_not_there_is_no_success(world: World, events: MakeEvent) -> None:
    fill(world, events, 3)
    with pytest.raises(InvalidInput, match="were not found; nothing was deleted") as refused:
        world.letters.delete(EVENTS, ["gone", "gone-too"], OPS, "test orders")
    assert refused.value.code == "not_found"
    assert (state(world).depth, state(world).in_flight) == (3, 0)
    (entry,) = world.audit.entries(world.clock.now - 60, world.clock.now + 60)
    assert (entry.outcome, entry.details["deleted"], entry.details["not_found"]) == ("failed", 0, 2)


def test_what_sqs_keeps_is_not_said_to_be_deleted(
    world: World, events: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = fill(world, events, 1)
    monkeypatch.setattr(Letters, "delete", lambda _, receipts: set(receipts))
    with pytest.raises(InvalidInput, match="were not deleted by SQS") as refused:
        world.letters.delete(EVENTS, list(letters), OPS, "test orders")
    assert refused.value.code == "conflict"


def test_nothing_is_deleted_that_can_not_be_put_on_record(world: World, events: MakeEvent) -> None:
    letters = fill(world, events, 2)

    class Broken:
        def begin(self, *_: Any) -> str:
            raise RuntimeError("the table does not answer")

    clients = world.clients
    service = DeadLetters(
        clients.sqs, clients.cloudwatch, clients.dynamodb, world.investigation, Broken(), world.replays,  # type: ignore[arg-type]
        world.settings, world.clock,
    )  # fmt: skip
    with pytest.raises(RuntimeError):
        service.delete(EVENTS, list(letters), OPS, "test orders")
    assert state(world).depth + (state(world).in_flight or 0) == 2


@pytest.mark.parametrize(("ids", "reason", "field"), [(["m"], "", "reason"), ([], "because", "message_ids")])
def test_a_deletion_needs_ids_and_a_reason(world: World, ids: list[str], reason: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.letters.delete(EVENTS, ids, OPS, reason)
    assert refused.value.field == field
