"""Alerts: what is wrong now, who has it, and what should be told differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from dashboard.components import (
    alerts_drawer,
    alerts_incidents,
    alerts_list,
    alerts_silences,
    alerts_tuning,
    checks,
    checks_strip,
)
from dashboard.components.alerts import Children, notes, tabs
from dashboard.components.chart import plot
from dashboard.data import alerts as data_of
from dashboard.data.alerts import PARAMETERS, AlertsData
from dashboard.data.alerts_sources import Sources
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

DRAWN: Final = {"data-drawn": "yes"}
"""Regions drawn without Dash (``assets/draw.js``): long lists, and inputs that are there with the first paint."""
REFRESH_SECONDS: Final = 15.0
"""Whoever waits for an alert looks at this page."""
STRIP: Final = "reconciliation"


def layout() -> html.Div:
    """The frame. The strip is a chart: it keeps its place, hidden where its tab is not open."""
    return html.Div(
        [
            html.Header([html.H1("Alerts"), html.P(PAGE.purpose, className="purpose")], className="page-head"),
            html.Nav(id="alerts-tabs", className="tabs", **{"aria-label": "Parts of this page"}),
            html.Div(id="alerts-note"),
            *[html.Div(id=f"alerts-{name}", **DRAWN) for name in ("counts", "filter")],
            html.Section(
                [
                    html.Div(id="strip-head", **DRAWN),
                    plot(STRIP, "Reconciliation, hour by hour", checks_strip.LAYOUT),
                    html.Div(id="strip-foot", **DRAWN),
                ],
                id="card-reconciliation",
                className="card strip-card",
                hidden=True,
            ),
            html.Div(id="alerts-rows", **DRAWN),
            alerts_drawer.frame(),
        ],
        id="page-alerts",
        className="page alerts",
        **{"data-filled": "no"},
    )


def load(services: Services, request: ViewRequest, now: float) -> AlertsData:
    """What the open tab shows. Raises InvalidInput naming the parameter that is wrong."""
    environments = services.hot.environments() or (services.settings.config.environment,)
    rules = tuple(data_of.known_rules(services.settings.catalogue))
    sources = Sources(services.alerts, services.shared, environments, _limit(services), rules)
    return data_of.load(sources, request, now)


def _limit(services: Services) -> float:
    """The match in percent that an hour needs: the catalogue's."""
    return services.settings.catalogue["reconciliation_match_percent"].critical or 100.0


def view(data: AlertsData, now: float) -> View:  # noqa: ARG001 - ages are written by the browser
    """The page's components and the strip. Pure: the same data give the same view."""
    traces = checks_strip.strip_traces(data.checks.strip, data.match_limit) if data.checks else []
    children: dict[str, Children] = {
        "alerts-tabs": tabs(data),
        "alerts-note": notes(data),
        "alerts-counts": alerts_list.counts(data),
        "alerts-filter": alerts_list.filters(data),
        "alerts-rows": _rows(data),
        "strip-head": checks.strip_head(data),
        "strip-foot": checks.strip_foot(data),
    }
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    props["card-reconciliation"] = {"hidden": data.checks is None}
    props["plot-reconciliation"] = {"className": "plot" if traces else "plot plot-empty"}
    props |= alerts_drawer.props(data)
    props["environment"] = {"options": list(data.environments)}
    props["page-alerts"] = {"data-filled": "yes", "data-tab": data.tab}
    return View(props, as_of=data.at if data.connected else None, charts={f"chart-{STRIP}": traces})


def _rows(data: AlertsData) -> Children:
    """What the open tab lists; the parts of the others are empty."""
    return [
        *alerts_list.lists(data),
        *checks.checks(data),
        *alerts_incidents.incidents(data),
        *alerts_silences.silences(data),
        *alerts_tuning.tuning(data),
    ]


PAGE: Final = Page(
    name="alerts",
    path="/alerts",
    title="Alerts",
    purpose="What is wrong, who has it, and what should be told differently?",
    layout=layout,
    load=load,
    view=view,
    styles=("forms.css", "events.css", "replay.css", "alerts.css"),
    refresh_seconds=REFRESH_SECONDS,
    filters=("environment", "range"),
    parameters=PARAMETERS,
    by_role=True,
)
