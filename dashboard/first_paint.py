"""The picture in the first HTML: a page's view as far as it can be had without waiting."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from backend.contract.errors import InvalidInput
from dashboard.auth import current_role
from dashboard.components.url_state import UrlState
from dashboard.data.request import ViewRequest, parse_view_request
from dashboard.data.source import Source
from dashboard.data.ticks import same_tick
from dashboard.html import fill
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.services import Services

WAIT_SECONDS: Final = 0.25
"""Longer than data in memory takes, shorter than a reader notices; what comes later comes through the view."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Painted:
    """The page's components, the environments its shell offers, and where what it shows was read, if it shows any."""

    body: Any
    environments: tuple[str, ...]
    source: Source | None = None


class FirstPaint:
    """Draws first paints; holds the few threads in which slow reads go on after a page stopped waiting."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="first-paint")

    def of(self, page: Page, args: Mapping[str, str], state: UrlState, now: float) -> Painted:
        """The page filled with its view, or its loading look when data is late, missing or the query is wrong."""
        layout = page.layout()
        default = self._services.settings.config.environment
        alone = (state.get("environment") or default,)
        try:
            role = current_role(args) if page.by_role else "viewer"
            wanted = parse_view_request(page.name, args, default, now, page.parameters, role)
        except InvalidInput:
            return Painted(layout, alone)  # the shell says which value is wrong
        view = self._view(page, wanted, now)
        if view is None:
            return Painted(layout, alone)
        environments = tuple(view.props.get("environment", {}).get("options", ())) or alone
        filled = fill(layout, view.props)
        return Painted(with_places(filled) if page.time_charts else filled, environments, view.source)

    def _view(self, page: Page, wanted: ViewRequest, now: float) -> View | None:
        known, at = self._services.recent.get(wanted.key, (None, 0.0))
        if known is not None and same_tick(at, now, self._services.tick_seconds(page)):
            return page.view(known, now)  # what everybody who looks in this tick is shown
        reading: Future[Any] = self._readers.submit(self._services.load, wanted)
        try:
            return page.view(reading.result(WAIT_SECONDS), now)
        except Unfinished:
            latest = self._services.latest(wanted)
            return None if latest is None else page.view(latest, now)
        except Exception:  # noqa: BLE001 - a courtesy: whatever is wrong, the view route says it with its own error
            _LOG.warning("first paint of %s without data", page.name, exc_info=True)
            return None


def with_places(node: Any) -> Any:
    """The layout with a plain box for each chart, which says how the chart is framed: ``assets/charts.js`` draws into
    it what the view holds, long before Dash could. Changes ``node`` in place."""
    if isinstance(node, list | tuple):
        return [with_places(child) for child in node]
    if isinstance(node, dcc.Graph):
        figure = json.dumps({"layout": node.figure["layout"], "config": node.config}, separators=(",", ":"))
        return html.Div(id=node.id, className=node.className, **{"data-figure": figure})
    if isinstance(node, Component) and getattr(node, "children", None) is not None:
        node.children = with_places(node.children)
    return node
