"""JSON values that every reader understands alike. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from backend.contract.errors import InvalidInput

LARGEST_INTEGER: Final = 2**53 - 1
"""Beyond it JSON readers round (RFC 8785, RFC 7493 section 2.2)."""
INVALID_JSON: Final = "invalid_json"
NAME_CHARACTERS: Final = 64
"""Shown of a key in a field's place."""
EXACT_CHARACTERS: Final = 15
"""A decimal of so many characters and no exponent has at most 14 digits, which a double keeps."""


class _Repeated(dict[str, Any]):
    """An object whose key ``name`` was given more than once."""

    name = ""


class _Constant(str):
    """NaN, Infinity or -Infinity, which Python's reader takes and JSON does not know."""

    __slots__ = ()


def decode(text: bytes, name: str, levels: int, place: str = "") -> Any:
    """The value of JSON text that nests at most ``levels`` objects and arrays.

    Raises InvalidInput: for text that is no JSON its field is ``name``, else the place of what is wrong below
    ``place``, such as ``[3].payload.amount``.
    """
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_Constant, parse_float=_float
        )
    except UnicodeDecodeError as error:
        remedy = f"is not UTF-8 at byte {error.start}; send JSON in UTF-8"
        raise InvalidInput(name, excerpt(text[error.start :]), remedy, INVALID_JSON) from None
    except json.JSONDecodeError as error:
        remedy = f"is not JSON ({error.msg} at character {error.pos + 1}); mend it there"
        raise InvalidInput(name, excerpt(text), remedy, INVALID_JSON) from None
    except RecursionError:
        raise _too_deep(name, excerpt(text)) from None
    except ValueError:
        remedy = "has a number of thousands of digits; send it as a text"
        raise InvalidInput(name, excerpt(text), remedy, INVALID_JSON) from None
    if problem := _problem(value, levels):
        problem.field = (place + problem.field).removeprefix(".") or name
        raise InvalidInput(problem.field, problem.value, problem.remedy, problem.code)
    return value


class _Inexact(str):
    """A decimal number with more digits than a JSON number keeps."""

    __slots__ = ()


def _float(text: str) -> float | _Inexact:
    """The number, where it says the same as the text."""
    value = float(text)
    if len(text) <= EXACT_CHARACTERS and "e" not in text and "E" not in text:
        return value
    if not math.isfinite(value) or Decimal(text) == Decimal(repr(value)):
        return value
    return _Inexact(text)


def excerpt(text: bytes) -> str:
    """The beginning of a text, for a message."""
    return text[:130].decode("utf-8", "replace")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    repeated.name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
    return repeated


def _problem(value: Any, levels: int) -> InvalidInput | None:
    """What is wrong with a value or with something in it, its field the place below the value."""
    if isinstance(value, dict):
        return _too_deep("", "an object") if levels == 0 else _problem_of_object(value, levels)
    if isinstance(value, list):
        return _too_deep("", "an array") if levels == 0 else _first_below(enumerate_places(value), levels)
    if isinstance(value, str):
        return _problem_of_text(value)
    if isinstance(value, int):
        if abs(value) <= LARGEST_INTEGER:
            return None
        return InvalidInput("", value, "is an integer beyond 2^53, which would lose digits; send it as a text")
    if isinstance(value, float) and not math.isfinite(value):
        return InvalidInput("", value, "is larger than a JSON number can be; send it as a text")
    return None


def enumerate_places(values: list[Any]) -> Iterable[tuple[str, Any]]:
    """The values of an array with their places."""
    return ((f"[{index}]", value) for index, value in enumerate(values))


def _problem_of_object(value: dict[str, Any], levels: int) -> InvalidInput | None:
    if isinstance(value, _Repeated):
        return InvalidInput(_step(value.name), value.name, "is given twice in one object; send it once")
    for name in value:
        if not name.isascii() and _lone_surrogate(name):
            return InvalidInput(_step(name), name, "has half of a surrogate pair in its name; send valid Unicode")
    return _first_below(((_step(name), inner) for name, inner in value.items()), levels)


def _first_below(places: Iterable[tuple[str, Any]], levels: int) -> InvalidInput | None:
    for place, inner in places:
        if problem := _problem(inner, levels - 1):
            problem.field = place + problem.field
            return problem
    return None


def _problem_of_text(value: str) -> InvalidInput | None:
    if isinstance(value, _Constant):
        return InvalidInput("", str(value), "is not JSON; leave a field without a value out, or send null")
    if isinstance(value, _Inexact):
        return InvalidInput("", str(value), "has more digits than a JSON number keeps; send it as a text, or round it")
    if value.isascii() or not _lone_surrogate(value):
        return None
    return InvalidInput("", value, "has half of a surrogate pair, which is no character; send valid Unicode")


def _lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _step(name: str) -> str:
    shown = name.encode("utf-8", "replace").decode()
    return "." + (shown if len(shown) <= NAME_CHARACTERS else shown[:NAME_CHARACTERS] + "...")


def _too_deep(field: str, value: str) -> InvalidInput:
    return InvalidInput(field, value, "is nested too deeply; send it flatter, or as a text", "too_deep")
