"""Athena's view ``samples``: for people at its console, what ``source.relation`` is for pages.

A view's text can't look into the ledger, so it is written anew whenever that has changed, and each night for the days
ahead. It has the partition columns, and a condition on them prunes through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from backend.contract.tables import METRICS_DATABASE, SAMPLES_VIEW
from backend.history.compaction import Athena
from backend.history.days import Days, LateObjects, day_of, last_closed
from backend.history.late import late_objects
from backend.history.ledger import KEPT_DAYS, Index, Ledger, days_of, late_of
from backend.history.source import COLUMNS, DAY_COLUMNS, relation_of
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AHEAD_DAYS: Final = 14
"""Days to come that the view reads as JSON: it goes on being whole so long if nothing rewrites it."""


def view_days(index: Index, due: Iterable[date], now: float) -> list[date]:
    """The UTC days of the view: from the first that the ledger knows or that is ``due``, at most ``KEPT_DAYS`` back, to
    ``AHEAD_DAYS`` after today."""
    today = day_of(now)
    first = max(min([*index, *due, last_closed(now)]), today - timedelta(days=KEPT_DAYS))
    return [first + timedelta(days=number) for number in range((today - first).days + AHEAD_DAYS + 1)]


def view_statement(wanted: list[date], days: Days, late: LateObjects, *, bucket: str) -> str:
    """Makes the view, or puts it in place of the one there is."""
    samples = relation_of(wanted, days, late, bucket=bucket, columns=(*COLUMNS, *DAY_COLUMNS))
    return f"CREATE OR REPLACE VIEW {METRICS_DATABASE}.{SAMPLES_VIEW} AS\n{samples}"


def write_view(
    athena: Athena,
    ledger: Ledger,
    dynamodb: DynamoDBClient,
    settings: Settings,
    now: float,
    due: Iterable[date] = (),
) -> None:
    """Makes the view say what the ledger says, with the late objects that are known by ``now`` (epoch s).

    ``due`` are days that are still to be compacted. Raises QueryFailed, ClientError, and InvalidInput for a ledger that
    can't be read.
    """
    index = ledger.read()
    wanted = view_days(index, due, now)
    found = late_objects(dynamodb, settings.table, wanted[0], wanted[-1], now)
    late = late_of(index, found.recorded, found.unread_from)
    athena(view_statement(wanted, days_of(index), late, bucket=settings.bucket))
