"""Every minute: ratios that no alarm can compute without metric math, published as plain metrics; burn rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.checks.aws_metrics import FUNCTIONS
from backend.checks.burn import SOURCES, burning, fast, rates, undecided
from backend.checks.signals import JUDGED
from backend.checks.world import World
from backend.contract.checks import Check, CheckResult, CheckStatus, Finding
from backend.contract.slo import FINE_SECONDS, PERIOD_SECONDS, slo_cards
from backend.events.own_metrics import Measured
from backend.processor.cloudwatch import put_data

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

NAME: Final = "ratios"
EXECUTIONS: Final = "executions_failed_percent"
EXECUTIONS_SECONDS: Final = 3600
SPAN_SECONDS: Final = 300
LEAST_INVOCATIONS: Final = 20
"""Fewer within five minutes give no error rate: one error of three says nothing."""
DELAY_SECONDS: Final = 60
"""CloudWatch has a minute's counts of AWS services this long after its end."""
MOST_SPAN_SECONDS: Final = 900
COUNTED_UNTIL: Final = "counted_until"
"""Among the details: up to when throttles were counted; each minute of them is published once."""
FAST: Final = "fast"
"""Among the details: by SLO the pairs of windows that burn, or did and lack data since."""
METRICS: Final = "metrics"
ERROR_RATE: Final = "lambda_error_rate"


