"""The questions that history is asked ready-made: what each one answers, and what its columns mean. No I/O.

``backend.history.gallery`` has the SQL of each; pages and downloads draw by what stands here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from backend.contract.events import utc_seconds
from backend.contract.history import Cost

Value = str | float | int | None
Kind = Literal["text", "number", "count", "time"]
"""``time``: epoch seconds, or a text of ``contract.events.utc_text``. ``count`` is whole, ``number`` is not."""
Subject = Literal["metrics", "job runs", "dataset status"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer, under the name that the SQL gives it. ``places``: decimals that a page shows."""

    name: str
    title: str
    kind: Kind = "number"
    unit: str = ""
    places: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """One ready-made question. ``purpose`` says in a line what it answers, ``note`` what a reader must know of it.

    ``filters``: which of ``environment`` and ``host`` narrow it; the others it does not follow. ``metrics``: what it
    reads of the metrics.
    """

    name: str
    title: str
    purpose: str
    columns: tuple[Column, ...]
    subject: Subject = "metrics"
    metrics: tuple[str, ...] = ()
    filters: tuple[str, ...] = ("environment", "host")
    note: str = ""


_HOST: Final = Column("host", "Host", "text")
_SAMPLES: Final = Column("samples", "Samples", "count")

QUESTIONS: Final[tuple[Question, ...]] = (
    Question(
        "cpu_by_host",
        "CPU by host",
        "Average, highest and lowest CPU of each host, busiest first.",
        (
            _HOST,
            Column("average_percent", "Average", unit="%"),
            Column("highest_percent", "Highest", unit="%"),
            Column("lowest_percent", "Lowest", unit="%"),
            _SAMPLES,
        ),
        metrics=("cpu_utilization",),
    ),
    Question(
        "memory_trend",
        "Memory trend",
        "Average memory of the fleet hour by hour, and the host that was fullest.",
        (
            Column("hour_start", "Hour", "time"),
            Column("average_percent", "Average of the hosts", unit="%"),
            Column("fullest_host", "Fullest host", "text"),
            Column("fullest_percent", "Its average", unit="%"),
            Column("hosts", "Hosts", "count"),
        ),
        metrics=("memory_usage",),
    ),
    Question(
        "disk_above_warning",
        "Disks above the warning",
        "Hosts whose disk was fuller than the catalogue's warning: since when, how full, and for how much of the time.",
        (
            _HOST,
            Column("above_since", "Above since", "time"),
            Column("highest_percent", "Highest", unit="%"),
            Column("highest_at", "Highest at", "time"),
            Column("latest_percent", "Latest", unit="%"),
            Column("share_percent", "Samples above", unit="%"),
            Column("unbroken", "In the whole range", "text"),
        ),
        metrics=("disk_usage",),
        note="Without a time since when, the host is below the warning again.",
    ),
    Question(
        "network_by_host",
        "Network by host",
        "Traffic in and out of each host, on average and at its peak.",
        (
            _HOST,
            Column("in_average_mbit", "In, average", unit="Mbit/s"),
            Column("in_peak_mbit", "In, peak", unit="Mbit/s"),
            Column("out_average_mbit", "Out, average", unit="Mbit/s"),
            Column("out_peak_mbit", "Out, peak", unit="Mbit/s"),
        ),
        metrics=("network_in", "network_out"),
    ),
    Question(
        "counts_by_type",
        "Samples by metric and environment",
        "How many samples of each metric arrived in each environment, from how many hosts, and when the last one was.",
        (
            Column("environment", "Environment", "text"),
            Column("metric_type", "Metric", "text"),
            _SAMPLES,
            Column("hosts", "Hosts", "count"),
            Column("first_at", "First", "time"),
            Column("last_at", "Last", "time"),
        ),
        filters=("host",),
    ),
    Question(
        "peak_hours",
        "Peak hours",
        "Which hours of the day are busiest, by CPU and by records in.",
        (
            Column("hour_of_day", "Hour of day (UTC)", "count"),
            Column("cpu_average_percent", "CPU, average of the hosts", unit="%"),
            Column("cpu_highest_percent", "CPU, highest", unit="%"),
            Column("records_per_second", "Records in", unit="records/s"),
            Column("operator", "Operator", "text"),
        ),
        metrics=("cpu_utilization", "records_in"),
        note="Records in are those of the operator that takes most: what one operator gives, the next one takes again.",
    ),
    Question(
        "job_history",
        "Job history",
        "Runs that began in the range, by how they ended, and how long they took.",
        (
            Column("job", "Job", "text"),
            Column("status", "Status", "text"),
            Column("runs", "Runs", "count"),
            Column("average_seconds", "Duration, average", unit="s"),
            Column("p95_seconds", "Duration, p95 (approximate)", unit="s"),
            Column("longest_seconds", "Duration, longest", unit="s"),
            Column("last_started", "Last start", "time"),
            Column("origin", "Origin", "text"),
        ),
        subject="job runs",
        filters=("environment",),
        note="The p95 is estimated by Athena's approx_percentile from the runs' own durations.",
    ),
    Question(
        "dataset_history",
        "Dataset history",
        "For how much of the time each dataset was fresh, and how late it was at worst.",
        (
            Column("dataset", "Dataset", "text"),
            Column("fresh_percent", "Fresh", unit="%"),
            Column("late_percent", "Late", unit="%"),
            Column("unknown_percent", "Unknown", unit="%"),
            Column("worst_late_minutes", "Late at worst", unit="min", places=0),
            Column("worst_at", "Worst at", "time"),
            Column("checks", "Checks", "count"),
            Column("origin", "Origin", "text"),
        ),
        subject="dataset status",
        filters=("environment",),
        note="A dataset is looked at each quarter of an hour.",
    ),
)
BY_NAME: Final = {question.name: question for question in QUESTIONS}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its range (epoch seconds) and its filters. ``host`` "" for all hosts."""

    question: Question
    start: float
    end: float
    environment: str
    host: str = ""

    def follows(self, name: str) -> bool:
        """Whether the question is narrowed by ``environment`` or ``host``."""
        return name in self.question.filters


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of an answer: a value per column of the question, None where there is none, times as epoch seconds.

    ``cut``: there are more rows than these. ``sql`` is what was asked, values and all.
    """

    asked: Asked
    rows: tuple[tuple[Value, ...], ...]
    cut: bool = False
    cost: Cost = field(default_factory=Cost)
    sql: str = ""


def rows_of(
    question: Question, names: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[tuple[Value, ...], ...]:
    """The rows as Athena gave them, in the order of the question's columns and of their kinds.

    Raises ValueError when a column is missing, or holds what its kind can't.
    """
    places = [names.index(column.name) for column in question.columns]
    pairs = list(zip(question.columns, places, strict=True))
    return tuple(tuple(_value(row[at], column.kind) for column, at in pairs) for row in rows)


def _value(raw: object, kind: Kind) -> Value:
    """None stays None, and so does a number that is none (NaN)."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return None
    if kind == "text":
        return str(raw)
    if kind == "count":
        return int(str(raw))
    if kind == "time" and isinstance(raw, str):
        return utc_seconds(raw)
    return float(str(raw))
