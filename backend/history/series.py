"""Series of past days: the statements that read a page's metrics, and their rows as merged buckets. Pure.

One statement for each kind of metric, however many a page shows. The rows become the same ``Merged`` that the
scheduled merge stores, so that a line goes from history into DynamoDB's without a seam.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from backend.contract.bucket import LOOKBACK_SECONDS
from backend.contract.catalogue import Catalogue, Metric
from backend.contract.errors import InvalidInput
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.contract.records import REGION
from backend.contract.rollup import OTHER, WORST_GROUPS, Merged, Stats, in_parallel
from backend.contract.sketch import LOG_GAMMA, SMALLEST, ZERO_BIN, Sketch
from backend.history.days import Days, LateObjects, day_of
from backend.history.queries import Part, Value, named_query
from backend.history.source import relation
from backend.history.statements import Statement, statement

Name = Literal["gauges", "counters", "histograms", "bands"]
Row = Mapping[str, Any]
BASE_SECONDS: Final = 60
"""Series side by side are added up by the minute, as the merge does; steps are made of minutes."""
_COLUMNS: Final = ("metric_type", "timestamp", "value", "hostname", "labels")


@dataclass(frozen=True, slots=True)
class Place:
    """Where samples lie: the ledger's word on days, and the bucket that holds them."""

    days: Days
    late: LateObjects
    bucket: str


def series_statements(question: HistoryQuestion, catalogue: Catalogue, place: Place) -> dict[str, Statement]:
    """What Athena is asked, by query; at most one statement each.

    Raises InvalidInput for a metric that is not in the catalogue, for a range that is too long, and for a value that
    can't be bound.
    """
    if question.step > BASE_SECONDS and question.step % BASE_SECONDS:
        raise InvalidInput("step", question.step, f"must be {BASE_SECONDS} s or a multiple of it")
    parts: dict[Name, list[MetricWanted]] = {}
    for wanted in question.metrics:
        if wanted.metric not in catalogue:
            raise InvalidInput("metric", wanted.metric, "is not in the catalogue")
        parts.setdefault(_NAMES[catalogue[wanted.metric].kind], []).append(wanted)
        if wanted.bands:
            parts.setdefault("bands", []).append(wanted)
    return {name: _statement(name, question, metrics, catalogue, place) for name, metrics in parts.items()}


def first_instant(question: HistoryQuestion, catalogue: Catalogue) -> int:
    """Where samples are needed from: the first growth of a counter needs the sample before it."""
    counters = any(catalogue[wanted.metric].kind == "counter" for wanted in question.metrics)
    return question.start - LOOKBACK_SECONDS if counters else question.start


def merged_series(name: str, rows: Iterable[Row], catalogue: Catalogue) -> dict[str, dict[float, Merged]]:
    """The buckets by metric and time of a statement's rows, times ascending. ``bands`` has bands and no groups."""
    if name in ("gauges", "counters"):
        return _merged_numbers(rows, catalogue)
    found: dict[str, dict[float, dict[str, Row]]] = {}
    for row in rows:
        found.setdefault(row["metric_type"], {}).setdefault(row["bucket"], {})[row.get("name", "")] = row
    merge = _merged_bands if name == "bands" else _merged_observations
    return {
        metric: {at: merge(catalogue[metric], times[at]) for at in sorted(times)} for metric, times in found.items()
    }


_NAMES: Final[Mapping[str, Name]] = {"gauge": "gauges", "counter": "counters", "histogram": "histograms"}


def _statement(
    name: Name, question: HistoryQuestion, metrics: Sequence[MetricWanted], catalogue: Catalogue, place: Place
) -> Statement:
    query = named_query(name)
    known: dict[str, Value] = {
        "step": question.step,
        "start": question.start,
        "lookback": LOOKBACK_SECONDS,
        "kept": WORST_GROUPS,
        "rest": OTHER,
        "smallest": SMALLEST,
        "log_gamma": LOG_GAMMA,
        "zero_bin": ZERO_BIN,
    }
    parts = {
        "samples": _samples(name, question, metrics, place),
        "asked": _asked(metrics, catalogue, question.step),
        "pinned": _pinned(metrics),
    }
    return statement(
        query,
        {key: value for key, value in known.items() if key in query.values},
        {key: part for key, part in parts.items() if key in query.parts},
    )


