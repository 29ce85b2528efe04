"""Why an event can't be processed, in the words that the table, the pages and the metrics use. Pure."""

from __future__ import annotations

from typing import Final

from backend.contract.events import ERROR_TYPES, ErrorType

PERMANENT: Final[frozenset[ErrorType]] = frozenset({"parse_error", "validation_error", "duplicate", "poison"})
"""Kinds that waiting does not mend: such a message uses up its receives at once."""


class EventFailure(Exception):  # noqa: N818 - what happened to an event
    """An event can't be processed. Plug-ins raise it, too.

    ``error_type`` is one of ``ERROR_TYPES``; ``message`` says in a sentence what is wrong. ``permanent`` is by default
    what is true of the kind.
    """

    def __init__(self, error_type: ErrorType, message: str, *, permanent: bool | None = None) -> None:
        if error_type not in ERROR_TYPES:
            raise ValueError(f"error_type: {error_type!r} must be one of {', '.join(ERROR_TYPES)}")
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.permanent = error_type in PERMANENT if permanent is None else permanent
