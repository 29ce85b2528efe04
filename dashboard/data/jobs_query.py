"""What the address asks of the runs: which ones, in which order, and a block of them as rows of the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.jobs import JOB_STATUSES, JOB_TYPES
from dashboard.data.jobs_columns import Columns, Index, Mask
from dashboard.data.request import Role, ViewRequest

FILTERS: Final = ("job", "dataset", "batch", "type", "run_status", "text", "failure")
"""The filters of runs, as the address names them. ``failure`` is a group of like errors."""
EXACT: Final = {
    "job": "job_name", "dataset": "dataset", "batch": "batch", "type": "type", "run_status": "status",
    "failure": "failure",
}  # fmt: skip
SEARCHED: Final = ("job_name", "dataset", "batch", "worker", "requested_by", "error", "error_type")
SORTS: Final = {
    "job": "job_name", "type": "type", "dataset": "dataset", "batch": "batch", "status": "status",
    "started": "started_at", "ended": "ended_at", "duration": "duration", "records": "records", "attempt": "attempt",
    "worker": "worker", "error": "error", "requested_by": "requested_by",
}  # fmt: skip
"""Columns of the grid that can be sorted, to what they are sorted by."""
DEFAULT_SORT: Final = "-started"
MAX_BLOCK: Final = 500


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Runs that ran at some time from ``start`` to ``end`` (epoch s) and have all that is given.

    ``sort`` is a column of ``SORTS``, with ``-`` in front for descending.
    """

    start: float
    end: float
    environment: str
    values: Mapping[str, str]
    sort: str = DEFAULT_SORT


def parse_query(request: ViewRequest, now: float) -> RunQuery:
    """The query of the address. Raises InvalidInput naming the parameter that is wrong."""
    values = {name: value for name in FILTERS if (value := request.get(name))}
    for name, allowed in (("run_status", JOB_STATUSES), ("type", JOB_TYPES)):
        if values.get(name, allowed[0]) not in allowed:
            raise InvalidInput(name, values[name], f"must be one of {', '.join(allowed)}")
    sort = request.get("sort") or DEFAULT_SORT
    if sort.removeprefix("-") not in SORTS:
        raise InvalidInput("sort", sort, f"must be one of {', '.join(SORTS)}, with - in front for descending")
    wanted = request.range(now)
    return RunQuery(wanted.start, wanted.end, request.environment, values, sort)


def in_range(columns: Columns, query: RunQuery) -> Mask:
    """Which runs of the environment ran at some time in the range: also those that began before it, or go on."""
    started, ended = columns.numbers["started_at"], columns.numbers["ended_at"]
    over = np.asarray(ended < query.start)  # false where there is no end
    return np.asarray((started < query.end) & ~over & columns.is_("environment", query.environment))


def matching(columns: Columns, query: RunQuery) -> Mask:
    """Which runs have all that the query asks for."""
    mask = in_range(columns, query)
    for name, column in EXACT.items():
        if name in query.values:
            mask &= columns.is_(column, query.values[name])
    if "text" in query.values:
        mask = _holding(columns, query.values["text"], mask)
    return mask


def ordered(columns: Columns, mask: Mask, sort: str, now: float) -> Index:
    """Rows of the mask in the order of ``sort``; what is not known comes last, equals newest first."""
    rows = np.flatnonzero(mask)[::-1]
    column = SORTS[sort.removeprefix("-")]
    if column == "duration":
        values = durations(columns, now)[rows]
    elif column in columns.numbers:
        values = columns.numbers[column][rows]
    else:
        values = columns.words[column].ranks()[columns.codes[column][rows]].astype(np.float64)
        values[columns.codes[column][rows] == columns.words[column].find("")] = np.nan
    return rows[np.argsort(-values if sort.startswith("-") else values, kind="stable")]


def durations(columns: Columns, now: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Seconds that each run took, or has been running at ``now``."""
    ended = columns.numbers["ended_at"]
    return np.maximum(np.where(np.isnan(ended), now, ended) - columns.numbers["started_at"], 0.0)


def rows_of(columns: Columns, rows: Index, role: Role, now: float) -> list[dict[str, Any]]:
    """Rows as the grid shows them. Displays see no error's words and nobody's name."""
    seconds = durations(columns, now)
    return [_row(columns, int(row), float(seconds[row]), role) for row in rows]


def run_key(columns: Columns, row: int) -> str:
    """What names a run in the address: the sort key of its item."""
    return f"{utc_text(float(columns.numbers['started_at'][row]))}#{columns.run_ids[row]}"


def error_words(error_type: str, first_line: str) -> str:
    """``TimeoutError: no answer``; a message that names its type already is not given it twice."""
    if not error_type or first_line.startswith(error_type):
        return first_line
    return f"{error_type}: {first_line}" if first_line else error_type


def _holding(columns: Columns, needle: str, mask: Mask) -> Mask:
    """Which rows of the mask have the text somewhere; the others are not looked at."""
    rows = np.flatnonzero(mask)
    hit = np.zeros(len(rows), np.bool_)
    for name in SEARCHED:
        hit |= columns.words[name].containing(needle, columns.codes[name][rows])
    wanted = needle.lower()
    hit |= np.fromiter((wanted in run_id.lower() for run_id in columns.run_ids[rows]), np.bool_, len(rows))
    found = np.zeros(len(columns), np.bool_)
    found[rows[hit]] = True
    return found


def _row(columns: Columns, row: int, seconds: float, role: Role) -> dict[str, Any]:
    def text(name: str) -> str:
        return columns.text(name, row)

    def number(name: str) -> float | None:
        value = float(columns.numbers[name][row])
        return None if math.isnan(value) else value

    display = role == "display"
    error = "" if display else text("error").split("\n", 1)[0]
    return {
        "id": f"{text('job_name')}/{run_key(columns, row)}",
        "run": run_key(columns, row),
        "job": text("job_name"),
        "type": text("type"),
        "dataset": text("dataset"),
        "batch": text("batch"),
        "status": text("status"),
        "started": number("started_at"),
        "ended": number("ended_at"),
        "duration": round(seconds, 3),
        "records": number("records"),
        "attempt": number("attempt"),
        "worker": text("worker"),
        "error": error_words(text("error_type"), error),
        "requested_by": "" if display else text("requested_by"),
    }
