"""A redrive's own work under a lease: receive, choose, send, put on record, delete.

SQS hides what is received, so each message that was there at the start is seen once: what is not sent stays hidden
until the run stops and is then given back. Messages that arrive meanwhile are left alone, and so are those that the
redrive sent and that failed again.

What was chosen is on record before it is sent. A run that takes over from one that died sends it once more without
choosing anew: by then the event may have been processed or failed otherwise, and no filter would take it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.events import EventRecord
from backend.contract.replays import DeadLetterFilter, ReplayResult
from backend.events.tracing import TRACEPARENT
from backend.replay.lease import Held, Part
from backend.replay.letters import event_of, letter_of, records_of, replay_behind
from backend.replay.messages import outgoing
from backend.replay.pace import Pace, part_size
from backend.replay.queue_lease import QueueLeases
from backend.replay.queues import EVENT_LETTERS, DeadLetterQueue, Letters
from backend.replay.run import Stop, Tools, stop_of
from backend.replay.sending import Outgoing, Sender
from backend.replay.store import ReplayStore

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from backend.replay.service import FindsEvents

HIDDEN_SECONDS: Final = 120
"""What a run that dies had received shows itself again after this time."""
QUIET_SECONDS: Final = HIDDEN_SECONDS + 60.0
SKEW_SECONDS: Final = 1.0
"""The queue's clock and the one that the redrive was created by may differ so much."""
PART: Final = 100
EMPTY, SHORT, QUIET = 4, 1, 12
"""A receive of nothing new weighs so much; at QUIET the queue has shown everything it can."""
DELETE_ATTEMPTS: Final = 3
BUSY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a redrive needs besides the tools of a replay."""

    tools: Tools
    store: ReplayStore
    events: FindsEvents
    queue_leases: QueueLeases
    queue: DeadLetterQueue
    owner: str


class RedriveRun:
    """One run of a redrive, until every message was seen, it is told to stop, or ``until`` (epoch s)."""

    def __init__(self, work: Work, held: Held, until: float) -> None:
        self._work = work
        self._until = until
        self._letters = Letters(work.tools.sqs, work.queue.url)
        self._wanted = DeadLetterFilter()
        self._outcomes: dict[str, str] = {}
        self._chosen: set[str] = set()
        """Messages that were to be sent, now or by a run that died, and have no outcome."""
        self._waiting: dict[str, str] = {}
        """Receipts of messages that stay, by message id."""
        self._not_deleted: dict[str, str] = {}
        self._newest = held.replay.created_at + SKEW_SECONDS
        self.held = held

    @property
    def recorded(self) -> int:
        """Events whose items tell of the redrive: each part is recorded before it counts."""
        return self.held.replay.done

    @property
    def problem(self) -> str:
        """What the redrive's record must say besides its counts."""
        count = len(self._not_deleted)
        return f"{count} messages were sent but could not be deleted; they may be sent again" if count else ""

    def go(self) -> Stop:
        """Works; returns why it stopped. Raises LeaseLost, and what AWS's clients and the sender raise."""
        tools, replay = self._work.tools, self.held.replay
        self._wanted = tools.selections.wanted(replay.replay_id)
        self._outcomes = self._earlier(replay.replay_id)
        self._chosen = tools.leases.chosen(replay.replay_id) - self._outcomes.keys()
        pace = Pace(replay.rate_per_second, tools.monotonic, tools.sleep)
        try:
            with Sender(tools.sqs, self._work.queue.back_url, replay.rate_per_second, pace, tools.sleep) as sender:
                stop = self._pass(sender)
            if stop == "done":
                self._report_missing()
            return stop
        finally:
            self._letters.give_back(list(self._waiting.values()))
            self._waiting.clear()
            self._work.queue_leases.give_back(self._work.queue.name, self._work.owner)

    def _earlier(self, replay_id: str) -> dict[str, str]:
        """What earlier runs did, by message id."""
        outcomes: dict[str, str] = {}
        token: str | None = None
        while True:
            results, token = self._work.store.results(replay_id, token, 1_000)
            outcomes |= {result.message_id: result.outcome for result in results}
            if token is None:
                return outcomes

    def _pass(self, sender: Sender) -> Stop:
        tools = self._work.tools
        quiet, since = 0, tools.clock()
        while (stop := stop_of(self.held, tools.clock, self._until)) is None:
            if not self._lease_queue():
                continue
            if self._wanted.message_ids and set(self._wanted.message_ids) <= self._outcomes.keys():
                return "done"
            undecided, weight = self._receive()
            if undecided:
                self._decide(sender, undecided)
                quiet, since = 0, tools.clock()
                continue
            quiet += weight
            hidden_by_others = quiet >= QUIET and self._letters.about()[1] > len(self._waiting)
            if (quiet >= QUIET and not hidden_by_others) or tools.clock() - since > QUIET_SECONDS:
                return "done"
            self.held = tools.leases.renew(self.held, self.recorded, tools.clock())
        return stop

    def _lease_queue(self) -> bool:
        """The queue's lease, so that nobody looks into it meanwhile; False after a moment's wait for it."""
        tools = self._work.tools
        try:
            self._work.queue_leases.take(self._work.queue.name, HIDDEN_SECONDS, tools.clock(), self._work.owner)
        except InvalidInput:
            tools.sleep(BUSY_SECONDS)
            self.held = tools.leases.renew(self.held, self.recorded, tools.clock())
            return False
        return True

    def _receive(self) -> tuple[list[MessageTypeDef], int]:
        """Messages to decide on, about a second's worth; and how much it weighs that there are none."""
        most = min(PART, part_size(self.held.replay.rate_per_second))
        undecided: dict[str, MessageTypeDef] = {}
        weight = 0
        while len(undecided) < most:
            batch = self._letters.receive(HIDDEN_SECONDS)
            for message in batch:
                if self._is_new(message):
                    undecided[message["MessageId"]] = message
            if len(batch) < 10:
                weight = SHORT if batch else EMPTY
                break
            if not undecided:
                break
        return list(undecided.values()), weight

    def _is_new(self, message: MessageTypeDef) -> bool:
        """Whether the message is still to be decided on; what is known about the others is done to them."""
        message_id, receipt = message["MessageId"], message["ReceiptHandle"]
        if self._outcomes.get(message_id) == "sent":
            self._delete({message_id: receipt})
            return False
        sent_at = int(message.get("Attributes", {}).get("SentTimestamp", "0")) / 1000
        came_later = sent_at > self._newest or replay_behind(message) == self.held.replay.replay_id
        if message_id in self._outcomes or came_later or not self._may_be_wanted(message_id):
            self._waiting[message_id] = receipt
            return False
        return True

    def _may_be_wanted(self, message_id: str) -> bool:
        return not self._wanted.message_ids or message_id in self._wanted.message_ids

    def _decide(self, sender: Sender, messages: Sequence[MessageTypeDef]) -> None:
        tools, replay = self._work.tools, self.held.replay
        now, began = tools.clock(), tools.monotonic()
        self._waiting |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        records = records_of(messages, self._work.events, now)
        results: dict[str, ReplayResult] = {}
        sendable: dict[str, Outgoing] = {}
        for message in messages:
            record = records.get(event_of(message))
            if reason := self._reason_to_stay(message, record):
                results[message["MessageId"]] = _result(message, "skipped", reason)
            else:
                sendable[message["MessageId"]] = self._outgoing(message, record)
        if sendable:
            self._chosen |= sendable.keys()
            tools.leases.choose(self.held, self._chosen)
        by_id = {message["MessageId"]: message for message in messages}
        for message_id, answer in zip(sendable, sender.send(list(sendable.values())), strict=True):
            outcome = "failed" if answer.problem else "sent"
            results[message_id] = _result(by_id[message_id], outcome, answer.problem)
        sent = {message_id: by_id[message_id] for message_id in sendable if results[message_id].outcome == "sent"}
        counted = {record.event_id: record for m in sent.values() if (record := records.get(event_of(m))) is not None}
        tools.recorder.record(replay, list(counted.values()), now)
        part = Part([results[message["MessageId"]] for message in messages], now, tools.monotonic() - began)
        self.held = tools.leases.checkpoint(self.held, part, replay.done + len(messages), tools.clock())
        self._outcomes |= {message_id: result.outcome for message_id, result in results.items()}
        self._chosen -= results.keys()
        self._delete({message_id: message["ReceiptHandle"] for message_id, message in sent.items()})

    def _reason_to_stay(self, message: MessageTypeDef, record: EventRecord | None) -> str:
        """Why a message is not sent; empty where it is."""
        if message["MessageId"] in self._chosen:
            return ""
        if not self._wanted.takes(letter_of(message, record)):
            return "does not match the filter"
        most = self._work.tools.max_replays
        if record is not None and record.replay_count >= most:
            return f"its event was sent again {record.replay_count} times; replay.max_replays is {most}"
        return ""

    def _outgoing(self, message: MessageTypeDef, record: EventRecord | None) -> Outgoing:
        """An event's message says that it is a redrive's; any other goes as it lies there."""
        given = _attributes(message)
        if record is None or self._work.queue.name != EVENT_LETTERS:
            return Outgoing(message["Body"], given)
        if record.last_replay_id == self.held.replay.replay_id:
            # Counted by a run that died: the same message again, not one more.
            record = replace(record, replay_count=record.replay_count - 1)
        made = outgoing(record, self.held.replay, self._work.tools.message)
        # The trace that the event came with goes on.
        kept = {TRACEPARENT: given[TRACEPARENT]} if TRACEPARENT in given else {}
        return replace(made, attributes={**made.attributes, **kept})

    def _delete(self, receipts: Mapping[str, str]) -> None:
        left = dict(receipts)
        for _ in range(DELETE_ATTEMPTS):
            if not left:
                break
            kept = self._letters.delete(list(left.values()))
            left = {message_id: receipt for message_id, receipt in left.items() if receipt in kept}
        for message_id in receipts:
            self._waiting.pop(message_id, None)
            self._not_deleted.pop(message_id, None)
        self._not_deleted |= left

    def _report_missing(self) -> None:
        """Ids that were asked for and not found get a result, too."""
        missing = [message_id for message_id in self._wanted.message_ids if message_id not in self._outcomes]
        tools = self._work.tools
        for index in range(0, len(missing), PART):
            ids = missing[index : index + PART]
            results = [ReplayResult("", "skipped", "is not in the queue any more", message_id) for message_id in ids]
            part = Part(results, tools.clock(), 0.0)
            self.held = tools.leases.checkpoint(self.held, part, self.recorded + len(ids), tools.clock())


def _result(message: MessageTypeDef, outcome: Any, detail: str) -> ReplayResult:
    return ReplayResult(event_of(message), outcome, detail, message["MessageId"])


def _attributes(message: MessageTypeDef) -> dict[str, Any]:
    """The message's own attributes as they are sent."""
    return {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if value.get(key) is not None}
        for name, value in message.get("MessageAttributes", {}).items()
    }
