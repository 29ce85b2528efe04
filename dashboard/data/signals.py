"""The six signals of the health verdict, read from live samples now and from merged buckets for the past. Pure.

A signal's value is settled: it comes from closed buckets, never from the one still filling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from backend.contract.bucket import Samples, buckets, level_of
from backend.contract.catalogue import Catalogue, Metric
from backend.contract.rollup import Merged
from backend.contract.slo import late_and_arrived
from backend.contract.verdict import SHORTEST_INTERVAL, Reading, usual_interval
from dashboard.data.points import spacing

COMPLETENESS_WINDOW: Final = 300
"""Late against incoming records are counted over this many seconds: windows close in bursts."""
MINUTE_SECONDS: Final = 60
ARRIVAL_SECONDS: Final = 10
"""How long after its end a bucket may still get samples: an agent flushes every 5 s, the way here takes another few."""
RECENT_SAMPLES: Final = 50
"""How many of the newest samples a series' usual interval is taken from."""
WINDOW_EDGE: Final = 1e-4
"""Windows are open at their start and closed at their end; samples are at least a millisecond apart."""


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """A signal of the verdict: ``sources`` are tried in order, the first that is not silent speaks."""

    key: str
    title: str
    unit: str
    sources: tuple[str, ...]


SIGNALS: Final = (
    SignalSpec("consumer_lag_records", "Consumer lag", "records", ("consumer_lag_records",)),
    SignalSpec("dlq_records", "DLQ rate", "records/min", ("dlq_records",)),
    SignalSpec("latency_ms", "Latency p99", "ms", ("latency_ms", "latency_p99_ms")),
    SignalSpec("window_completeness", "Window completeness", "%", ("window_completeness", "late_records_dropped")),
    SignalSpec("checkpoint_failures_total", "Checkpoint failures", "in 5 min", ("checkpoint_failures_total",)),
    SignalSpec("job_restarts_total", "Job restarts", "in 5 min", ("job_restarts_total",)),
)
GOLDEN: Final = ("consumer_lag_records", "dlq_records", "latency_ms", "window_completeness")
DERIVED: Final = {"late_records_dropped": "records_in"}
"""Completeness is derived from late records against what came in at the same operators."""
METRICS: Final = tuple(dict.fromkeys([source for spec in SIGNALS for source in spec.sources] + list(DERIVED.values())))


def threshold_metric(spec: SignalSpec, catalogue: Catalogue) -> Metric:
    """The catalogue entry whose thresholds judge the signal."""
    return catalogue[spec.key]


def reading(
    spec: SignalSpec,
    catalogue: Catalogue,
    live: Mapping[str, Samples],
    seen: frozenset[str],
    now: float,
) -> Reading:
    """The signal's settled value at ``now`` from live samples by metric."""
    chosen: Reading | None = None
    for source in spec.sources:
        if source not in seen:
            continue
        found = _source_reading(spec, source, catalogue, live, now)
        if chosen is None or (found.at or 0) - 3 * found.interval > (chosen.at or 0):
            chosen = found
        if chosen is found and found.value is not None and now - (found.at or 0) <= 3 * found.interval:
            break
    metric = threshold_metric(spec, catalogue)
    return chosen or Reading(spec.key, metric, spec.title, spec.unit, None, None, MINUTE_SECONDS, seen=False)


def _source_reading(
    spec: SignalSpec, source: str, catalogue: Catalogue, live: Mapping[str, Samples], now: float
) -> Reading:
    samples = live.get(source, {})
    newest = max((next(reversed(values)) for values in samples.values() if values), default=None)
    interval = min((recent_interval(values) for values in samples.values() if len(values) > 1), default=60.0)
    partner = live.get(DERIVED.get(source, ""), {})
    end = _settled(samples, now, interval)
    if source in DERIVED:
        window = max(COMPLETENESS_WINDOW, 2 * interval)
        operators = {group for group, _ in samples} & {group for group, _ in partner}
        late, arrived = (
            _window(catalogue[name], {k: v for k, v in found.items() if k[0] in operators}, end, window)
            for name, found in ((source, samples), (DERIVED[source], partner))
        )
        value = _complete_percent(late, arrived)
    else:
        limit = threshold_metric(spec, catalogue).window_seconds or MINUTE_SECONDS
        merged = _window(catalogue[source], samples, end, max(limit, interval))
        value = None if merged is None else level_of(catalogue[source], merged.total, limit)
    return Reading(
        key=spec.key,
        metric=threshold_metric(spec, catalogue),
        title=spec.title,
        unit=spec.unit,
        value=value,
        at=newest,
        interval=interval,
        seen=True,
    )


def recent_interval(values: Mapping[float, Any]) -> float:
    """The usual spacing of a series' newest samples, seconds."""
    return usual_interval(sorted(islice(reversed(values), RECENT_SAMPLES)))


