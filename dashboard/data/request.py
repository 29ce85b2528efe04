"""What a page was asked for: the URL's query checked against allow-lists, and the key its view is cached under."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import urlencode

from backend.contract.errors import InvalidInput
from backend.contract.ranges import TimeRange, parse_range, parse_time

Role = Literal["viewer", "operator", "display"]
"""Who looks. Displays see what viewers see, with entity ids masked; neither is ever shown an action."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)
MAX_NAME: Final = 256
DEFAULT_FROM: Final = "now-1h"
COMPARE: Final = "compare"
PREVIOUS: Final = "previous"
"""The one thing that a range can be compared with: the period before it, of the same length."""
STEP_SECONDS: Final = 15
"""Absolute ends are widened to this grid, so that hostile or drifting URLs can't make endless cache keys."""


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """A page and its filters. ``start`` and ``end`` are the URL's own texts (``now-1h``, epoch ms)."""

    page: str
    environment: str
    start: str = DEFAULT_FROM
    end: str = "now"
    host: str | None = None
    operator: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    """The page's own parameters, sorted by name."""
    role: Role = "viewer"
    """Viewer on pages that look the same to everybody (``Page.by_role``)."""
    compare: bool = False
    """Whether the period before is drawn as well."""

    def get(self, name: str) -> str | None:
        """One of the page's own parameters, None where the URL does not carry it."""
        return dict(self.parameters).get(name)

    def range(self, now: float) -> TimeRange:
        """The range at ``now``. Raises InvalidInput naming ``from`` or ``to``."""
        return parse_range(self.start, self.end, now, DEFAULT_FROM)

    def previous(self, now: float) -> TimeRange:
        """The range before, of the same length, which ends where the range begins. Raises as ``range`` does."""
        wanted = self.range(now)
        return TimeRange(wanted.start - wanted.seconds, wanted.start, live=False)

    @property
    def key(self) -> str:
        """The same for every viewer who sees the same thing; themes, kiosks and time zones share it."""
        names = ("page", "environment", "start", "end", "host", "operator", "role", "compare")
        return urlencode([*((name, getattr(self, name) or "") for name in names), *self.parameters])

    def query(self) -> str:
        """The canonical query string of the filters, defaults left out."""
        pairs = [("from", self.start), ("to", self.end), ("environment", self.environment)]
        pairs += [("host", self.host), ("operator", self.operator), *self.parameters]  # type: ignore[list-item]
        pairs += [("compare", PREVIOUS)] if self.compare else []
        return urlencode([(name, value) for name, value in pairs if value])


def parse_view_request(
    page: str,
    args: Mapping[str, str],
    default_environment: str,
    now: float,
    parameters: tuple[str, ...] = (),
    role: Role = "viewer",
) -> ViewRequest:
    """The request of a URL's query; parameters other than the common ones and the page's own are ignored.

    Raises InvalidInput naming the parameter that is wrong.
    """
    names = {field: parse_name(args, field) for field in ("environment", "host", "operator")}
    start, end = checked_ends(args, now)
    return ViewRequest(
        page=page,
        environment=names["environment"] or default_environment,
        start=start,
        end=end,
        host=names["host"],
        operator=names["operator"],
        parameters=tuple((name, value) for name in sorted(parameters) if (value := parse_name(args, name))),
        role=role,
        compare=parse_compare(args),
    )


def checked_ends(args: Mapping[str, str], now: float) -> tuple[str, str]:
    """The ends of a URL's range as views have them, on the grid. Raises InvalidInput naming ``from`` or ``to``."""
    start, end = args.get("from") or DEFAULT_FROM, args.get("to") or "now"
    parse_range(start, end, now, DEFAULT_FROM)
    cut = _on_grid(start, "from", now, math.floor), _on_grid(end, "to", now, math.ceil)
    # Widened, a range may be longer than the longest.
    parse_range(*cut, now, DEFAULT_FROM)
    return cut


def parse_compare(args: Mapping[str, str]) -> bool:
    """Whether a URL asks for the period before as well. Raises InvalidInput naming ``compare``."""
    value = args.get(COMPARE) or None
    if value not in (None, PREVIOUS):
        raise InvalidInput(COMPARE, value, f"must be {PREVIOUS}, or left out")
    return value is not None


def parse_name(args: Mapping[str, str], field: str) -> str | None:
    """A filter's value, None where it is absent or empty. Producers choose these names, so any printable text may be.

    Raises InvalidInput naming ``field``.
    """
    value = args.get(field) or None
    if value is not None and not (len(value) <= MAX_NAME and value.isprintable()):
        raise InvalidInput(field, value, f"must be a printable name of at most {MAX_NAME} characters")
    return value


def _on_grid(text: str, field: str, now: float, cut: Callable[[float], int]) -> str:
    text = text.strip()
    if text.startswith("now"):
        return text
    return str(cut(parse_time(text, now, field) / STEP_SECONDS) * STEP_SECONDS * 1000)