def _samples(name: Name, question: HistoryQuestion, metrics: Sequence[MetricWanted], place: Place) -> Part:
    reach = question.start - LOOKBACK_SECONDS if name == "counters" else question.start
    names: dict[str, Value] = {f"metric_{i}": wanted.metric for i, wanted in enumerate(metrics)}
    where = (
        f"metric_type IN ({', '.join(f'%({key})s' for key in names)}) AND environment = %(environment)s "
        'AND "timestamp" >= %(reach)s AND "timestamp" < %(until)s'
    )
    text = relation(
        day_of(reach),
        day_of(question.end - 1),
        place.days,
        place.late,
        bucket=place.bucket,
        columns=(*_COLUMNS, REGION, "observations") if name == "histograms" else _COLUMNS,
        where=where,
    )
    return Part(text, {**names, "environment": question.environment, "reach": reach, "until": question.end})


def _asked(metrics: Sequence[MetricWanted], catalogue: Catalogue, step: int) -> Part:
    """What the catalogue says of each metric, as rows.

    An average of averages by their weights is that of all, so it needs no minutes in between.
    """
    rows: list[str] = []
    values: dict[str, Value] = {}
    for i, wanted in enumerate(metrics):
        metric = catalogue[wanted.metric]
        row: dict[str, Value] = {
            f"metric_{i}": metric.key,
            f"group_by_{i}": metric.group_by or "",
            f"combine_{i}": metric.across,
            f"badness_{i}": -1 if metric.direction == "lower_is_worse" else 1,
            f"by_group_{i}": int(wanted.by_group),
            f"counts_{i}": metric.temporality or "",
            f"base_{i}": step if metric.across == "avg" else min(BASE_SECONDS, step),
        }
        rows.append(f"({', '.join(f'%({key})s' for key in row)})")
        values |= row
    return Part(", ".join(rows), values)


def _pinned(metrics: Sequence[MetricWanted]) -> Part:
    """Which groups keep their name whatever their place."""
    terms: list[str] = []
    values: dict[str, Value] = {}
    for i, wanted in enumerate(metrics):
        names: dict[str, Value] = {f"pinned_{i}_{j}": group for j, group in enumerate(wanted.pinned)}
        if names:
            terms.append(f"(metric_type = %(metric_{i})s AND line IN ({', '.join(f'%({key})s' for key in names)}))")
            values |= names | {f"metric_{i}": wanted.metric}
    return Part(" OR ".join(terms) or "1 = 0", values)


def _merged_numbers(rows: Iterable[Row], catalogue: Catalogue) -> dict[str, dict[float, Merged]]:
    """Of gauges or counters, a line each row. Athena worked out the total: it is not always that of the groups."""
    groups: dict[str, dict[float, dict[str, Stats]]] = {}
    totals: dict[str, dict[float, tuple[int, Stats]]] = {}
    for row in sorted(rows, key=lambda row: row["name"] or ""):
        metric = row["metric_type"]
        times, whole = groups.setdefault(metric, {}), totals.setdefault(metric, {})
        for bucket, lines, n, *numbers in orjson.loads(row["points"]):
            stats = Stats(int(n), *numbers)
            if row["whole"]:
                whole[bucket] = int(lines), stats
            else:
                times.setdefault(bucket, {})[row["name"]] = stats
    return {
        metric: {
            at: _whole(times.get(at, {}), totals[metric].get(at), catalogue[metric])
            for at in sorted(times.keys() | totals[metric].keys())
        }
        for metric, times in groups.items()
    }


def _whole(groups: dict[str, Stats], total: tuple[int, Stats] | None, metric: Metric) -> Merged:
    if total is None:
        return Merged(groups, in_parallel(list(groups.values()), metric.across), len(groups))
    return Merged(groups, total[1], total[0])


def _merged_observations(metric: Metric, lines: Mapping[str, Row]) -> Merged:
    groups = {name: _observations(row) for name, row in sorted(lines.items())}
    count = sum(int(row["lines"]) for row in lines.values())
    return Merged(groups, in_parallel(list(groups.values()), metric.across), count)


def _observations(row: Row) -> Stats:
    sketch = _sketch(row["bins"])
    average = row["total"] / row["n"] if row["n"] else 0.0
    return Stats(row["n"], average, sketch.quantile(0.0) or 0.0, row["high"], average, sketch=sketch)


def _merged_bands(_metric: Metric, lines: Mapping[str, Row]) -> Merged:
    (row,) = lines.values()
    nothing = Stats(0, 0.0, 0.0, 0.0, 0.0)
    return Merged({}, nothing, int(row["lines"]), _sketch(row["bins"]))


def _sketch(text: str) -> Sketch:
    """The sketch of ``"bin:count bin:count"``; counts of observations may be fractions."""
    bins: dict[int, float] = {}
    for pair in text.split():
        index, _, count = pair.partition(":")
        bins[int(index)] = bins.get(int(index), 0) + float(count)
    return Sketch(bins)
