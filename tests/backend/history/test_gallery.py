"""The ready-made questions against DuckDB, over tables laid out as Athena's: what each answers, and what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from pyathena.formatter import DefaultParameterFormatter

from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.questions import BY_NAME, QUESTIONS, Answer, Asked, rows_of
from backend.history.days import Days, LateObjects
from backend.history.gallery import question_query, question_statement
from backend.history.queries import query_names
from backend.history.series import Place
from tests.backend.history.lake import duckdb_sql

CATALOGUE = load_catalogue()
NOON = utc_seconds("2026-11-20T12:00:00.000Z")
HOUR = 3600.0
BUCKET = "data-bucket"
PLACE = Place(Days(), LateObjects(), BUCKET)
SAMPLES = (
    'metric_id varchar, "timestamp" double, metric_type varchar, "value" double, unit varchar, hostname varchar, '
    "region varchar, environment varchar, labels map(varchar, varchar), observations double[][], "
    "year int, month int, day int"
)
RUNS = (
    "job_name varchar, status varchar, started_at varchar, duration_seconds double, environment varchar, "
    "synthetic boolean"
)
LOOKS = (
    "dataset varchar, state varchar, checked_at varchar, freshness_minutes double, sla_minutes double, "
    "environment varchar, synthetic boolean"
)


class Athena:
    """Tables of the names and columns that Athena has, and PyAthena's own way to put values into a statement."""

    def __init__(self) -> None:
        self.db = duckdb.connect()
        self.db.execute("CREATE SCHEMA infra_monitoring_db; CREATE SCHEMA monitoring")
        self.db.execute(f'CREATE TABLE infra_monitoring_db.metrics ({SAMPLES}, "$path" varchar)')
        self.db.execute(f"CREATE TABLE infra_monitoring_db.metrics_parquet ({SAMPLES}, generation int)")
        self.db.execute(f"CREATE TABLE monitoring.job_runs ({RUNS}, year int, month int, day int)")
        self.db.execute(f"CREATE TABLE monitoring.dataset_status ({LOOKS}, year int, month int, day int)")
        self._ids = 0

    def sample(self, metric: str, at: float, value: float, host: str = "a", **labels: str) -> None:
        """A sample in its JSON partition; ``environment`` among the labels is the sample's own."""
        environment = labels.pop("environment", "production")
        self._ids += 1
        self.db.execute(
            "INSERT INTO infra_monitoring_db.metrics VALUES (?, ?, ?, ?, '', ?, '', ?, ?, NULL, ?, ?, ?, 'key')",
            [f"id-{self._ids}", at, metric, value, host, environment, labels or None, *_day(at)],
        )

    def record(self, table: str, at: float, *values: Any) -> None:
        """A line of a table of ``monitoring``."""
        holes = ", ".join("?" * (len(values) + 3))
        self.db.execute(f"INSERT INTO monitoring.{table} VALUES ({holes})", [*values, *_day(at)])

    def ask(self, asked: Asked) -> list[dict[str, Any]]:
        """The answer's rows, by column."""
        made = question_statement(asked, CATALOGUE, PLACE)
        text = DefaultParameterFormatter().format(made.sql, dict(made.values))
        found = self.db.execute(duckdb_sql(text))
        names = [column[0] for column in found.description or []]
        answer = Answer(asked, rows_of(asked.question, names, found.fetchall()))
        return [dict(zip([c.name for c in asked.question.columns], row, strict=True)) for row in answer.rows]


@pytest.fixture
def athena() -> Iterator[Athena]:
    tables = Athena()
    yield tables
    tables.db.close()


def _day(at: float) -> tuple[int, int, int]:
    day = date.fromisoformat(utc_text(at)[:10])
    return day.year, day.month, day.day


def ask(name: str, hours: float = 2, **changes: Any) -> Asked:
    return replace(Asked(BY_NAME[name], NOON, NOON + hours * HOUR, "production"), **changes)


