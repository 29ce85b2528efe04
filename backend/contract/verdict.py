"""The health verdict: one word for an environment, with its reasons. Pure: readings in, verdict out.

No data is never healthy: a signal never seen is *not connected* and left out, a signal that fell silent is
*unknown* and keeps the verdict from being healthy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from backend.contract.catalogue import Metric

Status = Literal["healthy", "degraded", "critical", "unknown"]
State = Literal["healthy", "degraded", "critical", "unknown", "not_connected"]

SHORTEST_INTERVAL: Final = 10.0
LONGEST_INTERVAL: Final = 900.0
SILENT_INTERVALS: Final = 3
HUGE: Final = 1e15
"""From here on nobody counts digits: 1e+308 is read more easily than 309 of them."""
_PLURAL: Final = re.compile(r"(?<=[a-z]{3})(?:(?<=ss)e)?s(?=/|$)")
"""The end of a unit that counts things (records, processes, pauses/min), not that of ms or s."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest settled value of a signal. ``value`` None: no sample in reach. ``seen``: it has ever arrived.

    ``at`` is the epoch second of the newest sample; ``interval`` the usual spacing of the series, seconds.
    """

    key: str
    metric: Metric
    title: str
    unit: str
    value: float | None
    at: float | None
    interval: float
    seen: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """A judged reading. ``detail`` is a sentence a reader without the catalogue understands."""

    key: str
    title: str
    value: float | None
    unit: str
    state: State
    age_seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``since``: epoch second from which the status has held without a break, as far back as the data reaches."""

    status: Status
    reasons: tuple[str, ...]
    since: float | None
    signals: tuple[Signal, ...]


def usual_interval(times: Sequence[float]) -> float:
    """The median spacing of ``times`` (ascending epoch s), held between 10 s and 15 min; 60 s for fewer than two."""
    if len(times) < 2:
        return 60.0
    spacing = median(b - a for a, b in pairwise(times))
    return min(max(spacing, SHORTEST_INTERVAL), LONGEST_INTERVAL)


def judge_signal(reading: Reading, now: float) -> Signal:
    """The state of one signal at ``now``."""
    age = None if reading.at is None else max(now - reading.at, 0.0)
    state: State
    if not reading.seen:
        state, detail = "not_connected", f"{reading.title} {_is(reading.title)} not connected"
    elif age is None or age > SILENT_INTERVALS * reading.interval:
        since = "" if age is None else f" for {duration(age)}"
        state, detail = "unknown", f"{reading.title}: silent{since}"
    elif reading.value is None:
        state, detail = "unknown", f"{reading.title}: no complete interval yet"
    else:
        state = reading.metric.state(reading.value)
        detail = _sentence(reading, state)
    value = reading.value if state not in ("unknown", "not_connected") else None
    return Signal(reading.key, reading.title, value, reading.unit, state, age, detail)


def judge(readings: Sequence[Reading], now: float, since: float | None = None) -> Verdict:
    """The verdict over all signals at ``now``; ``since`` is what the caller knows of its history."""
    signals = tuple(judge_signal(reading, now) for reading in readings)
    status = status_of([signal.state for signal in signals])
    return Verdict(status, _reasons(signals), since, signals)


def status_of(states: Sequence[State]) -> Status:
    """The worst of the states; silence counts as degraded, and nothing but silence as unknown."""
    connected = [state for state in states if state != "not_connected"]
    if not connected or all(state == "unknown" for state in connected):
        return "unknown"
    if "critical" in connected:
        return "critical"
    if "degraded" in connected or "unknown" in connected:
        return "degraded"
    return "healthy"


def duration(seconds: float) -> str:
    """A length of time in words: ``40 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def amount(value: float, unit: str) -> str:
    """A value as people read it: thousands separated, three significant digits below 100 and from 1e15 on, ms as s
    from 1,000 on, the unit of one thing in the singular."""
    if unit == "ms" and abs(value) >= 1000:
        value, unit = value / 1000, "s"
    size = abs(value)
    text = f"{value:,.0f}" if 100 <= size < HUGE or (size < 100 and value == int(value)) else f"{value:.3g}"
    if text == "1":
        unit = _PLURAL.sub("", unit)
    return f"{text}{unit}" if unit == "%" else f"{text} {unit}"


def _sentence(reading: Reading, state: State) -> str:
    metric, value = reading.metric, reading.value
    assert value is not None  # noqa: S101 - the caller judged silence before
    counted = reading.unit.startswith("in ")
    shown = f"{reading.title}{':' if counted else ' ' + _is(reading.title)} {amount(value, reading.unit)}"
    threshold = metric.critical if state == "critical" else metric.warning
    if state == "healthy" or threshold is None:
        return shown
    side = "below" if metric.direction == "lower_is_worse" else "above"
    if counted:
        return f"{shown}, {_word(state)} {side} {threshold:g}"
    return f"{shown}, {side} the {_word(state)} threshold of {amount(threshold, reading.unit)}"


def _is(title: str) -> str:
    return "are" if title.endswith("s") and not title.endswith("ss") else "is"


def _word(state: State) -> str:
    return "critical" if state == "critical" else "warning"


def _reasons(signals: Sequence[Signal]) -> tuple[str, ...]:
    """The bad news, worst first; for a healthy pipeline one sentence that says what was looked at."""
    order: list[State] = ["critical", "degraded", "unknown"]
    bad = [signal.detail for state in order for signal in signals if signal.state == state]
    connected = [signal for signal in signals if signal.state != "not_connected"]
    absent = [signal.title for signal in signals if signal.state == "not_connected"]
    if not connected:
        return ("No signal is connected yet",)
    well = f"All {len(connected)} connected signals are within their limits"
    reasons = bad or [
        well if len(connected) > 1 else f"{connected[0].title}, the only connected signal, is within limits"
    ]
    if absent:
        reasons = [*reasons, f"Not connected: {', '.join(absent)}"]
    return tuple(reasons)
