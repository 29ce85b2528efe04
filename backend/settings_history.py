"""How history is read: what a query may scan, how long it may take, and how long its answer is used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.contract.errors import InvalidInput

LONGEST_REUSE_MINUTES: Final = 10_080
"""Athena takes a week."""
LEAST_REREAD_SECONDS: Final = 600.0
"""Pages have days that are not compacted scanned again no sooner, whatever Athena itself may give again."""


@dataclass(frozen=True, slots=True)
class History:
    """``enabled`` False: pages show what DynamoDB holds, and say so.

    ``reuse_minutes`` is how old an answer of Athena's own may be that is given again without a scan.
    """

    enabled: bool = True
    timeout_seconds: float = 60.0
    reuse_minutes: int = 60

    @property
    def reread_seconds(self) -> float:
        """How long pages hold an answer about days that are not compacted."""
        return max(60.0 * self.reuse_minutes, LEAST_REREAD_SECONDS)


def check_history(history: History) -> None:
    """Raises InvalidInput naming the number that is out of bounds."""
    if history.timeout_seconds <= 0:
        raise InvalidInput("history.timeout_seconds", history.timeout_seconds, "must be above 0")
    if not 0 <= history.reuse_minutes <= LONGEST_REUSE_MINUTES:
        remedy = f"must be 0 (never) to {LONGEST_REUSE_MINUTES} minutes"
        raise InvalidInput("history.reuse_minutes", history.reuse_minutes, remedy)
