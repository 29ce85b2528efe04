"""`pulseboard env` speaks for a demo that runs, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.contract.errors import InvalidInput
from backend.local import state
from pulseboard.commands.env import command

VALUES = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "S3_BUCKET": 'it\'s a "name" with $(spaces)'}


@pytest.mark.parametrize("quote", ['"', ""])
def test_the_shell_takes_the_exports(tmp_path: Path, quote: str) -> None:
    with state.held(tmp_path):
        state.publish(tmp_path, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "S3_BUCKET": "plain"})
        pulseboard = f"{sys.executable} -c 'from pulseboard.cli import main; main()' env --directory {tmp_path}"
        script = f'eval {quote}$({pulseboard}){quote}; echo "$AWS_ENDPOINT_URL $S3_BUCKET ${{AWS_PROFILE:-none}}"'
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, check=True, env={"AWS_PROFILE": "work"}
        )
    assert done.stdout == "http://127.0.0.1:4566 plain none\n"


def test_values_are_quoted(tmp_path: Path) -> None:
    with state.held(tmp_path):
        state.publish(tmp_path, VALUES)
        output = CliRunner().invoke(command, ["--directory", str(tmp_path)]).output
    done = subprocess.run(["sh", "-c", f'{output}\nprintf %s "$S3_BUCKET"'], capture_output=True, text=True, check=True)
    assert done.stdout == VALUES["S3_BUCKET"]


def test_without_a_demo_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--directory", str(tmp_path)])
    assert isinstance(result.exception, InvalidInput)
    assert "start `make demo`" in str(result.exception)


def test_what_a_killed_demo_left_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    with state.held(tmp_path):
        state.publish(tmp_path, VALUES)
        left = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(left)
    with pytest.raises(InvalidInput, match="no running demo"):
        state.read(tmp_path)


def test_a_directory_belongs_to_one_demo(tmp_path: Path) -> None:
    with state.held(tmp_path), pytest.raises(InvalidInput, match="a demo that is running"), state.held(tmp_path):
        pass
    with state.held(tmp_path):
        pass
