"""Answers of questions, and a gallery that gives them: no Athena."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.contract.questions import BY_NAME, Answer, Asked
from dashboard.data.gallery import Reading
from dashboard.data.source import Source

START, END = 1_795_132_800.0, 1_795_219_200.0
"""20 November 2026, UTC."""
DONE = Source("history", scanned_bytes=12_300_000, dollars=0.0000615, key="key-1")
ROWS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "cpu_by_host": (("server-001", 41.25, 92.0, 20.0, 288), ("=cmd|'/c calc'!A1", None, None, None, 0)),
    "disk_above_warning": (
        ("server-002", START + 60, 88.5, START + 120, 84.0, 61.2, "no"),
        ("b", None, 81.0, START, 79.0, 3.0, "no"),
    ),
}  # fmt: skip


def asked(name: str = "cpu_by_host", **changes: Any) -> Asked:
    """A question about the production of that day."""
    return replace(Asked(BY_NAME[name], START, END, "production"), **changes)


def answer(name: str = "cpu_by_host", rows: tuple[tuple[Any, ...], ...] | None = None, **changes: Any) -> Answer:
    """An answer with a hostile name and with what is not known in it."""
    return Answer(asked(name, **changes), ROWS[name] if rows is None else rows)


class FakeGallery:
    """Gives what ``make`` says of a question; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.source = DONE
        self.rows = ROWS["cpu_by_host"]

    def ask(self, wanted: Asked, since: float = 0.0, wait: float = 0.0) -> Reading:
        self.asked.append(wanted)
        done = self.source.state == "done"
        return Reading(wanted, self.source, "SELECT 1", Answer(wanted, self.rows) if done else None)

    def limits(self) -> tuple[int | None, float]:
        return 10_000_000_000, 0.05

    def cancel(self, key: str) -> bool:
        self.source = replace(self.source, state="cancelled")
        return key == self.source.key

    def close(self) -> None:
        """Nothing runs."""
