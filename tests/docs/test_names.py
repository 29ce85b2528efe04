"""Names that the pages give (parameters, targets, commands, decisions) exist, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.local.template import load_template
from dashboard.actions import ACTIONS
from pulseboard.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/deploy.md", "docs/configuration.md", "docs/architecture.md")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code(name: str) -> str:
    """The code of a page, fenced and inline, each piece on lines of its own."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text(name), re.MULTILINE | re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", text(name))])


def test_each_parameter_of_the_template_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text("docs/deploy.md"), re.MULTILINE))
    parameters = load_template()["Parameters"]
    shown = {
        name: f"`{p['Default'] or 'empty'}`" if "Default" in p else "none, required" for name, p in parameters.items()
    }
    assert rows == shown


@pytest.mark.parametrize("page", PAGES)
def test_each_make_target_that_is_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"^(?:PULSEBOARD_\w+=\S+ )?make ([a-z]+)", code(page), re.MULTILINE))
    assert named - targets == set()


def test_each_action_of_the_pages_is_documented_with_its_body() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \|$", text("docs/access.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert set(ACTIONS) - named == set()


def test_each_command_is_in_the_readme() -> None:
    assert [name for name in COMMANDS if f"`pulseboard {name}" not in text("README.md")] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_command_that_is_named_exists(page: str) -> None:
    named = set(re.findall(r"(?:^|\()pulseboard ([a-z]+)", code(page), re.MULTILINE))
    assert named - set(COMMANDS) == set()


def test_each_decision_is_in_the_index() -> None:
    files = {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
    assert set(re.findall(r"\((0[\w-]+\.md)\)", text("docs/adr/README.md"))) == files


@pytest.mark.parametrize("path", sorted((ROOT / "docs/adr").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_context_decision_and_consequences(path: Path) -> None:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert headings[0].startswith(path.name[:4])
    assert headings[1:] == ["Context", "Decision", "Consequences"]