def column(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_every_question_has_its_sql_and_every_such_file_its_question() -> None:
    named = {name.removeprefix("gallery_") for name in query_names() if name.startswith("gallery_")}

    assert named == BY_NAME.keys()
    for question in QUESTIONS:
        assert set(question.metrics) <= CATALOGUE.keys()
        assert question_query(Asked(question, 0, 1, "")).sql.startswith("SELECT")  # PyAthena quotes by that word


def test_cpu_is_told_by_host_within_the_range_and_the_environment(athena: Athena) -> None:
    for at, value in ((0, 20.0), (60, 40.0), (2 * HOUR, 99.0), (-1, 99.0)):
        athena.sample("cpu_utilization", NOON + at, value, "a")
    athena.sample("cpu_utilization", NOON, 70.0, "b")
    athena.sample("cpu_utilization", NOON, 95.0, "c", environment="staging")
    athena.sample("memory_usage", NOON, 95.0, "a")

    rows = athena.ask(ask("cpu_by_host"))

    assert column(rows, "host") == ["b", "a"]
    assert rows[1] == {"host": "a", "average_percent": 30, "highest_percent": 40, "lowest_percent": 20, "samples": 2}
    assert column(athena.ask(ask("cpu_by_host", host="a")), "host") == ["a"]


def test_memory_is_averaged_by_host_first_so_that_a_talkative_host_does_not_outweigh_the_others(
    athena: Athena,
) -> None:
    for second in range(0, 600, 60):
        athena.sample("memory_usage", NOON + second, 90.0, "often")
    athena.sample("memory_usage", NOON, 30.0, "seldom")
    athena.sample("memory_usage", NOON + HOUR, 50.0, "seldom")

    rows = athena.ask(ask("memory_trend"))

    assert column(rows, "hour_start") == [NOON, NOON + HOUR]
    assert column(rows, "average_percent") == [60, 50]
    assert column(rows, "fullest_host") == ["often", "seldom"]
    assert column(rows, "hosts") == [2, 1]


def test_a_disk_above_the_catalogue_s_warning_is_told_since_when(athena: Athena) -> None:
    warning = CATALOGUE["disk_usage"].warning
    assert warning is not None
    courses = {
        "again": (warning + 1, warning, warning + 2, warning + 4),
        "always": (warning + 1, warning + 1, warning + 1, warning + 1),
        "over": (warning + 9, warning, warning, warning - 1),
        "never": (warning, warning, warning, warning),
    }
    for host, values in courses.items():
        for minute, value in enumerate(values):
            athena.sample("disk_usage", NOON + 60 * minute, value, host)

    rows = {row["host"]: row for row in athena.ask(ask("disk_above_warning"))}

    assert list(rows) == ["over", "again", "always"]
    assert rows["again"]["above_since"] == NOON + 120
    assert rows["again"]["latest_percent"] == warning + 4
    assert rows["always"]["above_since"] == NOON
    assert rows["always"]["unbroken"] == "yes"
    assert rows["over"]["above_since"] is None
    assert rows["over"]["highest_at"] == NOON
    assert rows["over"]["share_percent"] == 25


def test_network_in_and_out_stand_beside_each_other_and_what_was_not_measured_is_not_zero(athena: Athena) -> None:
    athena.sample("network_in", NOON, 100.0, "a")
    athena.sample("network_in", NOON + 60, 300.0, "a")

    (row,) = athena.ask(ask("network_by_host"))

    assert (row["in_average_mbit"], row["in_peak_mbit"]) == (200, 300)
    assert (row["out_average_mbit"], row["out_peak_mbit"]) == (None, None)


def test_counts_are_of_all_environments_whatever_the_page_has_chosen(athena: Athena) -> None:
    athena.sample("cpu_utilization", NOON, 1.0, "a")
    athena.sample("cpu_utilization", NOON + 5, 1.0, "b")
    athena.sample("cpu_utilization", NOON, 1.0, "a", environment="staging")

    rows = athena.ask(ask("counts_by_type"))

    assert [(row["environment"], row["samples"], row["hosts"]) for row in rows] == [
        ("production", 2, 2),
        ("staging", 1, 1),
    ]
    assert rows[0]["last_at"] == NOON + 5


def test_peak_hours_take_a_counter_s_growth_across_resets_and_not_across_gaps(athena: Athena) -> None:
    athena.sample("cpu_utilization", NOON, 40.0, "a")
    athena.sample("cpu_utilization", NOON + 60, 60.0, "b")
    athena.sample("cpu_utilization", NOON + 86_400, 20.0, "a")
    for minute, total in enumerate((1000, 1600, 600, 1200)):  # ten a second, started anew in between
        for subtask in ("0", "1"):
            at = NOON + 60 * minute
            athena.sample("records_in", at, total, "jm", operator="map", subtask=subtask)
        athena.sample("records_in", at, total / 2, "jm", operator="sink")
        athena.sample("records_in", at, 2 * total, "jm", operator="source")
    athena.sample("records_in", NOON + 86_400, 999_999, "jm", operator="sink")

    rows = athena.ask(ask("peak_hours", hours=25))

    assert column(rows, "hour_of_day") == [12]
    assert rows[0]["cpu_average_percent"] == pytest.approx((30 + 60) / 2)
    assert rows[0]["records_per_second"] == pytest.approx(20)
    assert rows[0]["operator"] == "map"


def test_peak_hours_add_up_what_ran_together_and_not_what_ran_on_one_day_after_another(athena: Athena) -> None:
    for day in range(3):
        for minute, total in enumerate((0, 600, 1200)):
            athena.sample("records_in", NOON + 86_400 * day + 60 * minute, total, f"manager-{day}", operator="map")

    (row,) = athena.ask(ask("peak_hours", hours=72))

    assert row["records_per_second"] == pytest.approx(10)


def test_peak_hours_take_an_instant_that_came_twice_for_one(athena: Athena) -> None:
    for minute, totals in enumerate(((0,), (600, 599), (1200,))):
        for total in totals:
            athena.sample("records_in", NOON + 60 * minute, total, "jm", operator="map")

    (row,) = athena.ask(ask("peak_hours"))

    assert row["records_per_second"] == pytest.approx(10)


def test_jobs_are_told_by_how_they_ended_and_synthetic_ones_are_called_so(athena: Athena) -> None:
    for minute, seconds in enumerate((10.0, 20.0, 60.0)):
        at = NOON + 60 * minute
        athena.record("job_runs", at, "load", "SUCCESS", utc_text(at), seconds, "production", True)
    athena.record("job_runs", NOON, "load", "STARTED", utc_text(NOON), None, "production", False)
    athena.record("job_runs", NOON, "other", "SUCCESS", utc_text(NOON), 1.0, "staging", False)
    athena.record("job_runs", NOON - 60, "before", "SUCCESS", utc_text(NOON - 60), 1.0, "production", False)

    rows = athena.ask(ask("job_history"))

    assert [(row["job"], row["status"], row["runs"]) for row in rows] == [
        ("load", "STARTED", 1),
        ("load", "SUCCESS", 3),
    ]
    assert (rows[1]["average_seconds"], rows[1]["longest_seconds"]) == (30, 60)
    assert rows[1]["last_started"] == NOON + 120
    assert column(rows, "origin") == ["", "synthetic"]
    assert rows[0]["average_seconds"] is None


def test_a_dataset_that_was_not_known_to_be_fresh_was_not_fresh(athena: Athena) -> None:
    looks = (("fresh", 10.0), ("late", 90.0), ("late", 75.0), ("unknown", None))
    for quarter, (state, minutes) in enumerate(looks):
        at = NOON + 900 * quarter
        athena.record("dataset_status", at, "orders", state, utc_text(at), minutes, 60.0, "production", False)

    (row,) = athena.ask(ask("dataset_history"))

    assert (row["fresh_percent"], row["late_percent"], row["unknown_percent"]) == (25, 50, 25)
    assert (row["worst_late_minutes"], row["worst_at"]) == (30, NOON + 900)


def test_a_range_across_a_year_s_end_names_one_term_a_month() -> None:
    asked = ask(
        "cpu_by_host", start=utc_seconds("2026-12-30T12:00:00.000Z"), end=utc_seconds("2027-01-02T00:00:00.000Z")
    )

    made = question_statement(asked, CATALOGUE, PLACE)

    assert "year = 2026 AND month = 12 AND day BETWEEN 30 AND 31" in made.sql
    assert "year = 2027 AND month = 1 AND day = 1" in made.sql


def test_closed_days_are_read_from_parquet_with_the_columns_that_are_needed_alone() -> None:
    day = date(2026, 11, 20)
    made = question_statement(ask("cpu_by_host"), CATALOGUE, Place(Days({day: 3}), LateObjects(), BUCKET))

    assert "infra_monitoring_db.metrics " not in made.sql
    assert 'SELECT "value", "hostname" FROM infra_monitoring_db.metrics_parquet' in made.sql
    assert "generation = 3" in made.sql


@settings(max_examples=25)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_sql_in_a_filter_is_a_name_like_any_other(text: str) -> None:
    for asked in (ask("cpu_by_host", host=text), ask("job_history", environment=text)):
        made = question_statement(asked, CATALOGUE, PLACE)
        plain = replace(asked, host="a" if asked.host else "", environment="b")

        assert made.sql == question_statement(plain, CATALOGUE, PLACE).sql
        (parsed,) = sqlglot.parse(DefaultParameterFormatter().format(made.sql, dict(made.values)), read="athena")
        assert parsed is not None
        assert text in {literal.this for literal in parsed.find_all(sqlglot.exp.Literal)}


def test_a_range_of_ten_years_and_one_that_ends_before_it_begins_are_refused_by_name() -> None:
    for asked in (ask("cpu_by_host", start=NOON - 3650 * 86_400), ask("job_history", start=NOON + 86_400, end=NOON)):
        with pytest.raises(InvalidInput, match="from"):
            question_statement(asked, CATALOGUE, PLACE)
