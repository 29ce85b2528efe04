"""Do the alarms see every scripted incident in time, and leave healthy days alone?

Run: ``python -m benchmarks.alarms``. What is measured is what CloudWatch would be given: the synthetic source's samples
go through the processor's own publishing, and the data through CloudWatch's way of evaluating alarms.

Table 1: each incident of the weekly script, of the demo's cycle and of ``pulseboard trip``. Detected means: the alarm's
state is ALARM in an evaluation that ends within two of its periods after the first breaching minute began. Increases
of cumulative counters are published by the merge, three minutes after their minute at most; that delay is shown and
does not count. An incident without an alarm has to show in the health verdict's threshold, within the same time.

Table 2: 24 hours (ten days where a datapoint is one) in which each signal swings up to 90 % of its threshold and every
37 minutes (every fourth sample there) one sample lies beyond it. Alarms on single failures have no such sample: one is
the incident. Levels are read twice: by an agent each 15 s, and by the collector function each five minutes.
"""

from __future__ import annotations

import math
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from backend.collector.sources.incidents import (
    DEMO_CYCLE,
    FIRST_MONDAY,
    KIND_OF_METRIC,
    WEEK,
    WEEKLY,
    Incident,
    Kind,
    trip,
)
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.alarm_state import Datum, Rule, State, datum, evaluate, evaluated_from, evaluated_until, statistic
from backend.contract.catalogue import Alarm, Metric, load_catalogue
from backend.contract.records import Sample, make_sample
from backend.local.trips import trippable
from backend.processor.published import Published, publish

CATALOGUE: Final = load_catalogue()
AGENT_SECONDS: Final = 15.0
DEMO_SECONDS: Final = 5.0
COLLECTOR_SECONDS: Final = 300.0
MINUTE: Final = 60
MERGED_LATE: Final = 180
"""The merge closes a minute 120 s after its end, and runs each minute."""
EVALUATED_AFTER: Final = 15.0
"""Seconds after a full minute at which its data has arrived."""
PERIODS_ALLOWED: Final = 2
CALM_SECONDS: Final = 120.0
AFTERWARDS_SECONDS: Final = 360.0
"""How long before and after an incident it is looked at."""
WEEK_BEGIN: Final = FIRST_MONDAY + 1402 * WEEK
DAY: Final = 86_400
PART: Final = 0.9
BEYOND: Final = 1.5
SINGLE_EVERY: Final = 37 * MINUTE

METRIC_OF_KIND: Final[Mapping[Kind, str]] = {
    **{kind: metric for metric, kind in KIND_OF_METRIC.items()},
    "dlq_spike": "dlq_records",
    "job_restart": "job_restarts_total",
}


