"""Everything the Health page shows, put together from the hot store; no query of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from backend.contract.bucket import LOOKBACK_SECONDS, Samples
from backend.contract.catalogue import Catalogue
from backend.contract.ranges import TimeRange
from backend.contract.slo import EVENTS, PERIOD_SECONDS, SloCard, slo_cards
from backend.contract.tables import HOUR, LEVEL_SECONDS, LIVE, MINUTE
from backend.contract.verdict import (
    LONGEST_INTERVAL,
    SILENT_INTERVALS,
    Reading,
    State,
    Status,
    Verdict,
    amount,
    duration,
    judge,
    judge_signal,
)
from dashboard.data.compared import compared
from dashboard.data.flight import SingleFlight
from dashboard.data.hot import HotStore, Wanted
from dashboard.data.levels import BucketsByMetric, Levels
from dashboard.data.lines import line_of, trend_of
from dashboard.data.models import CheckpointCard, Compared, DayState, HealthData, Incident, Line, SelfCheck, SignalCard
from dashboard.data.request import ViewRequest
from dashboard.data.signals import (
    GOLDEN,
    METRICS,
    SIGNALS,
    SignalSpec,
    history,
    history_interval,
    reading,
    recent_interval,
    threshold_metric,
)
from dashboard.data.ticks import same_tick
from dashboard.data.timeline import Moment, SignalPast, days, incidents, moments, since

LIVE_SECONDS: Final = SILENT_INTERVALS * int(LONGEST_INTERVAL) + LOOKBACK_SECONDS
"""Far enough that the slowest signal is told from a silent one, and that a counter's sample before is there."""
DAY: Final = 86400
PAST_SECONDS: Final = 15.0
"""The verdict's history is put together again at most this often; the verdict itself with every refresh."""
WATCHED_SECONDS: Final = 120.0
"""A status looked at longer ago than this may have changed in between: its beginning is sought in the history."""
SYNTHETIC_TARGET: Final = "synthetic"
NOBODY: Final = ""
"""Environments that never sent anything share one history, the empty one: any name may be asked for."""
CHECKPOINTS: Final = ("checkpoints_completed_total", "checkpoint_failures_total", "checkpoint_duration_ms")
OWN: Final = ("up", "files_processed", "cpu_utilization")
"""What else tells that samples come in, in an environment of hosts too."""
HEARTBEAT: Final = "alert_consumer_heartbeat"
CANARY: Final = "canary_latency_ms"
WATCHING: Final = (HEARTBEAT, CANARY)
"""What Pulseboard says of itself only: it keeps no page fresh whose pipeline is silent."""
WATCH_INTERVAL: Final = 60.0
"""The alert consumer beats, and the canary flies, once a minute."""
NOTES: Final = {
    "latency_p99_ms": "worst subtask",
    "late_records_dropped": "from late records dropped",
}


@dataclass(frozen=True, slots=True)
class _Past:
    """The history of one environment's verdict and the buckets it was made from."""

    made_at: float
    minutes: BucketsByMetric
    hours: BucketsByMetric
    moments: list[Moment]
    slos: tuple[SloCard, ...]
    days: tuple[DayState, ...]
    incidents: tuple[Incident, ...]


class _Holding(NamedTuple):
    """A verdict's status, since when it holds, and when it was last looked at (epoch s)."""

    status: str
    began: float
    at: float


