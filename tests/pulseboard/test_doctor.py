"""The doctor names each problem with its remedy, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.local.engine import free_port
from pulseboard.commands.doctor import Finding, command, diagnose
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
    assert {finding.state for finding in found if finding.subject != "dead-letter queue"} == {"ok"}
    assert len(found) == 10


@pytest.mark.e2e
def test_what_does_not_exist_is_named(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {**stack.environment, "S3_BUCKET": "no-such-bucket", "DYNAMODB_TABLE": "NoSuchTable"}
    problems = {f.subject: f.text for f in findings(monkeypatch, environ) if f.state == "problem"}
    assert "does not exist" in problems["bucket no-such-bucket"]
    assert "does not exist" in problems["table NoSuchTable"]


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
