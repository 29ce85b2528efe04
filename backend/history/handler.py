"""The function ``history-compactor``, run each night: closed days become Parquet; what failed is told."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.publish import Publisher
from backend.aws import Clients
from backend.contract.catalogue import Severity
from backend.contract.errors import InvalidInput
from backend.contract.tables import METRICS_DATABASE, SAMPLES_VIEW, WORKGROUP
from backend.history.compaction import Athena, Compaction, Outcome, QueryFailed
from backend.history.ledger import Ledger
from backend.history.listing import Bucket
from backend.history.view import write_view
from backend.logs import make_logger
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

SERVICE: Final = "history-compactor"
KIND: Final = "history_compaction"
SEVERITY: Final[Severity] = "HIGH"
"""Nothing is lost yet: the JSON that the day is read from stays for weeks."""
LASTS_SECONDS: Final = 2 * 86_400.0
"""A day that fails is tried each night; its alert ends when that has stopped, for then its objects have expired."""
ENOUGH_SECONDS: Final = 300.0
"""A day is begun with at least so much time left."""
RESERVE_SECONDS: Final = 30.0
"""Kept back of the function's time to stop a statement and to say so."""
VIEW_SECONDS: Final = 60.0
"""Kept back for the view and for what nobody reads any more: one slow day must not starve them night after night."""
_DAY_MEANWHILE: Final = "The day is read from its JSON meanwhile. Compact it before that expires."
_VIEW_MEANWHILE: Final = (
    "Pages are not concerned. Whoever asks Athena through the view reads days as they were the night before; after "
    "two weeks it lacks the newest ones. Generations that it may name are kept meanwhile."
)


class Compactor:
    """One run: plans, compacts day by day while there is time, rewrites the view, removes what nobody reads, tells."""

    def __init__(
        self,
        settings: Settings,
        s3: S3Client,
        dynamodb: DynamoDBClient,
        publisher: Publisher,
        logger: Logger,
        athena: Callable[[float], Athena],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``athena`` makes what runs statements until a time (epoch s) by ``clock``."""
        self._settings = settings
        self._dynamodb = dynamodb
        self._ledger = Ledger(s3, settings.bucket)
        self._bucket = Bucket(s3, settings.bucket)
        self._publisher = publisher
        self._logger = logger
        self._athena = athena
        self._clock = clock

    def __call__(self, remaining_seconds: float, correlation_id: str) -> dict[str, Any]:
        """One run within ``remaining_seconds``; returns its counts. Raises what keeps it from looking at all."""
        began = self._clock()
        until = began + remaining_seconds - RESERVE_SECONDS
        compaction = Compaction(self._ledger, self._bucket, self._athena(until - VIEW_SECONDS), self._clock)
        with self._logger.append_context_keys(correlation_id=correlation_id):
            try:
                due = compaction.plan()
                results: Counter[str] = Counter()
                for number, day in enumerate(due):
                    if number and self._clock() + ENOUGH_SECONDS > until - VIEW_SECONDS:
                        break
                    outcome = compaction.compact(day)
                    results[outcome.result] += 1
                    self._tell(outcome)
                # A view that could not be rewritten may name what nobody else reads.
                removed = compaction.clean() if self._rewrite_view(self._athena(until), due) else 0
            except (ClientError, BotoCoreError, InvalidInput, TimeoutError, RuntimeError) as error:
                self._alert("Compaction of history stopped", "run", str(error))
                raise
            fields = {"due": len(due), "left": len(due) - results.total(), "removed": removed, **results}
            seconds = self._clock() - began
            self._logger.info("history compacted", extra=fields | {"latency_ms": round(1000 * seconds, 1)})
        return fields

    def _rewrite_view(self, athena: Athena, due: Sequence[date]) -> bool:
        """Whether the view says what the ledger says; that it does not is told, and stops nothing."""
        try:
            write_view(athena, self._ledger, self._dynamodb, self._settings, self._clock(), due)
        except (QueryFailed, ClientError, BotoCoreError, InvalidInput) as error:
            self._logger.warning("view not rewritten", extra={"error": str(error)})
            title = f"Athena's view {SAMPLES_VIEW} could not be rewritten"
            self._alert(title, "view", str(error), description=_VIEW_MEANWHILE)
            return False
        return True

    def _tell(self, outcome: Outcome) -> None:
        day, entry = outcome.day.isoformat(), outcome.entry
        fields: dict[str, Any] = {"day": day, "status": outcome.result}
        if entry:
            fields |= {"samples": entry.samples, "lines": entry.rows, "objects": entry.objects}
            fields |= {"json_bytes": entry.json_bytes, "parquet_bytes": entry.parquet_bytes}
        if outcome.result == "failed":
            self._alert(f"{day} could not be compacted", day, outcome.problem)
            return
        self._logger.info("day looked at", extra=fields)
        if outcome.cured:
            title = f"{day} is compacted"
            self._publisher.send(SEVERITY, KIND, title, state="resolved", subject=day, runbook=KIND)

    def _alert(self, title: str, subject: str, problem: str, description: str = _DAY_MEANWHILE) -> None:
        self._publisher.send(
            SEVERITY,
            KIND,
            title,
            subject=subject,
            description=description,
            page="/capacity",
            runbook=KIND,
            lasts_seconds=LASTS_SECONDS,
            details={"problem": problem},
        )


def run_statements(
    settings: Settings, clock: Callable[[], float] = time.time, poll_seconds: float = 1.0
) -> Callable[[float], Athena]:
    """What runs statements in the product's workgroup through PyAthena, until a time by ``clock``."""

    def until(deadline: float) -> Athena:
        # PyAthena costs a second of import, which nobody else has to wait for.
        from pyathena.connection import Connection
        from pyathena.error import Error

        connection = Connection(
            s3_staging_dir="",
            region_name=settings.region,
            work_group=WORKGROUP,
            schema_name=METRICS_DATABASE,
            poll_interval=poll_seconds,
            kill_on_interrupt=False,
        )

        def run(sql: str) -> Sequence[Sequence[Any]]:
            def look(execution: Any) -> None:
                if execution.state not in execution.TERMINAL_STATES and clock() > deadline:
                    cursor.cancel()
                    raise QueryFailed("Athena needed more time than the function has left; the statement was stopped")

            cursor = connection.cursor(on_poll=look)
            try:
                cursor.execute(sql)
                rows: list[Sequence[Any]] = cursor.fetchall() if cursor.description else []
            except Error as error:
                raise QueryFailed(str(error)) from error
            return rows

        return run

    return until


@cache
def _wired() -> Compactor:
    """The compactor of this container, wired once from the environment."""
    settings, logger = load_settings(os.environ), make_logger(SERVICE)
    clients = Clients(settings.region, timeout=60.0)
    publisher = Publisher(clients.sns, settings, logger, SERVICE)
    return Compactor(settings, clients.s3, clients.dynamodb, publisher, logger, run_statements(settings))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """The function's entry point."""
    return _wired()(context.get_remaining_time_in_millis() / 1000, context.aws_request_id)