class Watched:
    """Published data of one metric by minute, with the second from which each minute's is there."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._by_minute: dict[int, list[Datum]] = defaultdict(list)
        self._minutes: list[int] = []
        self.late = MERGED_LATE if metric.cumulative else 0

    def put(self, published: Published, now: float) -> None:
        """Takes what would be put to CloudWatch."""
        for entry in published.data(now):
            if entry["MetricName"] == self.metric.cloudwatch:
                moment = entry["Timestamp"].timestamp()  # type: ignore[union-attr]
                self._by_minute[int(moment)] += _data(moment, entry)
        self._minutes = sorted(self._by_minute)

    def between(self, begin: float, now: float) -> Iterator[Datum]:
        """The data of the minutes from ``begin`` on that CloudWatch has at ``now``."""
        last = int((now - EVALUATED_AFTER - self.late) // MINUTE) * MINUTE
        for minute in self._minutes[bisect_left(self._minutes, begin) : bisect_left(self._minutes, last)]:
            yield from self._by_minute[minute]

    def first_breach(self, rule: Rule, begin: float, end: float) -> int | None:
        """The first minute whose own statistic is beyond the threshold."""
        for minute in self._minutes[bisect_left(self._minutes, begin - MINUTE) : bisect_left(self._minutes, end)]:
            value = statistic(rule.statistic, self._by_minute[minute])
            if value is not None and rule.breached_by(value):
                return minute
        return None


def _data(moment: float, entry: Any) -> list[Datum]:
    if "StatisticValues" in entry:
        values = entry["StatisticValues"]
        return [Datum(moment, values["SampleCount"], values["Sum"], values["Minimum"], values["Maximum"])]
    return [datum(moment, value, count) for value, count in zip(entry["Values"], entry["Counts"], strict=True)]


def watch(metric: Metric, collections: Iterable[Sequence[Sample]]) -> Watched:
    """What CloudWatch is given of one metric: gauges and deltas by the processor, increases as the merge has them."""
    watched, published = Watched(metric), Published()
    last: dict[str, float] = {}
    now = 0.0
    for samples in collections:
        chosen = [sample for sample in samples if sample.metric_type == metric.key]
        if chosen:
            now = max(now, chosen[0].timestamp)
        if not metric.cumulative:
            publish(published, chosen, CATALOGUE)
            continue
        for sample in chosen:
            increase = sample.value - last.get(str(sample.labels), sample.value)
            last[str(sample.labels)] = sample.value
            if metric.cloudwatch:
                published.add(metric, int(sample.timestamp // MINUTE) * MINUTE, [(increase, 1)])
    watched.put(published, now)
    return watched


def states(rule: Rule, watched: Watched, begin: float, end: float) -> Iterator[tuple[float, State]]:
    """The state at each full minute, each full hour for an alarm over days, a little later, when its data is there."""
    state: State = "OK"
    for minute in range(int(begin) // MINUTE * MINUTE, int(end), MINUTE if rule.period_seconds < DAY else 3600):
        now = minute + EVALUATED_AFTER
        state = evaluate(rule, watched.between(evaluated_from(rule, now), now), now, state).state
        yield now, state


# -------------------------------------------------------------------------------------------------------- table 1
@dataclass(frozen=True)
class Found:
    """One incident: when its first breaching minute began, how much later it was detected, and the limit."""

    kind: Kind
    metric: Metric
    after: float | None
    allowed: float
    late: int

    @property
    def ok(self) -> bool:
        return self.after is not None and self.after - self.late <= self.allowed


def detect(kind: Kind, source: SyntheticSource, begin: float, end: float, step: float) -> Found:
    """Follows one incident from ``begin`` to ``end`` (epoch s)."""
    metric = CATALOGUE[METRIC_OF_KIND[kind]]
    calm = begin // step * step - CALM_SECONDS
    turns = range(int((end + AFTERWARDS_SECONDS - calm) / step))
    collections = [source.collect(calm + turn * step, calm + (turn - 1) * step).samples for turn in turns]
    if metric.alarm is None:
        return _by_verdict(kind, metric, collections)
    rule = Rule.of(metric.alarm)
    watched = watch(metric, collections)
    first = watched.first_breach(rule, begin, end + AFTERWARDS_SECONDS)
    allowed = PERIODS_ALLOWED * rule.period_seconds
    if first is None:
        return Found(kind, metric, None, allowed, watched.late)
    for now, state in states(rule, watched, first, end + AFTERWARDS_SECONDS):
        if state == "ALARM":
            return Found(kind, metric, evaluated_until(rule, now) - first, allowed, watched.late)
    return Found(kind, metric, None, allowed, watched.late)


def _by_verdict(kind: Kind, metric: Metric, collections: Sequence[Sequence[Sample]]) -> Found:
    """What has no alarm is seen by the pages: the increase over the catalogue's window, at the next collection."""
    window = metric.window_seconds or MINUTE
    values = [(s.timestamp, s.value) for samples in collections for s in samples if s.metric_type == metric.key]
    for (_, before), (at, value) in pairwise(values):
        if value > before and metric.state(value - before) != "healthy":
            return Found(kind, metric, at % MINUTE, PERIODS_ALLOWED * window, 0)
    return Found(kind, metric, None, PERIODS_ALLOWED * window, 0)


def incidents() -> Iterator[tuple[str, Found]]:
    """Every scripted incident, with the script it is from."""
    weekly = SyntheticSource(CATALOGUE)
    for entry in WEEKLY:
        yield "week", detect(entry.kind, weekly, *_span(entry, WEEK_BEGIN), AGENT_SECONDS)
    demo = SyntheticSource(CATALOGUE, demo_started_at=WEEK_BEGIN)
    for entry in DEMO_CYCLE:
        yield "demo", detect(entry.kind, demo, *_span(entry, WEEK_BEGIN), DEMO_SECONDS)
    lasting = trippable(CATALOGUE)
    for metric, kind in KIND_OF_METRIC.items():
        # Into the quiet quarter of an hour before a demo's first incident.
        begin, seconds = WEEK_BEGIN - 14 * MINUTE, lasting[metric]
        source = SyntheticSource(CATALOGUE, demo_started_at=WEEK_BEGIN, trips=_always(trip(kind, begin, seconds)))
        yield "trip", detect(kind, source, begin, begin + seconds, AGENT_SECONDS)


def _always(schedule: Any) -> Callable[[], Sequence[Any]]:
    return lambda: (schedule,)


def _span(entry: Incident, begin: float) -> tuple[float, float]:
    return begin + entry.start, begin + entry.start + entry.duration


# -------------------------------------------------------------------------------------------------------- table 2
@dataclass(frozen=True)
class Healthy:
    """One alarm's healthy days at one pace: how near its signal came, its single samples, and how often it fired."""

    metric: Metric
    pace: float
    period: int
    reached: float
    singles: int
    alarms: int


