"""Items of runs, batches and datasets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import example, given
from hypothesis import strategies as st

from backend.contract.job_items import (
    LEASE_ALLOWANCE_SECONDS,
    Batch,
    batch_item,
    batch_of,
    dataset_item,
    dataset_of,
    plan_items,
    plan_of,
    run_item,
    run_of,
)
from backend.contract.jobs import MAX_ERROR_BYTES, MAX_NAME, DatasetStatus, JobRun, VolumeFinding

AT = 1_795_266_000.5
HELD = Batch("load", "2026-05", "running", 2, 7, "r2", "k2", "host:1:MainThread", AT + 60, 3, AT)


MILLIS = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
RUNS = st.builds(
    JobRun,
    job_name=st.text(min_size=1, max_size=20),
    run_id=st.uuids().map(lambda value: value.hex),
    status=st.sampled_from(["STARTED", "SUCCESS", "FAILED"]),
    started_at=MILLIS,
    ended_at=st.none() | MILLIS,
    heartbeat_at=st.none() | MILLIS,
    batch=st.text(max_size=8),
    dataset=st.text(max_size=8),
    records=st.none() | st.integers(0, 2**53),
    progress=st.none() | st.floats(0, 1).map(lambda share: round(share, 6)),
    limit_seconds=st.none() | st.integers(1, 10**7).map(float),
    error=st.text(max_size=30),
    synthetic=st.booleans(),
)


@given(RUNS)
@example(JobRun("load", "r1", "SUCCESS", AT, records=2**53 + 1))
def test_a_run_comes_back_as_it_went_in(run: JobRun) -> None:
    back = run_of(run_item(run))
    assert replace(back, started_at=run.started_at, ended_at=run.ended_at, heartbeat_at=run.heartbeat_at) == run
    for name in ("started_at", "ended_at", "heartbeat_at"):
        assert (getattr(back, name) or 0) == pytest.approx(getattr(run, name) or 0, abs=0.0011)


def test_what_is_not_known_has_no_attribute_and_a_run_without_a_dataset_is_in_no_index_of_datasets() -> None:
    item = run_item(JobRun("load", "r1", "STARTED", AT))
    assert {"records", "ended_at", "dataset", "error"}.isdisjoint(item)
    assert TypeDeserializer().deserialize({"M": item})["status_day"] == "STARTED#2026-11-21"


def test_the_largest_run_fits_an_item() -> None:
    name = "\U0001f600" * MAX_NAME
    run = JobRun(name, "r" * 32, "FAILED", AT, dataset=name, batch=name, error="\U0001f600" * MAX_ERROR_BYTES,
                 error_type=name, worker=name, correlation_id=name)  # fmt: skip
    assert sum(len(key) + len(str(value).encode()) for key, value in run_item(run).items()) < 400_000


def test_a_batch_is_held_until_its_lease_is_over_and_pending_after() -> None:
    over = AT + 60 + LEASE_ALLOWANCE_SECONDS
    assert batch_of(batch_item(HELD)) == replace(HELD, updated_at=batch_of(batch_item(HELD)).updated_at)
    assert (HELD.state(over).status, HELD.state(over).leased_until) == ("running", AT + 60)
    assert (HELD.state(over + 0.1).status, HELD.state(over + 0.1).leased_until) == ("pending", None)


def test_a_plan_keeps_its_order_and_knows_what_each_batch_is_at() -> None:
    plan, entry = plan_items("load", ["2026-06", "2026-05", "2026-07"], AT)
    done = replace(HELD, batch="2026-06", status="succeeded")
    found = plan_of("load", [plan, batch_item(HELD), batch_item(done)], AT)
    assert found is not None
    assert [(state.batch, state.status) for state in found.batches] == [
        ("2026-06", "succeeded"), ("2026-05", "running"), ("2026-07", "pending"),
    ]  # fmt: skip
    assert [state.batch for state in found.remaining] == ["2026-07"]
    assert entry["run_key"] == {"S": "load"}


def test_batches_without_a_plan_are_shown_by_name_and_no_batches_are_no_plan() -> None:
    found = plan_of("load", [batch_item(replace(HELD, batch="b")), batch_item(replace(HELD, batch="a"))], AT)
    assert found is not None
    assert ([state.batch for state in found.batches], found.planned_at) == (["a", "b"], None)
    assert plan_of("load", [], AT) is None


def test_a_dataset_comes_back_as_it_went_in() -> None:
    volume = VolumeFinding(AT, 5, 100.0, 60.5, 140.0, 4, "median and MAD of 4 weeks")
    full = DatasetStatus("orders", "late", AT, AT - 60, "r1", "load", 5, 12.5, 60.0, AT, "always", volume, "note",
                         "staging", synthetic=True)  # fmt: skip
    bare = DatasetStatus("orders", "unknown", AT)
    assert dataset_of(dataset_item(full)) == full
    assert dataset_of(dataset_item(bare)) == bare
