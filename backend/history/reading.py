"""Reads history for pages: where the days lie, what is asked of them, and the buckets that come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.errors import InvalidInput
from backend.contract.history import Cost, HistoryAnswer, HistoryError, HistoryPlan, HistoryQuestion
from backend.contract.rollup import Merged
from backend.contract.tables import METRICS_PREFIX
from backend.history.athena import Result
from backend.history.days import Days, day_of, day_of_key, days_between
from backend.history.errors import short
from backend.history.late import late_objects
from backend.history.ledger import Index, Ledger, days_of, late_of
from backend.history.series import Place, first_instant, merged_series, series_statements
from backend.history.statements import Statement
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PLACES_SECONDS: Final = 30.0
"""How long the ledger is not read again."""
AT_ONCE: Final = 4
"""Statements of one question that run side by side: one of each kind."""


class Runner(Protocol):
    """What runs statements: ``backend.history.athena.Athena``."""

    def run(self, asked: Statement, stop: threading.Event | None = None, *, reuse: bool = True) -> Result:
        """The answer of a statement. Raises HistoryError."""


class Places:
    """Where samples lie, from the ledger, from what came late, and from the bucket's first object. Thread-safe."""

    def __init__(self, s3: S3Client, dynamodb: DynamoDBClient, settings: Settings, clock: Callable[[], float]) -> None:
        self._s3 = s3
        self._dynamodb = dynamodb
        self._settings = settings
        self._clock = clock
        self._ledger = Ledger(s3, settings.bucket)
        self._lock = threading.Lock()
        self._index: Index = {}
        self._oldest: date | None = None
        self._read_at = float("-inf")

    def place(self, first: date, last: date) -> Place:
        """Of the UTC days ``first`` to ``last``. Raises HistoryError where that can't be found out."""
        try:
            index, oldest = self._known()
            late = late_objects(self._dynamodb, self._settings.table, first, last, self._clock())
        except (ClientError, BotoCoreError) as error:
            text = f"Where past days lie can't be read: {short(str(error))}"
            raise HistoryError("unreachable", text) from error
        except InvalidInput as error:
            raise HistoryError("failed", str(error)) from error
        days = days_of(index)
        empty = set(days.empty)
        if oldest is not None:
            empty |= {day for day in days_between(first, last) if day < oldest and day not in days.generations}
        return Place(
            Days(days.generations, frozenset(empty)),
            late_of(index, late.recorded, late.unread_from),
            self._settings.bucket,
        )

    def forget(self) -> None:
        """Has the ledger read again at the next question."""
        with self._lock:
            self._read_at = float("-inf")

    def _known(self) -> tuple[Index, date | None]:
        """The ledger, and the first day that has an object of samples: before it there is Parquet or nothing."""
        with self._lock:
            if self._clock() - self._read_at >= PLACES_SECONDS:
                self._index, self._oldest = self._ledger.read(), self._first_day()
                self._read_at = self._clock()
            return self._index, self._oldest

    def _first_day(self) -> date | None:
        """Keys sort by day. None where the first one is in no day; the day after all others where there is none."""
        answer = self._s3.list_objects_v2(Bucket=self._settings.bucket, Prefix=METRICS_PREFIX, MaxKeys=1)
        keys = [entry["Key"] for entry in answer.get("Contents", ())]
        return day_of_key(keys[0]) if keys else date.max


class HistoryReader:
    """Answers questions of pages. Thread-safe."""

    def __init__(self, athena: Runner, places: Places, settings: Settings) -> None:
        self._athena = athena
        self._places = places
        self._catalogue = settings.catalogue

    def plan(self, question: HistoryQuestion) -> HistoryPlan:
        """What Athena would be asked. Raises HistoryError, and InvalidInput for a question that can't be asked."""
        first, last = day_of(first_instant(question, self._catalogue)), day_of(question.end - 1)
        place = self._places.place(first, last)
        # A predecessor's day alone is no reason to ask.
        wanted = days_between(day_of(question.start), last)
        holding = [day for day in wanted if day not in place.days.empty or day in place.late.days()]
        if not holding:
            return HistoryPlan()
        statements = series_statements(question, self._catalogue, place)
        key = " ".join(statements[name].key for name in sorted(statements))
        # A day that is read whole beside its Parquet is not told by its objects: another one leaves the key as it is.
        settled = all(day in place.days.generations and day not in place.late.whole for day in holding)
        return HistoryPlan(key, settled, statements)

    def answer(self, plan: HistoryPlan, stop: threading.Event) -> HistoryAnswer:
        """The buckets that the plan's statements give, run side by side; they end soon once ``stop`` is set.

        Raises HistoryError. The first statement that fails stops the others.
        """
        if not plan.statements:
            return HistoryAnswer()

        def one(name: str, asked: Statement) -> tuple[str, Result]:
            try:
                return name, self._athena.run(asked, stop)
            except HistoryError:
                stop.set()
                raise

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="athena") as pool:
            running = [pool.submit(one, name, asked) for name, asked in plan.statements.items()]
        errors = [error for future in running if isinstance(error := future.exception(), HistoryError)]
        if errors:
            raise next((error for error in errors if error.kind != "cancelled"), errors[0])
        return self._joined([future.result() for future in running])

    def _joined(self, results: list[tuple[str, Result]]) -> HistoryAnswer:
        cost, rows = Cost(), 0
        found: dict[str, dict[float, Merged]] = {}
        bands: dict[str, dict[float, Merged]] = {}
        for name, result in results:
            cost, rows = cost.plus(result.cost), rows + result.table.num_rows
            merged = merged_series(name, result.rows(), self._catalogue)
            (bands if name == "bands" else found).update(merged)
        return HistoryAnswer(found, cost, rows, bands=bands)
