"""The doctor names each problem with its remedy, and nothing else."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from backend.local.engine import free_port
from pulseboard.commands.doctor import command, diagnose
from pulseboard.findings import Finding
from tests.local_stack import LocalStack

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}


@pytest.fixture(autouse=True)
def _no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def findings(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], config: Path | None = None) -> list[Finding]:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return list(diagnose(environ, config))


@pytest.mark.e2e
def test_a_deployed_stack_is_in_order(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(monkeypatch, dict(stack.environment))
    letters = ("dead-letter queue", "events' dead letters")
    assert {finding.state for finding in found if finding.subject not in letters} == {"ok"}
    assert len(found) == 25


@pytest.mark.e2e
def test_what_does_not_exist_is_named(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"S3_BUCKET": "no-such-bucket", "DYNAMODB_TABLE": "NoSuchTable", "EVENTS_TABLE": "NoSuchEvents"}
    environ = {**stack.environment, **wrong, "EVENT_QUEUE_URL": f"{stack.settings.event_queue_url}-gone"}
    problems = {f.subject: f.text for f in findings(monkeypatch, environ) if f.state == "problem"}
    assert "does not exist" in problems["table NoSuchEvents"]
    assert "does not exist" in problems["event queue"]
    assert "does not exist" in problems["bucket no-such-bucket"]
    assert "does not exist" in problems["table NoSuchTable"]


@pytest.mark.e2e
def test_raw_events_that_go_before_their_index_and_a_counter_that_is_not_there_are_problems(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text('[events]\nretention_days = 400\n[checks]\nexternal_count = "nowhere:count"\n')
    problems = {f.subject: f.text for f in findings(monkeypatch, dict(stack.environment), config)}
    assert "deploy with EventsRetentionDays=400" in problems["raw events"]
    assert problems["outside count"].startswith("checks.external_count: 'nowhere:count' can't be loaded")


def test_a_table_that_lacks_an_index_or_its_expiry_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for name, key in (("PipelineEvents", "entity_id"), ("EventGate", "event_id")):
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        problems = {f.subject: f.text for f in findings(monkeypatch, CREDENTIALS) if f.state == "problem"}
    assert "has no index event_id-index, correlation_id-" in problems["table PipelineEvents"]
    assert "time to live is not on" in problems["table EventGate"]


def test_a_plug_in_that_can_not_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text('[events.plugins]\naggregate = "no_such_module:thing"\n')
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    problems = {f.subject: f.text for f in findings(monkeypatch, environ, config) if f.state == "problem"}
    assert "events.plugins.aggregate: 'no_such_module:thing'" in problems["plug-ins"]


def test_an_endpoint_that_nobody_answers_is_a_problem_of_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    found = findings(monkeypatch, environ)
    assert {f.state for f in found if f.subject in ("bucket notification", "CloudWatch")} == {"problem"}
    assert "can't be reached" in found[1].text


def test_missing_credentials_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(monkeypatch, {"AWS_REGION": "us-east-1"})
    assert [f.subject for f in found if f.state == "problem"] == ["credentials"]


def test_a_wrong_configuration_is_the_only_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text("[thresholds.cpu_utilisation]\nwarning = 70\n")
    (finding,) = findings(monkeypatch, CREDENTIALS, config)
    assert finding.state == "problem"
    assert "cpu_utilisation" in finding.text


def test_problems_end_in_exit_code_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text("[limits]\nspool = 1\n")
    result = CliRunner().invoke(command, ["--config", str(config)])
    assert result.exit_code == 1
    assert result.output.startswith("problem  configuration: ")


def test_a_source_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pulseboard.toml"
    config.write_text(
        '[[collect]]\nsource = "host"\n\n[[collect]]\nsource = "prometheus"\nmapping = "none.toml"\n', "utf-8"
    )
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    problems = {f.subject: f.text for f in findings(monkeypatch, environ, config) if f.state == "problem"}
    assert "none.toml" in problems["collect[1] prometheus"]
    assert "collect[0] host" not in problems
