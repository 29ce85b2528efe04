"""The journal's entries: made from what could not be recorded, and recorded later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, cast, get_args

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from backend.contract.job_items import run_item, run_of
from backend.contract.jobs import JobRun
from backend.jobs.errors import LeaseLost
from backend.jobs.journal import Away, Delivered, Entry, Journal, Later, Unacceptable
from backend.jobs.signals import JobSignals, Told
from backend.jobs.store import JobStore

TOLD: Final = get_args(Told)
TOLD_SECONDS: Final = 13 * 86_400.0
"""What nobody took for so long after a run's end is told no more; CloudWatch takes no time older than two weeks."""
_NEVER: Final = ("ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException")
"""Errors of DynamoDB that the same request gets for ever."""


def entry_of(kind: str, run: JobRun) -> Entry:
    """The entry of a start, or of what is told of an end."""
    return {"kind": kind, "run": run_item(run)}


def ended_entry(run: JobRun, *, note: bool) -> Entry:
    """The entry of an end."""
    return {"kind": "end", "run": run_item(run), "note": note}


class Deliverer:
    """Delivers a journal. Entries come in their order, may come twice, and are refused where they are too late.

    What is to be told of an end, and can't be, holds up no start and no end: a role may allow one and not the other.
    """

    def __init__(
        self,
        journal: Journal,
        store: JobStore,
        signals: JobSignals,
        logger: Logger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._store = store
        self._signals = signals
        self._logger = logger
        self._clock = clock

    def deliver(self, seconds: float = math.inf) -> Delivered:
        """Delivers for ``seconds``, as far as AWS takes it. Raises OSError where the journal's folder can't be used."""
        refusing: set[str] = set()
        done = self._journal.deliver(lambda entry: self._send(entry, refusing), seconds)
        if done.delivered or done.refused:
            said = {"delivered": done.delivered, "refused": done.refused, "left": done.left}
            self._logger.info("journal of job runs delivered", extra=said)
        return done

    def _send(self, entry: Entry, refusing: set[str]) -> None:
        try:
            kind, run = str(entry["kind"]), run_of(entry["run"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._aside(f"{type(error).__name__}: {error}") from error
        if kind in TOLD:
            self._tell(cast("Told", kind), run, refusing)
            return
        try:
            self._record(kind, run, note=bool(entry.get("note")))
        except LeaseLost as lost:
            # Somebody else ran the batch meanwhile; what they recorded stands.
            raise self._aside(str(lost)) from lost
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NEVER:
                raise self._aside(str(error)) from error
            raise Away(str(error)) from error
        except Unacceptable:
            raise
        except Exception as error:
            raise Away(f"{type(error).__name__}: {error}") from error

    def _record(self, kind: str, run: JobRun, *, note: bool) -> None:
        if kind == "start":
            self._store.start(run)
        elif kind == "end":
            self._store.end(run, note=note)
        else:
            raise self._aside(f"kind {kind!r} is not known")

    def _tell(self, what: Told, run: JobRun, refusing: set[str]) -> None:
        """Tells one thing. ``refusing`` are who took nothing in this delivery: asked once, and what is told to the same
        one keeps its order."""
        teller = "CloudWatch" if what == "counted" else "SNS"
        if teller in refusing:
            raise Later(teller)
        try:
            if self._signals.tell(what, run):
                return
            problem = f"{teller} did not take it"
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being told
            problem = f"{type(error).__name__}: {error}"
        ended = run.started_at if run.ended_at is None else run.ended_at
        if self._clock() - ended > TOLD_SECONDS:
            raise self._aside(problem)
        refusing.add(teller)
        raise Later(problem)

    def _aside(self, why: str) -> Unacceptable:
        folder = str(self._journal.folder)
        self._logger.error("entry of the journal put aside", extra={"error_message": why, "folder": folder})
        return Unacceptable(why)
