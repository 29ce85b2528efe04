"""Settings: defaults, the environment, pulseboard.toml; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.settings import CollectorSource, load_settings


def settings_of(path: Path, text: str) -> object:
    file = path / "pulseboard.toml"
    file.write_text(text, "utf-8")
    return load_settings({}, file)


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert (settings.bucket, settings.table) == ("infra-monitoring-pipeline-data", "InfraMetrics")
    assert settings.config.environment == "production"
    assert settings.config.collect == [CollectorSource("synthetic")]


def test_the_environment_says_where_things_are() -> None:
    settings = load_settings(
        {"S3_BUCKET": "b", "DYNAMODB_TABLE": "t", "REGION": "eu-west-1", "AWS_REGION": "us-west-2"}
    )
    assert (settings.bucket, settings.table, settings.region) == ("b", "t", "eu-west-1")


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_of_aws_tools_serves_where_none_is_given(variable: str) -> None:
    assert load_settings({variable: "eu-central-1"}).region == "eu-central-1"


def test_a_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulseboard.toml").write_text('environment = "staging"', "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings({}).config.environment == "staging"


def test_the_file_changes_thresholds_sources_and_limits(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        """
environment = "staging"
refresh_seconds = 30
[thresholds.cpu_utilization]
warning = 60
[limits]
scrape_timeout_seconds = 3
[[collect]]
source = "prometheus"
urls = ["http://127.0.0.1:9249/metrics"]
mapping = "flink"
[[collect]]
source = "host"
""",
        "utf-8",
    )
    settings = load_settings({"PULSEBOARD_CONFIG": str(file)})
    assert settings.catalogue["cpu_utilization"].warning == 60
    assert settings.config.refresh_seconds == 30
    assert settings.config.limits.scrape_timeout_seconds == 3
    assert [source.source for source in settings.config.collect] == ["prometheus", "host"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("environment = ", "pulseboard.toml"),
        ("enviroment = 'x'", "pulseboard.toml.enviroment"),
        ("environment = 5", "pulseboard.toml.environment"),
        ("refresh_seconds = '60'", "pulseboard.toml.refresh_seconds"),
        ("refresh_seconds = nan", "pulseboard.toml.refresh_seconds"),
        ("hot_refresh_seconds = 0", "pulseboard.toml.hot_refresh_seconds"),
        ("limits = 3", "pulseboard.toml.limits"),
        ("[limits]\nspool = 3", "pulseboard.toml.limits.spool"),
        ("[limits]\nspool_bytes = 1.5", "pulseboard.toml.limits.spool_bytes"),
        ("[limits]\nspool_bytes = -1", "pulseboard.toml.limits.spool_bytes"),
        ("[retention]\nlive_seconds = 0", "pulseboard.toml.retention.live_seconds"),
        ("collect = 3", "pulseboard.toml.collect"),
        ("collect = [3]", "collect[0]"),
        ("[[collect]]\nmapping = 'flink'", "collect[0].source"),
        ("[[collect]]\nsource = 'host'\ninterval_seconds = 0", "collect[0].interval_seconds"),
        ("[[collect]]\nsource = 'host'\n[[collect]]\nsource = 'prometheus'\nurls = [1]", "collect[1].urls[0]"),
        ("[thresholds.cpu]\nwarning = 3", "thresholds.cpu"),
        ("[thresholds]\ncpu_utilization = 3", "thresholds.cpu_utilization"),
        ("[thresholds.cpu_utilization]\nwarning = 99", "metric.cpu_utilization.warning"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings_of(tmp_path, text)
    assert caught.value.field == field


def test_a_file_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidInput, match=r"nowhere\.toml.*check PULSEBOARD_CONFIG"):
        load_settings({"PULSEBOARD_CONFIG": missing})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pulseboard.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"^pulseboard\.toml"):
        load_settings({}, file)
