"""A retry's own work under a lease: batches of a job asked for in their order, a request at a time.

What is about to be asked for is on record first. A run that takes over from one that died asks for that once more, and
says in the results that it may be the second time: workers take a batch's lease, so it is run once all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol

from backend.contract.jobs import BatchPlan, BatchState
from backend.contract.replays import ReplayResult
from backend.contract.tables import JOB_NAME
from backend.jobs.retry_plan import retry_attributes, retry_body, why_not
from backend.replay.lease import Held, Part
from backend.replay.pace import Pace, part_size
from backend.replay.run import Stop, Tools, stop_of
from backend.replay.sending import Outgoing, Sender

PART: Final = 10
"""Messages of one request: a run that dies leaves no more in doubt."""
PLAN_SECONDS: Final = 5.0
"""A plan is read as a whole, so not for each request; leases keep what was taken up since from running twice."""
TWICE: Final = "asked for again: the run before was gone, and whether it had asked is not known"


class ReadsPlans(Protocol):
    """What retries need of the job reader."""

    def plan(self, job_name: str) -> BatchPlan | None:
        """The batches of a job as they stand now."""


class RetryRun:
    """One run of a retry, until it is done, told to stop, or ``until`` (epoch s)."""

    def __init__(self, tools: Tools, plans: ReadsPlans, held: Held, url: str, until: float) -> None:
        self._tools = tools
        self._plans = plans
        self._url = url
        self._until = until
        self._in_doubt: set[str] = set()
        """Batches that a run that died was about to ask for, without a result."""
        self._states: dict[str, BatchState] = {}
        self._read_again = -math.inf
        self.held = held

    @property
    def recorded(self) -> int:
        """Batches dealt with: there are no events whose items would have to tell of it."""
        return self.held.replay.done

    def go(self) -> Stop:
        """Works; returns why it stopped. Raises LeaseLost, and what AWS's clients and the sender raise."""
        tools, replay = self._tools, self.held.replay
        batches = tools.selections.batches(replay.replay_id)
        self._in_doubt = tools.leases.chosen(replay.replay_id) - set(batches[: replay.done])
        pace = Pace(replay.rate_per_second, tools.monotonic, tools.sleep)
        size = min(PART, part_size(replay.rate_per_second))
        with Sender(tools.sqs, self._url, replay.rate_per_second, pace, tools.sleep) as sender:
            while (stop := stop_of(self.held, tools.clock, self._until)) is None:
                done = self.held.replay.done
                if done >= len(batches):
                    return "done"
                self._ask(sender, batches[done : done + size])
        return stop

    def _ask(self, sender: Sender, batches: Sequence[str]) -> None:
        tools, replay = self._tools, self.held.replay
        began, now, states = tools.monotonic(), tools.clock(), self._now()
        results: dict[str, ReplayResult] = {}
        askable: list[BatchState] = []
        for batch in batches:
            state = states.get(batch)
            reason = "is not in the plan any more" if state is None else why_not(state)
            if state is None or reason:
                results[batch] = ReplayResult(batch, "skipped", reason)
            else:
                askable.append(state)
        if askable:
            tools.leases.choose(self.held, [state.batch for state in askable])
        for state, answer in zip(askable, sender.send([self._message(state) for state in askable]), strict=True):
            twice = TWICE if state.batch in self._in_doubt else ""
            results[state.batch] = (
                ReplayResult(state.batch, "failed", answer.problem)
                if answer.problem
                else ReplayResult(state.batch, "sent", twice, answer.message_id)
            )
        part = Part([results[batch] for batch in batches], now, tools.monotonic() - began)
        self.held = tools.leases.checkpoint(self.held, part, replay.done + len(batches), tools.clock())

    def _now(self) -> dict[str, BatchState]:
        """Where the plan's batches stand, as of the last seconds."""
        if (at := self._tools.monotonic()) >= self._read_again:
            plan = self._plans.plan(str(self.held.replay.selection[JOB_NAME]))
            self._states = {} if plan is None else {state.batch: state for state in plan.batches}
            self._read_again = at + PLAN_SECONDS
        return self._states

    def _message(self, state: BatchState) -> Outgoing:
        replay = self.held.replay
        job_name = str(replay.selection[JOB_NAME])
        body = retry_body(job_name, state, replay.replay_id, replay.requested_by)
        return Outgoing(body, retry_attributes(job_name))
