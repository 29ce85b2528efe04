"""Encoded views: one refresh of a page, made once and served to everybody who asks for the same thing.

A view is encoded (orjson), compressed (brotli, gzip) and given an ETag once. A stale one is made anew by the first
who asks in a tick; the others get the last one, and after ``PATIENCE`` ticks they wait for the new one.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import brotli
import orjson
from werkzeug.http import parse_accept_header

from dashboard.data.ticks import same_tick, ticks_between

logger = logging.getLogger(__name__)

BROTLI_QUALITY: Final = 5
GZIP_LEVEL: Final = 6
PATIENCE: Final = 2
"""Ticks after which nobody is served the old view without a try at the new one."""
WORKERS: Final = 2
"""Makers of what somebody waits for; one alone would wait for a hanging read of another environment. They compete with
the threads that answer for one interpreter: few are faster (with four, the 95th percentile of 200 viewers was 16.6 ms,
with two 7.0 ms)."""
AHEAD_WORKERS: Final = 1
"""Makers of what is made ahead, while the last view is still served: nobody who waits stands in line behind those."""
KEEP_SECONDS: Final = 3600.0
WAIT_SECONDS: Final = 4.0
"""How long after its start those who could have the last good view wait for the new one; later ones don't wait."""
FIRST_WAIT_SECONDS: Final = 8.0
"""Less than a browser waits for any answer: it is told that the view is being made, and asks again."""
HANGING_SECONDS: Final = 20.0
"""What takes longer than this is no slow view but a data store that does not answer."""


@dataclass(frozen=True, slots=True)
class EncodedView:
    """A view ready to send. ``error`` tells why it or the data in it is not newer.

    ``made_at`` is epoch seconds; so is ``stale_since``, from when the data is that could not be read again.
    """

    etag: str
    raw: bytes
    brotli: bytes
    gzip: bytes
    made_at: float
    data_as_of: float | None
    error: str | None = None
    stale_since: float | None = None
    late: bool = False
    """A newer one is being made, and takes its time."""

    def body(self, accept_encoding: str) -> tuple[bytes, str | None]:
        """The smallest body the client takes, and its Content-Encoding."""
        accepted = parse_accept_header(accept_encoding)
        if accepted.quality("br"):
            return self.brotli, "br"
        if accepted.quality("gzip"):
            return self.gzip, "gzip"
        return self.raw, None


class BeingMade(TimeoutError):  # noqa: N818 - nothing went wrong
    """There is no view yet; the first one takes its time."""


def encode(content: Mapping[str, Any], as_of: float | None, now: float, default: Callable[[Any], Any]) -> EncodedView:
    """The view of JSON-ready ``content``; ``default`` turns Dash components into JSON."""
    raw = orjson.dumps(content, default=default, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    etag = hashlib.blake2b(raw, digest_size=12).hexdigest()
    return EncodedView(
        etag=etag,
        raw=raw,
        brotli=brotli.compress(raw, quality=BROTLI_QUALITY),
        gzip=gzip.compress(raw, GZIP_LEVEL, mtime=0),
        made_at=now,
        data_as_of=as_of,
    )


class Store(Protocol):
    """Where encoded views are kept: flask-caching's cache, in memory or in Redis."""

    def get(self, key: str) -> Any:
        """The value, None when there is none."""

    def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
        """Keeps the value for ``timeout`` seconds."""


@dataclass(slots=True)
class ViewCounts:
    """How views were answered since the start."""

    made: int = 0
    served: int = 0
    unchanged: int = 0
    failed: int = 0


class ViewCache:
    """Views by key; each is made by one worker at a time, never by the thread that asks."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time, workers: int = WORKERS) -> None:
        self._store = store
        self._clock = clock
        self._waited = ThreadPoolExecutor(workers, thread_name_prefix="view")
        self._ahead = ThreadPoolExecutor(AHEAD_WORKERS, thread_name_prefix="view-ahead")
        self._pending: dict[str, tuple[Future[EncodedView], float, ThreadPoolExecutor]] = {}
        self._lock = threading.Lock()
        self.counts = ViewCounts()

    def get(self, key: str, every: float, make: Callable[[], EncodedView]) -> EncodedView:
        """The view of ``key``, made in this tick of ``every`` seconds or the last one where it can be made in time.

        While making it takes its time the last good view is given as ``late``; when it fails, or takes so long that
        nobody can say what comes of it, with ``error`` set. Raises what ``make`` raised, BeingMade or TimeoutError,
        where there has never been a good one.
        """
        self.counts.served += 1
        held: EncodedView | None = self._store.get(key)
        now = self._clock()
        if held is not None and same_tick(held.made_at, now, every):
            return held
        if held is not None and ticks_between(held.made_at, now, every) < PATIENCE:
            self._start(self._ahead, key, every, make)
            return held
        flight, started = self._start(self._waited, key, every, make)
        try:
            wait = FIRST_WAIT_SECONDS if held is None else WAIT_SECONDS
            return flight.result(max(wait - (now - started), 0.0))
        except Exception as error:
            slow = not flight.done() and self._clock() - started < HANGING_SECONDS
            if held is None:
                if slow:
                    raise BeingMade from None
                raise
            return replace(held, late=True) if slow else _with_error(held, error)

    def close(self) -> None:
        """Ends the worker threads."""
        for pool in (self._waited, self._ahead):
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, pool: ThreadPoolExecutor, key: str, every: float, make: Callable[[], EncodedView]
    ) -> tuple[Future[EncodedView], float]:
        """The view being made and since when; it is begun where nobody has begun it. One that stands in line to be made
        ahead changes lines once somebody waits for it: what is before it may hang."""
        with self._lock:
            flight, started, line = self._pending.get(key, (None, 0.0, pool))
            if flight is None or (line is self._ahead and pool is self._waited and flight.cancel()):
                flight, started = pool.submit(self._make, key, every, make), self._clock()
                self._pending[key] = flight, started, pool
            return flight, started

    def _make(self, key: str, every: float, make: Callable[[], EncodedView]) -> EncodedView:
        try:
            held: EncodedView | None = self._store.get(key)
            if held is not None and same_tick(held.made_at, self._clock(), every):
                return held
            view = make()
            self.counts.made += 1
            self._store.set(key, view, timeout=int(KEEP_SECONDS))
            return view
        except Exception:
            self.counts.failed += 1
            logger.warning("view %s could not be made", key, exc_info=True)
            raise
        finally:
            with self._lock:
                del self._pending[key]


def _with_error(view: EncodedView, error: Exception) -> EncodedView:
    return replace(view, error=f"{type(error).__name__}: {error}")
