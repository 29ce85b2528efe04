"""Ten servers and a streaming pipeline that exist only here: a pure function of (seed, time).

Nothing is remembered between two collections, so history generated in one go and samples taken live join without
a break. Cumulative counters are closed-form sums since 2000-01-03 and never fall.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.collector.sources.base import Collected
from backend.collector.sources.incidents import DAY, FIRST_MONDAY, TRIPPED_ONLY, Kind, Schedule, timeline
from backend.collector.sources.waves import Load, daytime, unit_noise, wave
from backend.contract.catalogue import Catalogue
from backend.contract.records import DEFAULT_ENVIRONMENT, DEFAULT_REGION, Sample, make_sample

TRIP_LABEL: Final = "synthetic"
"""Label, with the value ``trip``, of samples that are there only because somebody tripped their alarm."""
TRIP: Final = "trip"
FULL: Final = 97.0
"""Per cent of a server's CPU or memory in use when it is saturated."""

SERVERS: Final = tuple(f"server-{number:03d}" for number in range(1, 11))
JOB: Final = "orders_enrichment"
PIPELINE: Final = "orders-pipeline"
TOPIC: Final = "orders"
PARTITIONS: Final = 6
WORKERS: Final = ("taskmanager-1", "taskmanager-2")
SHARE_BY_REGION: Final = {"us-east-1": 0.5, "eu-west-1": 0.3, "ap-southeast-1": 0.2}
SLOWNESS: Final = {"us-east-1": 1.0, "eu-west-1": 1.1, "ap-southeast-1": 1.25}
SHARE_BY_ERROR: Final = {"validation_error": 0.45, "parse_error": 0.3, "timeout": 0.2, "duplicate": 0.05}
LOAD: Final = Load(mean=1500.0)

HOST_METRICS: Final = {
    "cpu_utilization": (0.28, 0.20, 0.10),
    "memory_usage": (0.40, 0.06, 0.05),
    "disk_usage": (0.45, 0.0, 0.01),
    "network_in": (0.35, 0.20, 0.12),
    "network_out": (0.30, 0.18, 0.12),
}
"""Middle, daily swing and noise, as parts of the catalogue's range."""

FILLED_BY: Final[Mapping[str, Kind]] = {"cpu_utilization": "cpu_saturation", "memory_usage": "memory_pressure"}

ZEROS_SECONDS: Final = 3600.0
"""A counter that was tripped says 0 for so long. CloudWatch judges by the last periods that have data, so after
silence the alarm would come and go with what failed before."""

LATENCY_SHAPE: Final = (
    (0.42, 0.06), (0.55, 0.10), (0.66, 0.12), (0.78, 0.12), (0.90, 0.12), (1.0, 0.12), (1.15, 0.11),
    (1.35, 0.10), (1.65, 0.075), (2.1, 0.04), (2.7, 0.02), (3.3, 0.015),
)  # fmt: skip
"""A long-tailed distribution: (multiple of the median, part of the records)."""

OPERATORS: Final = {
    "orders-source": (3.0, 0.30),
    "parse": (6.0, 0.25),
    "enrich": (28.0, 0.45),
    "window-aggregate": (18.0, 0.40),
    "sink": (12.0, 0.20),
}
"""Latency (ms) and busy part of a second when all is well."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The pipeline's cumulative record counts at one instant, each a sum that never falls."""

    consumed: float
    invalid: float
    failed_lookups: float
    late: float

    @property
    def parsed(self) -> float:
        """Records that left the parser."""
        return self.consumed - self.invalid

    @property
    def enriched(self) -> float:
        """Records that reached the window."""
        return self.parsed - self.failed_lookups

    @property
    def aggregated(self) -> float:
        """Window results: a healthy window gives fewer records than it takes."""
        return (self.enriched - self.late) * 0.4


