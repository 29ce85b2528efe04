"""``job`` and ``pending``, as ``from pulseboard import job, pending`` gives them.

Importing this imports no AWS client and nothing of the dashboard: what records is wired when the first run starts.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar, Token, copy_context
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from backend.contract.jobs import JobType
from backend.jobs.run import JobSpec, Run
from backend.jobs.terminated import Terminated

if TYPE_CHECKING:
    from backend.jobs.tracker import Tracker

P = ParamSpec("P")
R = TypeVar("R")
CALL_SECONDS: Final = 2.0
"""Of one call to AWS; what a start or an end takes in all is the tracker's business."""

_CURRENT: ContextVar[Run | None] = ContextVar("pulseboard_run", default=None)


def job(
    name: str,
    type: JobType | None = None,  # noqa: A002 - the attribute's name
    dataset: str | None = None,
    batch: str = "",
    *,
    limit_seconds: float | None = None,
    correlation_id: str = "",
    environment: str = "",
    requested_by: str = "",
    require_lease: bool = True,
    again: bool = False,
    synthetic: bool = False,
    tracker: Tracker | None = None,
) -> Job:
    """Records a run of a job: ``with job("load", dataset="orders", batch="2026-05") as run:``, ``async with`` alike,
    or ``@job("load")`` over a function, sync or async.

    ``type``, ``dataset`` and ``limit_seconds`` are by default what ``pulseboard.toml`` says of the job. The exception
    that ends the block is recorded and goes on as it is. With a ``batch``, two workers never run it at once.

    Entering raises BatchBusy where another worker runs the batch, BatchDone where it succeeded (unless ``again``),
    LeaseUnavailable where DynamoDB does not answer (unless ``require_lease=False``). Leaving raises LeaseLost where the
    batch was taken over meanwhile. Raises InvalidInput for a bad argument. A run without a batch always starts.
    """
    spec = JobSpec(
        name, type, dataset, batch, limit_seconds, correlation_id, environment, requested_by, require_lease, again,
        synthetic,
    )  # fmt: skip
    return Job(spec, tracker)


def pending(name: str, batches: Iterable[str], *, tracker: Tracker | None = None) -> list[str]:
    """The batches of a job that have not succeeded, in the order given.

    ``for month in pending("backfill", months): with job("backfill", batch=month): ...`` goes on where it stopped. Also
    registers the list, so that the Jobs page shows all of it. Raises what botocore raises where DynamoDB can't be read:
    it never guesses. Raises InvalidInput for a name that is none.
    """
    wanted = batches if isinstance(batches, str) else list(batches)
    return (tracker or wired(os.getpid())).pending(name, wanted)


def current_run() -> Run | None:
    """The innermost run under way here: how a decorated function reaches its run."""
    return _CURRENT.get()


class Job(AbstractContextManager[Run, None]):
    """What ``job`` gives. One at a time: a second run needs the first one's end."""

    def __init__(self, spec: JobSpec, tracker: Tracker | None) -> None:
        self._spec = spec
        self._given = tracker
        self._entered: tuple[Tracker, Run, Token[Run | None]] | None = None

    def __enter__(self) -> Run:
        tracker, run = self._start()
        return self._enter(tracker, run)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tracker, run = self._leave()
        with tracker.guard.leaving():
            tracker.finish(run, failing(error))
        if error is None:
            run.check()

    async def __aenter__(self) -> Run:
        start = in_thread(self._start)
        cancelled = await settled(start)
        if cancelled is None:
            # The context variable and the guard are set here, in the task, not in the thread.
            return self._enter(*start.result())
        if start.exception() is None:
            # Nobody gets this run, so nobody else would end it: it would beat, and hold its batch, for ever.
            tracker, run = start.result()
            await settled(in_thread(functools.partial(tracker.finish, run, cancelled)))
        raise cancelled

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tracker, run = self._leave()
        if isinstance(error, asyncio.CancelledError) and tracker.guard.raised:
            # Where the signal finds the event loop waiting it ends the loop, which cancels what runs in it.
            told: BaseException | None = Terminated()
        else:
            told = failing(error)
        with tracker.guard.leaving():
            cancelled = await settled(in_thread(functools.partial(tracker.finish, run, told)))
        if cancelled is not None:
            raise cancelled
        if error is None:
            run.check()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, each call of which is a run of its own."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"@job can't record {function.__name__}: it is a generator; use `with job(...)` inside it")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with Job(self._spec, self._given):
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value]

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with Job(self._spec, self._given):
                return function(*args, **kwargs)

        return run

    def _start(self) -> tuple[Tracker, Run]:
        if self._entered is not None:
            raise RuntimeError("this job is under way already; call job(...) once for each run")
        tracker = self._given or wired(os.getpid())
        spec, around = self._spec, _CURRENT.get()
        if not spec.correlation_id and around is not None:
            spec = JobSpec(**{**_fields(spec), "correlation_id": around.correlation_id})
        return tracker, tracker.start(spec)

    def _enter(self, tracker: Tracker, run: Run) -> Run:
        self._entered = (tracker, run, _CURRENT.set(run))
        tracker.guard.enter()
        return run

    def _leave(self) -> tuple[Tracker, Run]:
        assert self._entered is not None  # noqa: S101 - only what was entered is left
        tracker, run, token = self._entered
        self._entered = None
        with suppress(ValueError):
            # Left in another context than it was entered in, as a generator may be: that one ends by itself.
            _CURRENT.reset(token)
        return tracker, run


def in_thread(act: Callable[[], R]) -> asyncio.Future[R]:
    """``act`` in a thread of the loop's, with this task's context. No task: a loop that ends doesn't cancel it."""
    return asyncio.get_running_loop().run_in_executor(None, copy_context().run, act)


async def settled(call: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Waits until the call is done, also when this task is cancelled meanwhile; gives that back, to be raised then."""
    cancelled = None
    while not call.done():
        try:
            await asyncio.wait((call,))
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


def failing(error: BaseException | None) -> BaseException | None:
    """The exception where it means failure: a program that ends itself with code 0 has done its work."""
    return None if isinstance(error, SystemExit) and error.code in (None, 0) else error


def _fields(spec: JobSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in JobSpec.__slots__}


@cache
def wired(_pid: int) -> Tracker:
    """The tracker of this process, wired once from the environment. Raises InvalidInput for bad settings."""
    from backend.aws import Clients
    from backend.jobs.journal import Journal, journal_folder
    from backend.jobs.tracker import Tracker
    from backend.settings import load_settings

    settings = load_settings(os.environ)
    clients = Clients(settings.region, pool=8, timeout=CALL_SECONDS, attempts=2)
    return Tracker(clients, settings, Journal(journal_folder(os.environ)))
