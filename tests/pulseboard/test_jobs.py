"""`pulseboard jobs`: what it lists, and programs that it runs as jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from backend.aws import Clients
from backend.contract.job_items import run_item
from backend.contract.jobs import JobRun
from backend.jobs import program
from backend.jobs.reader import JobReader
from backend.jobs.run import Run
from backend.jobs.sdk import job, pending, wired
from backend.jobs.tracker import Tracker
from backend.settings import Settings
from pulseboard.cli import cli
from pulseboard.commands.jobs import ProgramFailed
from tests.template_resources import JOB_TABLES, create_tables

ROOT = Path(__file__).parents[2]
Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "test")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            clients = Clients("us-east-1")
            create_tables(clients.dynamodb, JOB_TABLES)
            yield clients


@pytest.fixture
def invoke(clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """The command as a process of its own would run it; its journal is the test's."""
    monkeypatch.setenv("PULSEBOARD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("REGION", "us-east-1")
    wired.cache_clear()
    yield lambda *arguments: CliRunner().invoke(cli, ["jobs", *arguments])
    wired(os.getpid()).close()
    wired.cache_clear()


@pytest.fixture
def reader(clients: Clients) -> JobReader:
    return JobReader(clients.dynamodb, Settings())


def test_runs_are_listed_newest_first_and_what_is_cut_is_said(invoke: Invoke, clients: Clients) -> None:
    at = 1_600_000_000.0
    runs = [
        JobRun("a", "r1", "SUCCESS", at, ended_at=at + 5, records=7),
        JobRun("b", "r2", "FAILED", at + 1, ended_at=at + 2, batch="2026-05", attempt=2, error_type="ValueError",
               error="\x1b[31mred\x1b[0m\nmore"),
        JobRun("c", "r3", "SUCCESS", at + 2, ended_at=at + 3),
    ]  # fmt: skip
    for run in runs:
        clients.dynamodb.put_item(TableName="JobRuns", Item=run_item(run))
    within = ("list", "--from", str(int(at)), "--to", str(int(at) + 60))
    assert invoke(*within, "--limit", "2").output.splitlines() == [
        invoke(*within, "--job", "c").output.rstrip(),
        "2020-09-13T12:26:41.000Z  FAILED         1.0 s  b [2026-05]  attempt 2  ValueError: ?[31mred?[0m",
        "the newest 2 of 3; see --limit",
    ]
    (record,) = [
        json.loads(text) for text in invoke(*within, "--job", "a", "--status", "SUCCESS", "--json").output.splitlines()
    ]
    assert (record["job_name"], record["records"], record["duration_seconds"]) == ("a", 7, 5.0)
    assert "no runs in this time" in invoke("list", "--from", "1500000000", "--to", "1500000060").output


@pytest.mark.parametrize(
    ("code", "said"), [(1, "exit code 1"), (137, "signal SIGKILL"), (163, "exit code 163"), (200, "exit code 200")]
)
def test_a_failed_program_says_its_signal_or_its_code(code: int, said: str) -> None:
    assert str(ProgramFailed(("load.sh",), code)) == f"load.sh: {said}"


def test_a_program_is_a_job_and_its_exit_code_is_the_commands(invoke: Invoke, reader: JobReader) -> None:
    good = invoke(
        "run", "good", "--dataset", "orders", "--batch", "a", "--", "sh", "-c", "echo pulseboard records=42; echo ok"
    )
    bad = invoke("run", "bad", "--", "sh", "-c", "exit 3")
    killed = invoke("run", "killed", "--", "sh", "-c", "kill -9 $$")
    assert (good.exit_code, bad.exit_code, killed.exit_code) == (0, 3, 137)
    assert "ok" in good.output
    runs = {run.job_name: run for run in reader.of_dataset("orders", 0, 4e9)}
    assert (runs["good"].status, runs["good"].records, runs["good"].batch) == ("SUCCESS", 42, "a")
    now = time.time()
    failed = {run.job_name: run for page in reader.runs(now - 600, now + 600) for run in page if run.status == "FAILED"}
    assert failed["bad"].error == "sh: exit code 3"
    assert failed["killed"].error == "sh: signal SIGKILL"
    again = invoke("run", "good", "--batch", "a", "--", "sh", "-c", "exit 9")
    assert again.exit_code == 75
    assert "again=True" in again.output


def test_a_program_whose_batch_is_taken_over_is_ended_with_a_line_and_a_code_of_its_own(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten: list[Run] = []

    def lose(tracker: Tracker, run: Run) -> None:
        run.lease_lost = True
        beaten.append(run)

    monkeypatch.setattr(Tracker, "_beat", lose)
    monkeypatch.setattr(wired(os.getpid())._heart, "_seconds", 0.01)
    monkeypatch.setattr(program, "LOOK_SECONDS", 0.02)
    lost = invoke("run", "overtaken", "--batch", "a", "--", "sleep", "60")
    assert (lost.exit_code, beaten[0].batch) == (76, "a")
    assert "batch 'a' of job 'overtaken' was taken over by another worker; sleep was ended" in lost.output


def test_a_program_that_is_not_there_is_one_line_and_a_failed_run(invoke: Invoke) -> None:
    missing = invoke("run", "missing", "--", "no-such-program")
    assert "can't be run (No such file or directory)" in str(missing.exception)


def test_pending_lists_what_has_not_succeeded(invoke: Invoke) -> None:
    pending("months", ["2026-01", "2026-02"])
    with job("months", batch="2026-01"):
        pass
    assert invoke("pending", "months").output.splitlines() == ["2026-02  pending", "1 of 2 batches have succeeded"]
    assert json.loads(invoke("pending", "months", "--json").output) == ["2026-02"]
    assert "has no batches" in str(invoke("pending", "nobody").exception)


def test_the_journal_is_delivered(invoke: Invoke, reader: JobReader) -> None:
    tracker = wired(os.getpid())
    run = JobRun("kept", "r9", "STARTED", 1_650_000_000.0)
    tracker.journal.add({"kind": "start", "run": run_item(run)})
    assert invoke("deliver").output.startswith("1 delivered, 0 put aside, 0 left in ")
    assert reader.get_many([("kept", run.run_key)]) == [run]
    assert invoke("deliver").output.startswith("0 delivered")


def test_importing_the_sdk_brings_nothing_of_the_dashboard_and_no_client_of_aws() -> None:
    code = "import sys; from pulseboard import job, pending; print(*sys.modules)"
    listed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {name.partition(".")[0] for name in listed.split()}
    assert {"backend", "pulseboard"} <= found
    heavy = {"dashboard", "dash", "flask", "plotly", "pandas", "numpy", "boto3", "botocore", "aws_lambda_powertools",
             "pydantic", "requests", "click"}  # fmt: skip
    assert heavy.isdisjoint(found)
