"""Sessions that people ended before their time: their cookies are signed as ever and still worth nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

MAX_KEPT: Final = 10_000
"""About a megabyte. Beyond it the sessions nearest to their own end are forgotten first."""


class EndedSessions:
    """Ids of ended sessions until they would have ended anyway. In this process's memory; safe to use from threads."""

    def __init__(self, clock: Callable[[], float], most: int = MAX_KEPT) -> None:
        """``clock`` gives epoch seconds."""
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def __contains__(self, sid: str) -> bool:
        return sid in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, sid: str, until: float) -> None:
        """Ends the session that would have lasted ``until`` (epoch s)."""
        now = self._clock()
        with self._lock:
            kept = {one: end for one, end in self._until.items() if end > now} | {sid: until}
            while len(kept) > self._most:
                del kept[min(kept, key=kept.__getitem__)]
            self._until = kept
