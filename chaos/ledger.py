"""The ledger: what was accepted, where it was found, what is lost and what is there twice. Pure but for its lock."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

FLOWS: Final[Mapping[str, str]] = {
    "agent": "samples that the agent collected and wrote to its spool",
    "samples": "samples of objects put into the bucket",
    "quarantine": "bad lines of those objects",
    "events": "events that POST /ingest took",
    "replays": "events that an accepted POST /replay selected, once for each replay",
    "slack": "alerts that POST /alerts took, told in Slack",
    "pagerduty": "the same alerts, told in PagerDuty",
}
"""What is counted, by name. Each thing has an id of its own."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One flow of one case. ``lost`` and ``doubled`` are ids."""

    accepted: int = 0
    found: int = 0
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()

    @property
    def even(self) -> bool:
        """Nothing lost, nothing doubled."""
        return not self.lost and not self.doubled

    def __add__(self, other: Balance) -> Balance:
        return Balance(
            self.accepted + other.accepted,
            self.found + other.found,
            self.lost + other.lost,
            self.doubled + other.doubled,
        )


def balance(accepted: Iterable[str], places: Mapping[str, int]) -> Balance:
    """What became of the ids that were accepted. ``places`` is how often each id was found in its place.

    What was found and never accepted is no loss: whoever sent it had no answer, and sends it again.
    """
    ids = sorted(set(accepted))
    lost = tuple(entry for entry in ids if not places.get(entry))
    doubled = tuple(entry for entry in ids if places.get(entry, 0) > 1)
    return Balance(len(ids), len(ids) - len(lost), lost, doubled)


class Ledger:
    """Ids by flow. Thread-safe. What one case accepted is settled when that case is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: dict[str, list[tuple[str, float]]] = {flow: [] for flow in FLOWS}
        self._refused: Counter[str] = Counter()

    def accept(self, flow: str, entry: str) -> None:
        """The product has said that it has this."""
        with self._lock:
            self._accepted[flow].append((entry, time.monotonic()))

    def refuse(self, flow: str) -> None:
        """The product has said that it has not: the sender tries again."""
        with self._lock:
            self._refused[flow] += 1

    def accepted(self, flow: str, since: float = 0.0) -> list[str]:
        """What was accepted since the last ``close``, and since that moment of the monotonic clock."""
        with self._lock:
            return [entry for entry, at in self._accepted[flow] if at >= since]

    def refusals(self) -> dict[str, int]:
        """Refused tries by flow since the last ``close``."""
        with self._lock:
            return dict(self._refused)

    def close(self) -> None:
        """Begins anew, for the next case."""
        with self._lock:
            self._accepted = {flow: [] for flow in FLOWS}
            self._refused.clear()
