"""The ready-made questions as statements: ``contract.questions`` says what they answer, ``sql/gallery_*.sql`` how.
Pure."""

from __future__ import annotations

from datetime import date
from typing import Final

from backend.contract.bucket import LOOKBACK_SECONDS
from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.questions import Asked, Subject
from backend.contract.tables import DATASET_STATUS_HISTORY, JOB_RUNS_HISTORY, MONITORING_DATABASE
from backend.history.days import day_of, days_between
from backend.history.queries import Part, Query, Value, named_query
from backend.history.series import Place
from backend.history.source import day_predicate, relation
from backend.history.statements import Statement, statement

_COLUMNS: Final = {
    "counts_by_type": ("timestamp", "metric_type", "hostname", "environment"),
    "cpu_by_host": ("value", "hostname"),
    "disk_above_warning": ("timestamp", "value", "hostname"),
    "memory_trend": ("timestamp", "value", "hostname"),
    "network_by_host": ("metric_type", "value", "hostname"),
    "peak_hours": ("timestamp", "metric_type", "value", "hostname", "labels"),
}
"""What each question reads of a sample: in Parquet every column costs its own bytes."""
_TABLES: Final[dict[Subject, str]] = {
    "job runs": f"{MONITORING_DATABASE}.{JOB_RUNS_HISTORY}",
    "dataset status": f"{MONITORING_DATABASE}.{DATASET_STATUS_HISTORY}",
}
_TIMES: Final[dict[Subject, str]] = {"job runs": "started_at", "dataset status": "checked_at"}


def question_query(asked: Asked) -> Query:
    """The named query that answers a question."""
    return named_query(f"gallery_{asked.question.name}")


def question_statement(asked: Asked, catalogue: Catalogue, place: Place) -> Statement:
    """What Athena is asked. ``place`` says where the range's samples lie.

    Raises InvalidInput for a range that is too long, and for a filter that can't be bound.
    """
    query = question_query(asked)
    part = _samples(asked, place) if asked.question.subject == "metrics" else _records(asked)
    values = _values(catalogue)
    (hole,) = query.parts
    return statement(query, {name: values[name] for name in query.values}, {hole: part})


def _samples(asked: Asked, place: Place) -> Part:
    """The samples of the range that the question is about, each once."""
    values: dict[str, Value] = {"start": asked.start, "end": asked.end}
    where = ['"timestamp" >= %(start)s AND "timestamp" < %(end)s']
    if asked.question.metrics:
        names = {f"metric_{number}": name for number, name in enumerate(asked.question.metrics)}
        where.append(f"metric_type IN ({', '.join(f'%({name})s' for name in names)})")
        values |= names
    for column, value in _narrowed(asked).items():
        where.append(f"{column} = %({column})s")
        values[column] = value
    first, last = days_asked(asked)
    text = relation(
        first,
        last,
        place.days,
        place.late,
        bucket=place.bucket,
        columns=_COLUMNS[asked.question.name],
        where=" AND ".join(where),
    )
    return Part(text, values)


def _records(asked: Asked) -> Part:
    """The lines of a table that is JSON alone: runs that began in the range, or looks that were taken in it."""
    time = _TIMES[asked.question.subject]
    values: dict[str, Value] = {"start": utc_text(asked.start), "end": utc_text(asked.end)}
    where = [day_predicate(days_between(*days_asked(asked))), f"{time} >= %(start)s AND {time} < %(end)s"]
    for column, value in _narrowed(asked).items():
        where.append(f"{column} = %({column})s")
        values[column] = value
    # Names of tables and columns are constants; whatever comes from outside is bound.
    return Part(f"SELECT * FROM {_TABLES[asked.question.subject]} WHERE {' AND '.join(where)}", values)  # noqa: S608


def _narrowed(asked: Asked) -> dict[str, str]:
    """Columns that must have one value: those of the filters that are set and that the question follows."""
    wanted = {"environment": asked.environment, "hostname": asked.host}
    follows = {"environment": asked.follows("environment"), "hostname": asked.follows("host")}
    return {column: value for column, value in wanted.items() if value and follows[column]}


def _values(catalogue: Catalogue) -> dict[str, Value]:
    """Everything that any of the questions binds, by name."""
    disk, records = catalogue["disk_usage"], catalogue["records_in"]
    if disk.warning is None:
        raise InvalidInput("disk_usage.warning", None, "is needed to say which disks are above it")
    return {
        "cpu": catalogue["cpu_utilization"].key,
        "records": records.key,
        "operator": records.group_by or "",
        "longest_gap": LOOKBACK_SECONDS,
        "network_in": catalogue["network_in"].key,
        "network_out": catalogue["network_out"].key,
        "warning": disk.warning,
    }


def days_asked(asked: Asked) -> tuple[date, date]:
    """The first and the last UTC day of the range, whose end is not in it."""
    return day_of(asked.start), day_of(asked.end - 0.001)