def _settled(samples: Samples, now: float, interval: float) -> float:
    """The end of the newest closed bucket with a sample in it; the newest closed bucket where there is none.

    Buckets are as long as the interval, at most a minute. One is closed once a later sample has arrived, or some time
    after its end: samples take seconds to arrive, and a window that lacks its last ones would sag. How old the sample
    may be is judged by its age.
    """
    width = min(max(interval, SHORTEST_INTERVAL), MINUTE_SECONDS)
    latest = max((next((t for t in reversed(v) if t <= now), 0.0) for v in samples.values()), default=0.0)
    closed = max(latest // width * width, (now - ARRIVAL_SECONDS) // width * width)
    newest = max((next((t for t in reversed(v) if t <= closed), 0.0) for v in samples.values()), default=0.0)
    return min(-(-newest // width) * width, closed) if newest else closed


def _window(metric: Metric, samples: Samples, end: float, window: float) -> Merged | None:
    """The samples of (end - window, end] as one bucket; of what lies before, only a counter's predecessor is looked at.

    Times are ascending, so only the window itself is walked, however long the column is.
    """
    start = end - window
    recent = {key: _tail(values, start, end) for key, values in samples.items()}
    found = buckets(metric, recent, WINDOW_EDGE, window + 2 * WINDOW_EDGE, int(window) + 2)
    return found.get(0)


def _tail(values: Mapping[float, Any], start: float, end: float) -> dict[float, Any]:
    """The samples in (start, end] and the one before them, in seconds from ``start``."""
    tail: dict[float, Any] = {}
    for t in reversed(values):
        if t <= end:
            tail[t - start] = values[t]
        if t <= start:
            break
    return tail


def _complete_percent(late: Merged | None, arrived: Merged | None) -> float | None:
    """100 x (1 - late / in); both hold only operators that report both, so nothing else is counted as arrived."""
    if late is None or arrived is None:
        return None
    return complete_percent(late.total.increase or 0.0, arrived.total.increase or 0.0)


def complete_percent(dropped: float, came: float) -> float:
    """Completeness in per cent; nothing came and nothing was dropped is complete."""
    return 100.0 if came <= 0 and dropped <= 0 else max(0.0, 100.0 * (1 - dropped / max(came, dropped)))


def history(
    spec: SignalSpec,
    catalogue: Catalogue,
    merged: Mapping[str, Mapping[float, Merged]],
    step: int,
) -> dict[float, float]:
    """The signal's value at each stored bucket (1m or 1h), by bucket start."""
    for source in spec.sources:
        series = merged.get(source, {})
        if not series:
            continue
        metric = catalogue[source]
        if source in DERIVED:
            return _completeness_history(series, merged.get(DERIVED[source], {}), step)
        window = threshold_metric(spec, catalogue).window_seconds
        if metric.basis == "increase" and window:
            return _increase_history(metric, series, window, step)
        values = {
            t: level_of(metric, bucket.total) if bucket.worst is None else bucket.worst for t, bucket in series.items()
        }
        return {t: value for t, value in values.items() if value is not None}
    return {}


def _increase_history(metric: Metric, series: Mapping[float, Merged], window: int, step: int) -> dict[float, float]:
    """The increase over ``window`` seconds up to each bucket's end.

    Of a longer bucket its average per window, or its worst minute where that is more.
    """
    if step >= window:
        spans = {t: max(bucket.total.span or 0.0, step) for t, bucket in series.items()}
        return {
            t: max((bucket.total.increase or 0.0) * window / spans[t], bucket.worst or 0.0)
            for t, bucket in series.items()
        }
    result: dict[float, float] = {}
    items = [(t, level_of(metric, bucket.total, window) or 0.0) for t, bucket in series.items()]
    first, total = 0, 0.0
    for t, grown in items:
        total += grown
        while items[first][0] <= t - window:
            total -= items[first][1]
            first += 1
        result[t] = max(total, 0.0)
    return result


def _completeness_history(
    late: Mapping[float, Merged], arrived: Mapping[float, Merged], step: int
) -> dict[float, float]:
    rows = [(t, *late_and_arrived(bucket, arrived[t])) for t, bucket in late.items() if t in arrived]
    return _rolling_completeness(rows, max(COMPLETENESS_WINDOW, step))


def _rolling_completeness(rows: Sequence[tuple[float, float, float]], window: float) -> dict[float, float]:
    result: dict[float, float] = {}
    first, dropped, came = 0, 0.0, 0.0
    for t, late, arrived in rows:
        dropped, came = dropped + late, came + arrived
        while rows[first][0] <= t - window:
            dropped, came = dropped - rows[first][1], came - rows[first][2]
            first += 1
        result[t] = complete_percent(round(dropped, 6), round(came, 6))
    return result


def history_interval(values: Mapping[float, float], step: int) -> float:
    """The usual spacing of a signal's stored buckets, at least one bucket."""
    return max(usual_interval(list(values)), float(step)) if len(values) > 1 else max(spacing(()), float(step))