class SyntheticSource:
    """The source ``synthetic``.

    ``interval_seconds`` is what delta counters cover when a collection has no predecessor. ``demo_started_at``
    (epoch s) replaces the weekly incidents from then on by one about every 20 minutes, the first after 2 minutes.
    ``trips`` gives what was asked for besides, at each collection; what it gave once it keeps giving.
    """

    name = "synthetic"

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        region: str = DEFAULT_REGION,
        seed: int = 7,
        interval_seconds: float = 300.0,
        demo_started_at: float | None = None,
        trips: Callable[[], Sequence[Schedule]] = tuple,
    ) -> None:
        self._catalogue = catalogue
        self._environment = environment
        self._region = region
        self._seed = seed
        self._interval = interval_seconds
        self._scheduled = self._timeline = timeline(demo_started_at)
        self._trips = trips

    def collect(self, at: float, since: float | None) -> Collected:
        """All samples at ``at``; delta counters cover ``since`` (by default one interval before) to ``at``."""
        begin = min(at, at - self._interval if since is None else since)
        self._timeline = self._scheduled.joined(self._trips())
        samples = [*self._hosts(at), *self._kafka(at), *self._operators(at), *self._job(at)]
        samples += [*self._application(at, begin), *self._resources(at)]
        samples.append(self._sample("up", at, 1, target=self.name))
        samples += self._tripped(at, begin)
        return Collected(samples)

    # ------------------------------------------------------------------------------------------- helpers
    def _sample(self, metric_type: str, at: float, value: float, host: str = PIPELINE, **labels: str) -> Sample:
        return make_sample(
            timestamp=at,
            metric_type=metric_type,
            value=value if isinstance(value, int) else round(value, 3),
            hostname=host,
            unit=self._catalogue[metric_type].unit,
            region=self._region,
            environment=self._environment,
            labels=labels,
        )

    def _wave(self, name: str, at: float, period: float) -> float:
        return wave(self._seed, name, at, period)

    def _level(self, kind: Kind, at: float) -> float:
        return self._timeline.level(kind, at)

    def _lag(self, at: float) -> float:
        """Records behind, in all: a slow ripple, and a backlog the consumers can just build up and work off."""
        return 1800 + 700 * self._wave("lag", at, 600) + 68_000 * self._level("lag_growth", at)

    def _dead_letters(self, at: float, error_type: str) -> float:
        """One a minute in all when healthy, 190 a minute at the height of a spike."""
        total = (at - FIRST_MONDAY) / 60 + 190 / 60 * self._timeline.area("dlq_spike", at)
        return total * SHARE_BY_ERROR[error_type]

    def _flow(self, at: float) -> Flow:
        consumed = LOAD.produced(at) - self._lag(at)
        invalid = self._dead_letters(at, "validation_error") + self._dead_letters(at, "parse_error")
        late = 0.0015 * LOAD.produced(at) + 0.17 * LOAD.mean * self._timeline.area("late_data", at)
        return Flow(consumed, invalid, self._dead_letters(at, "timeout"), late)

    def _new(self, kind: Kind, at: float, since: float, per_minute: float) -> int:
        """How many came between, at ``per_minute`` while the incident is at its height."""
        now, before = (per_minute / 60 * self._timeline.area(kind, moment) for moment in (at, since))
        return math.floor(now) - math.floor(before)

    def _tripped(self, at: float, since: float) -> Iterator[Sample]:
        """What no part of the pipeline shows: beyond the threshold of its alarm while it is tripped."""
        for kind in TRIPPED_ONLY:
            metric = self._catalogue[kind]
            labels = {TRIP_LABEL: TRIP}
            if metric.group_by not in (None, "hostname"):
                labels[str(metric.group_by)] = TRIP
            counted = metric.kind == "counter"
            begin = since - ZEROS_SECONDS if counted else since
            if metric.alarm is None or self._timeline.area(kind, at) == self._timeline.area(kind, begin):
                continue
            if counted:
                # A minute alone is enough: three times what the alarm bears within its whole window.
                yield self._sample(kind, at, self._new(kind, at, since, 3 * max(1.0, metric.alarm.threshold)), **labels)
            else:
                yield self._sample(kind, at, 1.5 * metric.alarm.threshold * self._level(kind, at), **labels)

    # ------------------------------------------------------------------------------------------- servers
    def _hosts(self, at: float) -> Iterator[Sample]:
        levels = {name: self._level(kind, at) for name, kind in FILLED_BY.items()}
        for host in SERVERS:
            busy = 0.25 * (unit_noise(self._seed, host, 0) - 0.5)
            for metric_type, (middle, swing, noise) in HOST_METRICS.items():
                name = f"{host}/{metric_type}"
                part = middle + busy + swing * daytime(at)
                part += noise * (0.7 * self._wave(name, at, 1800) + 0.3 * self._wave(name + "/fast", at, 120))
                if metric_type == "disk_usage":
                    # Fills over three weeks, then old data is dropped.
                    filled = (at / (21 * DAY) + unit_noise(self._seed, name, 1)) % 1
                    part += 0.4 * (filled - 0.5)
                bounds = self._catalogue[metric_type].synthetic
                if bounds is not None:
                    value = bounds.low + (bounds.high - bounds.low) * min(0.99, max(0.01, part))
                    value += (FULL - value) * levels.get(metric_type, 0.0)
                    yield self._sample(metric_type, at, value, host)

    # ---------------------------------------------------------------------------------------------- Kafka
    def _kafka(self, at: float) -> Iterator[Sample]:
        lag, consumed = self._lag(at), self._flow(at).consumed
        for partition in range(PARTITIONS):
            labels = {"topic": TOPIC, "partition": str(partition)}
            yield self._sample("consumer_lag_records", at, math.floor(lag / PARTITIONS), **labels)
            yield self._sample("consumer_position_offset", at, math.floor(consumed / PARTITIONS), **labels)
        yield self._sample("kafka_messages_in_per_second", at, LOAD.rate(at), topic=TOPIC)
        errors = math.floor((at - FIRST_MONDAY) / 100 + self._timeline.area("unreadable_records", at) / 2)
        yield self._sample("kafka_deserialization_errors_total", at, errors, topic=TOPIC)

    # ------------------------------------------------------------------------------------------ operators
    def _operators(self, at: float) -> Iterator[Sample]:
        flow = self._flow(at)
        counts: Mapping[str, tuple[float, float, float]] = {
            "orders-source": (flow.consumed, flow.consumed, 0),
            "parse": (flow.consumed, flow.parsed, flow.invalid),
            "enrich": (flow.parsed, flow.enriched, flow.failed_lookups),
            "window-aggregate": (flow.enriched, flow.aggregated, 0),
            "sink": (flow.aggregated, flow.aggregated, 0),
        }
        backlog, load = self._level("lag_growth", at), LOAD.rate(at) / LOAD.mean
        for operator, (latency, busy) in OPERATORS.items():
            labels = {"operator": operator, "job": JOB}
            taken, given, lost = map(math.floor, counts[operator])
            yield self._sample("records_in", at, taken, **labels)
            yield self._sample("records_out", at, given, **labels)
            if operator in {"parse", "enrich"}:
                yield self._sample("records_error", at, lost, **labels)
            slow = backlog * {"enrich": 9, "window-aggregate": 3}.get(operator, 0.5)
            ripple = 1 + 0.15 * self._wave(operator, at, 240)
            yield self._sample("operator_latency_ms", at, latency * ripple * (1 + slow), **labels)
            stuck = backlog * {"orders-source": 600, "parse": 450}.get(operator, 0)
            used = min(980.0 - stuck, 1000 * busy * load * ripple + backlog * (500 if operator == "enrich" else 0))
            yield self._sample("busy_time_ms_per_second", at, used, **labels)
            calm = 8 * (1 + self._wave(operator + "/stuck", at, 300))
            yield self._sample("backpressured_time_ms_per_second", at, calm + stuck, **labels)
        labels = {"operator": "window-aggregate", "job": JOB}
        yield self._sample("late_records_dropped", at, math.floor(flow.late), **labels)

    # ---------------------------------------------------------------------------------------------- job
    def _job(self, at: float) -> Iterator[Sample]:
        trouble, area = self._level("checkpoint_failure", at), self._timeline.area("checkpoint_failure", at)
        restarts, started = self._timeline.begun("job_restart", at)
        size = (180 + 60 * daytime(at) + 12 * self._wave("state", at, 900)) * 1e6
        values: Mapping[str, float] = {
            "checkpoint_duration_ms": 2400 + 900 * self._wave("checkpoint", at, 300) + 33_000 * trouble,
            # One every 10 s while they succeed, a failure for every 40 s of trouble.
            "checkpoints_completed_total": math.floor((at - FIRST_MONDAY - area) / 10),
            "checkpoint_failures_total": math.floor(area / 40),
            "job_restarts_total": restarts,
            "job_uptime_ms": math.floor(1000 * (at - started)),
            "state_backend_used_bytes": math.floor(size * 3),
            "checkpoint_size_bytes": math.floor(size),
        }
        for metric_type, value in values.items():
            yield self._sample(metric_type, at, value, job=JOB)
        ratio = 0.02 + 0.01 * self._wave("unaligned", at, 900) + 0.4 * trouble
        yield self._sample("checkpoint_unaligned_ratio", at, ratio, job=JOB, trigger="timeout")

    # ---------------------------------------------------------------------------------------- application
    def _application(self, at: float, since: float) -> Iterator[Sample]:
        before, flow = self._flow(since), self._flow(at)
        backlog, late = self._level("lag_growth", at), self._level("late_data", at)
        yield from self._latency(at, flow.aggregated / 0.4 - before.aggregated / 0.4)
        for error_type in SHARE_BY_ERROR:
            new = math.floor(self._dead_letters(at, error_type)) - math.floor(self._dead_letters(since, error_type))
            yield self._sample("dlq_records", at, new, error_type=error_type)
        taken = math.floor(flow.enriched) - math.floor(before.enriched)
        if taken > 0:
            complete = 100 * (1 - (math.floor(flow.late) - math.floor(before.late)) / taken)
            yield self._sample(
                "window_completeness", at, min(100.0, max(0.0, complete)), operator="window-aggregate", job=JOB
            )
        watermark = 2200 + 600 * self._wave("watermark", at, 300) + 75_000 * backlog + 20_000 * late
        yield self._sample("watermark_lag_ms", at, watermark, operator="window-aggregate", job=JOB)
        hits = 93 + 1.5 * self._wave("cache", at, 900) - 35 * backlog
        yield self._sample("cache_hit_rate", at, hits)
        yield self._sample("enrichment_latency_ms", at, 24 + 4 * self._wave("lookup", at, 240) + 210 * backlog)
        twice = self._seldom(at, since, per_minute=0.15) + self._new("duplicate_records", at, since, 30)
        yield self._sample("duplicate_records_detected", at, twice)
        slow = 240 / 60 * (self._timeline.area("lag_growth", at) - self._timeline.area("lag_growth", since))
        quiet = math.floor((at - FIRST_MONDAY) / 150) - math.floor((since - FIRST_MONDAY) / 150)
        yield self._sample("timeouts", at, quiet + math.floor(slow))
        stream = {"stream": "orders-delivery"}
        delivered = math.floor(flow.aggregated) - math.floor(before.aggregated)
        yield self._sample("firehose_put_success", at, delivered, **stream)
        yield self._sample("firehose_failed_put_count", at, self._new("delivery_failure", at, since, 40), **stream)
        yield self._sample("firehose_throttle_count", at, 0, **stream)

    def _seldom(self, at: float, since: float, per_minute: float) -> int:
        now, before = ((t - FIRST_MONDAY) * per_minute / 60 for t in (at, since))
        return math.floor(now) - math.floor(before)

    def _latency(self, at: float, records: float) -> Iterator[Sample]:
        """Where each region's records of the interval fell; their number follows the throughput."""
        for region, share in SHARE_BY_REGION.items():
            median = 380 * SLOWNESS[region] * (1 + 0.08 * daytime(at) + 0.06 * self._wave(region, at, 420))
            median *= 1 + 4.5 * self._level("lag_growth", at) + 5 * self._level("slow_records", at)
            pairs = [
                [round(median * multiple, 1), count]
                for multiple, part in LATENCY_SHAPE
                if (count := round(max(0.0, records) * share * part))
            ]
            if pairs:
                mean = sum(value * count for value, count in pairs) / sum(count for _, count in pairs)
                sample = self._sample("latency_ms", at, mean, region=region)
                yield sample._replace(observations=pairs)

    # ------------------------------------------------------------------------------------------ resources
    def _resources(self, at: float) -> Iterator[Sample]:
        load, backlog = LOAD.rate(at) / LOAD.mean, self._level("lag_growth", at)
        for worker in WORKERS:
            memory = 52 + 5 * daytime(at) + 4 * self._wave(worker + "/memory", at, 900) + 6 * backlog
            cpu = 34 * load + 5 * self._wave(worker + "/cpu", at, 180) + 30 * backlog
            collecting = 18 + 9 * self._wave(worker + "/gc", at, 300) + 60 * backlog
            yield self._sample("memory_usage_percentage", at, memory, worker)
            yield self._sample("cpu_usage_percentage", at, cpu, worker)
            yield self._sample("gc_pause_time_ms", at, collecting, worker)
        counts = {"task_manager_count": len(WORKERS), "task_slots_total": 8, "task_slots_available": 2}
        counts["kafka_broker_alive_count"] = 3 - round(self._level("broker_loss", at))
        for metric_type, count in counts.items():
            yield self._sample(metric_type, at, count)
        looked_up = math.floor(self._flow(at).enriched)
        yield self._sample("state_read_count", at, looked_up, operator="enrich", job=JOB)
        yield self._sample("state_write_count", at, looked_up // 5, operator="window-aggregate", job=JOB)
