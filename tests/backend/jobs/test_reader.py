"""What is read of runs, plans and datasets; and ``pending``."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.contract.job_items import dataset_item, run_item
from backend.contract.jobs import DatasetStatus, JobRun
from backend.jobs.reader import KEYS_AT_ONCE, JobReader
from backend.jobs.sdk import job, pending
from backend.settings import Settings
from tests.backend.jobs.tracking import Tracking

DAY = 86_400.0
AT = 1_600_000_000.0
"""Long before the runs of other tests."""


def put(tracking: Tracking, *runs: JobRun) -> None:
    for run in runs:
        tracking.clients.dynamodb.put_item(TableName=tracking.settings.job_runs_table, Item=run_item(run))


def test_runs_of_a_range_come_of_every_status_and_day_and_of_no_other_time(tracking: Tracking) -> None:
    runs = [
        JobRun("ranged", "r1", "SUCCESS", AT, ended_at=AT + 1),
        JobRun("ranged", "r2", "FAILED", AT + 5, ended_at=AT + 6, dataset="ranged"),
        JobRun("ranged", "r3", "STARTED", AT + DAY, dataset="ranged"),
        JobRun("ranged", "r4", "STARTED", AT + 2 * DAY),
    ]
    put(tracking, *runs)
    found = [run for page in tracking.reader.runs(AT, AT + 2 * DAY) for run in page]
    assert sorted(run.run_id for run in found) == ["r1", "r2", "r3"]
    assert [run.run_id for run in tracking.reader.started(AT + 2 * DAY + 60, days=2)] == ["r3", "r4"]
    assert [run.run_id for run in tracking.reader.of_dataset("ranged", AT, AT + DAY)] == ["r2"]
    assert found[0] == runs[0]


class Throttled:
    """DynamoDB that leaves out what it is asked for, twice."""

    def __init__(self) -> None:
        self.left = 2

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's
        self.left -= 1
        return {"Responses": {}, "UnprocessedKeys": RequestItems if self.left >= 0 else {}}


def test_keys_that_a_table_has_no_room_for_are_asked_for_later_and_later() -> None:
    dynamodb: Any = Throttled()
    waits: list[float] = []
    JobReader(dynamodb, Settings(), sleep=waits.append).get_many([("load", "r")])
    assert waits == [0.05, 0.1]


def test_many_runs_are_read_by_their_keys_in_their_order(tracking: Tracking) -> None:
    runs = [JobRun("many", f"r{number}", "STARTED", AT + number) for number in range(KEYS_AT_ONCE + 5)]
    put(tracking, *runs)
    keys = [(run.job_name, run.run_key) for run in reversed(runs)]
    found = tracking.reader.get_many([*keys, ("many", "nowhere"), keys[0]])
    assert found == [*reversed(runs)]


def test_datasets_come_by_name(tracking: Tracking) -> None:
    statuses = [DatasetStatus("b", "late", AT), DatasetStatus("a", "fresh", AT, records=5)]
    for status in statuses:
        tracking.clients.dynamodb.put_item(TableName=tracking.settings.datasets_table, Item=dataset_item(status))
    assert tracking.reader.datasets() == (statuses[1], statuses[0])


def test_a_backfill_goes_on_where_it_stopped(tracking: Tracking) -> None:
    months = [f"2026-{month:02}" for month in range(1, 13)]

    def backfill() -> None:
        for month in pending("backfill", months, tracker=tracking.tracker):
            with job("backfill", batch=month, tracker=tracking.tracker):
                if month == "2026-05" and len(done) == 4:
                    done.append("died")
                    raise ValueError("out of memory")
                done.append(month)

    done: list[str] = []
    with pytest.raises(ValueError, match="out of memory"):
        backfill()
    plan = tracking.reader.plan("backfill")
    assert plan is not None
    assert [state.status for state in plan.batches] == ["succeeded"] * 4 + ["failed"] + ["pending"] * 7
    assert (plan.batches[4].error, plan.batches[4].attempts) == ("out of memory", 1)
    assert [state.batch for state in plan.remaining] == months[4:]
    backfill()
    assert done == [*months[:4], "died", *months[4:]]
    assert pending("backfill", months, tracker=tracking.tracker) == []
    assert "backfill" in {found.job_name for found in tracking.reader.plans()}


def test_pending_keeps_the_order_given_and_writes_its_plan_only_when_it_changed(tracking: Tracking) -> None:
    def planned_at() -> float | None:
        plan = tracking.reader.plan("ordered")
        assert plan is not None
        return plan.planned_at

    clock = [AT]
    tracker = tracking.other(clock=lambda: clock[0])
    assert pending("ordered", ["b", "a", "b"], tracker=tracker) == ["b", "a"]
    clock[0] += 60
    assert pending("ordered", ["b", "a"], tracker=tracker) == ["b", "a"]
    assert planned_at() == AT
    assert pending("ordered", ["b", "a", "c"], tracker=tracker) == ["b", "a", "c"]
    assert planned_at() == AT + 60


def test_pending_never_guesses(tracking: Tracking) -> None:
    lost = tracking.again()
    lost._store._table = "NoSuchTable"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        pending("x", ["a"], tracker=lost)


@pytest.mark.parametrize("batches", ["2026-01", ["@plan"], [""], [5], ["x" * 200 + str(number) for number in range(2)]])
def test_pending_refuses_what_is_no_list_of_names(tracking: Tracking, batches: list[str]) -> None:
    with pytest.raises(InvalidInput, match="batches"):
        pending("x", batches, tracker=tracking.tracker)


def test_a_plan_that_no_item_holds_is_refused(tracking: Tracking) -> None:
    with pytest.raises(InvalidInput, match="in parts"):
        pending("x", [f"{number:0>150}" for number in range(2_500)], tracker=tracking.tracker)


def test_pending_pages_through_all_batches(tracking: Tracking) -> None:
    with job("paged", batch="b-0000", tracker=tracking.tracker):
        pass
    item = tracking.clients.dynamodb.get_item(
        TableName=tracking.settings.job_runs_table,
        Key={"job_name": {"S": "@batches#paged"}, "run_key": {"S": "b-0000"}},
    )["Item"]
    names = [f"b-{number:04}" for number in range(120)]
    for name in names[1:]:
        copied = {**item, "run_key": {"S": name}, "error": {"S": "x" * 10_000}}
        tracking.clients.dynamodb.put_item(TableName=tracking.settings.job_runs_table, Item=copied)
    assert pending("paged", [*names, "left"], tracker=tracking.tracker) == ["left"]
