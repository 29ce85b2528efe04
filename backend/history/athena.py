"""Runs statements on Athena through PyAthena: with a time-out, a way to stop, retries of what was throttled, and what
each one cost. The rows are read from S3 in one go, as Arrow, rather than 1,000 at a time through the API.

PyAthena's own ArrowCursor reads S3 through pyarrow, which knows neither botocore's endpoints nor its retries: so the
file of results is read with boto3, and its columns get the types that Athena says.

Values are bound by PyAthena (pyformat). Athena's own execution parameters stand in WHERE alone, and these queries bind
the steps of their buckets as well; Athena reuses results by the statement's text, which holds the values either way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.history import Cost, HistoryError
from backend.contract.tables import METRICS_DATABASE, WORKGROUP
from backend.history.errors import query_error, request_error, results_error
from backend.history.statements import Statement
from backend.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

POLL_SECONDS: Final = 0.2
ATTEMPTS: Final = 4
"""Tries of a throttled request; with ``backoff_seconds`` 1 they wait 1, 2 and 4 s."""
LEAST_BYTES: Final = 10_000_000
"""What Athena bills for at least."""
TERABYTE: Final = 1e12
CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """A statement's rows and what they cost."""

    table: pa.Table
    cost: Cost
    query_id: str

    def rows(self) -> list[dict[str, Any]]:
        """Each row by column name."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows


def billed(scanned_bytes: int, terabyte: float, *, reused: bool) -> float:
    """US dollars of one statement; an answer that is given again costs nothing."""
    return 0.0 if reused else max(scanned_bytes, LEAST_BYTES) * terabyte / TERABYTE


class Athena:
    """Statements in one workgroup. Thread-safe; makes its connection with the first statement."""

    def __init__(
        self,
        settings: Settings,
        s3: S3Client,
        *,
        workgroup: str = WORKGROUP,
        poll_seconds: float = POLL_SECONDS,
        backoff_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._s3 = s3
        self._history = settings.config.history
        self._terabyte = settings.config.prices.athena_terabyte
        self._region = settings.region
        self._workgroup = workgroup
        self._poll_seconds = poll_seconds
        self._backoff_seconds = backoff_seconds
        self._clock = clock
        self._connecting = threading.Lock()

    def run(self, asked: Statement, stop: threading.Event | None = None, *, reuse: bool = True) -> Result:
        """The answer of a statement; it ends soon once ``stop`` is set.

        Raises HistoryError for whatever keeps the answer from coming.
        """
        from pyathena.error import Error

        stop = stop or threading.Event()
        watch = _Watch(stop, self._clock() + self._history.timeout_seconds, self._clock)
        if stop.is_set():
            raise cancelled("")
        cursor = self._cursor(watch, reuse=reuse and self._history.reuse_minutes > 0)
        watch.cursor = cursor
        try:
            cursor.execute(asked.sql, dict(asked.values))
        except _StoppedError:
            raise (cancelled if stop.is_set() else self._timed_out)(watch.query_id) from None
        except Error as error:
            raise _explained(error, watch) from error
        return self._result(cursor)

    def _result(self, cursor: Any) -> Result:
        reused = bool(cursor.reused_previous_result)
        scanned = int(cursor.data_scanned_in_bytes or 0)
        seconds = (cursor.total_execution_time_in_millis or 0) / 1000
        cost = Cost(1, scanned, billed(scanned, self._terabyte, reused=reused), seconds, reused)
        return Result(self._table(cursor), cost, cursor.query_id or "")

    def _table(self, cursor: Any) -> pa.Table:
        """The whole file of results. Athena quotes every text, so that an empty one is told from none."""
        import pyarrow as pa
        from pyarrow import csv

        bucket, _, key = cursor.output_location.removeprefix("s3://").partition("/")
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise results_error(error, cursor.query_id) from error
        numbers = {"double": pa.float64(), "float": pa.float64(), "boolean": pa.bool_()}
        numbers |= dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), pa.int64())
        types = {column[0]: numbers.get(column[1], pa.string()) for column in cursor.description}
        return csv.read_csv(
            pa.BufferReader(body),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
            ),
        )

    def _cursor(self, watch: _Watch, *, reuse: bool) -> Any:
        from pyathena.cursor import Cursor

        with self._connecting:
            connection = self._connection
        minutes = self._history.reuse_minutes
        cursor = connection.cursor(Cursor, on_poll=watch, result_reuse_enable=reuse, result_reuse_minutes=minutes)
        # The API is asked for the columns' types alone.
        cursor.arraysize = 1
        return cursor

    @cached_property
    def _connection(self) -> Any:
        from botocore.config import Config
        from pyathena.connection import Connection
        from pyathena.util import RetryConfig

        # PyAthena retries what is throttled; a second layer below it would multiply the waits.
        once = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=16,
        )
        return Connection(
            s3_staging_dir="",
            region_name=self._region,
            work_group=self._workgroup,
            schema_name=METRICS_DATABASE,
            poll_interval=self._poll_seconds,
            kill_on_interrupt=False,
            retry_config=RetryConfig(attempt=ATTEMPTS, multiplier=self._backoff_seconds),
            config=once,
        )

    def _timed_out(self, query_id: str) -> HistoryError:
        limit = self._history.timeout_seconds
        remedy = "narrow the range, or raise history.timeout_seconds"
        return HistoryError("timeout", f"Athena took more than {limit:g} s and was stopped; {remedy}", query_id)


def cancelled(query_id: str) -> HistoryError:
    """Of a statement that somebody stopped."""
    return HistoryError("cancelled", "Cancelled; run it again to see history", query_id)


class _StoppedError(Exception):
    """A statement that this process stopped."""


@dataclass(slots=True)
class _Watch:
    """Looks at a statement each time PyAthena does, and stops it when it is asked to or takes too long."""

    stop: threading.Event
    deadline: float
    clock: Callable[[], float]
    cursor: Any = None
    query_id: str = ""
    reason: str = ""

    def __call__(self, execution: Any) -> None:
        self.query_id, self.reason = execution.query_id or "", execution.state_change_reason or ""
        if execution.state in execution.TERMINAL_STATES:
            return
        if self.stop.is_set() or self.clock() > self.deadline:
            self.cursor.cancel()
            raise _StoppedError


def _explained(error: BaseException, watch: _Watch) -> HistoryError:
    """Athena's own reason where it ended the query, else what the request met."""
    if watch.stop.is_set():
        return cancelled(watch.query_id)
    if watch.reason and watch.reason in str(error):
        if "cancelled by user" in watch.reason:
            return HistoryError("cancelled", "Stopped in Athena; run it again to see history", watch.query_id)
        return query_error(watch.reason, watch.query_id)
    return request_error(error, watch.query_id)
