"""What goes wrong, in Athena's words: requests that are refused, queries that fail, queries that are cancelled."""

from __future__ import annotations

from typing import Final

USER: Final = 2
SYSTEM: Final = 1
"""``AthenaError.ErrorCategory``."""
CANCELLED: Final = "Query cancelled by user"
"""Why a query that a reader stopped has no answer."""


class RequestError(Exception):
    """A request that is answered with an error: ``code`` as the API names it, HTTP ``status``."""

    def __init__(self, message: str, code: str = "InvalidRequestException", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class QueryError(Exception):
    """A query that ends as FAILED; the text begins with Trino's name of the error."""

    def __init__(self, reason: str, *, category: int = USER, kind: int = 1006, retryable: bool = False) -> None:
        super().__init__(reason)
        self.category = category
        self.kind = kind
        self.retryable = retryable


class CancelError(Exception):
    """A query that ends as CANCELLED, by the user or by the workgroup's limit."""


def syntax_error(sql: str, offset: int, found: str, expected: str) -> QueryError:
    """Bad SQL at a character ``offset`` of the statement."""
    expecting = f". Expecting: {expected}" if expected else ""
    return QueryError(f"{place(sql, offset)}: mismatched input '{found}'{expecting}", kind=1001)


def place(sql: str, offset: int) -> str:
    """``line 1:8``: where a character offset of the statement is, both counted from 1."""
    before = sql[: max(offset, 0)]
    return f"line {before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"


def not_served(what: str) -> QueryError:
    """What real Athena takes and this one does not."""
    return QueryError(f"NOT_SUPPORTED: {what} is not served by the local Athena endpoint", kind=1001)
