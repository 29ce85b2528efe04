"""What a shell sees: the whole command, exit code and all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from moto import mock_aws

from backend.aws import Clients
from backend.local.engine import free_port
from backend.settings import Settings
from pulseboard.cli import main


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pulseboard", *arguments])
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def test_an_import_with_bad_rows_ends_in_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("timestamp,value\n1795259200,1\n", "utf-8")
    bad.write_text("timestamp,value\n1795259200,1\nyesterday,2\n", "utf-8")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    common = ("--metric", "cpu_utilization", "--host", "h")
    with mock_aws():
        Clients("us-east-1").s3.create_bucket(Bucket=Settings().bucket)
        assert exit_code(monkeypatch, "ingest", "metrics", str(good), *common) == 0
        assert exit_code(monkeypatch, "ingest", "metrics", str(bad), *common) == 1


def test_aws_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("EVENT_QUEUE_URL", "REPLAY_QUEUE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1/queue")
    assert exit_code(monkeypatch, "replay", "list") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pulseboard: AWS: ")
    assert line.endswith("`pulseboard doctor` says what to mend")


def test_a_wrong_option_ends_in_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(monkeypatch, "collect", "--nonsense") == 2
