"""Recurring failures: the groups of failed runs whose errors say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dashboard.data.jobs_columns import Columns

MAX_GROUPS: Final = 12
MAX_JOBS: Final = 5


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed runs whose errors say the same. ``key`` names it in URLs; ``jobs`` are the most frequent ones."""

    key: str
    message: str
    count: int
    first_at: float
    last_at: float
    jobs: tuple[str, ...]
    more_jobs: int = 0


def failure_groups(columns: Columns) -> tuple[tuple[FailureGroup, ...], int]:
    """The most frequent groups among the failed runs of ``columns``, most frequent first, and how many there are."""
    failed = columns.taken(columns.is_("status", "FAILED"))
    groups, counts = np.unique(failed.codes["failure"], return_counts=True)
    shown = groups[np.argsort(-counts, kind="stable")[:MAX_GROUPS]]
    return tuple(_group(failed.taken(failed.codes["failure"] == group)) for group in shown), len(groups)


def _group(alike: Columns) -> FailureGroup:
    starts = alike.numbers["started_at"]
    jobs, counts = np.unique(alike.codes["job_name"], return_counts=True)
    named = [alike.words["job_name"].list[int(jobs[index])] for index in np.argsort(-counts, kind="stable")]
    return FailureGroup(
        alike.text("failure", 0), alike.text("failure_words", 0), len(alike), float(starts.min()),
        float(starts.max()), tuple(named[:MAX_JOBS]), max(len(named) - MAX_JOBS, 0),
    )  # fmt: skip
