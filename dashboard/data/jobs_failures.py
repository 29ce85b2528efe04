"""Recurring failures: errors that say the same with other numbers are one group."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from dashboard.data.jobs_columns import Columns, Mask

MAX_GROUPS: Final = 12
MAX_JOBS: Final = 5
MAX_LENGTH: Final = 200
KEPT: Final = 20_000
"""Normalised texts that are remembered: most errors come again as they are."""
_PLACES: Final = (
    (re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|‘[^’]*’|“[^”]*”|«[^»]*»"), "<text>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?(?:[T ]\d{2}:\d{2}(?::[\d.,]+)?(?:Z|[+-]\d{2}:?\d{2})?)?"), "<date>"),
    (re.compile(r"\b\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\b"), "<time>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w+(?:-\w+)*\b|\b\w+(?:-\w+)*-\d\w*\b"), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)  # fmt: skip
"""What varies from one failure to the next, the most telling first; each is replaced by what it is."""
_PLACEHOLDER: Final = re.compile(r"(<(?:text|url|id|date|time|hex|n)>)")
_SPACE: Final = re.compile(r"\s+")


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


@lru_cache(maxsize=KEPT)
def normalised(error_type: str, message: str) -> str:
    """The error with numbers, ids, hex, dates, times, addresses and quoted parts replaced by what they are.

    Only the first line counts.
    """
    lines = [line for line in message.splitlines() if line.strip()]
    text = _SPACE.sub(" ", lines[0] if lines else "").strip()[: 2 * MAX_LENGTH]
    if error_type and text.startswith(f"{error_type}:"):
        text = text.removeprefix(f"{error_type}:").strip()
    for pattern, place in _PLACES:
        parts = _PLACEHOLDER.split(text)
        text = "".join(part if index % 2 else pattern.sub(place, part) for index, part in enumerate(parts))
    text = text[:MAX_LENGTH].rstrip()
    if not text:
        return error_type or "no message"
    return f"{error_type}: {text}" if error_type else text


def group_key(message: str) -> str:
    """Twelve hex digits that name a group in URLs."""
    return hashlib.sha256(message.encode("utf-8", "replace")).hexdigest()[:12]


def in_group(columns: Columns, key: str) -> Mask:
    """Which runs failed with an error of the group ``key``."""
    pairs, inverse = _pairs(columns)
    hits = np.fromiter((group_key(message) == key for message in pairs), np.bool_, len(pairs))
    return hits[inverse] & columns.is_("status", "FAILED")


def failure_groups(columns: Columns) -> tuple[tuple[FailureGroup, ...], int]:
    """The most frequent groups among the failed runs of ``columns``, most frequent first, and how many there are."""
    failed = columns.taken(columns.is_("status", "FAILED"))
    if not len(failed):
        return (), 0
    messages, inverse = _pairs(failed)
    distinct = list(dict.fromkeys(messages))
    place = {message: index for index, message in enumerate(distinct)}
    groups = np.fromiter((place[message] for message in messages), np.intp, len(messages))[inverse]
    counts = np.bincount(groups, minlength=len(distinct))
    order = np.argsort(-counts, kind="stable")[:MAX_GROUPS]
    return tuple(_group(failed, distinct[index], np.asarray(groups == index)) for index in order), len(distinct)


def _group(failed: Columns, message: str, rows: Mask) -> FailureGroup:
    starts = failed.numbers["started_at"][rows]
    jobs, counts = np.unique(failed.codes["job_name"][rows], return_counts=True)
    named = [failed.words["job_name"].list[int(jobs[index])] for index in np.argsort(-counts, kind="stable")]
    return FailureGroup(
        group_key(message), message, len(starts), float(starts.min()), float(starts.max()), tuple(named[:MAX_JOBS]),
        max(len(named) - MAX_JOBS, 0),
    )  # fmt: skip


def _pairs(columns: Columns) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """The normalised message of each distinct pair of type and text, and each row's place among them."""
    types, errors = columns.codes["error_type"], columns.codes["error"]
    width = max(len(columns.words["error"].list), 1)
    pairs, inverse = np.unique(types.astype(np.int64) * width + errors, return_inverse=True)
    kinds, texts = columns.words["error_type"].list, columns.words["error"].list
    return [normalised(kinds[int(pair // width)], texts[int(pair % width)]) for pair in pairs], inverse
