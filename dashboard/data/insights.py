"""CloudWatch Logs Insights queries for the filters of a page, and the address that opens them in AWS. Pure.

Values come from producers: each is put into a query as a string literal, so that none can end it and add to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.contract.events import utc_text

LOG_GROUPS: Final = ("/aws/lambda/ingest-api", "/aws/lambda/event-processor", "/aws/lambda/replay-runner")
"""Log groups of the functions that events pass, as the stack names them."""
FIELDS: Final = ("error_type", "operator", "event_type", "source", "entity_id", "correlation_id")
"""Filters of a page that log lines carry under the same name, in the order in which queries name them."""
FAILING: Final = "ispresent(error_type)"
TIMED: Final = "ispresent(latency_ms)"
DEAD_LETTERED: Final = 'status = "dead_lettered"'
"""What the event processor logs of an event that was received for the last time."""
_BINS: Final = ((2 * 3600, "1m"), (12 * 3600, "5m"), (3 * 86400, "1h"))
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]")
_BEYOND_LATIN: Final = 0x100


@dataclass(frozen=True, slots=True)
class InsightsQuery:
    """One ready-made query. ``purpose`` is one sentence; ``address`` opens it in the AWS console."""

    key: str
    title: str
    purpose: str
    text: str
    address: str


def queries(
    filters: Mapping[str, str], start: float, end: float, region: str, traced: tuple[str, str] | None
) -> tuple[InsightsQuery, ...]:
    """The queries for the filters over [start, end], epoch seconds.

    ``traced`` is the field and value that one order is traced by, None where there is nothing to trace.
    """
    width = next((width for seconds, width in _BINS if end - start <= seconds), "1d")
    failing, timed, dead = (conditions(filters, what) for what in (FAILING, TIMED, DEAD_LETTERED))
    told = [
        (
            "errors-by-type", "Errors by type", "How many log lines carry each error type, over time.",
            (failing, f"stats count(*) as errors by error_type, bin({width})", "sort errors desc"),
        ),
        (
            "latency", "Latency percentiles", "Half, 95 % and 99 % of what was handled took no longer than this.",
            (timed, f"stats {_percentiles(50, 95, 99)} by bin({width})"),
        ),
        (
            "slow-operators", "Slow operators", "The operators that take longest.",
            (
                timed,
                f"stats count(*) as events, {_percentiles(50, 95)}, max(latency_ms) as slowest by operator",
                "sort p95 desc",
                "limit 20",
            ),
        ),
        (
            "dlq-cause", "DLQ spike cause", "What dead letters have in common, and since when.",
            (
                dead,
                "stats count(*) as dead_letters, min(@timestamp) as first, max(@timestamp) as last"
                " by error_type, operator, event_type, error_message",
                "sort dead_letters desc",
                "limit 20",
            ),
        ),
    ]  # fmt: skip
    if traced is not None:
        told.insert(0, _trace(*traced))
    return tuple(
        InsightsQuery(key, title, purpose, text, console_address(region, LOG_GROUPS, text, start, end))
        for key, title, purpose, parts in told
        for text in ["\n| ".join(parts)]
    )


def conditions(filters: Mapping[str, str], *others: str) -> str:
    """The filter command for the filters that log lines carry and ``others``."""
    wanted = [f"{name} = {literal(filters[name])}" for name in FIELDS if filters.get(name)]
    return f"filter {' and '.join([*wanted, *others])}"


def literal(value: str) -> str:
    """A value as a string of the query language: in double quotes, with quotes and backslashes escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def console_address(region: str, groups: Sequence[str], query: str, start: float, end: float) -> str:
    """The console's address that opens a query over [start, end], epoch seconds, in the given log groups.

    The console keeps the query in the fragment as JSURL, its ``?`` and ``=`` written with ``$`` for ``%``.
    """
    source = "".join(f"~'{_jsurl(group)}" for group in groups)
    detail = (
        f"~(end~'{_jsurl(utc_text(end))}~start~'{_jsurl(utc_text(start))}~timeType~'ABSOLUTE~tz~'UTC"
        f"~editorString~'{_jsurl(query)}~source~({source}))"
    )
    home = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    return f"{home}#logsV2:logs-insights$3FqueryDetail$3D{detail}"


def _trace(field: str, value: str) -> tuple[str, str, str, tuple[str, ...]]:
    fields = "fields @timestamp, logger, level, message, operator, status, latency_ms, error_type, error_message"
    parts = (fields, f"filter {field} = {literal(value)}", "sort @timestamp asc", "limit 1000")
    return "trace", "Trace one order", f"Every log line of {value}, oldest first.", parts


def _percentiles(*wanted: int) -> str:
    return ", ".join(f"pct(latency_ms, {share}) as p{share}" for share in wanted)


def _jsurl(text: str) -> str:
    """A text as JSURL writes it: ``*`` and two hexadecimal digits, ``**`` and four for UTF-16 units beyond Latin-1."""
    return "".join(char if _PLAIN.fullmatch(char) else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    if ord(char) < _BEYOND_LATIN:
        return "!" if char == "$" else f"*{ord(char):02x}"
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"**{units[i : i + 4]}" for i in range(0, len(units), 4))
