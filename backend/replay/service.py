"""Replays as the API, the pages and the command line use them: preview, create, read, steer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from backend.audit import AuditLog, Outcome
from backend.contract.errors import InvalidInput
from backend.contract.event_query import query_json
from backend.contract.events import EventQuery, EventRecord, utc_text
from backend.contract.replays import (
    CONFIRM_ABOVE,
    FINISHED,
    MAX_REASON,
    DeadLetterFilter,
    Preview,
    Replay,
    ReplayRequest,
    ReplayResult,
)
from backend.events.search_plan import scan_range
from backend.replay import request as asked
from backend.replay.records import LEASE_UNTIL
from backend.replay.selection import Count, Limits, Selections, business, first
from backend.replay.starting import Recorded, Starter
from backend.replay.store import ReplayStore
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

SAMPLE: Final = 10
MAX_RESULTS: Final = 5_000
COUNT_SECONDS: Final = 20.0
"""A selection is counted for so long; the API's handlers have 25 s to answer."""
TRIES: Final = 5
"""Of a change while the runner changes the replay, too: each time it may have been paused or taken up in between."""
_NO_RUNNER: Final = f"{LEASE_UNTIL} < :now"


class FindsEvents(Protocol):
    """What replays need of the investigation."""

    def pages(self, query: EventQuery) -> Iterator[list[EventRecord]]:
        """The whole selection, each event once."""


