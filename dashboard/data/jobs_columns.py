"""Job runs as columns: a hundred thousand of them are filtered and sorted in milliseconds, without a query.

Texts are kept once, in words; a column holds their numbers. Columns are never changed: what comes in makes new ones, so
a reader works on what it was given while the next ones are made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.contract.jobs import JobRun
from dashboard.data.jobs_errors import group_key, normalised

Codes = NDArray[np.int32]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

TEXTS: Final = (
    "job_name", "type", "dataset", "batch", "status", "worker", "requested_by", "error", "error_type", "environment",
    "failure", "failure_words",
)  # fmt: skip
"""``failure`` is the key of a failed run's group and ``failure_words`` what its error says. They are made once, as a
run comes in: a text costs a thousand times what a filter does."""
NUMBERS: Final = ("started_at", "ended_at", "records", "attempt", "limit_seconds", "synthetic")
MAX_ERROR: Final = 300
"""Characters kept of an error: what rows and groups need. The drawer reads the run itself."""


class Words:
    """The distinct texts of one column, numbered as they come. Grows only: a number never changes its meaning."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._codes: dict[str, int] = {}
        self._lowered: list[str] = []
        self._ranks: Codes = np.empty(0, np.int32)

    def code(self, text: str) -> int:
        """The number of a text, a new one where it was never seen."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.list)
            self.list.append(text)
        return code

    def find(self, text: str) -> int:
        """The number of a text, -1 where no run has it."""
        return self._codes.get(text, -1)

    def containing(self, needle: str, codes: Codes) -> Mask:
        """For each of ``codes`` whether its text holds ``needle``, whatever the case. Each word is looked at once."""
        lowered = self._lowered
        if len(lowered) < len(self.list):
            lowered = self._lowered = [word.lower() for word in self.list.copy()]
        wanted = needle.lower()
        if len(lowered) <= len(codes):
            return np.fromiter((wanted in word for word in lowered), np.bool_, len(lowered))[codes]
        used, inverse = np.unique(codes, return_inverse=True)
        return np.fromiter((wanted in lowered[code] for code in used.tolist()), np.bool_, len(used))[inverse]

    def ranks(self) -> Codes:
        """For each word its place in the alphabet, so that codes can be sorted as their texts would be."""
        if len(self._ranks) < len(self.list):
            words = self.list.copy()
            ranks = np.empty(len(words), np.int32)
            ranks[sorted(range(len(words)), key=lambda code: words[code].lower())] = np.arange(len(words))
            self._ranks = ranks
        return self._ranks


@dataclass(frozen=True, slots=True)
class Columns:
    """Runs in the order of their starts. What is not known of a number is NaN."""

    words: dict[str, Words]
    codes: dict[str, Codes]
    numbers: dict[str, Numbers]
    run_ids: NDArray[Any]

    def __len__(self) -> int:
        return len(self.run_ids)

    def text(self, column: str, row: int) -> str:
        """The text of one row."""
        return self.words[column].list[int(self.codes[column][row])]

    def is_(self, column: str, text: str) -> Mask:
        """Which rows have exactly this text."""
        return np.asarray(self.codes[column] == self.words[column].find(text))

    def taken(self, rows: Index | Mask) -> Columns:
        """These rows only."""
        return Columns(
            self.words,
            {name: values[rows] for name, values in self.codes.items()},
            {name: values[rows] for name, values in self.numbers.items()},
            self.run_ids[rows],
        )

    def row_of(self, started_at: float, run_id: str) -> int | None:
        """Where a run stands, None where it is not held. Starts travel as text of microseconds."""
        starts = self.numbers["started_at"]
        first, last = np.searchsorted(starts, [started_at - 1e-5, started_at + 1e-5], side="left")
        return next((int(row) for row in range(first, last) if self.run_ids[row] == run_id), None)

    @property
    def bytes(self) -> int:
        """Memory of arrays and texts, without the interpreter's bookkeeping of dictionaries."""
        arrays = sum(values.nbytes for values in self.codes.values()) + sum(v.nbytes for v in self.numbers.values())
        texts = sum(sys.getsizeof(word) for words in self.words.values() for word in words.list)
        return arrays + texts + self.run_ids.nbytes + sum(sys.getsizeof(run_id) for run_id in self.run_ids)