@dataclass
class Read:
    """What was read: numbers, what could not be read, budgets that burn and the pairs that do or did, SLOs without
    enough data and those that could be judged."""

    measured: list[Measured] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()
    fast: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unsure: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a sentence about it adds."""
        return [f"not enough data for {', '.join(self.unsure)}"] if self.unsure else []

    def take(self, name: str, look: Callable[[], Iterable[Measured]]) -> bool:
        """Adds what ``look`` gives; one source that does not answer leaves the others. Whether it answered."""
        try:
            self.measured += look()
        except (ClientError, BotoCoreError) as error:
            self.problems.append(f"{name} not read ({error})"[:200])
            return False
        return True


def run(world: World, now: float) -> CheckResult:
    """Reads CloudWatch and the SLOs' counts, publishes the ratios, and says which budgets burn."""
    latest = world.results.latest(NAME, now // 60 * 60, COUNTED_UNTIL)
    end = (now - DELAY_SECONDS) // 60 * 60
    counted = float(latest.details[COUNTED_UNTIL]) if latest else end - SPAN_SECONDS
    read = Read(fast=latest.details.get(FAST, {}) if latest else {})
    read.take("error rate", lambda: error_rate(world.aws.invocations(end - SPAN_SECONDS, end)))
    read.take("executions", lambda: _executions(world, now))
    read.take("capacity", lambda: _by("dynamodb_capacity_percent", "table", world.aws.capacity(end - 60, end, now)))
    if end - counted >= SPAN_SECONDS:
        start = max(counted, end - MOST_SPAN_SECONDS)
        read.take("durations", lambda: duration_percent(world.aws.durations(end - SPAN_SECONDS, end)))
        if not _collected(world):
            read.take("bucket size", lambda: _bucket(world, now))
            told = read.take("throttles", lambda: _throttles(world, start, end, now))
            counted = end if told else start
        else:
            counted = end
    burns = read.take("burn rates", lambda: _burn(world, now, read))
    put_data(world.clients.cloudwatch, data(world, read.measured, now), world.logger)
    return result_of(read, now, counted, burns_known=burns)


def result_of(read: Read, now: float, counted_until: float, *, burns_known: bool) -> CheckResult:
    """Failed when a budget burns; unknown when nobody knows whether one does. Pure."""
    numbers, findings = read.measured, read.findings
    rate = next((entry.value for entry in numbers if entry.metric_type == ERROR_RATE), None)
    tail = "".join(f"; {text}" for text in [*read.problems, *read.notes])
    status: CheckStatus = "failed" if findings else "passed" if numbers and burns_known else "unknown"
    if findings:
        said = findings[0].sentence
    elif not burns_known:
        said = "Whether a budget burns is not known"
    elif not numbers:
        said = "Nothing to compute yet"
    elif rate is None:
        said = "No error budget burns too fast"
    else:
        said = f"{rate:.2g} % of invocations fail, no budget burns"
    details = {
        METRICS: [entry._asdict() for entry in numbers],
        COUNTED_UNTIL: counted_until,
        FAST: read.fast,
        JUDGED: list(read.judged),
    }
    return CheckResult(NAME, now, status, said + tail, rate, "%", now - SPAN_SECONDS, now, findings, details)


def measured(check: Check, result: CheckResult) -> list[Measured]:
    """All ratios of a result, under their own names."""
    return [Measured(**entry) for entry in result.details.get(METRICS, ())] if check.name == NAME else []


def error_rate(invocations: Mapping[str, tuple[float, float]]) -> list[Measured]:
    """Errors of all functions in percent of their invocations; none for fewer than ``LEAST_INVOCATIONS``. Pure."""
    total = sum(count for count, _ in invocations.values())
    errors = sum(failed for _, failed in invocations.values())
    return [Measured(ERROR_RATE, 100 * errors / total, {})] if total >= LEAST_INVOCATIONS else []


def execution_failures(failed: float, succeeded: float) -> list[Measured]:
    """Failed executions of the state machine in percent of those that ended; none where none did. Pure."""
    ended = failed + succeeded
    return [Measured(EXECUTIONS, 100 * failed / ended, {})] if ended else []


def duration_percent(milliseconds: Mapping[str, float]) -> list[Measured]:
    """Each function's longest run in percent of its time-out. Pure."""
    shares = {name: value / 10 / FUNCTIONS[name] for name, value in milliseconds.items()}
    return _by("lambda_duration_percent", "function", shares)


def data(world: World, numbers: Iterable[Measured], now: float) -> list[MetricDatumTypeDef]:
    """The numbers as plain CloudWatch metrics without dimensions: the worst of a level, the sum of a count."""
    values: dict[str, float] = {}
    for entry in numbers:
        metric = world.settings.catalogue[entry.metric_type]
        if metric.cloudwatch:
            before = values.get(metric.cloudwatch, entry.value if metric.across != "sum" else 0.0)
            values[metric.cloudwatch] = before + entry.value if metric.across == "sum" else max(before, entry.value)
    at = datetime.fromtimestamp(now, UTC)
    return [{"MetricName": name, "Timestamp": at, "Value": value} for name, value in values.items()]


def _by(metric: str, label: str, values: Mapping[str, float]) -> list[Measured]:
    return [Measured(metric, value, {label: name}) for name, value in values.items()]


def _collected(world: World) -> bool:
    """Whether the collector brings AWS's own metrics: then the processor publishes them."""
    return any(source.source == "cloudwatch" for source in world.settings.config.collect)


def _throttles(world: World, start: float, end: float, now: float) -> list[Measured]:
    return _by("dynamodb_throttled_requests", "table", world.aws.throttles(start, end, now))


def _executions(world: World, now: float) -> list[Measured]:
    ended = {}
    for metric in ("executions_failed", "executions_succeeded"):
        minutes = world.levels.minutes(metric, now - EXECUTIONS_SECONDS, now)
        ended[metric] = sum(merged.total.increase or 0.0 for merged in minutes.values())
    return execution_failures(ended["executions_failed"], ended["executions_succeeded"])


def _bucket(world: World, now: float) -> list[Measured]:
    size = world.aws.bucket_bytes(now)
    return [] if size is None else [Measured("s3_bucket_bytes", size, {"bucket": world.settings.bucket})]


def _burn(world: World, now: float, read: Read) -> list[Measured]:
    minutes = {name: world.levels.minutes(name, now - FINE_SECONDS, now) for name in SOURCES}
    hours = {name: world.levels.hours(name, now - PERIOD_SECONDS, now) for name in SOURCES}
    cards = slo_cards(world.settings.catalogue, minutes, hours, now)
    read.findings = burning(cards)
    read.unsure = tuple(undecided(cards))
    read.fast = fast(cards, read.fast)
    told = {finding.subject for finding in read.findings}
    left = {*read.unsure, *read.fast} - told
    read.judged = tuple(card.title for card in cards if card.title not in left)
    return rates(cards)
