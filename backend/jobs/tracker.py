"""Records runs: their start, that they go on, their end; and keeps what can't be recorded for later."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from aws_lambda_powertools import Logger

from backend.aws import Clients
from backend.contract.jobs import HEARTBEAT_SECONDS, JobRun
from backend.jobs.bounded import Deadline, within
from backend.jobs.clock import ServerClock
from backend.jobs.delivery import Deliverer, ended_entry, entry_of
from backend.jobs.errors import BatchBusy, BatchDone, JobError, LeaseLost, LeaseUnavailable
from backend.jobs.heartbeat import Heart
from backend.jobs.journal import Delivered, Entry, Journal
from backend.jobs.lease import Standing, held
from backend.jobs.pending import pending_batches
from backend.jobs.run import JobSpec, Run, failure_of, new_record
from backend.jobs.signals import JobSignals, Told
from backend.jobs.store import JobStore
from backend.jobs.terminated import TermGuard
from backend.logs import make_logger
from backend.settings import Settings
from backend.settings_jobs import JobConfig

LIMIT_SECONDS: Final = 2.0
"""What a start or an end may take in all, whatever AWS does."""
TEXT_SECONDS: Final = 0.5
"""Of an end, for the error's full text; the record comes before the signals, which get what is left."""
RECORD_SECONDS: Final = 1.5
DELIVERY_SECONDS: Final = 0.5
"""Of a start, for what waits in the journal: it may be about the same batch."""
SLICE_SECONDS: Final = 5.0
"""For so long the journal is delivered between two heartbeats: leases have to last meanwhile."""


