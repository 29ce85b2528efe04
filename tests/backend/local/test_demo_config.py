"""The demo keeps what the user configured and fills in the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.local.demo_config import demo_config
from backend.local.demo_jobs import BACKFILL, FAILING, HANGS, MISSED, REGULAR, STREAM
from backend.local.orders import PAID, PLACED, SHIPPED, Shop
from backend.settings import Config, load_config


def parsed(tmp_path: Path, text: str | None) -> Config:
    source = None
    if text is not None:
        source = tmp_path / "user.toml"
        source.write_text(text)
    result = tmp_path / "demo.toml"
    result.write_text(demo_config(source))
    return load_config(result)


def test_without_a_users_file_it_is_complete(tmp_path: Path) -> None:
    config = parsed(tmp_path, None)
    assert [entry.source for entry in config.collect] == ["synthetic", "host"]
    assert config.retention.live_seconds == 600
    assert config.refresh_seconds == 5.0
    assert config.events.shards == 1
    assert config.replay.slice_seconds == 20
    assert set(config.events.types) == {PLACED, PAID, SHIPPED}


def test_the_dead_letters_shown_are_the_event_processors_alone(tmp_path: Path) -> None:
    synthetic, _ = parsed(tmp_path, None).collect
    assert synthetic.leave_out == ["dlq_records"]


def test_the_orders_of_calm_times_fit_the_types(tmp_path: Path) -> None:
    types = parsed(tmp_path, None).events.types
    python = {"string": str, "number": (int, float), "array": list}
    calm = Shop(seed=7, started=1_795_000_000.0).between(1_795_000_000.0, 1_795_000_110.0)
    misfits = [
        sending.event
        for sending in calm
        for name, kind in types[sending.event["event_type"]].fields.items()
        if not isinstance(sending.event["payload"].get(name), python[kind])
    ]
    assert len(calm) > 100
    assert len(misfits) < len(calm) / 20


def test_what_the_user_says_wins(tmp_path: Path) -> None:
    text = 'refresh_seconds = 30.0\n[thresholds.cpu_utilization]\nwarning = 50\n[[collect]]\nsource = "host"\n'
    config = parsed(tmp_path, text)
    assert config.refresh_seconds == 30.0
    assert config.thresholds == {"cpu_utilization": {"warning": 50}}
    assert [entry.source for entry in config.collect] == ["host"]
    assert config.retention.live_seconds == 600


def test_a_wrong_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"refresh_second"):
        parsed(tmp_path, "refresh_second = 5\n")


def test_the_demos_jobs_are_watched(tmp_path: Path) -> None:
    config = parsed(tmp_path, None)
    assert {job.name for job in (*REGULAR, FAILING)} | {HANGS, MISSED, STREAM, BACKFILL} == set(config.jobs)
    assert {job.dataset for job in (*REGULAR, FAILING)} == set(config.datasets)
    assert config.jobs[MISSED].schedule == "every 2 minutes"


def test_links_in_alerts_lead_to_the_demos_dashboard(tmp_path: Path) -> None:
    result = tmp_path / "demo.toml"
    result.write_text(demo_config(None, "http://127.0.0.1:8050"))
    assert load_config(result).alerts.dashboard_url == "http://127.0.0.1:8050"
