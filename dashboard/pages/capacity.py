"""Capacity: do we need to scale? Days until each limit, the forecast behind them, what hosts use, what it costs."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from dash import html

from dashboard.components import capacity as parts
from dashboard.components import capacity_charts as charts
from dashboard.components import gallery
from dashboard.components.capacity_costs import costs
from dashboard.components.chart import plot
from dashboard.components.states import skeleton
from dashboard.data import capacity as data_of
from dashboard.data.capacity import RESOURCE, CapacityData, Sources
from dashboard.data.capacity_panels import SPECS
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

REFRESH_SECONDS: Final = 300.0
CALM_SECONDS: Final = 30.0
"""Its charts are for days and weeks, its numbers are forecasts: a view that awaits some is made each second."""
SOON_SECONDS: Final = 1.0
"""How soon a view asks again while history or forecasts are on their way."""
STALE_SECONDS: Final = 2 * REFRESH_SECONDS + 300
"""How old the newest sample may be: two refreshes, and the minutes that a fleet's merge takes."""
DRAWN: Final = {"data-drawn": "yes"}
"""Regions drawn without Dash (docs/adr/0014)."""
FORECAST: Final = "forecast"


def layout() -> html.Div:
    """The frame with its loading looks."""
    return html.Div(
        [
            html.Header([html.H1("Capacity")], id="capacity-lead", className="page-head", **DRAWN),
            html.Section(skeleton(), id="card-limits", className="card panel-limits", **DRAWN),
            _chart_panel(FORECAST, "Forecast", charts.FORECAST_FRAME),
            *[_chart_panel(spec.key, spec.title, charts.frame(spec)) for spec in SPECS],
            html.Section(skeleton(), id="card-costs", className="card panel-costs", **DRAWN),
            gallery.section(),
        ],
        id="page-capacity",
        className="page capacity",
        **{"data-filled": "no"},
    )


def _chart_panel(name: str, title: str, frame: Any) -> html.Section:
    return html.Section(
        [
            html.Header(
                [html.H2(title, id=f"title-{name}", **DRAWN), html.Span(id=f"aside-{name}", **DRAWN)],
                className="card-head",
            ),
            plot(name, title, frame),
            html.Div(skeleton(), id=f"body-{name}", className="panel-body", **DRAWN),
        ],
        id=f"card-{name}",
        className=f"card panel-{name}",
    )


def load(services: Services, request: ViewRequest, now: float) -> CapacityData:
    """What the page shows: one reading of the range, one of the period before where it is compared with, and the
    last forecasts."""
    settings, hot = services.settings, services.hot
    prices = asdict(settings.config.prices)
    sources = Sources(
        ranged=services.ranged,
        forecasts=services.forecasts,
        anomalies=services.anomalies,
        shared=services.shared,
        catalogue=settings.catalogue,
        connected=frozenset(name for environment, name in hot.seen() if environment == request.environment),
        environments=hot.environments() or (request.environment,),
        prices=prices,
        prices_as_of=settings.config.prices.as_of,
        ended=services.history.ended if services.history is not None else 0,
    )
    data = data_of.load(sources, request, now)
    return data if request.role == "display" else replace(data, gallery=gallery.load(services, request, now))


def view(data: CapacityData, now: float) -> View:
    """The page's components and traces. Pure: the same data and ``now`` give the same view."""
    waiting = data.forecasting or data.source.state == "running"
    display = data.request.role == "display"
    children: dict[str, Any] = {
        "capacity-lead": parts.lead(data),
        "card-limits": parts.limits(data),
        "title-forecast": parts.forecast_title(data.chosen),
        "body-forecast": parts.forecast_body(data),
        "card-costs": costs(data.costs, data.counted_seconds, waiting=data.forecasting, display=display),
    }
    drawn = {FORECAST: charts.forecast(data.chosen, now)}
    props: dict[str, dict[str, Any]] = {}
    for panel in data.panels:
        key = panel.spec.key
        drawn[key] = charts.traces(panel, data.catalogue, data.wanted)
        children[f"aside-{key}"] = parts.panel_aside(panel, data)
        children[f"body-{key}"] = parts.panel_body(panel, data)
    props |= {key: {"children": value} for key, value in children.items()}
    for key, traces in drawn.items():
        props[f"plot-{key}"] = {"className": "plot" if traces else "plot plot-empty"}
    for panel in data.panels:
        silent = panel.state == "ok" and panel.silent
        props[f"card-{panel.spec.key}"] = {"data-state": "silent" if silent else panel.state}
    if data.gallery is not None:
        props |= gallery.props(data.gallery)
        waiting = waiting or data.gallery.running
    props["environment"] = {"options": list(data.environments)}
    # A fixed range in the past is meant to be old.
    stale_after = f"{STALE_SECONDS:.0f}" if data.wanted.live else ""
    props["page-capacity"] = {"data-filled": "yes", "data-stale-after": stale_after}
    return View(
        props=props,
        as_of=data.as_of,
        charts={f"chart-{key}": traces for key, traces in drawn.items()},
        refresh_seconds=SOON_SECONDS if waiting else None,
        source=data.source,
        awaits=waiting,
    )


PAGE: Final = Page(
    name="capacity",
    path="/capacity",
    title="Capacity",
    purpose="Do we need to scale?",
    layout=layout,
    load=load,
    view=view,
    styles=("events.css", "capacity.css", "gallery.css"),
    refresh_seconds=REFRESH_SECONDS,
    calm_seconds=CALM_SECONDS,
    filters=("environment", "range", "host"),
    parameters=(RESOURCE, *gallery.PARAMETERS),
    compares=True,
    by_role=True,
    time_charts=tuple(f"chart-{spec.key}" for spec in SPECS),
)
