"""Previews, creation, steering: what is refused is refused before anything exists, and is on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.contract.event_query import parse_query
from backend.contract.events import EventRecord
from backend.contract.replays import AuditEntry
from backend.events.investigation import Investigation
from backend.replay.service import ReplayService
from backend.settings import ReplayLimits
from tests.backend.replay.world import BUCKET, World

MakeEvent = Callable[..., EventRecord]
OPS = "ops@example.com"


def audited(world: World) -> list[AuditEntry]:
    return list(world.audit.entries(world.clock.now - 60, world.clock.now + 60))


def objects(world: World) -> list[str]:
    listed = world.clients.s3.list_objects_v2(Bucket=BUCKET, Prefix="replays/")
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_a_dry_run_counts_and_changes_nothing(world: World, events: MakeEvent) -> None:
    world.put([*(events(n) for n in range(14)), events(20, replay_count=5), events(21, status="received", error=None)])
    preview = world.replays.preview(world.request(max_events=12))
    assert (preview.matched, preview.capped, len(preview.sample)) == (15, True, 10)
    assert preview.would_send + preview.skipped == 12
    assert preview.skipped == 1
    assert preview.sample[0].received_at == max(event.received_at for event in preview.sample)
    assert (world.replays.recent(), audited(world), objects(world)) == ((), [], [])


def test_a_dry_run_of_nothing_says_none(world: World) -> None:
    assert world.replays.preview(world.request()).matched == 0


def test_a_selection_without_events_creates_nothing_and_is_on_record(world: World) -> None:
    with pytest.raises(InvalidInput, match="matches no event; widen the range") as refused:
        world.create()
    assert refused.value.code == "no_match"
    (entry,) = audited(world)
    assert (entry.action, entry.who, entry.outcome) == ("replay.create", OPS, "refused")
    assert "matches no event" in entry.details["message"]
    assert (world.replays.recent(), world.take(world.settings.replay_queue_url), objects(world)) == ((), [], [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"reason": "x"}, "reason"), ({"target": "elsewhere"}, "target"), ({"rate_per_second": 0.01}, "rate_per_second")],
)
def test_what_is_not_allowed_is_refused_whoever_built_the_request(
    world: World, events: MakeEvent, changes: dict[str, Any], field: str
) -> None:
    world.put([events(1)])
    with pytest.raises(InvalidInput) as refused:
        world.create(**changes)
    assert refused.value.field == field
    assert [entry.outcome for entry in audited(world)] == ["refused"]


class Many:
    """An investigation of so many events, read by the thousand; ``after`` is called behind each."""

    def __init__(self, event: EventRecord, count: int, after: Callable[[], object] = list) -> None:
        self._event = event
        self._count = count
        self._after = after
        self.read = 0

    def pages(self, _: Any) -> Any:
        for left in range(self._count, 0, -1_000):
            self.read += min(left, 1_000)
            yield [self._event] * min(left, 1_000)
            self._after()


def service_of(world: World, investigation: Any) -> ReplayService:
    clients = world.clients
    return ReplayService(
        clients.dynamodb, clients.sqs, clients.s3, investigation, world.audit, world.settings, world.clock
    )


def test_more_than_a_thousand_events_need_their_number(world: World, events: MakeEvent) -> None:
    service = service_of(world, Many(events(1), 2_500))
    for confirm in (None, 2_499):
        with pytest.raises(InvalidInput, match="2500 would be sent again") as refused:
            service.create(world.request(confirm=confirm), OPS)
        assert refused.value.code == "confirmation_needed"
    assert service.recent() == ()
    replay = service.create(world.request(confirm=2_500), OPS)
    assert replay.matched == 2_500
    pages = [key.rpartition("/")[2] for key in objects(world) if replay.replay_id in key]
    assert pages == ["page-00000.jsonl", "page-00001.jsonl", "page-00002.jsonl"]


def test_an_unconfirmed_selection_is_counted_but_not_written(world: World, events: MakeEvent) -> None:
    with pytest.raises(InvalidInput):
        service_of(world, Many(events(1), 50_000)).create(world.request(), OPS)
    assert len(objects(world)) <= 1


def test_a_thousand_events_need_no_number(world: World, events: MakeEvent) -> None:
    assert service_of(world, Many(events(1), 1_000)).create(world.request(), OPS).matched == 1_000


@pytest.mark.parametrize("world", [ReplayLimits(max_events=1_500)], indirect=True)
def test_the_cap_is_the_smaller_of_request_and_settings(world: World, events: MakeEvent) -> None:
    service = service_of(world, Many(events(1), 2_500))
    preview = service.preview(world.request(max_events=2_000))
    assert (preview.how_exact, preview.matched, preview.would_send) == ("more than ", 1_500, 1_500)
    assert preview.capped
    with pytest.raises(InvalidInput, match="1500 would be sent again"):
        service.create(world.request(max_events=2_000), OPS)
    assert service.create(world.request(max_events=2_000, confirm=1_500), OPS).matched == 1_500
    assert service.create(world.request(max_events=800), OPS).matched == 800


@pytest.mark.parametrize("world", [ReplayLimits(max_events=3_000)], indirect=True)
def test_what_is_beyond_the_limit_is_not_counted(world: World, events: MakeEvent) -> None:
    many = Many(events(1), 50_000)
    service = service_of(world, many)
    assert service.preview(world.request()).matched == 3_000
    assert many.read == 4_000
    with pytest.raises(
        InvalidInput, match=r"matches more than 3000 events .* narrow it, or name max_events"
    ) as refused:
        service.create(world.request(confirm=3_000), OPS)
    assert (refused.value.field, refused.value.code) == ("selection", "too_many")
    assert [entry.outcome for entry in audited(world)] == ["refused"]
    many.read = 0
    assert service.create(world.request(max_events=1_000), OPS).matched == 1_000
    assert many.read == 1_000
    exact = service_of(world, Many(events(1), 3_000))
    assert (exact.preview(world.request()).how_exact, exact.create(world.request(confirm=3_000), OPS).matched) == (
        "", 3_000,
    )  # fmt: skip


def test_counting_that_takes_too_long_ends_and_says_so(world: World, events: MakeEvent) -> None:
    def slow() -> None:
        world.clock.now += 8

    service = service_of(world, Many(events(1), 90_000, slow))
    preview = service.preview(world.request())
    assert (preview.how_exact, preview.matched, preview.capped) == ("at least ", 4_000, False)
    with pytest.raises(InvalidInput, match=r"within 20 s, 4000 events by then; narrow it, or name a max_events"):
        service.create(world.request(confirm=4_000), OPS)
    assert service.create(world.request(max_events=3_000, confirm=3_000), OPS).matched == 3_000
    assert sorted(entry.outcome for entry in world.audit.entries(preview.scanned_from, world.clock.now + 1)) == [
        "refused", "started",
    ]  # fmt: skip


def test_the_number_that_a_dry_run_says_would_be_sent_confirms(world: World, events: MakeEvent) -> None:
    world.put([events(1, replay_count=5)])

    class Some(Many):
        def pages(self, _: Any) -> Any:
            yield [events(1, replay_count=5)] * 10
            yield from super().pages(_)

    service = service_of(world, Some(events(2), 2_000))
    preview = service.preview(world.request())
    assert (preview.would_send, preview.matched) == (2_000, 2_010)
    assert service.create(world.request(confirm=preview.would_send), OPS).matched == 2_010


def test_a_replay_whose_start_could_not_be_announced_exists_and_is_swept_up(world: World, events: MakeEvent) -> None:
    world.put([events(1)])

    class Deaf:
        def send_message(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "no"}}, "SendMessage")

    clients = world.clients
    service = ReplayService(
        clients.dynamodb, Deaf(), clients.s3, world.investigation, world.audit, world.settings, world.clock  # type: ignore[arg-type]
    )  # fmt: skip
    replay = service.create(world.request(), OPS)
    assert world.runner().sweep() == 1
    assert world.run(replay) == "ended"


def test_ten_thousand_ids_fit_a_record(world: World, events: MakeEvent) -> None:
    chosen = {event.event_id for event in world.put([events(n) for n in range(3)])}

    class Quick:
        """Knows of most ids that they are of no event, which moto takes 2 ms to find out for each."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.clients.dynamodb, name)

        def query(self, **request: Any) -> Any:
            asked = {value["S"] for value in request["ExpressionAttributeValues"].values()}
            return world.clients.dynamodb.query(**request) if asked & chosen else {"Items": [], "ScannedCount": 0}

    dynamodb: Any = Quick()
    investigation = Investigation(dynamodb, world.clients.s3, world.settings, world.clock)
    clients = world.clients
    service = ReplayService(
        clients.dynamodb, clients.sqs, clients.s3, investigation, world.audit, world.settings, world.clock
    )
    ids = [*chosen, *(f"{n:064x}" for n in range(9_997))]
    wanted = world.request(selection=parse_query({"event_ids": ids}, world.clock.now))
    kept = service.get(service.create(wanted, OPS).replay_id)
    assert (kept.matched, kept.selection["event_ids_total"], len(kept.selection["event_ids"])) == (3, 10_000, 100)
    (entry,) = audited(world)
    assert entry.outcome == "started"


