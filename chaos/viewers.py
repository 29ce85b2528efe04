"""Viewers of every page while dependencies fail: what each look showed, and what they make of it together."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

PAGES: Final = ("health", "performance", "errors", "capacity", "jobs", "replay", "alerts")
AGED: Final = "health"
"""The page whose oldest data counts: others rest on hours, or on what happens seldom."""
LOOK_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 15.0
QUESTION: Final = "/api/v1/history/ask/counts_by_type.csv"
ERROR_LOOK: Final = "note-error"
"""Style of the look that says that something could not be read."""
SPARKLINE: Final = "spark-line"
"""Style of the line of a card that has one."""


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of a view. ``at`` is epoch seconds, ``as_of`` that of the newest sample shown.

    ``status`` 0: no answer. ``stale``: seconds that the answer says it is old, None for one that is not. ``drawn``:
    the charts with values and the cards with a line. ``said``: whether a panel says that it could not be read.
    """

    page: str
    at: float
    status: int
    stale: float | None = None
    as_of: float | None = None
    drawn: frozenset[str] = frozenset()
    said: bool = False

    @property
    def age(self) -> float:
        """Seconds between the newest sample shown and the look; 0 where the page shows none."""
        return max(self.at - self.as_of, self.stale or 0.0) if self.as_of is not None else self.stale or 0.0


@dataclass(slots=True)
class Seen:
    """What the looks of one case were. ``problems`` names what must not be, by page and kind."""

    looks: int = 0
    stale: int = 0
    worst_age: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        """No page was without an answer, and none empty where there was something before."""
        return not self.problems


def look_of(page: str, at: float, status: int, headers: Mapping[str, str], content: Any) -> Look:
    """The look of an answer's parts; header names in small letters."""
    if status != 200 or not isinstance(content, Mapping):
        return Look(page, at, status)
    stale = headers.get("x-pulseboard-stale")
    texts = {name: json.dumps(props) for name, props in content["props"].items()}
    drawn = {name for name, traces in content["charts"].items() if any(map(_has_values, traces))}
    drawn |= {name for name, text in texts.items() if SPARKLINE in text}
    said = any(ERROR_LOOK in text for text in texts.values())
    return Look(page, at, status, float(stale) if stale else None, content["as_of"], frozenset(drawn), said)


def _has_values(trace: Mapping[str, Any]) -> bool:
    for name in ("y", "values", "x"):
        values = trace.get(name)
        if isinstance(values, Mapping):
            return bool(values.get("bdata") or values.get("_inputArray"))
        if isinstance(values, list | tuple):
            return any(value is not None for value in values)
    return False


def judge(looks: Iterable[Look], before: Mapping[str, Look]) -> Seen:
    """The looks against those of before the fault.

    A page that answered before has to answer; a chart that was drawn before has to be drawn, unless the page says that
    it is stale or that something could not be read.
    """
    seen = Seen()
    for look in looks:
        seen.looks += 1
        known = before.get(look.page)
        if look.status != 200:
            seen.problems[f"{look.page}: {look.status or 'no answer'}"] += 1
            continue
        seen.stale += look.stale is not None
        if look.page == AGED and look.as_of is not None:
            seen.worst_age = max(seen.worst_age, look.age)
        if known is None or look.stale is not None or look.said:
            continue
        if gone := known.drawn - look.drawn:
            seen.problems[f"{look.page}: {', '.join(sorted(gone))} empty"] += 1
        if known.as_of is not None and look.as_of is None:
            seen.problems[f"{look.page}: no age said"] += 1
    return seen


class Viewers:
    """A thread a page that looks every two seconds, one that asks Athena, and one that probes the process."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)
        self._lock = threading.Lock()
        self._looks: list[Look] = []
        self._newest: dict[str, Look] = {}
        self._probes: Counter[str] = Counter()
        self._stop = threading.Event()

    def start(self) -> None:
        """Begins to look."""
        for page in PAGES:
            threading.Thread(target=self._watch, args=(page,), daemon=True).start()
        for probe in (self._ask_history, self._probe):
            threading.Thread(target=probe, daemon=True).start()

    def stop(self) -> None:
        """Looks no more."""
        self._stop.set()

    def newest(self) -> dict[str, Look]:
        """The last good look of each page."""
        with self._lock:
            return dict(self._newest)

    def taken(self) -> tuple[list[Look], dict[str, int]]:
        """Looks and probes since the last time."""
        with self._lock:
            looks, self._looks = self._looks, []
            probes, self._probes = dict(self._probes), Counter()
            return looks, probes

    def _watch(self, page: str) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            status, headers, body = self._get(f"/api/v1/view/{page}")
            try:
                content = json.loads(body) if status == 200 else None
            except ValueError:
                status, content = -1, None
            look = look_of(page, time.time(), status, headers, content)
            with self._lock:
                self._looks.append(look)
                if status == 200:
                    self._newest[page] = look

    def _ask_history(self) -> None:
        hours = 30
        while not self._stop.wait(LOOK_SECONDS * 2):
            hours += 1
            status, _, _ = self._get(f"{QUESTION}?from=now-{hours}h")
            with self._lock:
                self._probes[f"history {status}"] += 1

    def _probe(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for path in ("/healthz", "/readyz"):
                status, _, _ = self._get(path)
                with self._lock:
                    self._probes[f"{path} {status}"] += 1

    def _get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; status 0 where there is no answer."""
        connection = HTTPConnection(self._place.hostname or "", self._place.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (OSError, HTTPException):
            return 0, {}, b""
        finally:
            connection.close()
