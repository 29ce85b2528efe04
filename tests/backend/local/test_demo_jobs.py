"""The demo's jobs: history and live runs tell one story."""

from __future__ import annotations

from functools import cache

import boto3
import pytest
from moto import mock_aws

from backend.contract.jobs import JobRun
from backend.jobs.calendars import OpenTime
from backend.jobs.reader import JobReader
from backend.jobs.volume import VolumeReport, hourly, report
from backend.local.demo_jobs import FAILING, HISTORY_DAYS, REGULAR, ended, fate, history
from backend.local.seed_jobs import seed_jobs
from backend.settings import Settings
from backend.settings_jobs import Calendar, DatasetConfig
from tests.template_resources import JOB_TABLES, create_tables

NOW = 1_795_262_400.0


@cache
def past() -> tuple[JobRun, ...]:
    return tuple(history(7, NOW))


def of(name: str) -> list[JobRun]:
    return [run for run in past() if run.job_name == name]


def test_a_run_always_goes_the_same_way() -> None:
    assert tuple(history(7, NOW)) == past()
    assert [fate(FAILING, 7, t) for t in range(5)] == [fate(FAILING, 7, t) for t in range(5)]


def test_another_seed_tells_another_story() -> None:
    assert [run.status for run in past()] != [run.status for run in history(8, NOW)]


def test_every_run_of_the_past_has_ended_and_says_that_it_is_synthetic() -> None:
    runs = past()
    assert all(run.ended_at is not None and run.started_at < run.ended_at <= NOW for run in runs)
    assert all(run.synthetic for run in runs)
    assert len({(run.job_name, run.run_key) for run in runs}) == len(runs)


def test_each_regular_job_reaches_back_four_weeks() -> None:
    for job in REGULAR:
        oldest = min(run.started_at for run in of(job.name))
        assert NOW - oldest > (HISTORY_DAYS - 1) * 86400


def test_failures_have_no_records_and_an_error_with_its_type() -> None:
    failed = [run for run in of("payments-sync") if run.status == "FAILED"]
    assert 0.15 < len(failed) / len(of("payments-sync")) < 0.35
    assert {run.error_type for run in failed} == {"TimeoutError", "ConnectionResetError"}
    assert all(run.records is None and run.error for run in failed)


@pytest.mark.parametrize("minute", [5, 20, 47])
def test_no_hour_of_the_past_or_of_the_first_live_ones_has_an_unusual_volume(minute: int) -> None:
    start = NOW + 60 * minute
    end, calendar = start + 3 * 3600, OpenTime(Calendar())
    before = list(history(7, start))
    for job in REGULAR:
        every = job.every_seconds
        live = [ended(job, 7, number * every) for number in range(int(start // every) + 1, int(end // every))]
        hours = hourly([*(run for run in before if run.job_name == job.name), *live], calendar.zone, end)
        for now in (start, end):
            assert report(hours, DatasetConfig(), calendar, now) == VolumeReport(), job.name


def test_what_failed_in_the_past_was_tried_again_within_its_hour() -> None:
    for job in REGULAR:
        loaded = {run.started_at // 3600 for run in of(job.name) if run.status == "SUCCESS"}
        assert loaded == set(range(int(min(loaded)), int(NOW // 3600)))


@mock_aws
def test_the_past_is_written_where_the_reader_finds_it() -> None:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    create_tables(dynamodb, JOB_TABLES)
    expected = [run for run in past() if run.started_at >= NOW - 86400]
    seeded = seed_jobs(dynamodb, Settings(), expected)
    found = [run for page in JobReader(dynamodb, Settings()).runs(NOW - 86400, NOW) for run in page]
    assert seeded.runs == len(expected) > 50
    assert sorted(found, key=lambda run: run.run_key) == sorted(expected, key=lambda run: run.run_key)
