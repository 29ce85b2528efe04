"""Structured logs: one JSON object a line, the same keys in every function, searchable with Logs Insights."""

from __future__ import annotations

from typing import IO, Final

from aws_lambda_powertools import Logger

KEYS: Final = ("timestamp", "level", "logger", "message", "correlation_id")
"""Keys that come first, in this order; what a line says besides follows them."""


def make_logger(service: str, stream: IO[str] | None = None) -> Logger:
    """The logger of a function, whose lines are JSON with ``KEYS`` first, times in UTC as RFC 3339.

    The level comes from ``LOG_LEVEL`` (INFO by default). A function adds ``correlation_id`` for what it works on:
    ``with logger.append_context_keys(correlation_id=...):``; further fields go to ``extra``. ``stream`` is standard
    output by default.
    """
    return Logger(
        service=service,
        stream=stream,
        utc=True,
        use_rfc3339=True,
        log_record_order=list(KEYS),
        logger=service,
        location=None,
    )
