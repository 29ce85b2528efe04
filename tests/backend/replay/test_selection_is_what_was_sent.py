"""Whatever is selected, whatever fails and wherever the runner dies: what was sent is the selection."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.aws import Clients
from backend.contract.events import EventRecord
from backend.contract.replays import FINISHED
from backend.replay.sending import QueueUnavailable
from backend.settings import ReplayLimits
from tests.backend.replay.world import LEASE, NOW, World, make_world, record

WRITES = frozenset({"send_message_batch", "put_item", "update_item", "transact_write_items", "batch_write_item"})


class Killed(BaseException):
    """What SIGKILL looks like from inside: no handler of errors runs."""


class Fate:
    """Decides about each call: it works, it fails, or the process dies before or after it."""

    def __init__(self, seed: int, kill_at: frozenset[int], failing: float) -> None:
        self._random = random.Random(seed)
        self._kill_at = kill_at
        self._failing = failing
        self.calls = 0

    def before(self) -> None:
        self.calls += 1
        if -self.calls in self._kill_at:
            raise Killed
        if self._random.random() < self._failing:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "later"}}, "Call")

    def after(self) -> None:
        if self.calls in self._kill_at:
            raise Killed


class Fateful:
    """A client whose writes have a fate; of a batch of messages some are refused as well."""

    def __init__(self, client: Any, fate: Fate) -> None:
        self._client = client
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in WRITES:
            return call

        def fated(**request: Any) -> Any:
            self._fate.before()
            answer = call(**request)
            self._fate.after()
            return answer

        return fated


def run_to_the_end(world: World, replay_id: str, fates: list[Fate]) -> list[str]:
    """Runs until the replay has ended, each run with the next fate and the last ones undisturbed."""
    ended = []
    for fate in [*fates, Fate(0, frozenset(), 0.0), Fate(0, frozenset(), 0.0)]:
        runner = world.runner(Fateful(world.clients.sqs, fate), Fateful(world.clients.dynamodb, fate))
        try:
            ended.append(runner.run(replay_id, world.clock.now + 1_000))
        except (Killed, ClientError, QueueUnavailable) as error:
            ended.append(type(error).__name__)
        if world.replays.get(replay_id).status in FINISHED:
            return ended
        world.clock.now += LEASE + 1
    raise AssertionError(f"not ended: {ended}")


def some_records(draw: st.DrawFn) -> list[EventRecord]:
    statuses = st.sampled_from(["failed", "failed", "processed", "received"])
    return [
        record(
            number,
            status=status,
            error=record(number).error if status == "failed" else None,
            received_at=NOW - draw(st.sampled_from([10.0, 1800.0, 3599.0, 3700.0])) + number / 1000,
            event_type=draw(st.sampled_from(["order_placed", "order_paid"])),
            replay_count=draw(st.sampled_from([0, 0, 1, 5])),
        )
        for number, status in enumerate(draw(st.lists(statuses, min_size=1, max_size=60)))
    ]


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[list[EventRecord], dict[str, str], list[Fate]]:
    filters = draw(st.sampled_from([{}, {"status": "failed"}, {"event_type": "order_paid"}, {"entity_id": "order-3"}]))
    steps = st.integers(-12, 12)
    kills = st.frozensets(steps, max_size=1)
    fates = st.builds(Fate, st.integers(0, 9), kills, st.sampled_from([0.0, 0.0, 0.2]))
    return some_records(draw), filters, draw(st.lists(fates, max_size=4))


@given(scenario=scenarios())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_selected_is_sent_and_no_other(
    clients: Clients, scenario: tuple[list[EventRecord], dict[str, str], list[Fate]]
) -> None:
    records, filters, fates = scenario
    world = make_world(clients, ReplayLimits())
    world.put(records)
    world.know(records)
    wanted = {"from": "now-1h", **filters}
    selected = [one for one in records if selects(one, filters)]
    if not selected:
        return
    replay = world.replays.create(world.request(selection=world.query(**{"status": "", **wanted})), "ops")
    run_to_the_end(world, replay.replay_id, fates)
    sendable = {one.event_id for one in selected if one.replay_count < 5}
    sent = Counter(body["event_id"] for body in world.sent())
    ended, results = world.replays.get(replay.replay_id), world.results(replay)
    assert (replay.matched, ended.done) == (len(selected), len(selected))
    assert sorted(result.event_id for result in results) == sorted(one.event_id for one in selected)
    assert Counter(result.outcome for result in results) == Counter(
        {name: count for name in ("sent", "failed", "skipped") if (count := getattr(ended, name))}
    )
    failed = {result.event_id for result in results if result.outcome == "failed"}
    assert sendable - failed <= sent.keys() <= sendable
    told = {result.event_id for result in results if result.outcome == "sent"}
    assert world.counts(records) == [one.replay_count + (one.event_id in told) for one in records]
    assert world.traced() == Counter(told)


def selects(one: EventRecord, filters: dict[str, str]) -> bool:
    """The filters as anyone would write them down."""
    within = NOW - 3600 <= one.received_at < NOW
    return within and all(getattr(one, name) == value for name, value in filters.items())


def test_killed_at_any_write_it_goes_on_without_a_gap(world: World) -> None:
    # To die before a call leaves what dying after the one before it does, but for the first.
    for step in [-1, *range(1, 15)]:
        entity = f"order-of-step-{step}"
        chosen = world.put([record(1_000 * step + n, entity_id=entity) for n in range(6)])
        replay = world.create(selection=world.query(entity_id=entity), rate_per_second=3.0)
        run_to_the_end(world, replay.replay_id, [Fate(0, frozenset({step}), 0.0)])
        sent = Counter(body["event_id"] for body in world.sent())
        assert sent.keys() == {one.event_id for one in chosen}
        assert world.counts(chosen) == [1] * 6
        assert [len(world.trace(one)) for one in chosen] == [1] * 6
        assert world.replays.get(replay.replay_id).sent == 6
