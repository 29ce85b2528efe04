"""One line in the log for every event that came in, found again by its ids."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aws_lambda_powertools import Logger

from backend.contract.errors import InvalidInput
from backend.events.outcome import Attempt, entity_fields

_TAKEN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""Names that a log record has itself; it refuses others of that name."""


def loggable(keys: Iterable[str]) -> list[str]:
    """The keys that may name a field of a line."""
    return [key for key in keys if key not in _TAKEN]


class IngestLog:
    """Writes the lines. ``keys`` are fields of payloads that are logged by their own names."""

    def __init__(self, logger: Logger, operator: str, keys: Iterable[str]) -> None:
        self._logger = logger
        self._operator = operator
        self._keys = loggable(keys)

    def handled(self, attempt: Attempt, seconds: float) -> None:
        """What became of an event; ``seconds`` is how long its request took."""
        fields = self._fields(attempt) | {"latency_ms": round(seconds * 1000, 1)}
        if attempt.status == "error":
            fields |= {"error_type": attempt.code, "error_message": attempt.problem}
            self._logger.error("event not taken", extra=fields)
        else:
            self._logger.info("event taken", extra=fields)

    def uncounted(self, attempt: Attempt, error: Exception) -> None:
        """That a duplicate could not be counted, which costs nothing but the number."""
        fields = self._fields(attempt) | {"error_type": type(error).__name__, "error_message": str(error)}
        self._logger.warning("duplicate not counted", extra=fields)

    def refused(self, problems: Sequence[InvalidInput]) -> None:
        """That events of a request were not even tried, and why the first one was not."""
        fields = {"operator": self._operator, "status": "error", "refused": len(problems)}
        fields |= {"error_type": problems[0].code, "error_message": str(problems[0])}
        self._logger.warning("events refused", extra=fields)

    def _fields(self, attempt: Attempt) -> dict[str, Any]:
        gate = attempt.lead.gate
        return {
            **entity_fields(attempt.lead.event.payload, self._keys),
            "correlation_id": gate.correlation_id,
            "event_id": gate.event_id,
            "entity_id": gate.entity_id,
            "event_type": gate.event_type,
            "source": gate.source,
            "operator": self._operator,
            "status": attempt.status,
            "duplicates": attempt.again,
            "traceparent": gate.traceparent,
        }
