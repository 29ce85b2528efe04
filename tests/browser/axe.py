"""axe-core on a page: what it finds against WCAG 2.2 A and AA and the best practices that it knows.

``tests/data/axe`` holds axe-core 4.14.1 (MPL-2.0) as its package on npm has it. It is run by the debugger's door, for
the page's own policy lets no foreign script in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

SOURCE: Final = (Path(__file__).parents[1] / "data" / "axe" / "axe.min.js").read_text("utf-8")
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
LEFT_OUT: Final[dict[str, str]] = {}
"""Rules that are not asked, each with its reason."""
PICTURES: Final = "svg.main-svg"
"""Drawn by plotly, hidden from screen readers, thousands of elements: what they say is beside them in words."""
_RUN: Final = """async ([tags, only, out, pictures]) => {
  const runOnly = only ? {type: "rule", values: only} : {type: "tag", values: tags};
  const rules = Object.fromEntries(out.map((name) => [name, {enabled: false}]));
  const found = await axe.run({exclude: [[pictures]]}, {runOnly, rules, resultTypes: ["violations", "incomplete"]});
  const why = ({any, all, none}) => [...any, ...all, ...none].map((check) => check.message).join("; ");
  const brief = (list) => list.flatMap(({id, nodes}) =>
    nodes.map((node) => ({rule: id, at: node.target.flat().join(" "), why: why(node)})));
  return {violations: brief(found.violations), unsure: brief(found.incomplete), passes: found.passes.length};
}"""


@dataclass(frozen=True)
class Finding:
    """A rule that an element breaks, or of which axe can't say (``unsure``)."""

    rule: str
    at: str
    why: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.at} ({self.why})"


@dataclass(frozen=True)
class Report:
    """What was found on one look of a page."""

    violations: tuple[Finding, ...]
    unsure: tuple[Finding, ...]


def look(page: Page, only: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Report:
    """Runs every rule ``without`` some, or ``only`` these, on all of the document but the pictures of charts."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE)
    answer: dict[str, Any] = page.evaluate(_RUN, [list(TAGS), list(only) or None, [*LEFT_OUT, *without], PICTURES])
    return Report(*(tuple(Finding(**entry) for entry in answer[name]) for name in ("violations", "unsure")))