def test_recent_replays_come_newest_first(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    made = []
    for _ in range(3):
        made.append(world.create().replay_id)
        world.clock.now += 1
    world.clock.now += 3 * 86_400
    assert [replay.replay_id for replay in world.replays.recent()] == made[::-1]
    assert [replay.replay_id for replay in world.replays.recent(limit=2)] == made[:0:-1]


def test_results_come_in_pages_without_gap_or_repeat(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(25)])
    replay = world.create(rate_per_second=10.0)
    world.run(replay)
    found, token, pages = [], None, 0
    while True:
        page, token = world.replays.results(replay.replay_id, token, 7)
        found += [result.event_id for result in page]
        pages += 1
        if token is None:
            break
    assert (len(found), len(set(found)), pages) == (25, 25, 4)


@pytest.mark.parametrize("token", ["x", "1-2", "000000001-2-3", "../etc"])
def test_a_bad_token_is_refused(world: World, events: MakeEvent, token: str) -> None:
    world.put([events(1)])
    with pytest.raises(InvalidInput, match="is not a token of this list; leave it out"):
        world.replays.results(world.create().replay_id, token)


def test_an_unknown_replay_is_a_key_error(world: World) -> None:
    for call in (world.replays.get, world.replays.results):
        with pytest.raises(KeyError):
            call("nowhere")
    for steer in (world.replays.cancel, world.replays.pause, world.replays.resume):
        with pytest.raises(KeyError):
            steer("nowhere", OPS)
    assert audited(world) == []


