"""Where what a page shows was read, and what the look cost: live from DynamoDB, or history from Athena."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Kind = Literal["live", "history", "both"]
Progress = Literal["done", "running", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Source:
    """Of one view. ``state`` is that of its history: while it is not done, the view holds what DynamoDB has alone.

    ``scanned_bytes`` and ``dollars`` are what Athena bills for this look, None where nothing was asked of it yet or
    what it scanned is not known; ``reused``: the answer was there already, this look cost nothing. ``days`` says which
    UTC days came from history ("24 Oct to 20 Nov"), ``error`` in one line why it failed, ``note`` what a reader must
    know of a part that is missing. ``key`` names the reading for a cancel.
    """

    kind: Kind = "live"
    state: Progress = "done"
    scanned_bytes: int | None = None
    dollars: float | None = None
    reused: bool = False
    days: str = ""
    error: str = ""
    note: str = ""
    key: str = ""
    since: float | None = None
    """Epoch second from which history has been asked, while it runs."""

    def as_json(self) -> dict[str, Any]:
        """What a view carries of it; what is not known or empty is left out."""
        every = {
            "kind": self.kind,
            "state": self.state,
            "bytes": self.scanned_bytes,
            "dollars": self.dollars,
            "reused": self.reused or None,
            "days": self.days,
            "error": self.error,
            "note": self.note,
            "key": self.key,
            "since": self.since,
        }
        return {name: value for name, value in every.items() if value not in (None, "")}


LIVE: Final = Source()
"""Everything from DynamoDB, as most looks are."""
_PROGRESS: Final[tuple[Progress, ...]] = ("running", "failed", "cancelled", "done")


def joined(one: Source, other: Source) -> Source:
    """Of one view that was read in two goes: what is still running or went wrong speaks for both, costs add up."""
    first, second = sorted((one, other), key=lambda source: (_PROGRESS.index(source.state), source.kind == "live"))
    scanned = [source.scanned_bytes for source in (one, other) if source.scanned_bytes is not None]
    paid = [source.dollars for source in (one, other) if source.dollars is not None]
    # Days are those of which the state is told.
    days = [source.days for source in (one, other) if source.days and source.state == first.state]
    notes = [source.note for source in (one, other) if source.note]
    return replace(
        first,
        days=" and ".join(dict.fromkeys(days)),
        note="; ".join(dict.fromkeys(notes)),
        kind=first.kind if first.kind == second.kind else "both",
        scanned_bytes=sum(scanned) if scanned else None,
        dollars=sum(paid) if paid else None,
        reused=all(source.reused for source in (one, other) if source.kind != "live") and first.kind != "live",
    )
