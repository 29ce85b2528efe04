"""The journal's entries: made from what could not be recorded, and recorded later."""

from __future__ import annotations

from typing import Final, cast, get_args

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from backend.contract.job_items import run_item, run_of
from backend.contract.jobs import JobRun
from backend.jobs.errors import LeaseLost
from backend.jobs.journal import Away, Delivered, Entry, Journal, Unacceptable
from backend.jobs.signals import JobSignals, Told
from backend.jobs.store import JobStore

TOLD: Final = get_args(Told)
_NEVER: Final = ("ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException")
"""Errors of DynamoDB that the same request gets for ever."""


def entry_of(kind: str, run: JobRun) -> Entry:
    """The entry of a start, or of what is told of an end."""
    return {"kind": kind, "run": run_item(run)}


def ended_entry(run: JobRun, *, note: bool) -> Entry:
    """The entry of an end."""
    return {"kind": "end", "run": run_item(run), "note": note}


class Deliverer:
    """Delivers a journal. Entries come in their order, may come twice, and are refused where they are too late."""

    def __init__(self, journal: Journal, store: JobStore, signals: JobSignals, logger: Logger) -> None:
        self._journal = journal
        self._store = store
        self._signals = signals
        self._logger = logger

    def deliver(self) -> Delivered:
        """Delivers as far as AWS takes it. Raises OSError where the journal's folder can't be used."""
        done = self._journal.deliver(self._send)
        if done.delivered or done.refused:
            said = {"delivered": done.delivered, "refused": done.refused, "left": done.left}
            self._logger.info("journal of job runs delivered", extra=said)
        return done

    def _send(self, entry: Entry) -> None:
        try:
            kind, run = str(entry["kind"]), run_of(entry["run"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._aside(f"{type(error).__name__}: {error}") from error
        try:
            self._record(kind, run, note=bool(entry.get("note")))
        except LeaseLost as lost:
            # Somebody else ran the batch meanwhile; what they recorded stands.
            self._logger.warning(str(lost), extra={"job_name": run.job_name, "run_id": run.run_id})
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NEVER:
                raise self._aside(str(error)) from error
            raise Away(str(error)) from error
        except (Away, Unacceptable):
            raise
        except Exception as error:
            raise Away(f"{type(error).__name__}: {error}") from error

    def _record(self, kind: str, run: JobRun, *, note: bool) -> None:
        if kind == "start":
            self._store.start(run)
        elif kind == "end":
            self._store.end(run, note=note)
        elif kind in TOLD:
            if not self._signals.tell(cast("Told", kind), run):
                raise Away("it was not taken")
        else:
            raise self._aside(f"kind {kind!r} is not known")

    def _aside(self, why: str) -> Unacceptable:
        folder = str(self._journal.folder)
        self._logger.error("entry of the journal put aside", extra={"error_message": why, "folder": folder})
        return Unacceptable(why)