def test_what_waits_is_cancelled_at_once_and_twice_is_no_mistake(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    assert world.replays.cancel(replay.replay_id, OPS, "wrong one").status == "cancelled"
    assert world.replays.cancel(replay.replay_id, OPS).status == "cancelled"
    assert world.run(replay) == "nothing"
    assert world.sent() == []
    assert world.runner().sweep() == 0
    assert sorted((entry.action, entry.outcome, entry.reason) for entry in audited(world)) == [
        ("replay.cancel", "succeeded", "wrong one"),
        ("replay.create", "cancelled", "fixed the parser"),
    ]


def test_a_cancelled_replay_whose_runner_is_gone_is_ended_by_another(world: World, events: MakeEvent) -> None:
    world.put([events(n) for n in range(3)])
    replay = world.create()
    leases = world.runner()._tools.leases
    assert leases.take(replay.replay_id, world.clock.now) is not None
    assert world.replays.cancel(replay.replay_id, OPS).cancel_requested
    world.clock.now += 61
    assert world.run(replay) == "ended"
    assert world.replays.get(replay.replay_id).status == "cancelled"
    assert world.sent() == []


def test_a_replay_paused_although_it_was_being_cancelled_can_be_cancelled(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    world.replays.pause(replay.replay_id, OPS)
    stranded = {"cancel_requested": {"BOOL": True}}
    values = {":paused": {"S": "paused"}}
    world.replays._store.change(replay.replay_id, stranded, "#status = :paused", values, world.clock.now)
    assert world.replays.cancel(replay.replay_id, OPS).status == "cancelled"
    assert {entry.outcome for entry in audited(world) if entry.action == "replay.create"} == {"cancelled"}
    assert world.runner().sweep() == 0


@pytest.mark.parametrize(("steer", "status"), [("cancel", "cancelled"), ("resume", "pending")])
def test_steering_is_heard_although_the_runner_pauses_at_that_moment(
    world: World, events: MakeEvent, steer: str, status: str
) -> None:
    world.put([events(1)])
    replay = world.create()
    leases = world.runner()._tools.leases
    leases.take(replay.replay_id, world.clock.now)
    world.replays.pause(replay.replay_id, OPS)
    changes = world.replays._store.change
    calls = []

    def pausing_after_the_first(*arguments: Any) -> Any:
        changed = changes(*arguments)
        calls.append(arguments)
        if len(calls) == 1:
            values = {"status": {"S": "paused"}, "lease_until": {"N": "0"}}
            changes(replay.replay_id, values, "#status = :running", {":running": {"S": "running"}}, world.clock.now)
        return changed

    world.replays._store.change = pausing_after_the_first  # type: ignore[method-assign]
    assert getattr(world.replays, steer)(replay.replay_id, OPS).status == status


def test_pause_and_resume_before_it_started(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    for _ in range(2):
        assert world.replays.pause(replay.replay_id, OPS).status == "paused"
    assert world.run(replay) == "nothing"
    for _ in range(2):
        assert world.replays.resume(replay.replay_id, OPS).status == "pending"
    assert world.run(replay) == "ended"
    assert len(world.sent()) == 1


def test_a_pause_that_was_not_reached_is_taken_back(world: World, events: MakeEvent) -> None:
    world.put([events(1)])
    replay = world.create()
    world.runner()._tools.leases.take(replay.replay_id, world.clock.now)
    assert world.replays.pause(replay.replay_id, OPS).pause_requested
    resumed = world.replays.resume(replay.replay_id, OPS)
    assert (resumed.status, resumed.pause_requested) == ("running", False)


@pytest.mark.parametrize("steer", ["cancel", "pause", "resume"])
def test_what_has_ended_stays_so(world: World, events: MakeEvent, steer: str) -> None:
    world.put([events(1)])
    replay = world.create()
    world.run(replay)
    with pytest.raises(InvalidInput, match=rf"succeeded\) and can't be {steer}") as refused:
        getattr(world.replays, steer)(replay.replay_id, OPS)
    assert refused.value.code == "conflict"


@pytest.mark.parametrize("steer", ["pause", "resume"])
def test_what_is_being_cancelled_can_only_end(world: World, events: MakeEvent, steer: str) -> None:
    world.put([events(1)])
    replay = world.create()
    world.runner()._tools.leases.take(replay.replay_id, world.clock.now)
    world.replays.cancel(replay.replay_id, OPS)
    with pytest.raises(InvalidInput, match="is being cancelled"):
        getattr(world.replays, steer)(replay.replay_id, OPS)


def test_targets_name_the_default_first(world: World) -> None:
    assert world.replays.targets() == ("event-processor",)
