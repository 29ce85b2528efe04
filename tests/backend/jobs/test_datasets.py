"""Freshness of datasets in the time in which data is expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.contract.jobs import DatasetStatus, JobRun, VolumeFinding
from backend.jobs.datasets import late_sentence, says_more, status_of, volume_sentence
from backend.settings_jobs import Calendar, DatasetConfig

BERLIN = "Europe/Berlin"
WEEKDAYS = Calendar(["mon", "tue", "wed", "thu", "fri"], "06:00-22:00", BERLIN)
CONFIG = DatasetConfig(sla_minutes=120, calendar=WEEKDAYS)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


def loaded(text: str, records: int | None = 5) -> JobRun:
    return JobRun("load", text, "SUCCESS", at(text) - 600, dataset="orders", ended_at=at(text), records=records)


def status(
    now: str, *runs: JobRun, config: DatasetConfig | None = CONFIG, before: DatasetStatus | None = None
) -> DatasetStatus:
    return status_of("orders", config, runs, before, at(now), "production")


def test_a_weekend_is_no_lateness() -> None:
    found = status("2026-11-23T06:30", loaded("2026-11-20T21:00"))
    assert (found.state, found.freshness_minutes) == ("fresh", 90.0)
    assert found.due_at == at("2026-11-23T07:00")
    assert found.calendar == "Mon to Fri 06:00 to 22:00 Europe/Berlin"
    late = status("2026-11-23T07:01", loaded("2026-11-20T21:00"))
    assert (late.state, late.freshness_minutes) == ("late", 121.0)
    assert late_sentence(late) == (
        "orders was last loaded 2 h 1 min of expected time (Mon to Fri 06:00 to 22:00 Europe/Berlin) ago; "
        "its SLA is 2 h"
    )


def test_an_hour_that_clocks_skip_does_not_age_a_dataset() -> None:
    nightly = DatasetConfig(sla_minutes=120, calendar=Calendar(hours="01:00-05:00", time_zone=BERLIN))
    spring = status("2026-03-29T04:00", loaded("2026-03-29T01:00"), config=nightly)
    autumn = status("2026-10-25T03:00", loaded("2026-10-25T01:00"), config=nightly)
    assert (spring.state, spring.freshness_minutes) == ("fresh", 120.0)
    assert (autumn.state, autumn.freshness_minutes) == ("late", 180.0)


def test_what_was_never_loaded_is_unknown_and_what_has_no_sla_is_too() -> None:
    assert status("2026-11-20T12:00").state == "unknown"
    found = status("2026-11-20T12:00", loaded("2026-11-20T11:59"), config=None)
    assert (found.state, found.sla_minutes, found.last_success_at) == ("unknown", None, at("2026-11-20T11:59"))


def test_a_worker_whose_clock_is_ahead_keeps_no_dataset_fresh() -> None:
    ahead = replace(loaded("2026-11-20T18:00"), heartbeat_at=at("2026-11-20T11:00"))
    assert status("2026-11-20T13:01", ahead).state == "late"
    unheard = loaded("2026-11-20T18:00")
    first = status("2026-11-20T11:00", unheard)
    assert first.last_success_at == at("2026-11-20T11:00")
    assert status("2026-11-20T13:01", unheard, before=first).state == "late"


def test_only_success_counts_and_the_newest_of_them() -> None:
    failed = replace(loaded("2026-11-20T11:00"), status="FAILED")
    found = status("2026-11-20T12:00", loaded("2026-11-20T10:30", 7), loaded("2026-11-20T10:00"), failed)
    assert (found.last_run_id, found.records, found.job_name) == ("2026-11-20T10:30", 7, "load")
    later = status("2026-11-20T12:30", loaded("2026-11-20T09:00"), before=found)
    assert (later.last_run_id, later.freshness_minutes) == ("2026-11-20T10:30", 120.0)


def test_a_status_is_written_when_it_says_something_new_or_is_five_minutes_old() -> None:
    run = loaded("2026-11-20T11:00")
    first = status("2026-11-20T11:30", run)
    assert says_more(first, None)
    assert not says_more(status("2026-11-20T11:31", run, before=first), first)
    assert says_more(status("2026-11-20T11:35", run, before=first), first)
    assert says_more(status("2026-11-20T11:31", loaded("2026-11-20T11:31"), before=first), first)


def test_an_odd_volume_says_what_was_usual() -> None:
    found = replace(status("2026-11-20T12:00"), volume=VolumeFinding(0.0, 120, 1000.0, 500.0, 1500.0, 4, "m"))
    assert volume_sentence(found) == (
        "orders got 120 records in an hour, fewer than the 500 to 1,500 of the same hour in 4 weeks before"
    )
    assert volume_sentence(replace(found, volume=None)) == ""
