"""The metric catalogue as typed data: loaded from ``catalogue.toml``, validated loudly, overridable by settings.

A metric's thresholds are compared with one *signal value*: the value itself (``basis = "value"``) or the increase
of a counter over ``window_seconds`` (``basis = "increase"``). "Past" a threshold means strictly beyond it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final, Literal, Self

from backend.contract.build import build
from backend.contract.errors import InvalidInput

Kind = Literal["gauge", "counter", "histogram"]
Temporality = Literal["cumulative", "delta"]
Direction = Literal["higher_is_worse", "lower_is_worse", "none"]
Basis = Literal["value", "increase"]
Combine = Literal["avg", "sum", "max", "min"]
Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
Section = Literal[
    "host", "kafka", "stream", "delivery", "application", "resources", "state", "debug", "pulseboard", "aws"
]
Statistic = Literal["avg", "sum", "min", "max", "p50", "p95", "p99"]
CLOUDWATCH_NAMESPACE: Final = "Pulseboard"
"""Where in CloudWatch the metrics are that have a name there."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Finest resolution and hot retention of a class of metrics."""

    number: int
    resolution_seconds: int
    retention_days: int


@dataclass(frozen=True, slots=True)
class Slo:
    """A target over 30 days: ``target_percent`` of records good; good is below ``limit`` where one is given."""

    target_percent: float
    title: str
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A CloudWatch alarm; ``datapoints`` of ``periods`` periods must breach.

    ``route`` is told besides those of the severity. ``covered_by`` is the rule of Pulseboard's own alerts that say the
    same with more words: the alarm stands behind them and speaks only when they don't. ``mails_directly``: its mails
    do not go through the alert consumer, because it tells that this one is gone. ``follows_collection``: sources are
    read every ``period_seconds`` or more seldom, which the stack's parameter LevelAlarmPeriod says. ``meaning`` is one
    sentence for whoever is woken.
    """

    severity: Severity
    comparison: Literal[">", "<"]
    threshold: float
    statistic: Statistic
    period_seconds: int
    periods: int
    datapoints: int
    missing: Literal["missing", "breaching", "notBreaching"]
    route: Literal["email", "slack", "pagerduty"] | None = None
    covered_by: str = ""
    mails_directly: bool = False
    follows_collection: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Widget:
    """A place on the CloudWatch dashboard; metrics of one title share a widget.

    ``period_seconds`` is the time it shows: the range of a chart, the sum or maximum of a number.
    """

    title: str
    view: Literal["line", "stacked_area", "combo", "number"]
    period_seconds: int
    statistic: Statistic


@dataclass(frozen=True, slots=True)
class AwsSource:
    """Where the CloudWatch source reads the metric: ``metric`` and ``plus`` summed, a line per dimension value."""

    namespace: str
    metric: str
    statistic: str
    dimension: str
    period_seconds: int
    plus: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The range in which the synthetic source draws values."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue.

    ``group_by`` is the label whose values become lines on a chart (``hostname`` is the sample's own field).
    ``combine`` says how several series become one value, both inside a group and across groups.
    ``group_critical`` is the critical threshold of a single group where it differs from the whole's.
    ``limit`` is where a capacity ends, a floor where lower is worse: what forecasts run against.
    """

    key: str
    section: Section
    title: str
    unit: str
    kind: Kind
    tier: int
    direction: Direction
    temporality: Temporality | None = None
    group_by: str | None = None
    combine: Combine = "avg"
    basis: Basis = "value"
    window_seconds: int | None = None
    statistic: Statistic | None = None
    normal: float | None = None
    warning: float | None = None
    critical: float | None = None
    group_critical: float | None = None
    limit: float | None = None
    slo: Slo | None = None
    cloudwatch: str | None = None
    widget: Widget | None = None
    alarm: Alarm | None = None
    aws: AwsSource | None = None
    synthetic: Synthetic | None = None

    @property
    def cumulative(self) -> bool:
        """True for counters that only the difference of two samples explains."""
        return self.temporality == "cumulative"

    @property
    def across(self) -> Combine:
        """How series side by side become one value; counters always add up."""
        return "sum" if self.kind == "counter" else self.combine

    @property
    def runbook(self) -> str | None:
        """Path of the alarm's runbook inside the repository; None without an alarm."""
        return f"docs/runbooks/{self.key}.md" if self.alarm else None

    def past(self, value: float, threshold: float) -> bool:
        """Whether ``value`` lies strictly beyond ``threshold`` on the bad side."""
        return value < threshold if self.direction == "lower_is_worse" else value > threshold

    def state(self, value: float) -> Literal["healthy", "degraded", "critical"]:
        """The threshold state of one signal value; a metric without thresholds is always healthy."""
        if self.critical is not None and self.past(value, self.critical):
            return "critical"
        if self.warning is not None and self.past(value, self.warning):
            return "degraded"
        return "healthy"


