from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.jobs import JOB_STATUSES, JobRun
from dashboard.data.jobs_columns import Columns, empty, merged, since
from dashboard.data.jobs_query import (
    SORTS,
    RunQuery,
    matching,
    ordered,
    parse_query,
    rows_of,
)
from dashboard.data.request import ViewRequest

QUERY = RunQuery(0.0, 10_000.0, "production", {})


def run(at: float, **changes: object) -> JobRun:
    made = JobRun("load", f"r{at:g}", "SUCCESS", at, dataset="orders", ended_at=at + 10, records=5, worker="etl-1:9:1")
    return replace(made, **changes)  # type: ignore[arg-type]


def columns(*runs: JobRun) -> Columns:
    return merged(empty(), runs)


def found(held: Columns, **values: str) -> list[str]:
    return list(held.run_ids[matching(held, replace(QUERY, values=values))])


HELD = columns(
    run(100.0), run(200.0, job_name="export", status="FAILED", error="Disk FULL on etl-7", error_type="OSError"),
    run(300.0, status="STARTED", ended_at=None, batch="2026-05", records=None), run(400.0, environment="staging"),
)  # fmt: skip


def test_filters_are_exact_and_all_must_hold() -> None:
    assert found(HELD) == ["r100", "r200", "r300"]
    assert found(HELD, job="load", run_status="STARTED") == ["r300"]
    assert found(HELD, batch="2026-05") == ["r300"]
    assert found(HELD, dataset="order") == []


@pytest.mark.parametrize("text", ["disk full", "ETL-7", "oserror", "r200", "EXPORT"])
def test_text_is_sought_in_names_workers_and_errors_whatever_its_case(text: str) -> None:
    assert found(HELD, text=text) == ["r200"]


def test_a_run_belongs_to_every_range_it_ran_in() -> None:
    held = columns(run(100.0, ended_at=500.0), run(600.0), run(50.0, status="STARTED", ended_at=None))
    at = lambda start, end: list(held.run_ids[matching(held, replace(QUERY, start=start, end=end))])  # noqa: E731
    assert at(200.0, 300.0) == ["r50", "r100"]
    assert at(550.0, 700.0) == ["r50", "r600"]
    assert at(0.0, 40.0) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.sampled_from(JOB_STATUSES), st.integers(0, 4), st.booleans()),
        max_size=30, unique_by=lambda entry: entry[0],
    ),
    st.sampled_from([*SORTS, *(f"-{name}" for name in SORTS)]),
    st.sampled_from(["", "load-1", "load-3"]),
)  # fmt: skip
def test_columns_find_and_order_what_a_list_of_runs_would(
    entries: list[tuple[int, str, int, bool]], sort: str, job: str
) -> None:
    runs = [
        run(float(at), status=status, job_name=f"load-{kind}", ended_at=None if status == "STARTED" else at + kind,
            records=None if unknown else kind)
        for at, status, kind, unknown in entries
    ]  # fmt: skip
    held = columns(*runs)
    mask = matching(held, replace(QUERY, values={"job": job} if job else {}))
    rows = ordered(held, mask, sort, 1_000.0)
    expected = {one.run_id for one in runs if job in ("", one.job_name)}
    assert set(held.run_ids[rows]) == expected
    shown = [row[sort.removeprefix("-")] for row in rows_of(held, rows, "operator", 1_000.0)]
    known = [value for value in shown if value not in (None, "")]
    assert shown[: len(known)] == known, "what is not known comes last"
    key = (lambda value: value.lower()) if known and isinstance(known[0], str) else None
    assert known == sorted(known, key=key, reverse=sort.startswith("-"))  # type: ignore[type-var, arg-type]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("run_status", "GONE"), ("type", "both"), ("sort", "password"), ("sort", "--started"), ("sort", "{'x': 1}")],
)
def test_what_is_not_on_the_lists_is_refused_by_name(parameter: str, value: str) -> None:
    request = ViewRequest("jobs", "production", parameters=((parameter, value),))
    with pytest.raises(InvalidInput) as refused:
        parse_query(request, 1e9)
    assert refused.value.field == parameter


def test_displays_see_neither_words_of_errors_nor_names() -> None:
    held = columns(run(1.0, status="FAILED", error="E: card 4111", error_type="E", requested_by="ana@example.com"))
    row = rows_of(held, np.array([0]), "display", 9.0)[0]
    assert row["error"] == "E"
    assert row["requested_by"] == ""
    assert rows_of(held, np.array([0]), "viewer", 9.0)[0]["error"] == "E: card 4111"


def test_a_run_is_held_once_and_what_has_ended_does_not_go_on_again() -> None:
    going = run(5.0, status="STARTED", ended_at=None, records=None)
    held = merged(columns(run(1.0), going), [run(5.0), run(5.0)])
    assert list(held.run_ids) == ["r1", "r5"]
    assert held.text("status", 1) == "SUCCESS"
    assert merged(held, [going]) is held
    assert merged(held, [run(5.0)]) is held


def test_two_runs_that_began_at_the_same_moment_are_two() -> None:
    held = columns(run(1.0, run_id="a"), run(1.0, run_id="b"))
    assert sorted(merged(held, [run(1.0, run_id="b", records=9)]).run_ids) == ["a", "b"]


def test_old_runs_go_and_their_words_with_them() -> None:
    held = columns(*(run(float(at), batch=f"b{at}", error=f"e{at}") for at in range(2_000)))
    left = since(held, 0.0, 10)
    assert list(left.run_ids) == [f"r{at}" for at in range(1_990, 2_000)]
    assert len(left.words["batch"].list) == 10
    assert left.text("batch", 9) == "b1999"
    assert len(since(held, 1_995.0, 10_000)) == 5
