"""``deploy.toml``: which stack, through which bucket, with which parameters. Read once; flags go before it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backend.contract.errors import InvalidInput

FILE_NAME: Final = "deploy.toml"
STACK: Final = "pulseboard"
_FIELDS: Final = ("stack", "code_bucket", "parameters")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be deployed. ``code_bucket`` empty: the one that the stack uses already."""

    stack: str = STACK
    code_bucket: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def load_plan(path: Path | None) -> Plan:
    """The plan in ``path``, else in ``./deploy.toml``, else the defaults. Raises InvalidInput for what it can't be."""
    if path is None and not Path(FILE_NAME).exists():
        return Plan()
    place = path or Path(FILE_NAME)
    try:
        data = tomllib.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidInput("plan", str(place), "does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(place), str(error), "is not TOML; mend the line it names") from None
    return parse_plan(data)


def parse_plan(data: Mapping[str, Any]) -> Plan:
    """A plan from TOML's values. Raises InvalidInput."""
    for name in data:
        if name not in _FIELDS:
            raise InvalidInput(name, data[name], f"is not known; {FILE_NAME} has {', '.join(_FIELDS)}")
    stack, bucket, parameters = data.get("stack", STACK), data.get("code_bucket", ""), data.get("parameters", {})
    if not isinstance(stack, str) or not stack:
        raise InvalidInput("stack", stack, "must be a name")
    if not isinstance(bucket, str):
        raise InvalidInput("code_bucket", bucket, "must be a bucket's name")
    if not isinstance(parameters, dict):
        raise InvalidInput("parameters", parameters, "must be a table: [parameters]")
    return Plan(stack, bucket, {name: _text(name, value) for name, value in parameters.items()})


def with_flags(plan: Plan, parameters: tuple[str, ...], *, stack: str | None, code_bucket: str | None) -> Plan:
    """The plan with what the command line says instead. ``parameters`` are ``Name=value``. Raises InvalidInput."""
    given = dict(plan.parameters)
    for text in parameters:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise InvalidInput("parameter", text, "must be Name=value")
        given[name] = value
    return Plan(stack or plan.stack, code_bucket or plan.code_bucket, given)


def _text(name: str, value: Any) -> str:
    """CloudFormation's parameters are text; lists have commas between."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return ",".join(value)
    raise InvalidInput(f"parameters.{name}", value, "must be text, a whole number or a list of texts")