class HealthService:
    """Builds ``HealthData``; thread-safe, shared by all viewers."""

    def __init__(self, hot: HotStore, catalogue: Catalogue) -> None:
        self._hot = hot
        self._levels = Levels(hot)
        self._catalogue = catalogue
        self._past: dict[str, _Past] = {}
        self._holding: dict[str, _Holding] = {}
        self._readings: dict[str, list[Reading]] = {}
        self._lock = threading.Lock()
        self._flight: SingleFlight[_Past] = SingleFlight()

    def load(self, request: ViewRequest, now: float) -> HealthData:
        """The page's data for one request. Raises the reader's error when nothing was ever read."""
        environment = request.environment
        live, watching = self._live(environment, now)
        seen = frozenset(metric for env, metric in self._hot.seen() if env == environment)
        readings = [reading(spec, self._catalogue, live, seen, now) for spec in SIGNALS]
        past = self._history(environment if seen else NOBODY, now)
        verdict = self._verdict(environment, readings, past, now)
        wanted = request.range(now)
        ranged = _ranged(past, wanted, wanted.start, now)
        both = _both(past, wanted, request.previous(now), now) if request.compare else None
        return HealthData(
            environment=environment,
            environments=self._hot.environments() or (environment,),
            verdict=verdict,
            signals=tuple(
                self._card(spec, readings, both or ranged, live, now) for spec in SIGNALS if spec.key in GOLDEN
            ),
            checkpoints=self._checkpoints(readings, ranged, live, now),
            slos=past.slos,
            self_checks=(*_self_checks(live, seen, now), *self._watched(watching, seen, now)),
            days=past.days,
            incidents=past.incidents,
            as_of=max((t for samples in live.values() for t in _newest(samples)), default=0.0),
            synthetic=any(group == SYNTHETIC_TARGET for group, _ in live.get("up", {})),
            interval_seconds=min((r.interval for r in readings if r.at is not None), default=60.0),
        )

    def _live(self, environment: str, now: float) -> tuple[dict[str, Samples], dict[str, Samples]]:
        """The newest samples of the pipeline's metrics, and of those by which Pulseboard is watched."""
        names = dict.fromkeys([*METRICS, *CHECKPOINTS, *OWN, *WATCHING])
        columns = self._hot.columns(Wanted(name, environment, LIVE, now - LIVE_SECONDS) for name in names)
        live = {metric: column.samples for (metric, _level), column in columns.items()}
        return live, {name: live.pop(name) for name in WATCHING}

    def _watched(
        self, watching: Mapping[str, Samples], seen: frozenset[str], now: float
    ) -> tuple[SelfCheck, SelfCheck]:
        """Whether the alert consumer beats, and how long the canary took."""
        beat = max(_newest(watching[HEARTBEAT]), default=None)
        flights = {t: took for values in watching[CANARY].values() for t, took in values.items()}
        landed = max(flights, default=None)
        consumer = _self_check("alert-consumer", "Alert consumer", beat, WATCH_INTERVAL, HEARTBEAT in seen, now)
        canary = _self_check("canary", "Canary latency", landed, WATCH_INTERVAL, CANARY in seen, now)
        if landed is None or canary.state != "healthy":
            return consumer, canary
        metric, took = self._catalogue[CANARY], flights[landed]
        state: State = "healthy"
        if metric.warning is not None and took > metric.warning:
            state = "degraded"
        if metric.critical is not None and took > metric.critical:
            state = "critical"
        return consumer, replace(canary, state=state, value=amount(took, metric.unit))

    def _verdict(self, environment: str, readings: list[Reading], past: _Past, now: float) -> Verdict:
        fresh = judge(readings, now)
        began = now
        if any(reading.seen for reading in readings):  # a name that nobody sent data for is not kept
            with self._lock:
                began = _began(self._holding.get(environment), fresh.status, past, now)
                self._holding[environment] = _Holding(fresh.status, began, now)
                self._readings[environment] = readings
        return Verdict(fresh.status, fresh.reasons, began, fresh.signals)

    def rejudged(self, environment: str, now: float) -> Verdict | None:
        """The verdict at ``now`` over the readings last made: what holds while nothing newer can be read.

        Ages grow and signals fall silent as they would. None where nothing was ever read.
        """
        with self._lock:
            readings, held = self._readings.get(environment), self._holding.get(environment)
        if readings is None or held is None:
            return None
        fresh = judge(readings, now)
        return Verdict(fresh.status, fresh.reasons, held.began if held.status == fresh.status else now, fresh.signals)

    def _history(self, environment: str, now: float) -> _Past:
        with self._lock:
            past = self._past.get(environment)
        if past is not None and same_tick(past.made_at, now, PAST_SECONDS):
            return past

        def make() -> _Past:
            made = self._put_together(environment, now)
            with self._lock:
                self._past[environment] = made
            return made

        return self._flight.do(environment, make)

    def _put_together(self, environment: str, now: float) -> _Past:
        metrics = [self._catalogue[name] for name in dict.fromkeys([*METRICS, *CHECKPOINTS, *EVENTS])]
        minutes = self._levels.minutes(metrics, environment, now - DAY, now)
        hours = self._levels.merged(metrics, environment, HOUR, now - PERIOD_SECONDS, now)
        fine = self._moments(minutes, now - DAY, now // 60 * 60, 60)
        coarse = self._moments(hours, now - PERIOD_SECONDS, now - DAY, 3600)
        joined = _joined(fine, coarse)
        return _Past(
            made_at=now,
            minutes=minutes,
            hours=hours,
            moments=joined,
            slos=slo_cards(self._catalogue, minutes, hours, now),
            days=tuple(days(fine, 60, coarse, 3600, now)),
            incidents=tuple(incidents(joined, 60, now)),
        )

    def _moments(self, merged: BucketsByMetric, start: float, end: float, step: int) -> list[Moment]:
        past = []
        for spec in SIGNALS:
            values = history(spec, self._catalogue, merged, step)
            metric = threshold_metric(spec, self._catalogue)
            past.append(SignalPast(metric, spec.title, values, history_interval(values, step)))
        return moments(past, start, end, step)

    def _card(
        self, spec: SignalSpec, readings: list[Reading], ranged: _Ranged, live: Mapping[str, Samples], now: float
    ) -> SignalCard:
        metric = threshold_metric(spec, self._catalogue)
        signal = judge_signal(next(r for r in readings if r.key == spec.key), now)
        values = history(spec, self._catalogue, ranged.merged, ranged.step)
        inside = ranged.of(values)
        source = next((name for name in spec.sources if live.get(name)), spec.key)
        return SignalCard(
            key=spec.key,
            title=spec.title,
            unit=spec.unit,
            value=signal.value,
            state=signal.state,
            detail=signal.detail,
            age_seconds=signal.age_seconds,
            trend=trend_of(inside),
            higher_is_worse=metric.direction != "lower_is_worse",
            warning=metric.warning,
            critical=metric.critical,
            sparkline=ranged.line(spec.title, inside),
            note=NOTES.get(source, ""),
            before=None if ranged.before is None else _compared(spec.title, values, ranged, ranged.before),
        )

    def _checkpoints(
        self, readings: list[Reading], ranged: _Ranged, live: Mapping[str, Samples], now: float
    ) -> CheckpointCard:
        signal = judge_signal(next(r for r in readings if r.key == "checkpoint_failures_total"), now)
        completed, failed = (ranged.increase(name) for name in CHECKPOINTS[:2])
        tried = (completed or 0.0) + (failed or 0.0)
        durations = [values[max(values)] for values in live.get(CHECKPOINTS[2], {}).values() if values]
        return CheckpointCard(
            state=signal.state,
            detail=signal.detail,
            completed=completed,
            failed=failed,
            success_percent=100 * (completed or 0.0) / tried if tried else None,
            last_duration_ms=max(durations, default=None),
            age_seconds=signal.age_seconds,
        )


@dataclass(frozen=True, slots=True)
class _Ranged:
    """Closed buckets of the level that fits the page's range. ``before`` are those of the period before, of the same
    level; ``held`` says whether this level is held from ``start``."""

    merged: BucketsByMetric
    start: float
    end: float
    step: int
    held: bool = True
    before: _Ranged | None = None

    def has(self, t: float) -> bool:
        return self.start <= t <= self.end

    def of(self, values: Mapping[float, float]) -> dict[float, float]:
        return {t: value for t, value in values.items() if self.has(t)}

    def line(self, title: str, values: Mapping[float, float]) -> Line | None:
        return line_of(title, values, self.start, self.end, self.step)

    def increase(self, name: str) -> float | None:
        grown = [b.total.increase for t, b in self.merged.get(name, {}).items() if self.has(t)]
        known = [value for value in grown if value is not None]
        return sum(known) if known else None


def _ranged(past: _Past, wanted: TimeRange, reach: float, now: float) -> _Ranged:
    """A range in minutes where they go back to ``reach``, else in hours."""
    level = MINUTE if reach >= now - DAY - 60 else HOUR
    merged = past.minutes if level == MINUTE else past.hours
    step = LEVEL_SECONDS[level]
    return _Ranged(merged, wanted.start, min(wanted.end, now - step), step)


def _both(past: _Past, wanted: TimeRange, previous: TimeRange, now: float) -> _Ranged:
    """The range with the period before, both of one level: an hour shows its worst minute, which is no fair match for
    a minute. The period before goes as far as the range has come."""
    ranged = _ranged(past, wanted, previous.start, now)
    end = min(ranged.end - wanted.seconds, wanted.start - ranged.step)
    held = previous.start >= now - PERIOD_SECONDS - ranged.step
    return replace(ranged, before=_Ranged(ranged.merged, previous.start, end, ranged.step, held))


def _compared(title: str, values: Mapping[float, float], ranged: _Ranged, before: _Ranged) -> Compared:
    earlier = before.of(values)
    line = before.line(title, earlier)
    moved = None if line is None else replace(line, x0=line.x0 + ranged.start - before.start)
    return compared(moved, ranged.of(values), earlier, whole=before.held)


def _began(held: _Holding | None, status: Status, past: _Past, now: float) -> float:
    """From when ``status`` has held without a break, as far as was watched or the history tells."""
    if held is None or now - held.at > WATCHED_SECONDS:
        return since(past.moments, status, now)
    return held.began if held.status == status else now


def _joined(fine: list[Moment], coarse: list[Moment]) -> list[Moment]:
    """Hours as far as the minutes don't reach, then minutes; an hour stands for all its minutes."""
    start = fine[0].t if fine else float("inf")
    spread = [Moment(m.t + i * 60, m.status, m.worst) for m in coarse if m.t < start for i in range(60)]
    return [*(m for m in spread if m.t < start), *fine]


def _newest(samples: Samples) -> list[float]:
    return [next(reversed(values)) for values in samples.values() if values]


def _self_checks(live: Mapping[str, Samples], seen: frozenset[str], now: float) -> tuple[SelfCheck, ...]:
    """Pulseboard watching itself: who was last seen at work."""
    collected = [t for name, samples in live.items() if name != "files_processed" for t in _newest(samples)]
    collecting = (values for name in METRICS for values in live.get(name, {}).values() if len(values) > 1)
    interval = min((recent_interval(values) for values in collecting), default=60.0)
    processed = _newest(live.get("files_processed", {}))
    return (
        _self_check("collector", "Collector", max(collected, default=None), interval, bool(seen), now),
        _self_check("processor", "Processor", max(processed, default=None), interval, "files_processed" in seen, now),
    )


def _self_check(key: str, title: str, at: float | None, interval: float, seen: bool, now: float) -> SelfCheck:
    if not seen:
        return SelfCheck(key, title, "not_connected", None, "Not connected yet")
    age = None if at is None else max(now - at, 0.0)
    silent = age is None or age > 3 * interval
    state: State = "unknown" if silent else "healthy"
    detail = "Not seen lately" if age is None else f"Last seen {duration(age)} ago"
    return SelfCheck(key, title, state, age, detail)
