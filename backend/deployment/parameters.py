"""Which value each parameter of the template gets: what is given, else what the stack has, else the default. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from backend.contract.errors import InvalidInput

RETENTION: Final = "EventsRetentionDays"
"""The one parameter that a setting of pulseboard.toml bounds from below."""
_SHOWN_EMPTY: Final = "(empty)"


def settle(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], previous: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The ``Parameters`` of a change set.

    ``declared`` are the template's parameters, ``previous`` the stack's values. A parameter of the stack that is not
    given keeps its value: an update never sets one back to its default. Raises InvalidInput for a name that the
    template does not have, a value it does not allow, and a required one that nobody gives.
    """
    check(declared, given)
    settled: list[dict[str, Any]] = []
    for name, declaration in declared.items():
        if name in given:
            settled.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in previous:
            settled.append({"ParameterKey": name, "UsePreviousValue": True})
        elif "Default" not in declaration:
            raise InvalidInput(name, None, f"is required; {declaration.get('Description', 'give it in deploy.toml')}")
    return settled


def check(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> None:
    """Raises InvalidInput for a name that the template does not have, and a value that it does not allow."""
    for name, value in given.items():
        _check(declared, name, value)


def differences(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], previous: Mapping[str, str]
) -> list[str]:
    """A line for each parameter of an existing stack whose value changes: ``LogLevel: INFO -> DEBUG``."""
    lines = []
    for name, declaration in declared.items():
        new = given.get(name, previous.get(name, str(declaration.get("Default", ""))))
        old = previous.get(name)
        if old is None and new != str(declaration.get("Default", "")):
            lines.append(f"{name}: new, {new or _SHOWN_EMPTY}")
        elif old is not None and old != new:
            lines.append(f"{name}: {old or _SHOWN_EMPTY} -> {new or _SHOWN_EMPTY}")
    return lines


def with_retention(given: Mapping[str, str], previous: Mapping[str, str], days: int) -> dict[str, str]:
    """``given`` with raw events kept for at least ``days``, as long as they may be searched.

    Raises InvalidInput where a shorter time is asked for.
    """
    if RETENTION in given:
        if int(given[RETENTION]) < days:
            raise InvalidInput(
                RETENTION, given[RETENTION], f"is less than events.retention_days = {days}: found events would be gone"
            )
        return dict(given)
    if int(previous.get(RETENTION, "0")) >= days:
        return dict(given)
    return {**given, RETENTION: str(days)}


def _check(declared: Mapping[str, Mapping[str, Any]], name: str, value: str) -> None:
    if name not in declared:
        near = get_close_matches(name, declared, n=1)
        raise InvalidInput(
            f"parameters.{name}", value, f"is not in the template{f'; did you mean {near[0]}?' if near else ''}"
        )
    declaration = declared[name]
    allowed = [str(entry) for entry in declaration.get("AllowedValues", ())]
    if allowed and value not in allowed:
        raise InvalidInput(f"parameters.{name}", value, f"must be one of {', '.join(allowed)}")
    if declaration["Type"] != "Number":
        return
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput(f"parameters.{name}", value, "must be a number") from None
    least, most = declaration.get("MinValue", number), declaration.get("MaxValue", number)
    if not least <= number <= most:
        raise InvalidInput(f"parameters.{name}", value, f"must be between {least:g} and {most:g}")
