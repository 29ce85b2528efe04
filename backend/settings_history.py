"""How history is read: what a query may scan, how long it may take, and how long its answer is used again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class History:
    """``enabled`` False: pages show what DynamoDB holds, and say so.

    ``reuse_minutes`` is how old an answer of Athena's own may be that is given again without a scan.
    """

    enabled: bool = True
    timeout_seconds: float = 60.0
    reuse_minutes: int = 60
