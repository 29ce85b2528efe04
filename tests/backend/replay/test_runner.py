"""A replay from its creation to its end, on moto."""

from __future__ import annotations

from collections.abc import Callable

from backend.contract.events import EventRecord
from tests.backend.replay.world import World

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