class Tracker:
    """Records the runs of this process; thread-safe, and usable again after a fork. Wire one and keep it.

    ``clock`` gives epoch seconds. ``beat_seconds`` is how often runs send a heartbeat, ``limit_seconds`` what a start
    and an end may take.
    """

    def __init__(
        self,
        clients: Clients,
        settings: Settings,
        journal: Journal,
        clock: Callable[[], float] = time.time,
        *,
        logger: Logger | None = None,
        server: ServerClock | None = None,
        beat_seconds: float = HEARTBEAT_SECONDS,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self._clients = clients
        self._clock = clock
        self._server = server
        self._beat_seconds = beat_seconds
        self._limit = limit_seconds
        # Standard output is the job's own.
        self._logger = logger or make_logger("pulseboard-jobs", sys.stderr)
        self.guard = TermGuard()
        """Of the blocks around runs; whoever starts and finishes runs without a block does without it."""
        self._wire()

    def _wire(self) -> None:
        """Everything that belongs to one process: its connections, its thread."""
        self._pid = os.getpid()
        self._store = JobStore(
            self._clients.dynamodb, self.settings.job_runs_table, self._server or ServerClock(self._clock)
        )
        self._signals = JobSignals(self._clients, self.settings, self._logger)
        self._deliverer = Deliverer(self.journal, self._store, self._signals, self._logger, self._clock)
        self._heart = Heart(self._beat, self.deliver_quietly, self._beat_seconds)
        self._told_away = False

    def _after_fork(self) -> None:
        if os.getpid() != self._pid:
            self._clients = self._clients.renewed()
            self.guard.forked()
            self._wire()

    def start(self, spec: JobSpec) -> Run:
        """Records a run's start and begins to beat for it.

        Raises BatchBusy, BatchDone and LeaseUnavailable where its batch may not be run, InvalidInput for bad settings.
        """
        self._after_fork()
        deadline = Deadline(self._limit)
        if self.journal.waiting:
            self._bounded(deadline.left(DELIVERY_SECONDS), self.deliver_quietly)
        spec = configured(spec, self.settings.config.jobs.get(spec.name))
        record = new_record(spec, self._clock(), self.settings.config.environment)
        run = self._taken(record, spec, deadline) if spec.batch else self._started(record, deadline)
        self._heart.add(run)
        return run

    def _started(self, record: JobRun, deadline: Deadline) -> Run:
        def start() -> tuple[JobRun, Standing]:
            before = self._store.standing(record.job_name, "")
            # Heartbeats are of the time that the answer told: by a clock that is behind, the run would seem lost.
            started = held(record, self._store.server.now())
            self._store.start(started)
            return started, before

        try:
            started, before = within(deadline.left(), start)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being recorded, the job runs
            run = Run(held(record, self._store.server.now()), None)
            self._keep(run, "start", entry_of("start", run.record), error)
            return run
        return Run(started, before.failed)

    def _taken(self, record: JobRun, spec: JobSpec, deadline: Deadline) -> Run:
        def give_back(answer: Future[tuple[JobRun, Standing]]) -> None:
            # The lease came after the job was told that it could not start; the next one need not wait for its end.
            if answer.exception() is None and spec.require_lease:
                late = replace(answer.result()[0], status="FAILED", ended_at=self._clock())
                why = "did not start: the lease came too late"
                self._store.end(replace(late, error=why, error_type=LeaseUnavailable.__name__), note=False)

        try:
            taken, before = within(deadline.left(), lambda: self._store.take(record, again=spec.again), late=give_back)
        except (BatchBusy, BatchDone):
            raise
        except Exception as error:
            if spec.require_lease:
                raise LeaseUnavailable(
                    f"batch {record.batch!r} of job {record.job_name!r} does not start: whether another worker runs it "
                    f"can't be found out ({_reason(error)}); try again, or pass require_lease=False"
                ) from error
            run = Run(record, None)
            self._keep(run, "start", entry_of("start", record), error)
            return run
        return Run(taken, before.failed)

    def finish(self, run: Run, error: BaseException | None) -> None:
        """Records a run's end: FAILED with what ``error`` says, SUCCESS without one. Raises nothing of its own.

        A forked child that comes to the end of its parent's block records nothing: the run is its parent's.
        """
        if os.getpid() != run.pid or run.ended:
            return
        run.ended = True
        self._heart.remove(run)
        try:
            self._finish(run, error)
        except Exception as problem:
            # Recording never replaces the job's own exception.
            run.missed(f"end: {_reason(problem)}")
            self._logger.exception("end of a job run not recorded", extra=_fields(run, problem))

    def _finish(self, run: Run, error: BaseException | None) -> None:
        deadline = Deadline(self._limit)
        ended = replace(run.snapshot(), status="SUCCESS", ended_at=self._clock(), heartbeat_at=self._store.server.now())
        if error is not None:
            ended = self._failed(ended, error, deadline)
        note = not run.batch and (error is not None or run.after_failure is not False)
        run.record = ended
        try:
            within(deadline.left(RECORD_SECONDS), lambda: self._store.end(ended, note=note))
        except LeaseLost as lost:
            run.lease_lost = True
            run.missed(f"end: {lost}")
            self._logger.warning(str(lost), extra=_fields(run))
            return
        except Exception as problem:  # noqa: BLE001 - whatever keeps it from being recorded
            self._keep(run, "end", ended_entry(ended, note=note), problem)
        if run.lease_lost:
            return
        told: list[Told] = ["failed", "counted"] if error is not None else []
        if error is None and run.after_failure is not False:
            told.append("recovered")
        for what in told:
            self._tell(run, what, deadline)

    def _failed(self, ended: JobRun, error: BaseException, deadline: Deadline) -> JobRun:
        failure = failure_of(error)
        failed = replace(ended, status="FAILED", error=failure.error, error_type=failure.error_type)
        try:
            key = within(deadline.left(TEXT_SECONDS), lambda: self._signals.keep_text(failed, failure.full))
        except Exception as problem:  # noqa: BLE001 - the record has the error's head and tail
            self._logger.warning("full text of an error not kept", extra={"error_message": _reason(problem)})
            return failed
        return replace(failed, error_key=key)

    def _tell(self, run: Run, what: Told, deadline: Deadline) -> None:
        try:
            if within(deadline.left(), lambda: self._signals.tell(what, run.record)):
                return
            problem: Exception = ConnectionError("it was not taken")
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being told
            problem = error
        self._keep(run, what, entry_of(what, run.record), problem)

    def _keep(self, run: Run, what: str, entry: Entry, error: Exception) -> None:
        """Puts into the journal what could not be recorded, and says so."""
        try:
            self.journal.add(entry)
            kept = f"journaled in {self.journal.folder}"
        except OSError as problem:
            kept = f"lost: the journal can't be written ({problem})"
        run.missed(f"{what}: {_reason(error)}; {kept}")
        if not self._told_away:
            self._told_away = True
            self._logger.warning(f"job run not recorded in time: {what} {kept}", extra=_fields(run, error))

    def _beat(self, run: Run) -> None:
        """One heartbeat of one run."""
        if run.ended or run.lease_lost:
            return
        try:
            self._store.beat(run.snapshot())
            self._told_away = False
        except LeaseLost as lost:
            if not run.ended:
                run.lease_lost = True
                self._logger.warning(str(lost), extra=_fields(run))
        except Exception as error:  # noqa: BLE001 - the next heartbeat comes
            run.missed(f"heartbeat: {_reason(error)}")
            if not self._told_away:
                self._told_away = True
                self._logger.warning("heartbeat not recorded", extra=_fields(run, error))

    def deliver(self) -> Delivered:
        """Delivers the journal as far as AWS takes it. Raises OSError where its folder can't be used."""
        self._after_fork()
        return self._deliverer.deliver()

    def deliver_quietly(self) -> None:
        """Delivers a part of what waits; what goes wrong is logged."""
        try:
            self._deliverer.deliver(SLICE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the journal stays, and the next try comes
            self._logger.warning("journal not delivered", extra={"error_message": _reason(error)})

    def pending(self, name: str, batches: Sequence[str]) -> list[str]:
        """The batches that have not succeeded, in the order given; see ``pulseboard.pending``."""
        self._after_fork()
        if self.journal.waiting:
            self._bounded(DELIVERY_SECONDS, self.deliver_quietly)
        return pending_batches(self._store, name, batches, self._clock(), self._logger)

    def close(self) -> None:
        """Ends the heartbeats' thread."""
        self._heart.stop()

    def _bounded(self, seconds: float, act: Callable[[], None]) -> None:
        try:
            within(seconds, act)
        except Exception as error:  # noqa: BLE001 - it goes on by itself
            self._logger.debug("journal not delivered in time", extra={"error_message": _reason(error)})


def configured(spec: JobSpec, config: JobConfig | None) -> JobSpec:
    """The spec with what the configuration says where the call says nothing."""
    if config is None:
        return spec
    kind, limit = spec.type or config.type, spec.limit_seconds
    if limit is None and kind == "batch":
        # A stream has a limit only where the call says one.
        limit = 60 * config.limit_minutes
    dataset = config.dataset if spec.dataset is None else spec.dataset
    return replace(spec, type=kind, dataset=dataset, limit_seconds=limit)


def _reason(error: BaseException) -> str:
    if isinstance(error, JobError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _fields(run: Run, error: BaseException | None = None) -> dict[str, object]:
    record = run.record
    said: dict[str, object] = {"job_name": record.job_name, "batch": record.batch, "run_id": record.run_id,
            "correlation_id": record.correlation_id}  # fmt: skip
    return said if error is None else said | {"error_type": type(error).__name__, "error_message": _reason(error)}
