"""The view of all samples: which days it has, and how long its statement gets."""

from __future__ import annotations

from datetime import date, timedelta

from backend.history.days import MOST_NAMED, MOST_NAMED_IN_ALL, Days, LateObjects, day_start
from backend.history.ledger import KEPT_DAYS, DayEntry, days_of
from backend.history.view import AHEAD_DAYS, view_days, view_statement
from tests.backend.history.lake import BUCKET

TODAY = date(2027, 1, 2)
NOW = day_start(TODAY) + 2.5 * 3600
PARQUET = DayEntry("parquet", 0, 1)
AHEAD = TODAY + timedelta(days=AHEAD_DAYS)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def statement(wanted: list[date], days: Days, late: LateObjects | None = None) -> str:
    return view_statement(wanted, days, late or LateObjects(), bucket=BUCKET)


def test_it_goes_from_the_first_known_day_to_some_days_ahead() -> None:
    wanted = view_days({ago(9): PARQUET, ago(1): PARQUET}, [], NOW)
    assert (wanted[0], wanted[-1], len(wanted)) == (ago(9), AHEAD, 9 + AHEAD_DAYS + 1)
    assert view_days({ago(9): PARQUET}, [ago(20)], NOW)[0] == ago(20), "a day that is still to be compacted"
    assert view_days({ago(KEPT_DAYS + 3): PARQUET}, [], NOW)[0] == ago(KEPT_DAYS)
    assert view_days({}, [], NOW)[0] == ago(1), "nothing is known yet"


def test_known_days_are_parquet_and_all_others_json_and_every_row_has_its_day() -> None:
    index = {ago(4): PARQUET, ago(3): DayEntry("empty"), ago(2): DayEntry("parquet", 3, 4), ago(1): DayEntry()}
    parquet, json = statement(view_days(index, [], NOW), days_of(index)).split("UNION ALL")
    assert parquet.startswith("CREATE OR REPLACE VIEW infra_monitoring_db.samples AS\n")
    assert '"observations", "year", "month", "day" FROM infra_monitoring_db.metrics_parquet' in parquet
    assert "(year = 2026 AND month = 12 AND day = 29 AND generation = 0)" in parquet
    assert "(year = 2026 AND month = 12 AND day = 31 AND generation = 3)" in parquet
    assert "((year = 2027 AND month = 1 AND day BETWEEN 1 AND 16))" in json


def test_conditions_on_days_get_through_each_part() -> None:
    late = LateObjects.of([(ago(2), "metrics/late.json")])
    _, json, beside = statement([ago(2), ago(1)], Days({ago(2): 0}), late).split("UNION ALL")
    for part in (json, beside):
        assert 'PARTITION BY "environment", "metric_id", "timestamp", "year", "month", "day" ' in part
    assert 'late."day" = kept."day"' in beside
    assert f"'s3://{BUCKET}/metrics/late.json'" in beside


def test_the_same_ledger_makes_the_same_statement() -> None:
    index = {ago(2): PARQUET, ago(1): PARQUET}
    again = dict(reversed(index.items()))
    wanted = view_days(index, [], NOW)
    assert statement(wanted, days_of(index)) == statement(wanted, days_of(again))


def test_the_longest_view_is_a_short_statement() -> None:
    wanted = view_days({ago(KEPT_DAYS): PARQUET}, [], NOW)
    usual = statement(wanted, Days({day: 0 for day in wanted if day < TODAY}))
    assert len(usual) < 4_000
    key = "metrics/" + "k" * 100
    crowded = {day: tuple(f"{key}{n}" for n in range(MOST_NAMED)) for day in wanted[: MOST_NAMED_IN_ALL // MOST_NAMED]}
    worst = statement(wanted, Days({day: n for n, day in enumerate(wanted) if n % 3}), LateObjects(crowded))
    assert len(worst) < 256_000 / 2
