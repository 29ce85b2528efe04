"""One thread a process that beats for all its runs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread

from backend.jobs.run import Run


class Heart:
    """Calls ``beat`` for every run under way each ``seconds``, and ``deliver`` before; both must not raise. Leases have
    to outlast both, so ``deliver`` has to bound itself.

    The thread is a daemon: it holds up no process that ends, and a process that is killed stops beating. It ends
    by itself when there was nothing to beat for.
    """

    def __init__(self, beat: Callable[[Run], None], deliver: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._deliver = deliver
        self._seconds = seconds
        self._wake = Condition()
        self._runs: dict[str, Run] = {}
        self._thread: Thread | None = None
        self._stopping = False

    def add(self, run: Run) -> None:
        """Beats for ``run`` from now on."""
        with self._wake:
            self._runs[run.run_id] = run
            if self._thread is None:
                self._thread = Thread(target=self._loop, name="pulseboard-heartbeat", daemon=True)
                self._thread.start()

    def remove(self, run: Run) -> None:
        """Beats no more for ``run``; a beat under way may still come to its end."""
        with self._wake:
            self._runs.pop(run.run_id, None)

    def stop(self) -> None:
        """Ends the thread, whatever is under way, and waits for it."""
        with self._wake:
            self._runs.clear()
            self._stopping = True
            thread = self._thread
            self._wake.notify_all()
        if thread is not None:
            thread.join()
        self._stopping = False

    def _loop(self) -> None:
        while True:
            self._deliver()
            with self._wake:
                # Woken only to be stopped: a run that ends meanwhile costs one look at an empty list.
                self._wake.wait_for(lambda: self._stopping, self._seconds)
                runs = list(self._runs.values())
                if not runs:
                    self._thread = None
                    return
            for run in runs:
                self._beat(run)
