"""How a stand-in behaves: well, or for some requests or seconds as badly as real services do."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from backend.contract.errors import InvalidInput

Mode = Literal["well", "429", "500", "timeout", "garbage", "invalid_auth", "drop"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
"""``drop`` takes what is sent and closes the connection without an answer: the sender can't know. The other bad ones
take nothing; ``timeout`` keeps the connection open until the sender gives up."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one request meets. ``retry_after`` is the header's text, None without one."""

    mode: Mode
    retry_after: str | None = None


class Mood:
    """Thread-safe: each request asks ``next``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._behaviour = Behaviour("well")
        self._left: int | None = None
        self._until: float | None = None

    def set(
        self, mode: Mode, count: int | None = None, seconds: float | None = None, retry_after: object = None
    ) -> None:
        """For the next ``count`` requests, for ``seconds``, or, with neither, until it is set again."""
        with self._lock:
            self._behaviour = Behaviour(mode, None if retry_after is None else str(retry_after))
            self._left = count
            self._until = None if seconds is None else time.monotonic() + seconds

    def next(self) -> Behaviour:
        """How the request that asks is met."""
        with self._lock:
            over = self._until is not None and time.monotonic() >= self._until
            if over or self._left == 0:
                self._behaviour = Behaviour("well")
            elif self._left is not None:
                self._left -= 1
            return self._behaviour


def parse_mood(record: object) -> dict[str, Any]:
    """The arguments of ``Mood.set`` that a request's JSON gives. Raises InvalidInput."""
    if not isinstance(record, Mapping):
        raise InvalidInput("body", record, 'must be a JSON object such as {"mode": "500", "count": 3}')
    if record.get("mode") not in MODES:
        raise InvalidInput("mode", record.get("mode"), f"must be one of {', '.join(MODES)}")
    for name in record:
        if name not in ("mode", "count", "seconds", "retry_after"):
            raise InvalidInput(str(name), record[name], "is not known; use mode, count, seconds, retry_after")
    for name in ("count", "seconds"):
        value = record.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise InvalidInput(name, value, "must be a number above 0")
    return dict(record)
