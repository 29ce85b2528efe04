"""The state of an alarm as CloudWatch finds it. Pure: published data and the time in, a state with its reason out.

Sources: Amazon CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data".
An alarm is evaluated each minute over the periods that end at the last full minute, so a period of five minutes slides
by one: "at the end of minute 6, the alarm is evaluated based on the data from minutes 2 to 6".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from backend.contract.catalogue import Alarm

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["missing", "ignore", "breaching", "notBreaching"]

EXTRA_PERIODS: Final = 2
"""How much farther back than its periods an alarm looks when data is missing: the guide's examples take 5 for 3."""
MINUTE: Final = 60
HIGH_RESOLUTION_SECONDS: Final = 10
"""How often an alarm with a period below a minute is evaluated."""
_COMPARISONS: Final = {
    ">": "greater than",
    ">=": "greater than or equal to",
    "<": "less than",
    "<=": "less than or equal to",
}


class Datum(NamedTuple):
    """What was published at ``timestamp`` (epoch s): ``samples`` times one value, or only the statistics of several."""

    timestamp: float
    samples: float
    total: float
    low: float
    high: float


def datum(timestamp: float, value: float, count: float = 1.0) -> Datum:
    """One value, published ``count`` times."""
    return Datum(timestamp, count, value * count, value, value)


@dataclass(frozen=True, slots=True)
class Rule:
    """What an alarm compares: ``datapoints`` of ``periods`` beyond ``threshold`` make the state ALARM.

    ``statistic`` is avg, sum, min, max or a percentile (``p99``); ``comparison`` one of > >= < <=.
    """

    statistic: str
    comparison: str
    threshold: float
    period_seconds: int
    periods: int
    datapoints: int
    missing: Missing

    @classmethod
    def of(cls, alarm: Alarm, period_seconds: int | None = None) -> Rule:
        """The rule of an alarm of the catalogue; ``period_seconds`` where the stack's parameter says otherwise."""
        period = period_seconds if alarm.follows_collection and period_seconds else alarm.period_seconds
        return cls(
            alarm.statistic, alarm.comparison, alarm.threshold, period, alarm.periods, alarm.datapoints, alarm.missing
        )

    def breached_by(self, value: float) -> bool:
        """Whether a datapoint counts against the alarm."""
        match self.comparison:
            case ">":
                return value > self.threshold
            case ">=":
                return value >= self.threshold
            case "<":
                return value < self.threshold
        return value <= self.threshold


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state and why, in CloudWatch's words. ``values`` are the datapoints looked at, newest first."""

    state: State
    reason: str
    values: tuple[float | None, ...]


def evaluate(rule: Rule, data: Iterable[Datum], now: float, current: State) -> Evaluation:
    """The state at ``now``. ``current`` is the state until now, which ``ignore`` retains."""
    end = evaluated_until(rule, now)
    values = datapoints(rule, data, end)
    state = _state(rule, values, current)
    return Evaluation(state, _reason(rule, values, end, state), tuple(values))


def evaluated_until(rule: Rule, now: float) -> int:
    """The end of the newest period that is evaluated at ``now``."""
    step = MINUTE if rule.period_seconds >= MINUTE else HIGH_RESOLUTION_SECONDS
    return int(now // step) * step


def evaluated_from(rule: Rule, now: float) -> int:
    """The begin of the oldest period that can matter at ``now``: older data need not be given."""
    return evaluated_until(rule, now) - (rule.periods + EXTRA_PERIODS) * rule.period_seconds


def datapoints(rule: Rule, data: Iterable[Datum], end: int) -> list[float | None]:
    """The statistic of each period of the evaluation range that ends at ``end``, newest first; None: no data."""
    found: list[list[Datum]] = [[] for _ in range(rule.periods + EXTRA_PERIODS)]
    for entry in data:
        age = math.ceil((end - entry.timestamp) / rule.period_seconds) - 1
        if 0 <= age < len(found):
            found[age].append(entry)
    return [statistic(rule.statistic, period) for period in found]


def statistic(name: str, data: Sequence[Datum]) -> float | None:
    """One statistic of the data of a period; None where there is none.

    CloudWatch gives no percentile of negative values, nor of statistics that stand for different values.
    """
    present = [entry for entry in data if entry.samples > 0]
    if not present:
        return None
    match name:
        case "min":
            return min(entry.low for entry in present)
        case "max":
            return max(entry.high for entry in present)
        case "sum":
            return sum(entry.total for entry in present)
        case "avg":
            return sum(entry.total for entry in present) / sum(entry.samples for entry in present)
    if any(entry.low != entry.high or entry.low < 0 for entry in present):
        return None
    return _percentile(present, float(name.removeprefix("p")))


def _percentile(data: Sequence[Datum], per_cent: float) -> float:
    """The smallest value that at least ``per_cent`` of all are not above."""
    ordered = sorted(data, key=lambda entry: entry.low)
    wanted = sum(entry.samples for entry in ordered) * per_cent / 100
    reached = 0.0
    for entry in ordered:
        reached += entry.samples
        if reached >= wanted:
            return entry.low
    return ordered[-1].low


def _state(rule: Rule, values: Sequence[float | None], current: State) -> State:
    """``values`` newest first, as many as the evaluation range has periods."""
    real = [rule.breached_by(value) for value in values if value is not None]
    lacking = rule.periods - len(real)
    if lacking <= 0:
        # Enough real datapoints: the newest decide, from farther back where some are missing.
        return _alarm_if(sum(real[: rule.periods]) >= rule.datapoints)
    if rule.missing == "breaching":
        return _alarm_if(sum(real) + lacking >= rule.datapoints)
    if rule.missing == "notBreaching" or sum(real) >= rule.datapoints:
        return _alarm_if(sum(real) >= rule.datapoints)
    if not real:
        return "INSUFFICIENT_DATA" if rule.missing == "missing" else current
    if not all(real):
        return "OK"
    # Nothing but breaching datapoints: a premature state only once the oldest is as old as it takes to be sure.
    oldest = max(age for age, value in enumerate(values, 1) if value is not None)
    if rule.missing == "ignore":
        return current
    return _alarm_if(oldest >= rule.datapoints)


def _alarm_if(breaching: bool) -> State:
    return "ALARM" if breaching else "OK"


def _reason(rule: Rule, values: Sequence[float | None], end: int, state: State) -> str:
    """A sentence with the newest real datapoints and when they began: those that speak for the state are counted."""
    real = [(age, value) for age, value in enumerate(values, 1) if value is not None][: rule.periods]
    if not real:
        span = len(values) * rule.period_seconds
        return f"Insufficient Data: no datapoint within {span:,} s, missing data is treated as {rule.missing}."
    alarming = state == "ALARM"
    count = sum(rule.breached_by(value) == alarming for _, value in real)
    shown = ", ".join(f"{value:.10g} ({_clock(end - age * rule.period_seconds)})" for age, value in real)
    verb = f"{'was' if count == 1 else 'were'}{'' if alarming else ' not'}"
    plural = "datapoint" if rule.datapoints == 1 else "datapoints"
    return (
        f"Threshold Crossed: {count} out of the last {rule.periods} datapoints [{shown}] {verb} "
        f"{_COMPARISONS[rule.comparison]} the threshold ({rule.threshold:.10g}) "
        f"(minimum {rule.datapoints} {plural} for the state ALARM)."
    )


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%m/%y %H:%M:%S")
