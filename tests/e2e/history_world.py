"""Past days in the embedded engine: tables as the template makes them, objects of samples, and Athena beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from backend.aws import Clients
from backend.contract.bucket import buckets, longer
from backend.contract.catalogue import Metric
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.contract.records import Sample, group_and_series, make_sample
from backend.contract.rollup import Merged
from backend.contract.sketch import Sketch
from backend.contract.tables import (
    METRICS_PREFIX,
)
from backend.history.athena import Athena
from backend.history.days import Days, LateObjects, day_of, day_path, day_start
from backend.history.queries import query_of
from backend.history.series import Place, merged_series, series_statements
from backend.history.statements import Statement, statement
from backend.settings import Settings
from tests.athena_engine import AthenaEngine

DAY = date(2026, 12, 31)
"""The last day of a year, and the one that ends with its samples."""
START = day_start(DAY)
SETTINGS = Settings()
"""Of the stack that the tests' session deploys, whose tables and workgroup these are."""
PUT: list[str] = []


def put_lines(athena: AthenaEngine, name: str, lines: Iterable[Mapping[str, Any] | str], day: date = DAY) -> str:
    """One object of a day; returns its key."""
    key = f"{METRICS_PREFIX}{day_path(day)}metrics-{name}.json"
    put(athena, key, "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode())
    return key


def put(athena: AthenaEngine, key: str, body: bytes) -> None:
    """An object of the stack's bucket, until ``clear``."""
    athena.engine.client("s3").put_object(Bucket=SETTINGS.bucket, Key=key, Body=body)
    PUT.append(key)


def put_samples(athena: AthenaEngine, name: str, samples: Iterable[Sample]) -> None:
    """Objects of the days that the samples are of."""
    by_day: dict[date, list[dict[str, Any]]] = {}
    for sample in samples:
        by_day.setdefault(day_of(sample.timestamp), []).append(sample.as_json())
    for day, lines in by_day.items():
        put_lines(athena, name, lines, day)


def clear(athena: AthenaEngine) -> None:
    """Removes what these tests have put there."""
    s3 = athena.engine.client("s3")
    for key in PUT:
        s3.delete_object(Bucket=SETTINGS.bucket, Key=key)
    PUT.clear()


def series(
    metric: str,
    values: Mapping[float, float],
    *,
    host: str = "host-1",
    observations: list[list[float]] | None = None,
    environment: str = "production",
    **labels: str,
) -> list[Sample]:
    """Samples of one series; times are seconds from ``START``."""
    return [
        make_sample(
            timestamp=START + t,
            metric_type=metric,
            value=value,
            hostname=host,
            environment=environment,
            labels=labels,
            observations=observations,
        )
        for t, value in values.items()
    ]


def as_merged(metric: Metric, samples: Iterable[Sample], start: float, end: float, step: int) -> dict[float, Merged]:
    """What DynamoDB's merge stores of the same samples: minutes, and hours made of minutes."""

    gathered: dict[tuple[str, str], dict[float, Any]] = {}
    for sample in samples:
        if sample.metric_type == metric.key:
            value: Any = sample.value if metric.kind != "histogram" else packed(sample)
            gathered.setdefault(group_and_series(sample, metric.group_by), {})[sample.timestamp] = value
    minutes = buckets(metric, gathered, start, end)
    if step == 60:
        return minutes
    steps: dict[float, list[Merged]] = {}
    for minute, merged in minutes.items():
        steps.setdefault(minute // step * step, []).append(merged)
    return {at: longer(metric, parts) for at, parts in steps.items()}


def packed(sample: Sample) -> list[float]:
    """A histogram's sample as live items hold it."""

    seen = sample.observations or [[sample.value, 1]]
    return [sum(v * n for v, n in seen), max(v for v, _ in seen), *Sketch.of(seen).flat()]


def question(
    environment: str, *metrics: MetricWanted, step: int = 60, start: float = 0, end: float = 86400
) -> HistoryQuestion:
    """Of [``start``, ``end``), seconds from ``START``."""
    return HistoryQuestion(environment, tuple(sorted(metrics)), int(START + start), int(START + end), step)


def ask(
    asked: HistoryQuestion, *, days: Days | None = None, late: LateObjects | None = None
) -> dict[str, dict[float, Merged]]:
    """The buckets that Athena gives."""
    runner = runner_of()
    place = Place(days or Days(), late or LateObjects(), SETTINGS.bucket)
    found: dict[str, dict[float, Merged]] = {}
    for name, made in series_statements(asked, SETTINGS.catalogue, place).items():
        if name != "bands":
            found |= merged_series(name, runner.run(made).rows(), SETTINGS.catalogue)
    return found


def ask_bands(asked: HistoryQuestion) -> dict[str, dict[float, Merged]]:
    """The bands that Athena gives."""
    return merged_series("bands", runner_of().run(statements(asked)["bands"]).rows(), SETTINGS.catalogue)


def statements(asked: HistoryQuestion) -> dict[str, Statement]:
    """What Athena is asked where all days are JSON."""
    return series_statements(asked, SETTINGS.catalogue, Place(Days(), LateObjects(), SETTINGS.bucket))


def anything(mark: str) -> Statement:
    """A statement that reads nothing; those of different marks share no answer."""
    return statement(query_of("anything", "SELECT 1 AS one WHERE %(mark)s <> ''"), {"mark": mark})


def runner_of(settings: Settings = SETTINGS) -> Athena:
    """Athena, quick to look and quick to try again."""
    return Athena(settings, Clients(settings.region).s3, poll_seconds=0.01, backoff_seconds=0.02)