_KEY: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Catalogue(Mapping[str, Metric]):
    """All metrics by ``metric_type``, plus the tiers. Immutable."""

    def __init__(self, metrics: dict[str, Metric], tiers: dict[int, Tier]) -> None:
        self._metrics = metrics
        self.tiers = tiers

    def __getitem__(self, key: str) -> Metric:
        return self._metrics[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def tier_of(self, key: str) -> Tier:
        """The tier of a metric; KeyError for an unknown one."""
        return self.tiers[self._metrics[key].tier]

    @cached_property
    def published(self) -> tuple[Metric, ...]:
        """The metrics that go to CloudWatch: exactly those with an alarm or a dashboard widget."""
        return tuple(m for m in self.values() if m.cloudwatch and (m.alarm or m.widget))

    def with_overrides(self, overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """A copy with thresholds changed by settings: ``{metric_type: {warning|critical|normal|limit: number}}``.

        Raises InvalidInput for an unknown metric or field, or thresholds in the wrong order.
        """
        metrics = dict(self._metrics)
        for key, values in overrides.items():
            where = f"thresholds.{key}"
            if not isinstance(values, Mapping):
                raise InvalidInput(where, values, f"must be a table, [{where}]")
            if key not in metrics:
                raise InvalidInput(where, key, "is not in the catalogue; see docs/metrics.md for the names")
            unknown = set(values) - {"normal", "warning", "critical", "limit"}
            if unknown:
                raise InvalidInput(where, min(unknown), "can't be set; use normal, warning, critical, limit")
            changes = {name: _number(f"{where}.{name}", value) for name, value in values.items()}
            metrics[key] = replace(metrics[key], **changes)  # type: ignore[arg-type]
            _check(metrics[key], self.tiers)
        return type(self)(metrics, self.tiers)


def load_catalogue(text: str | None = None) -> Catalogue:
    """The catalogue of ``text`` (TOML), by default the one in this package, which is read once.

    Raises InvalidInput naming the table and field of the first entry that does not fit.
    """
    return _shipped() if text is None else _parsed(text)


@cache
def _shipped() -> Catalogue:
    return _parsed(resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8"))


def _parsed(text: str) -> Catalogue:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("catalogue", str(error), "is not valid TOML; mend the line it names") from error
    for name, tables in data.items():
        if name not in ("tier", "metric") or not isinstance(tables, dict):
            raise InvalidInput(name, tables, "is not known; use [tier.<number>] and [metric.<metric_type>]")
    tiers = {tier.number: tier for tier in (_tier(name, entry) for name, entry in data.get("tier", {}).items())}
    metrics: dict[str, Metric] = {}
    for key, entry in data.get("metric", {}).items():
        metric = build(Metric, _named(entry, "key", key, f"metric.{key}"), f"metric.{key}")
        _check(metric, tiers)
        metrics[key] = metric
    if not metrics:
        raise InvalidInput("catalogue", "", "has no [metric.*] table; at least one is needed")
    return Catalogue(metrics, tiers)


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(where, value, "must be a finite number")
    return float(value)


def _named(entry: object, field_name: str, name: object, where: str) -> dict[str, Any]:
    """The entry with the name of its table added, which it must not set itself."""
    if not isinstance(entry, dict):
        raise InvalidInput(where, entry, f"must be a table, [{where}]")
    if field_name in entry:
        raise InvalidInput(f"{where}.{field_name}", entry[field_name], "is the table's own name; leave it out")
    return {field_name: name, **entry}


def _tier(name: str, entry: object) -> Tier:
    where = f"tier.{name}"
    if not (name.isascii() and name.isdigit()):
        raise InvalidInput(where, name, "must be a number; write [tier.1]")
    tier = build(Tier, _named(entry, "number", int(name), where), where)
    for field_name in ("resolution_seconds", "retention_days"):
        if getattr(tier, field_name) <= 0:
            raise InvalidInput(f"{where}.{field_name}", getattr(tier, field_name), "must be above 0")
    return tier


def _check(metric: Metric, tiers: Mapping[int, Tier]) -> None:
    """The rules between fields; the first one broken is raised."""
    where = f"metric.{metric.key}"
    if not _KEY.fullmatch(metric.key):
        raise InvalidInput(where, metric.key, "must be snake_case letters and digits")
    if metric.tier not in tiers:
        raise InvalidInput(f"{where}.tier", metric.tier, f"must be one of {', '.join(map(str, tiers))}")
    if (metric.kind == "counter") != (metric.temporality is not None):
        raise InvalidInput(f"{where}.temporality", metric.temporality, "belongs to counters, and every counter has one")
    if (metric.basis == "increase") != (metric.window_seconds is not None):
        raise InvalidInput(f"{where}.window_seconds", metric.window_seconds, 'goes with basis = "increase"')
    if metric.basis == "increase" and metric.kind != "counter":
        raise InvalidInput(f"{where}.basis", metric.basis, "increase is for counters only")
    if metric.window_seconds is not None and metric.window_seconds <= 0:
        raise InvalidInput(f"{where}.window_seconds", metric.window_seconds, "must be above 0")
    thresholds = metric.warning is not None or metric.critical is not None
    if thresholds and metric.direction == "none":
        raise InvalidInput(
            f"{where}.direction", metric.direction, "must say which side is worse when thresholds are set"
        )
    if metric.warning is not None and metric.critical is not None and metric.past(metric.warning, metric.critical):
        raise InvalidInput(f"{where}.warning", metric.warning, f"lies beyond critical ({metric.critical:g}); swap them")
    if metric.alarm and not metric.cloudwatch:
        raise InvalidInput(f"{where}.cloudwatch", None, "is needed by the alarm; name the CloudWatch metric")
    if metric.alarm:
        _check_alarm(f"{where}.alarm", metric.alarm, metric.direction)


def _check_alarm(where: str, alarm: Alarm, direction: Direction) -> None:
    if not 1 <= alarm.datapoints <= alarm.periods:
        raise InvalidInput(f"{where}.datapoints", alarm.datapoints, f"must be 1 to periods ({alarm.periods})")
    if alarm.period_seconds not in (10, 30) and (alarm.period_seconds < 60 or alarm.period_seconds % 60):
        raise InvalidInput(f"{where}.period_seconds", alarm.period_seconds, "must be 10, 30 or a multiple of 60")
    if direction != "none" and (alarm.comparison == "<") != (direction == "lower_is_worse"):
        raise InvalidInput(f"{where}.comparison", alarm.comparison, f"contradicts direction ({direction}); swap it")