def empty() -> Columns:
    """No run at all."""
    return columns_of((), {name: Words() for name in TEXTS})


def columns_of(runs: Iterable[JobRun], words: dict[str, Words]) -> Columns:
    """Columns of runs, their texts numbered by ``words``, in the order of their starts."""
    listed = sorted(runs, key=lambda run: run.started_at)
    codes = {
        name: np.fromiter((words[name].code(_text(run, name)) for run in listed), np.int32, len(listed))
        for name in TEXTS
    }
    numbers = {name: np.fromiter((_number(run, name) for run in listed), np.float64, len(listed)) for name in NUMBERS}
    run_ids = np.empty(len(listed), object)
    run_ids[:] = [run.run_id for run in listed]
    return Columns(words, codes, numbers, run_ids)


def merged(old: Columns, runs: Sequence[JobRun]) -> Columns:
    """``old`` with ``runs`` put in. A run that is held already is replaced, but never what has ended by what goes on:
    an index tells old news for a moment."""
    newest: dict[tuple[float, str], JobRun] = {}
    for run in runs:
        key = (run.started_at, run.run_id)
        if run.ended_at is not None or key not in newest:
            newest[key] = run
    kept = np.ones(len(old), np.bool_)
    for (started_at, run_id), run in list(newest.items()):
        row = old.row_of(started_at, run_id)
        if row is None:
            continue
        if (run.ended_at is None and not np.isnan(old.numbers["ended_at"][row])) or _same(old, row, run):
            del newest[started_at, run_id]
        else:
            kept[row] = False
    if not newest:
        return old
    new = columns_of(newest.values(), old.words)
    codes = {name: np.concatenate([old.codes[name][kept], values]) for name, values in new.codes.items()}
    numbers = {name: np.concatenate([old.numbers[name][kept], values]) for name, values in new.numbers.items()}
    joined = Columns(old.words, codes, numbers, np.concatenate([old.run_ids[kept], new.run_ids]))
    return joined.taken(np.argsort(numbers["started_at"], kind="stable"))


def since(columns: Columns, start: float, most: int) -> Columns:
    """The newest ``most`` runs that started at ``start`` or later, and all that go on, however old; words that nobody
    uses any more are let go."""
    first = max(int(np.searchsorted(columns.numbers["started_at"], start)), len(columns) - most)
    kept = (np.arange(len(columns)) >= first) | np.isnan(columns.numbers["ended_at"])
    if kept.all():
        return columns
    left = columns.taken(kept)
    held = sum(len(words.list) for words in left.words.values())
    return left if held <= 2 * len(left) + 1_000 else _reworded(left)


def _reworded(columns: Columns) -> Columns:
    words, codes = {}, {}
    for name, values in columns.codes.items():
        used, again = np.unique(values, return_inverse=True)
        words[name] = Words()
        for code in used:
            words[name].code(columns.words[name].list[int(code)])
        codes[name] = again.astype(np.int32)
    return Columns(words, codes, columns.numbers, columns.run_ids)


def _same(columns: Columns, row: int, run: JobRun) -> bool:
    """Whether a held run tells the same: most of what a refresh reads is known already."""
    return all(columns.text(name, row) == _text(run, name) for name in ("status", "error", "job_name")) and all(
        np.array_equal(columns.numbers[name][row], _number(run, name), equal_nan=True)
        for name in ("ended_at", "records")
    )


def _text(run: JobRun, name: str) -> str:
    if name.startswith("failure"):
        words = normalised(run.error_type, run.error[:MAX_ERROR]) if run.status == "FAILED" else ""
        return group_key(words) if words and name == "failure" else words
    text: str = getattr(run, name)
    return text[:MAX_ERROR] if name == "error" else text


def _number(run: JobRun, name: str) -> float:
    value = getattr(run, name)
    return float("nan") if value is None else float(value)
