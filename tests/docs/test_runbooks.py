"""Nobody is woken without a runbook, and what a runbook tells to open or to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import click
import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.checks import CHECKS
from backend.local.template import load_template
from dashboard.data import alerts, replay
from dashboard.data.request import parse_view_request
from dashboard.pages import PAGES
from dashboard.pages.alerts import PAGE as ALERTS
from pulseboard.cli import cli

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
CATALOGUE = load_catalogue()
ALARMS = {metric.key: metric.alarm.severity for metric in CATALOGUE.values() if metric.alarm}
OF_CHECKS = {check.name: check.severity for check in CHECKS}
OWN = (
    "job_failed", "job_hung", "job_lost", "job_missed", "none_succeeded", "dataset_late", "dataset_volume",
    "delivery_failed", "dead_letters", "unreadable_message", "access_denied", "data_quality", "raw_event", "group",
    "history_compaction", "execution_failed", "step_functions_dlq",
)  # fmt: skip
"""Kinds of alerts that Pulseboard raises itself, besides those of its checks."""
NAMES = sorted({*ALARMS, *OF_CHECKS, *OWN})
SECTIONS = ["What it means", "First look", "Fix", "Verify", "After"]
PAGE_OF_PATH = {page.path: page for page in (*PAGES, ALERTS)}
TABS = {"/alerts": alerts.TABS, "/replay": replay.TABS}
TEMPLATE = str(load_template())


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text("utf-8")


def commands(name: str) -> list[str]:
    """Every command of a page, fenced or inline, each on a line of its own."""
    page = text(name)
    fenced = re.findall(r"^ *```sh\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    pieces = [
        *"\n".join(fenced).splitlines(),
        *re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL)),
    ]
    return [" ".join(piece.split()) for piece in pieces]


def test_everything_that_alerts_has_a_runbook_and_no_page_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README") == NAMES


def test_the_index_names_each_with_its_severity() -> None:
    rows = dict(re.findall(r"^\| \[[^\]]+\]\((\w+)\.md\) \| (\w+) \|$", text("README"), re.MULTILINE))
    assert sorted(rows) == NAMES
    assert {name: rows[name] for name in ALARMS} == ALARMS
    assert {name: rows[name] for name in OF_CHECKS} == OF_CHECKS


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_sections_and_the_severity_of_its_alert(name: str) -> None:
    parts = re.split(r"^## (.+)$", text(name), flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(body.strip() for body in parts[2::2])
    severity = ALARMS.get(name) or OF_CHECKS.get(name)
    assert severity is None or parts[2].strip().startswith(f"**{severity}.** ")


@pytest.mark.parametrize("name", ["README", *NAMES])
def test_links_open_pages_with_filters_that_they_know(name: str) -> None:
    for link in re.findall(r"\]\((/[^)]*)\)", text(name)):
        parts = urlsplit(link)
        page, arguments = PAGE_OF_PATH[parts.path], dict(parse_qsl(parts.query))
        assert set(arguments) <= set(page.parameters), link
        assert arguments.get("tab", "") in ("", *TABS.get(parts.path, ())), link
        parse_view_request(page.name, arguments, "production", 1_795_000_000.0, page.parameters)


@pytest.mark.parametrize("name", ["README", *NAMES])
def test_commands_exist_with_the_options_that_are_given(name: str) -> None:
    for line in commands(name):
        if line.startswith("pulseboard "):
            assert _unknown(shlex.split(line)[1:]) == "", line


def _unknown(words: list[str]) -> str:
    """What the command line does not know among the words of a command; empty for a good one."""
    found: click.Command = cli
    context = click.Context(cli)
    while isinstance(found, click.Group) and words:
        inner = found.get_command(context, words[0])
        if inner is None:
            return words[0]
        found, words = inner, words[1:]
    options = {option for parameter in found.params for option in parameter.opts}
    return " ".join(word for word in words if word.startswith("--") and word not in options)


def test_a_wrong_command_is_noticed() -> None:
    assert _unknown(["replay", "dlq", "list"]) == ""
    assert _unknown(["replay", "dql"]) == "dql"
    assert _unknown(["replay", "create", "--dry-run", "--wet-run"]) == "--wet-run"


@pytest.mark.parametrize("name", NAMES)
def test_metrics_functions_and_alarms_that_are_named_exist(name: str) -> None:
    page = text(name)
    asked = re.findall(r"series\?metric=(\w+)", page)
    asked += [
        metric for names in re.findall(r"^for metric in (.+); do$", page, re.MULTILINE) for metric in names.split()
    ]
    assert [metric for metric in asked if metric not in CATALOGUE] == []
    functions = re.findall(r"/aws/lambda/([\w-]+)", page)
    assert [function for function in functions if f"'FunctionName': '{function}'" not in TEMPLATE] == []
    alarms_named = re.findall(r"\bpulseboard-(\w+)", page)
    assert [key for key in alarms_named if key not in ALARMS] == []
