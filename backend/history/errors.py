"""What can go wrong with a statement, as one HistoryError each: what happened, and what to do about it."""

from __future__ import annotations

import re
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.history import HistoryError

THROTTLING: Final = ("ThrottlingException", "TooManyRequestsException", "SlowDown", "Throttling")
MISSING_TEXT: Final = re.compile(
    r"(SCHEMA_NOT_FOUND|TABLE_NOT_FOUND|EntityNotFoundException|WorkGroup .*(?:is not found|does not exist)"
    r"|Table .* does not exist)"
)
_BUSY: Final = re.compile(r"slow ?down|status code: 503|reduce your request rate", re.IGNORECASE)
_DENIED: Final = re.compile(r"access ?denied|not authorized|insufficient permissions|AccessDenied", re.IGNORECASE)
_LIMIT: Final = re.compile(r"bytes scanned limit", re.IGNORECASE)
_RESULTS: Final = re.compile(
    r"output (?:bucket|location)|result(?:s)? (?:bucket|location|configuration)", re.IGNORECASE
)
_DATA: Final = re.compile(
    r"HIVE_BAD_DATA|HIVE_CURSOR_ERROR|HIVE_CANNOT_OPEN_SPLIT|HIVE_INVALID_METADATA|HIVE_FILESYSTEM_ERROR"
    r"|HIVE_UNKNOWN_ERROR|not a valid JSON|not a (?:valid )?Parquet",
    re.IGNORECASE,
)
_OBJECT: Final = re.compile(r"s3://[^\s,;'\"()\[\]]+")
MOST_TEXT: Final = 300


def request_error(error: BaseException, query_id: str = "") -> HistoryError:
    """Of a request that AWS refused or never got; PyAthena's errors carry botocore's as their cause."""
    cause = _cause(error)
    if isinstance(cause, ClientError):
        code = str(cause.response.get("Error", {}).get("Code", ""))
        text = str(cause.response.get("Error", {}).get("Message", ""))
        if code in THROTTLING:
            return HistoryError("throttled", "Athena takes no more requests just now; look again in a minute", query_id)
        if code in ("AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "403"):
            return HistoryError("denied", f"No access to Athena: {short(text)}; run pulseboard doctor", query_id)
        if code in ("NoSuchBucket", "NoSuchKey", "404"):
            return _results_error(text, query_id)
        return query_error(text or code, query_id)
    if isinstance(cause, BotoCoreError | OSError):
        remedy = "check the network and AWS_ENDPOINT_URL_ATHENA"
        return HistoryError("unreachable", f"Athena does not answer ({type(cause).__name__}); {remedy}", query_id)
    return query_error(str(cause), query_id)


def results_error(error: BaseException, query_id: str) -> HistoryError:
    """Of results that were written and can't be read."""
    return _results_error(str(_cause(error)), query_id)


def query_error(reason: str, query_id: str) -> HistoryError:
    """Of a query that Athena ended itself, by the reason it gives."""
    text = short(reason)
    if _LIMIT.search(reason):
        remedy = "narrow the range, or raise the workgroup's limit (HistoryScanLimitBytes)"
        return HistoryError("limit", f"The query would scan more than the workgroup allows; {remedy}", query_id)
    if _BUSY.search(reason):
        return HistoryError("throttled", "S3 takes no more requests just now; look again in a minute", query_id)
    # Athena says with the same words that an object can't be read and that it may not be.
    if _DATA.search(reason) and not _DENIED.search(reason):
        return _data_error(reason, query_id)
    if _RESULTS.search(reason):
        return _results_error(reason, query_id)
    if _DENIED.search(reason):
        return HistoryError("denied", f"Athena may not read what it needs: {text}; run pulseboard doctor", query_id)
    if MISSING_TEXT.search(reason):
        return HistoryError("missing", f"{text}; deploy the stack's history tables (docs/deploy.md)", query_id)
    return HistoryError("failed", f"Athena could not answer: {text}", query_id)


def _data_error(reason: str, query_id: str) -> HistoryError:
    found = _OBJECT.search(reason)
    if found is None:
        return HistoryError("data", f"A stored object can't be read: {short(reason)}", query_id)
    # The names of objects end in their suffix; Athena goes on with an offset in parentheses or a full stop.
    name = found[0].rstrip(".:")
    why = short(reason.replace(found[0], "it").strip())
    return HistoryError("data", f"{name} can't be read; mend or move it ({why})", query_id)


def _results_error(text: str, query_id: str) -> HistoryError:
    remedy = "check that the workgroup's result bucket is there and may be written and read"
    return HistoryError("results", f"Athena's results can't be reached; {remedy} ({short(text)})", query_id)


def short(text: str) -> str:
    """One line of at most ``MOST_TEXT`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 3] + "..."


def _cause(error: BaseException) -> BaseException:
    """The innermost error that says something: PyAthena wraps botocore's."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
