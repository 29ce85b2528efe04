"""A replay's own work under a lease: parts of the frozen selection sent, put on record, recorded on the events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from backend.contract.events import EventRecord
from backend.contract.replays import ReplayResult
from backend.events.plugins import ReplayMessage
from backend.replay.lease import Held, LeaseLost, Part, ReplayLeases
from backend.replay.messages import outgoing
from backend.replay.pace import Pace, part_size
from backend.replay.recording import Recorder
from backend.replay.selection import PAGE_EVENTS, Selections
from backend.replay.sending import Outgoing, Sender

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Stop = Literal["cancelled", "paused", "continue", "done"]
FIRST_GUESS_SECONDS: Final = 0.2
"""How long recording a part takes, before one was recorded."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with. ``clock`` gives epoch seconds, ``monotonic`` seconds that never jump."""

    sqs: SQSClient
    leases: ReplayLeases
    selections: Selections
    recorder: Recorder
    message: ReplayMessage
    max_replays: int
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def stop_of(held: Held, clock: Callable[[], float], until: float) -> Stop | None:
    """Whether to stop, as people asked or because the slice of time is over. Raises LeaseLost when it ran out."""
    now = clock()
    if now > held.safe_until:
        raise LeaseLost(held.replay.replay_id)
    if held.replay.cancel_requested:
        return "cancelled"
    if held.replay.pause_requested:
        return "paused"
    return "continue" if now >= until else None


class ReplayRun:
    """One run of a replay, until it is done, told to stop, or ``until`` (epoch s).

    ``held`` and ``recorded`` say how far it came, also after an error.
    """

    def __init__(self, tools: Tools, held: Held, url: str, until: float) -> None:
        self._tools = tools
        self._url = url
        self._until = until
        self._sending, self._recording = _Pages(tools.selections), _Pages(tools.selections)
        self._recording_seconds = FIRST_GUESS_SECONDS
        self._since = tools.monotonic()
        """End of the part before: what lies between two parts belongs to the time of sending, too."""
        self.held = held
        self.recorded = held.recorded

    def go(self) -> Stop:
        """Works; returns why it stopped. Raises LeaseLost, and what AWS's clients and the sender raise."""
        tools, rate = self._tools, self.held.replay.rate_per_second
        self._since = tools.monotonic()
        pace = Pace(rate, tools.monotonic, tools.sleep)
        with Sender(tools.sqs, self._url, rate, pace, tools.sleep) as sender:
            stop = self._send_all(sender, pace)
        if stop == "continue":
            return stop
        while self.recorded < self.held.replay.done:
            if tools.clock() >= self._until:
                return "continue"
            self._record_next()
            self.held = tools.leases.renew(self.held, self.recorded, tools.clock())
        return stop

    def _send_all(self, sender: Sender, pace: Pace) -> Stop:
        tools = self._tools
        while (stop := stop_of(self.held, tools.clock, self._until)) is None:
            replay = self.held.replay
            size = min(part_size(replay.rate_per_second), replay.matched - replay.done)
            records = self._sending.events(replay.replay_id, replay.done, size)
            if not records:
                return "done"
            part = self._send(sender, records)
            self.held = tools.leases.checkpoint(self.held, part, self.recorded, tools.clock())
            # A replay with a rate has time to spare between two requests; one without records at its end.
            while self.recorded < self.held.replay.done and pace.idle() > self._recording_seconds:
                self._record_next()
        return stop

    def _send(self, sender: Sender, records: Sequence[EventRecord]) -> Part:
        sent_at = self._tools.clock()
        results: dict[str, ReplayResult] = {}
        messages: dict[str, Outgoing] = {}
        for record in self._tools.recorder.current(records):
            made = self._message(record)
            if isinstance(made, ReplayResult):
                results[record.event_id] = made
            else:
                messages[record.event_id] = made
        for event_id, answer in zip(messages, sender.send(list(messages.values())), strict=True):
            results[event_id] = (
                ReplayResult(event_id, "failed", answer.problem)
                if answer.problem
                else ReplayResult(event_id, "sent", message_id=answer.message_id)
            )
        began, self._since = self._since, self._tools.monotonic()
        return Part([results[record.event_id] for record in records], sent_at, self._since - began)

    def _message(self, record: EventRecord) -> Outgoing | ReplayResult:
        """The event's message, or why there is none."""
        if record.replay_count >= self._tools.max_replays:
            detail = f"was sent again {record.replay_count} times; replay.max_replays is {self._tools.max_replays}"
            return ReplayResult(record.event_id, "skipped", detail)
        try:
            return outgoing(record, self.held.replay, self._tools.message)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and it costs its own event only
            problem = f"the replay message can't be made: {type(error).__name__}: {error}"
            return ReplayResult(record.event_id, "failed", problem[:300])

    def _record_next(self) -> None:
        """Records the oldest part that is not yet."""
        began, replay = self._tools.monotonic(), self.held.replay
        part = self._tools.leases.part(replay.replay_id, self.recorded)
        if part is None:
            raise LeaseLost(replay.replay_id)
        records = self._recording.events(replay.replay_id, self.recorded, len(part.results))
        sent = [record for record, result in zip(records, part.results, strict=True) if result.outcome == "sent"]
        self._tools.recorder.record(replay, sent, part.sent_at)
        self.recorded += len(part.results)
        self._recording_seconds = self._tools.monotonic() - began


class _Pages:
    """The frozen selection from one place on; keeps the page it was last asked for."""

    def __init__(self, selections: Selections) -> None:
        self._selections = selections
        self._number = -1
        self._page: list[EventRecord] = []

    def events(self, replay_id: str, start: int, most: int) -> list[EventRecord]:
        """At most ``most`` events from number ``start`` on, of one page; none at the end."""
        if most <= 0:
            return []
        number, offset = divmod(start, PAGE_EVENTS)
        if number != self._number:
            self._page, self._number = self._selections.page(replay_id, number), number
        return self._page[offset : offset + most]
