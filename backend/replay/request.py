"""What someone asks to be put through again: read from the API's body, the page's form, the command line. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from backend.contract.errors import InvalidInput
from backend.contract.event_query import NAMES, parse_query
from backend.contract.replays import MAX_REASON, ReplayRequest
from backend.settings import Settings

N = TypeVar("N", int, float)

FIELDS: Final = ("selection", "reason", "target", "rate_per_second", "max_events", "confirm", "dry_run")
DEFAULT_TARGET: Final = "event-processor"
SHORTEST_REASON: Final = 3
SLOWEST: Final = 0.1
"""Events a second: below, a replay could neither be paused nor cancelled within seconds."""


def parse_replay_request(body: Mapping[str, Any], now: float, settings: Settings) -> ReplayRequest:
    """The request of an API body: ``FIELDS``, of which only ``selection`` and ``reason`` are required.

    ``rate_per_second`` 0 is "without a limit", absent it is the configured rate. A dry run needs no reason. Unknown
    names are refused: a filter that is misspelt would choose too much. Raises InvalidInput naming the field.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput("body", type(body).__name__, "must be a JSON object")
    _only(body, FIELDS, "")
    selection = body.get("selection")
    if not isinstance(selection, Mapping):
        raise InvalidInput("selection", selection, "must be an object of filters")
    _only(selection, NAMES, "selection.")
    _nothing_empty(selection)
    limits = settings.config.replay
    rate = _number(body.get("rate_per_second"), "rate_per_second", float)
    max_events = _number(body.get("max_events"), "max_events", int)
    if max_events is not None and not 1 <= max_events <= limits.max_events:
        raise InvalidInput("max_events", max_events, f"must lie between 1 and {limits.max_events} (replay.max_events)")
    return ReplayRequest(
        selection=parse_query(selection, now),
        reason="" if wants_dry_run(body) and not body.get("reason") else check_reason(body.get("reason")),
        target=check_target(body.get("target") or DEFAULT_TARGET, settings),
        rate_per_second=limits.rate_per_second if rate is None else check_rate(rate),
        max_events=max_events,
        confirm=_number(body.get("confirm"), "confirm", int),
    )


def _nothing_empty(selection: Mapping[str, Any]) -> None:
    """A filter that came out empty would choose everything. Raises InvalidInput naming it."""
    for name, value in selection.items():
        if value is None or value in ("", [], ()):
            raise InvalidInput(f"selection.{name}", value, "is empty; leave it out to choose without it")
    if not selection:
        raise InvalidInput("selection", {}, "has no filter; give from (and to) for all of a time range")


def wants_dry_run(body: Mapping[str, Any]) -> bool:
    """Whether a body asks for the count only. Raises InvalidInput for what is no answer to that."""
    value = body.get("dry_run")
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise InvalidInput("dry_run", value, "must be true or false")


def check_reason(reason: Any) -> str:
    """The reason, stripped. Raises InvalidInput where there is none or it is too long."""
    text = reason.strip() if isinstance(reason, str) else ""
    if not SHORTEST_REASON <= len(text) <= MAX_REASON or not text.isprintable():
        raise InvalidInput(
            "reason", reason, f"must say why, in {SHORTEST_REASON} to {MAX_REASON} printable characters on one line"
        )
    return text


def check_target(target: Any, settings: Settings) -> str:
    """The target, if it is one of those allowed. Raises InvalidInput naming them."""
    known = targets(settings)
    if not isinstance(target, str) or target not in known:
        raise InvalidInput("target", target, f"is not a known queue; use {', '.join(known)}")
    return target


def targets(settings: Settings) -> dict[str, str]:
    """Where events may be sent: name to the queue's URL."""
    return {DEFAULT_TARGET: settings.event_queue_url, **settings.config.replay.targets}


def most_events(request: ReplayRequest, settings: Settings) -> int:
    """How many events the request may send at most."""
    most = settings.config.replay.max_events
    return most if request.max_events is None else min(most, request.max_events)


def check_rate(rate: float | None) -> float | None:
    """The rate, None for 0 ("without a limit"). Raises InvalidInput for one that is too slow."""
    if not rate:
        return None
    if rate < SLOWEST:
        raise InvalidInput("rate_per_second", rate, f"must be 0 (without a limit) or at least {SLOWEST}")
    return rate


def _only(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name, value in values.items():
        if name not in known:
            raise InvalidInput(f"{where}{name}", value, f"is not known; use {', '.join(known)}")


def _number(value: Any, name: str, kind: type[N]) -> N | None:
    if value is None or value == "":
        return None
    what = "a whole number" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput(name, value, f"must be {what}")
    try:
        number = kind(value)
        if number != float(value) or not 0 <= number < 1e12:
            raise ValueError(name)
    except (ValueError, OverflowError):
        raise InvalidInput(name, value, f"must be {what}, 0 or above") from None
    return number
