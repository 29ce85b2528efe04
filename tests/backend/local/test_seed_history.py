"""The month before the demo: whole days, as compaction writes them, known to the ledger at once."""

from __future__ import annotations

import io
from datetime import date

import pytest
from moto import mock_aws
from pyarrow import parquet

from backend.aws import Clients
from backend.collector.sources.synthetic import SyntheticSource
from backend.history.compaction import SORTED_BY
from backend.history.days import day_start
from backend.history.ledger import Ledger, days_of
from backend.history.source import COLUMNS
from backend.local import seed_history
from backend.local.seed_history import as_parquet, days_before, samples_of, spacing_of
from backend.settings import Settings

TODAY = date(2027, 1, 2)
NOW = day_start(TODAY) + 3600.0


def test_days_go_back_over_a_years_end_newest_first() -> None:
    assert days_before(TODAY, 3) == [date(2027, 1, 1), date(2026, 12, 31), date(2026, 12, 30)]
    assert [spacing_of(day, TODAY) for day in (days_before(TODAY)[0], days_before(TODAY)[-1])] == [300, 900]


def test_a_day_has_the_tables_columns_and_order_and_its_own_instants_only() -> None:
    source = SyntheticSource(Settings().catalogue, seed=7, demo_started_at=NOW)
    day = date(2026, 12, 31)

    samples = list(samples_of(source, day, 6 * 3600, frozenset({"dlq_records"})))
    table = parquet.read_table(io.BytesIO(as_parquet(samples)))

    assert tuple(table.column_names) == COLUMNS
    rows = table.to_pylist()
    assert [tuple(row[name] for name in SORTED_BY) for row in rows] == sorted(
        tuple(row[name] for name in SORTED_BY) for row in rows
    )
    assert {row["timestamp"] for row in rows} == {day_start(day) + 6 * 3600 * number for number in range(4)}
    assert "dlq_records" not in {row["metric_type"] for row in rows}
    assert len({row["metric_id"] for row in rows}) == len(rows) == len(samples)
    assert next(row["labels"] for row in rows if row["metric_type"] == "latency_ms") == [("region", "us-east-1")]


def test_what_was_seeded_is_read_at_once_and_is_not_seeded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_history, "spacing_of", lambda _day, _today: 12 * 3600)
    settings = Settings()
    source = SyntheticSource(settings.catalogue, seed=7, demo_started_at=NOW)
    with mock_aws():
        clients = Clients("us-east-1")
        clients.s3.create_bucket(Bucket=settings.bucket)
        Ledger(clients.s3, settings.bucket).reserve(date(2027, 1, 1))  # compaction is at it

        first = seed_history.seed_history(clients, settings, source, NOW, wanted=2)
        second = seed_history.seed_history(clients, settings, source, NOW, wanted=2)

        known = days_of(Ledger(clients.s3, settings.bucket).read())
        keys = [entry["Key"] for entry in clients.s3.list_objects_v2(Bucket=settings.bucket)["Contents"]]
    assert (first.days, second.days) == (2, 0)
    assert known.generations == {date(2027, 1, 1): 1, date(2026, 12, 31): 0}
    assert "history/metrics/year=2026/month=12/day=31/generation=0/seeded.parquet" in keys