def healthy_days() -> Iterator[Healthy]:
    """Every alarm of the catalogue, those on collected levels at both paces."""
    for metric in CATALOGUE.values():
        if metric.alarm is None:
            continue
        if metric.alarm.period_seconds == DAY:
            yield _healthy(metric, metric.alarm, DAY, DAY)
        elif metric.section in ("pulseboard", "aws"):
            yield _healthy(metric, metric.alarm, MINUTE, metric.alarm.period_seconds)
        else:
            yield _healthy(metric, metric.alarm, AGENT_SECONDS, metric.alarm.period_seconds)
            if metric.alarm.follows_collection or metric.alarm.period_seconds == COLLECTOR_SECONDS:
                yield _healthy(metric, metric.alarm, COLLECTOR_SECONDS, int(COLLECTOR_SECONDS))


def _healthy(metric: Metric, alarm: Alarm, pace: float, period: int) -> Healthy:
    rule = Rule.of(alarm, period)
    days, every, swings = (10, 4 * DAY, 1) if pace == DAY else (1, SINGLE_EVERY, 12)
    begin, end = WEEK_BEGIN, WEEK_BEGIN + days * DAY
    bears_single = not (rule.statistic == "sum" and rule.datapoints == 1)
    reached, singles, collections, total, owed = 0.0, 0, [], 0.0, 0.0
    turns = int((end - begin) / pace)
    for turn in range(1, turns):
        at = begin + turn * pace
        single = bears_single and at // every > (at - pace) // every
        part = PART * (0.5 - 0.5 * math.cos(math.tau * (at - begin) / (end - begin) * swings))
        reached, singles = max(reached, part), singles + single
        if rule.statistic == "sum" and rule.comparison == ">":
            # Whole events, spread over the period so that its sum stays at that part of the threshold.
            owed += part * rule.threshold * pace / rule.period_seconds
            value = float(math.ceil(BEYOND * rule.threshold) if single else math.floor(owed))
            owed -= math.floor(owed)
        else:
            value = _level(metric, rule, BEYOND if single else part)
        total += value
        collections.append([_sample(metric, at, total if metric.cumulative else value)])
    watched = watch(metric, collections)
    from_there = begin + (rule.periods + 2) * rule.period_seconds
    fired, before = 0, "OK"
    for _, state in states(rule, watched, from_there, end):
        fired, before = fired + (state == "ALARM" != before), state
    return Healthy(metric, pace, period, reached, singles, fired)


def _level(metric: Metric, rule: Rule, part: float) -> float:
    """A sample at ``part`` of the way from calm to the threshold, 1 being the threshold itself."""
    if rule.comparison == ">":
        return part * rule.threshold
    if metric.unit == "%":
        return 100 - part * (100 - rule.threshold)
    # Brokers and beats are counted: all are there, or none.
    return 0.0 if part > 1 else (metric.normal or 1.0)


def _sample(metric: Metric, at: float, value: float) -> Sample:
    sample = make_sample(
        timestamp=at, metric_type=metric.key, value=value, hostname="healthy", unit=metric.unit, labels={}
    )
    if metric.kind != "histogram":
        return sample
    # A hundredth and a half of the records is as slow as the signal says: what a p99 finds.
    return sample._replace(observations=[[value / 9, 985], [value, 15]])


# ------------------------------------------------------------------------------------------------------------ output
def main() -> int:
    """Prints both tables; 1 when an incident was missed or late, or a healthy day alarmed."""
    began = time.monotonic()
    found = list(incidents())
    print(
        f"{'script':6} {'incident':27} {'alarm':34} {'severity':9} {'detected after':>14} {'published late':>14}  limit"
    )
    for script, one in found:
        severity = one.metric.alarm.severity if one.metric.alarm else "verdict"
        after = "never" if one.after is None else f"{one.after:.0f} s"
        late = f"{one.late} s" if one.late else "-"
        mark = "" if one.ok else "  MISSED"
        print(
            f"{script:6} {one.kind:27} {one.metric.key:34} {severity:9} {after:>14} {late:>14}  {one.allowed} s{mark}"
        )
    days = list(healthy_days())
    print(f"\n{'alarm':34} {'read every':>10} {'period':>8} {'reached':>8} {'single samples beyond':>22} {'alarms':>7}")
    for day in days:
        singles = str(day.singles) if day.singles else "one is the incident"
        reached = f"{100 * day.reached:.0f} %" if day.metric.alarm and day.metric.alarm.threshold else "of 0"
        row = f"{day.metric.key:34} {day.pace:8.0f} s {day.period:6} s {reached:>8} {singles:>22} {day.alarms:7}"
        print(row)
    missed, false = sum(not one.ok for _, one in found), sum(day.alarms for day in days)
    seconds = time.monotonic() - began
    print(
        f"\n{len(found)} incidents, {missed} not detected within two evaluation periods (limit 0); "
        f"{len(days)} healthy signals, {false} alarms (limit 0); {seconds:.0f} s"
    )
    return 1 if missed or false else 0


if __name__ == "__main__":
    sys.exit(main())
