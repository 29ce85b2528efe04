"""Relative links and anchors in every Markdown file lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
SKIPPED = {".venv", ".uv", ".git", ".demo", "build", "node_modules"}


def markdown_files() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.md") if not SKIPPED & set(p.relative_to(ROOT).parts[:-1]))


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a file's headings."""
    slugs = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose(path)))
    return set(slugs)


def problem(page: Path, link: str) -> str | None:
    """What is wrong with a link; None for a good one and for one that leads outside."""
    if re.match(r"[a-z]+:", link):
        return None
    if link.startswith("/") and page.parent.name == "runbooks":
        # A page of the dashboard, which test_runbooks.py looks for.
        return None
    name, _, anchor = link.partition("#")
    target = (page.parent / name) if name else page
    if name.startswith("/") or not target.resolve().is_relative_to(ROOT):
        return f"{link} is not relative to the repository"
    if not target.exists():
        return f"{link} does not exist"
    if anchor and anchor not in anchors(target):
        return f"{link} has no such heading"
    return None


@pytest.mark.parametrize("page", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_relative_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(CODE.sub("", prose(page)))
    assert [found for link in links if (found := problem(page, link))] == []


def test_a_broken_link_is_noticed() -> None:
    readme = ROOT / "README.md"
    assert problem(readme, "docs/no-such-page.md") == "docs/no-such-page.md does not exist"
    assert problem(readme, "docs/architecture.md#no-such-heading") is not None
    assert problem(readme, "docs/architecture.md#levels-of-detail") is None
