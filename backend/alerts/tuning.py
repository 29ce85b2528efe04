"""What rules are tuned by: how often they fired in an ISO week, and what came of it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def week_of(at: float) -> str:
    """The ISO week of an instant in UTC: ``2026-W47``."""
    year, week, _ = datetime.fromtimestamp(at, UTC).isocalendar()
    return f"{year}-W{week:02d}"


def last_weeks(now: float, weeks: int) -> list[str]:
    """The ISO week of ``now`` and those before it, newest first."""
    today = datetime.fromtimestamp(now, UTC)
    return [week_of((today - timedelta(weeks=back)).timestamp()) for back in range(weeks)]