class ReplayService:
    """One service for all who replay. ``clock`` gives epoch seconds."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
        s3: S3Client,
        investigation: FindsEvents,
        audit: AuditLog,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = investigation
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._store = ReplayStore(dynamodb, settings.replays_table)
        self._starter = Starter(sqs, self._store, settings.replay_queue_url)
        self._selections = Selections(s3, settings.bucket)

    def targets(self) -> tuple[str, ...]:
        """Names of the queues that events may be sent to, the default first."""
        return tuple(asked.targets(self._settings))

    def preview(self, request: ReplayRequest) -> Preview:
        """A dry run: counts the selection as it is now, as far as limit and time go, and changes nothing."""
        asked.check_target(request.target, self._settings)
        count, sample = Count(), list[EventRecord]()
        for page in count.of(self._pages(request), self._limits(request)):
            sample += page[: SAMPLE - len(sample)]
        start, end = scan_range(request.selection, self._settings.config)
        return Preview(
            matched=count.matched,
            would_send=count.taken - count.skipped,
            skipped=count.skipped,
            capped=count.matched > count.taken or count.stopped == "limit",
            sample=tuple(sample),
            scanned_from=start,
            scanned_to=end,
            stopped=count.stopped,
        )

    def create(self, request: ReplayRequest, by: str) -> Replay:
        """Freezes the selection, records the replay and starts it; ``by`` is who asks.

        Raises InvalidInput, with nothing created, for a bad reason, target or rate, for a selection without events
        and for a missing confirmation. All of these are in the audit log.
        """
        replay_id = uuid.uuid4().hex
        details = {
            "selection": query_json(request.selection),
            "target": request.target,
            "rate_per_second": request.rate_per_second,
            "max_events": request.max_events,
        }
        audit_id = self._audit.begin("replay.create", by, request.reason, replay_id, details)
        with Recorded(self._audit, audit_id):
            request = replace(
                request,
                reason=asked.check_reason(request.reason),
                target=asked.check_target(request.target, self._settings),
                rate_per_second=asked.check_rate(request.rate_per_second),
            )
            count = self._freeze(replay_id, request)
            replay = Replay(
                replay_id=replay_id,
                kind="replay",
                status="pending",
                requested_by=by,
                reason=request.reason,
                target=request.target,
                selection=query_json(request.selection),
                created_at=self._clock(),
                matched=count.taken,
                rate_per_second=request.rate_per_second,
                max_events=request.max_events,
            )
            return self._starter.start(replay, audit_id)

    def create_redrive(
        self, queue: str, target: str, wanted: DeadLetterFilter, by: str, reason: str, rate: float | None, matched: int
    ) -> Replay:
        """A replay of kind redrive, executed by the same runner; ``DeadLetters.redrive`` is what to call.

        ``matched`` is how many messages are to be looked at; it is put right when the redrive ends.
        """
        replay_id = uuid.uuid4().hex
        named = {name: getattr(wanted, name) for name in wanted.__slots__ if getattr(wanted, name)}
        selection: dict[str, Any] = {"queue": queue, **named}
        audit_id = self._audit.begin("dead_letters.redrive", by, reason, replay_id, {"selection": selection})
        with Recorded(self._audit, audit_id):
            replay = Replay(
                replay_id=replay_id,
                kind="redrive",
                status="pending",
                requested_by=by,
                reason=asked.check_reason(reason),
                target=target,
                selection=selection,
                created_at=self._clock(),
                matched=matched,
                rate_per_second=asked.check_rate(rate),
            )
            if not matched:
                raise InvalidInput("queue", queue, "is empty; there is nothing to redrive", "no_match")
            self._selections.put_wanted(replay_id, wanted)
            return self._starter.start(replay, audit_id)

    def get(self, replay_id: str) -> Replay:
        """The replay as it stands. Raises KeyError for an unknown one."""
        return self._store.get(replay_id)

    def recent(self, limit: int = 50) -> tuple[Replay, ...]:
        """The newest replays and redrives of the last 90 days."""
        return self._store.recent(limit, self._clock())

    def results(
        self, replay_id: str, token: str | None = None, limit: int = 500
    ) -> tuple[tuple[ReplayResult, ...], str | None]:
        """What became of each event, in the order of sending, and the token of those that follow.

        Raises KeyError for an unknown replay, InvalidInput for a bad token or limit.
        """
        if not 1 <= limit <= MAX_RESULTS:
            raise InvalidInput("limit", limit, f"must lie between 1 and {MAX_RESULTS}")
        self._store.get(replay_id)
        return self._store.results(replay_id, token, limit)

    def cancel(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """Ends a replay: what was sent stays sent, nothing more is. Cancelling twice is no mistake.

        Raises KeyError for an unknown replay, InvalidInput for one that has ended otherwise.
        """
        replay = self._store.get(replay_id)
        if replay.status == "cancelled" or (replay.cancel_requested and replay.status != "paused"):
            return replay
        self._refuse_if(replay, "be cancelled", ended=True)
        with self._steering("replay.cancel", replay_id, by, reason):
            now = self._clock()
            ending = {
                "status": {"S": "cancelled"}, "cancel_requested": {"BOOL": True}, "finished_at": {"S": utc_text(now)},
            }  # fmt: skip
            idle = f"#status IN (:pending, :paused) AND {_NO_RUNNER}"
            values = {":pending": {"S": "pending"}, ":paused": {"S": "paused"}, ":now": {"N": str(now)}}
            for _ in range(TRIES):
                if changed := self._store.change(replay_id, ending, idle, values, now):
                    self._audit.finish(self._store.audit_id(replay_id), outcome_of(changed), outcome_details(changed))
                    self._store.ended(replay_id)
                    return changed
                # The runner ends it, once it has put on record what it had sent; if it is gone, another one does.
                if changed := self._request(replay_id, {"cancel_requested": {"BOOL": True}}, "be cancelled"):
                    return changed
            raise self._busy(replay_id)

    def pause(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """Holds a replay until ``resume``. Pausing twice is no mistake.

        Raises KeyError for an unknown replay, InvalidInput for one that has ended or is being cancelled.
        """
        replay = self._store.get(replay_id)
        if replay.status == "paused" or replay.pause_requested:
            return replay
        self._refuse_if(replay, "be paused", ended=True, cancelling=True)
        with self._steering("replay.pause", replay_id, by, reason):
            now = self._clock()
            values = {":pending": {"S": "pending"}, ":now": {"N": str(now)}}
            paused = {"status": {"S": "paused"}, "pause_requested": {"BOOL": True}}
            changed = self._store.change(replay_id, paused, f"#status = :pending AND {_NO_RUNNER}", values, now)
            changed = changed or self._request(replay_id, {"pause_requested": {"BOOL": True}}, "be paused")
            return changed or self._store.get(replay_id)

    def resume(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """Goes on with a paused replay. For one that is not paused it changes nothing.

        Raises KeyError for an unknown replay, InvalidInput for one that has ended or is being cancelled.
        """
        replay = self._store.get(replay_id)
        self._refuse_if(replay, "be resumed", ended=True, cancelling=True)
        if replay.status != "paused" and not replay.pause_requested:
            return replay
        with self._steering("replay.resume", replay_id, by, reason):
            now = self._clock()
            waiting = {"status": {"S": "pending"}, "pause_requested": {"BOOL": False}}
            values = {":paused": {"S": "paused"}, ":no": {"BOOL": False}}
            paused = "#status = :paused AND cancel_requested = :no"
            for _ in range(TRIES):
                if changed := self._store.change(replay_id, waiting, paused, values, now):
                    self._starter.wake(replay_id)
                    return changed
                # Not paused yet: the request to pause is taken back.
                if changed := self._request(replay_id, {"pause_requested": {"BOOL": False}}, "be resumed"):
                    return changed
            raise self._busy(replay_id)

    def _pages(self, request: ReplayRequest) -> Iterator[list[EventRecord]]:
        """The events of a selection; those that Pulseboard sends itself only where they are named."""
        return business(self._events.pages(request.selection), request.selection)

    def _freeze(self, replay_id: str, request: ReplayRequest) -> Count:
        """The selection in S3. Raises InvalidInput where it has no events, too many of them or is not confirmed."""
        limits = self._limits(request)
        write_up_to = limits.most if request.confirm is not None else min(limits.most, CONFIRM_ABOVE)
        pages = self._pages(request)
        if request.max_events is not None:
            # What lies behind those that are asked for needs no counting.
            pages = first(pages, limits.most)
        count = self._selections.freeze(replay_id, pages, limits, write_up_to)
        self._refuse_unbounded(request, count, limits)
        if not count.matched:
            remedy = "matches no event; widen the range or change the filters"
            raise InvalidInput("selection", query_json(request.selection), remedy, "no_match")
        # A dry run says how many would be sent, without those at the cap of replays.
        numbers = (count.taken, count.matched, count.taken - count.skipped)
        if count.taken > CONFIRM_ABOVE and request.confirm not in numbers:
            remedy = f"must be the number of events: {count.taken} would be sent again"
            if count.matched > count.taken:
                remedy += f", of {count.matched} that match"
            raise InvalidInput("confirm", request.confirm, remedy, "confirmation_needed")
        return count

    def _limits(self, request: ReplayRequest) -> Limits:
        until, limits = self._clock() + COUNT_SECONDS, self._settings.config.replay
        most = asked.most_events(request, self._settings)
        return Limits(most, limits.max_events, limits.max_replays, lambda: self._clock() >= until)

    @staticmethod
    def _refuse_unbounded(request: ReplayRequest, count: Count, limits: Limits) -> None:
        selection = query_json(request.selection)
        if count.stopped == "limit":
            remedy = f"matches more than {limits.counted} events (replay.max_events); narrow it, or name max_events"
            raise InvalidInput("selection", selection, f"{remedy} to take the newest of them", "too_many")
        if count.stopped == "time" and count.taken < limits.most:
            remedy = f"could not be counted within {COUNT_SECONDS:.0f} s, {count.matched} events by then; narrow it"
            remedy += f", or name a max_events of up to {count.matched}" if count.matched else ""
            raise InvalidInput("selection", selection, remedy, "too_many")

    def _request(self, replay_id: str, changes: dict[str, Any], what: str) -> Replay | None:
        """Tells the runner something; None where it paused the replay meanwhile.

        Raises InvalidInput for a replay that has ended meanwhile.
        """
        values = {":pending": {"S": "pending"}, ":running": {"S": "running"}}
        changed = self._store.change(replay_id, changes, "#status IN (:pending, :running)", values, self._clock())
        if changed is None:
            self._refuse_if(self._store.get(replay_id), what, ended=True)
            return None
        self._starter.wake(replay_id)
        return changed

    @staticmethod
    def _busy(replay_id: str) -> InvalidInput:
        return InvalidInput("replay", replay_id, "changes too fast; look at it again in a moment", "conflict")

    @staticmethod
    def _refuse_if(replay: Replay, what: str, *, ended: bool, cancelling: bool = False) -> None:
        if ended and replay.status in FINISHED:
            raise InvalidInput("replay", replay.replay_id, f"has ended ({replay.status}) and can't {what}", "conflict")
        if cancelling and replay.cancel_requested:
            raise InvalidInput("replay", replay.replay_id, f"is being cancelled and can't {what}", "conflict")

    def _steering(self, action: str, replay_id: str, by: str, reason: str) -> Recorded:
        text = reason.strip()
        if len(text) > MAX_REASON or not text.isprintable():
            raise InvalidInput("reason", reason, f"must be printable text of at most {MAX_REASON} characters")
        return Recorded(self._audit, self._audit.begin(action, by, text, replay_id), succeeds=True)


def outcome_of(replay: Replay) -> Outcome:
    """The audit log's word for a replay that has ended."""
    ends: dict[str, Outcome] = {"succeeded": "succeeded", "cancelled": "cancelled"}
    return ends.get(replay.status, "failed")


def outcome_details(replay: Replay) -> dict[str, Any]:
    """What the audit log says of a replay that has ended."""
    names = ("status", "matched", "sent", "failed", "skipped", "error")
    return {name: getattr(replay, name) for name in names if getattr(replay, name) != ""}
