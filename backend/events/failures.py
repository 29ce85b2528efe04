"""Why an event can't be processed, in the words that the table, the pages and the metrics use. Pure."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.events import ERROR_TYPES, ErrorType

PERMANENT: Final[frozenset[ErrorType]] = frozenset({"parse_error", "validation_error", "duplicate", "poison"})
"""Kinds that waiting does not mend: such a message uses up its receives at once."""
_BUSY: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionCanceledException",
        "TransactionInProgressException",
    }
)


class EventFailure(Exception):  # noqa: N818 - what happened to an event
    """An event can't be processed. Plug-ins raise it, too.

    ``error_type`` is one of ``ERROR_TYPES``; ``message`` says in a sentence what is wrong. ``permanent`` is by default
    what is true of the kind. ``alert``: a person has to look into it.
    """

    def __init__(
        self, error_type: ErrorType, message: str, *, permanent: bool | None = None, alert: bool = False
    ) -> None:
        if error_type not in ERROR_TYPES:
            raise ValueError(f"error_type: {error_type!r} must be one of {', '.join(ERROR_TYPES)}")
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.permanent = error_type in PERMANENT if permanent is None else permanent
        self.alert = alert


def failure_of(error: Exception) -> EventFailure:
    """What an error means for the event that it met; an EventFailure as it is.

    AWS being slow, busy or away is a ``timeout``, its refusal is ``poison`` that may be mended meanwhile; any other
    error is a plug-in's, and ``poison``.
    """
    if isinstance(error, EventFailure):
        return error
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or error.response.get("Error", {}).get("Code", "") in _BUSY:
            return EventFailure("timeout", str(error))
        return EventFailure("poison", str(error), permanent=False)
    if isinstance(error, BotoCoreError):
        return EventFailure("timeout", str(error))
    return EventFailure("poison", f"{type(error).__name__}: {error}")
