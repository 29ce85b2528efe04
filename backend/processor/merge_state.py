"""How far the scheduled merge has come, and which older minutes wait to be computed again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import orjson

from backend.contract.records import derived_id
from backend.contract.tables import MERGE_STATE

STATE_ID: Final = derived_id(MERGE_STATE)
"""metric_id of the one state item; its timestamp is 0."""
GAP_SECONDS: Final = 3600
"""Late ranges of one metric that lie closer together are worked through as one."""
MAX_RANGES: Final = 50


class Range(NamedTuple):
    """Minutes of one metric, first and last inclusive, epoch seconds."""

    environment: str
    metric_type: str
    first: int
    last: int


@dataclass(slots=True)
class MergeState:
    """``merged_until``: all minutes before it are merged, except for the partitions that are ``behind`` it.

    ``late_until`` is when LATE records were last read; ``late_done`` are the ids of those read shortly before, for
    reading overlaps. ``waiting`` are the minutes that came late. All times are epoch seconds.
    """

    merged_until: int | None = None
    behind: dict[str, int] = field(default_factory=dict)
    late_until: int = 0
    late_done: list[str] = field(default_factory=list)
    waiting: list[Range] = field(default_factory=list)

    def encode(self) -> str:
        """The ``data`` attribute of the state item."""
        return orjson.dumps(
            {
                "merged_until": self.merged_until,
                "behind": self.behind,
                "late_until": self.late_until,
                "late_done": self.late_done,
                "waiting": [tuple(r) for r in self.waiting],
            }
        ).decode()

    @classmethod
    def decode(cls, data: str | None) -> Self:
        """The state that ``encode`` gave; a new one for None."""
        if data is None:
            return cls()
        record: dict[str, Any] = orjson.loads(data)
        record["waiting"] = [Range(*r) for r in record["waiting"]]
        return cls(**record)

    def until(self, name: str) -> int | None:
        """Where the merge of one partition goes on; None before the very first run."""
        return self.behind.get(name, self.merged_until)

    def advance(self, reached: dict[str, int], end: int) -> None:
        """Takes over how far each partition came; ``end`` is where a complete run ends."""
        self.merged_until = max(end, self.merged_until or 0)
        self.behind = {name: until for name, until in reached.items() if until < self.merged_until}

    def wait_for(self, ranges: Iterable[Range]) -> None:
        """Adds late ranges; near ones of one metric become one, and many far ones the whole between them."""
        by_metric: dict[tuple[str, str], list[Range]] = {}
        for r in sorted([*self.waiting, *ranges]):
            known = by_metric.setdefault((r.environment, r.metric_type), [])
            if known and r.first - known[-1].last <= GAP_SECONDS:
                known[-1] = known[-1]._replace(last=max(r.last, known[-1].last))
            else:
                known.append(r)
        self.waiting = []
        for known in by_metric.values():
            if len(known) > MAX_RANGES:
                known[:] = [known[0]._replace(last=max(r.last for r in known))]
            self.waiting += known
