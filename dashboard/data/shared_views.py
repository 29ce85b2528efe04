"""Encoded views that several dashboards share through Redis, and go without where Redis does not serve.

Each process keeps its own as well. So a Redis that is away, slow, full or holds something else costs reads of DynamoDB
and nothing else: no viewer sees an error, and it is used again by itself once it answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception's name
from typing import Any, Final

import orjson

from dashboard.data.views import EncodedView, Store

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 5.0
"""How long a Redis that could not be reached is left alone: who waits for it then is one viewer in five seconds."""
_MAGIC: Final = b"pbv1"
_LENGTHS: Final = Struct(">IIII")


def dump_view(view: EncodedView) -> bytes:
    """A view as bytes that are data and nothing else: what comes from Redis is never run, as a pickle would be."""
    head = orjson.dumps([view.etag, view.made_at, view.data_as_of, view.error, view.stale_since, view.late])
    lengths = _LENGTHS.pack(len(head), len(view.raw), len(view.brotli), len(view.gzip))
    return b"".join([_MAGIC, lengths, head, view.raw, view.brotli, view.gzip])


def load_view(data: bytes | None) -> EncodedView | None:
    """The view in ``data``; None for what is not one."""
    start = len(_MAGIC) + _LENGTHS.size
    if data is None or not data.startswith(_MAGIC):
        return None
    try:
        lengths = _LENGTHS.unpack_from(data, len(_MAGIC))
        if start + sum(lengths) != len(data):
            return None
        parts = []
        for length in lengths:
            parts.append(data[start : start + length])
            start += length
        head, raw, brotli, gzip = parts
        etag, made_at, as_of, error, stale_since, late = orjson.loads(head)
        return EncodedView(str(etag), raw, brotli, gzip, float(made_at), as_of, error, stale_since, bool(late))
    except (StructError, ValueError, TypeError):
        return None


class ViewSerializer:
    """flask-caching's serializer for views."""

    def dumps(self, value: EncodedView) -> bytes:
        """As ``dump_view``."""
        return dump_view(value)

    def loads(self, data: bytes | None) -> EncodedView | None:
        """As ``load_view``."""
        return load_view(data)


@dataclass(slots=True)
class SharedCounts:
    """What Redis did since the start. ``hits`` are views that another process had made."""

    hits: int = 0
    failures: int = 0


class SharedViews:
    """A store of views in this process and in Redis, of which the newer one counts."""

    def __init__(
        self,
        memory: Store,
        redis: Store,
        refusals: tuple[type[Exception], ...],
        unreachable: tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refusals`` are all errors of ``redis``, ``unreachable`` those after which it is left alone for a while."""
        self._memory = memory
        self._redis = redis
        self._refusals = refusals
        self._unreachable = unreachable
        self._clock = clock
        self._paused_until = float("-inf")
        self._troubles: dict[str, str] = {}
        self.counts = SharedCounts()

    @property
    def trouble(self) -> str | None:
        """Why views are not shared now; None where they are."""
        return next(iter(self._troubles.values()), None)

    def get(self, key: str) -> EncodedView | None:
        """The newest view of ``key`` that this process or Redis holds."""
        held: EncodedView | None = self._memory.get(key)
        found: EncodedView | None = self._try("read", lambda: self._redis.get(key))
        if found is None or (held is not None and held.made_at >= found.made_at):
            return held
        self.counts.hits += 1
        # Somebody could write it, so a write of ours that failed was long ago.
        self._troubles.pop("written", None)
        self._memory.set(key, found)
        return found

    def set(self, key: str, value: EncodedView, timeout: int | None = None) -> None:
        """Keeps the view here and, where it can, in Redis."""
        self._memory.set(key, value, timeout)
        self._try("written", lambda: self._redis.set(key, value, timeout))

    def _try(self, what: str, do: Callable[[], Any]) -> Any:
        if self._clock() < self._paused_until:
            return None
        try:
            answer = do()
        except self._refusals as error:
            self.counts.failures += 1
            if isinstance(error, self._unreachable):
                self._paused_until = self._clock() + PAUSE_SECONDS
            if what not in self._troubles:
                logger.warning("views can't be %s in Redis and stay in memory: %s", what, error)
            self._troubles[what] = f"can't be {what}: {type(error).__name__}: {error}"[:200]
            return None
        if self._troubles.pop(what, None):
            logger.warning("views are %s in Redis again", what)
        return answer
