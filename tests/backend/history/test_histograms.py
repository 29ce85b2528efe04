"""Histograms of past days: counted as the processor counts them, and not ended by a line that is none."""

from __future__ import annotations

from pyathena.formatter import DefaultParameterFormatter

from backend.contract.catalogue import load_catalogue
from backend.contract.history import HistoryQuestion, MetricWanted
from backend.contract.records import Sample
from backend.contract.rollup import OTHER, WORST_GROUPS, Merged
from backend.contract.tables import METRICS_DATABASE, METRICS_JSON
from backend.history.days import Days, LateObjects, day_start
from backend.history.series import Place, merged_series, series_statements
from backend.history.source import COLUMNS
from backend.processor.build import buckets_of
from tests.backend.history.lake import BUCKET, DAY, duckdb_sql, samples, tables

CATALOGUE = load_catalogue()
METRIC = "latency_ms"


def sample(region: str, value: float, observations: list[list[float]] | None = None) -> Sample:
    (one,) = samples(["a"], [0], metric_type=METRIC, value=value, labels={"region": region}, observations=observations)
    return one


def history(found: list[Sample]) -> Merged:
    """The hour that Athena gives."""
    database = tables()
    marks = ", ".join("?" * (len(COLUMNS) + 4))
    rows = [[*(getattr(one, name) for name in COLUMNS), DAY.year, DAY.month, DAY.day, "s3://a"] for one in found]
    database.executemany(f"INSERT INTO {METRICS_DATABASE}.{METRICS_JSON} VALUES ({marks})", rows)
    start = day_start(DAY)
    asked = HistoryQuestion("production", (MetricWanted(METRIC, by_group=True),), start, start + 3600, 3600)
    (made,) = series_statements(asked, CATALOGUE, Place(Days(), LateObjects(), BUCKET)).values()
    text = DefaultParameterFormatter().format(made.sql, dict(made.values))
    answer = database.execute(duckdb_sql(text))
    names = [column[0] for column in answer.description or ()]
    lines = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    return merged_series("histograms", lines, CATALOGUE)[METRIC][float(start)]


def test_history_counts_observations_as_the_processor_does() -> None:
    found = [
        sample("plain", 7.0),
        sample("empty", 7.0, []),
        sample("several", 7.0, [[5, 3], [9, 0], [50, 2]]),
        sample("none seen", 7.0, [[5, 0], [9, 0]]),
    ]
    (bucket,) = buckets_of(found, CATALOGUE)
    merged = history(found)

    assert merged.groups.keys() == {group for group, _ in bucket.series}
    for (group, _), (_, values) in bucket.series.items():
        total, high, *flat = values[0]  # type: ignore[misc]
        stats = merged.groups[group]
        assert (stats.average * stats.count, stats.high) == (total, high)
        assert stats.sketch is not None
        assert stats.sketch.flat() == flat


def test_an_observation_that_is_none_does_not_end_the_query() -> None:
    bad = [[5.0], [], [6.0, None], [None, 1.0], [float("inf"), 1.0], [8.0, -1.0], [9.0, 2.0]]
    stats = history([sample("a", 7.0, bad)]).groups["a"]  # type: ignore[arg-type]
    assert (stats.count, stats.high) == (2, 9)


def test_the_rest_counts_each_of_its_lines_once_whatever_bins_they_are_in() -> None:
    merged = history([sample(f"region-{number}", 2.0**number) for number in range(WORST_GROUPS + 3)])
    assert OTHER in merged.groups
    assert merged.group_count == WORST_GROUPS + 3
