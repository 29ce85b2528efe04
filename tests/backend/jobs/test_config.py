"""What the configuration says of jobs and datasets is looked at when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.settings import load_config


def load(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pulseboard.toml"
    file.write_text(text, "utf-8")
    load_config(file)


def test_jobs_and_datasets_that_can_be_used_are_taken(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
[jobs.orders-load]
schedule = "0 2 * * mon-fri"
time_zone = "Europe/Berlin"
remediation = { max_attempts = 3, quiet_hours = "22:00-06:00" }
[jobs.sessions]
schedule = "every 15 minutes"
[datasets.orders]
calendar = { days = ["mon", "fri"], hours = "22:00-06:00", time_zone = "Europe/Berlin", holidays = ["2026-12-25"] }
""",
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[jobs.load]\nschedule = 'daily'", "jobs.load.schedule"),
        ("[jobs.load]\ntime_zone = 'Berlin'", "jobs.load.time_zone"),
        ("[jobs.load]\nlimit_minutes = inf", "jobs.load.limit_minutes"),
        ("[jobs.load]\nlimit_minutes = 0", "jobs.load.limit_minutes"),
        ("[jobs.'@plans']", "jobs.@plans"),
        ("[jobs.load]\nremediation = {quiet_hours = 'night'}", "jobs.load.remediation.quiet_hours"),
        ("[jobs.load]\nremediation = {max_attempts = -1}", "jobs.load.remediation.max_attempts"),
        ("[jobs.load]\nremediation = {backoff_minutes = 0}", "jobs.load.remediation.backoff_minutes"),
        ("[datasets.orders]\nvolume_weeks = 60", "datasets.orders.volume_weeks"),
        ("[datasets.orders.calendar]\ndays = ['monday']", "datasets.orders.calendar.days[0]"),
        ("[datasets.orders.calendar]\nhours = '6-22'", "datasets.orders.calendar.hours"),
    ],
)
def test_what_is_wrong_is_named_when_the_file_is_loaded(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path, text)
    assert caught.value.field == field
