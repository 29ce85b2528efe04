"""The campaign's table, and its place in ``docs/reliability.md``. Pure but for writing the page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chaos.campaign import Result
from chaos.ledger import FLOWS, Balance

PAGE: Final = Path("docs/reliability.md")
BEGIN: Final = "<!-- rendered by python -m chaos --write: begin -->"
END: Final = "<!-- rendered by python -m chaos --write: end -->"
_NAMED: Final = 5
"""Ids of lost things that are named."""


def line(result: Result) -> str:
    """A case in one line."""
    total = result.total
    recovery = ", ".join(f"{name} {_seconds(value)}" for name, value in result.recovery.items())
    unsettled = "".join(
        f"; {flow}: lost {_ids(entry.lost)} doubled {_ids(entry.doubled)}"
        for flow, entry in result.balances.items()
        if not entry.even
    )
    return (
        f"{result.case}: {total.accepted} accepted, {len(total.lost)} lost, {len(total.doubled)} doubled, "
        f"{result.miscounted} miscounted, "
        f"oldest data shown {result.seen.worst_age:.0f} s, recovery {recovery}, hits {dict(result.hits)}, "
        f"refusals {dict(result.refusals)}, dead letters {result.dead_letters}, unwritten {result.unwritten}, "
        f"pages {dict(result.seen.problems) or 'fine'}, probes {dict(result.probes)}{unsettled}"
    )


def render(results: Sequence[Result], seconds: float, started: float, ended: float) -> str:
    """The table with its totals, Markdown. Times are epoch seconds, ``seconds`` the length of each fault."""
    moment = datetime.fromtimestamp(started, UTC)
    head = (
        f"Run on {moment:%Y-%m-%d %H:%M} UTC, {(ended - started) / 60:.0f} minutes, each fault {seconds:g} s, on "
        f"{_machine()}: `make chaos SECONDS={seconds:g}`."
    )
    rows = [
        "| dependency or process | fault | requests that met it | lost | doubled | pages | oldest data shown | fresh "
        "data again after | event processed after | alert told after | dead letters redriven |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *map(_row, results),
    ]
    return "\n".join([head, "", *rows, "", _totals(results), ""])


def write(page: Path, text: str) -> None:
    """Puts the text between the page's markers. Raises ValueError for a page without them."""
    whole = page.read_text("utf-8")
    head, begin, rest = whole.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the table: {BEGIN} and {END} are missing")
    page.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}", "utf-8")


def _row(result: Result) -> str:
    total, recovery = result.total, result.recovery
    pages = "last good data kept" if result.seen.stale else "fresh"
    cells = [
        result.case.target,
        str(result.case.kind),
        _met(result),
        str(len(total.lost)),
        str(len(total.doubled) + result.miscounted),
        pages if result.seen.fine else "; ".join(sorted(result.seen.problems)),
        f"{result.seen.worst_age:.0f} s",
        *(_seconds(recovery.get(name)) for name in ("pages", "event", "alert")),
        ", ".join(f"{count} of {queue}" for queue, count in result.dead_letters.items()) or "-",
    ]
    return f"| {' | '.join(cells)} |"


def _totals(results: Sequence[Result]) -> str:
    flows = {
        flow: sum((result.balances.get(flow, Balance()) for result in results), Balance()) for flow in FLOWS
    }  # fmt: skip
    rows = ["| what was counted | accepted | found in its place | lost | doubled |", "|---|---|---|---|---|"]
    rows += [
        f"| {FLOWS[flow]} | {entry.accepted:,} | {entry.found:,} | {len(entry.lost)} | {len(entry.doubled)} |"
        for flow, entry in flows.items()
    ]
    refused = sum((Counter(result.refusals) for result in results), Counter[str]())
    said = f"{sum(refused.values()):,} times a producer was told no, or nothing, and sent the same again. "
    said += f"{sum(result.unwritten for result in results)} samples were in a killed agent's memory only."
    return "\n".join([*rows, "", said])


def _met(result: Result) -> str:
    """Requests that met the fault; who found nobody listening can't be counted."""
    if result.case.kind == "refused":
        return "not counted"
    met = sum(count for act, count in result.hits.items() if act != "pass")
    return f"{met} killed" if result.case.kind == "killed" else f"{met:,}"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB of memory"


def _seconds(value: float | None) -> str:
    return "not in time" if value is None else f"{value:.0f} s"


def _ids(entries: Sequence[str]) -> str:
    more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    return ", ".join(entries[:_NAMED]) + more if entries else "none"
