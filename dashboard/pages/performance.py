"""Performance: what is slow, and why? Latency, its likely cause with the evidence, operators, and what they run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from backend.contract.ranges import TimeRange
from dashboard.components import performance as parts
from dashboard.components import performance_charts as charts
from dashboard.components import performance_table as tables
from dashboard.components.chart import plot
from dashboard.components.states import skeleton
from dashboard.components.timechart import Trace
from dashboard.data.performance import data_of, read, watched
from dashboard.data.performance_data import Panel, PerformanceData
from dashboard.data.performance_panels import Reading, silent_after
from dashboard.data.ranged_merge import lately_of
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

DRAWN: Final = {"data-drawn": "yes"}
"""Regions drawn without Dash (docs/adr/0014)."""
SOON_SECONDS: Final = 1.0
"""How soon a view asks again while history is on its way."""
FIRST: Final = ("latency", "throughput", "regions")
"""Charts above the operators; the others explain."""


def layout() -> html.Div:
    """The frame with its loading looks; one operator's charts wait hidden."""
    rest = [key for key in charts.CHARTS if key not in FIRST]
    return html.Div(
        [
            html.Header(
                [html.H1("Performance")], id="performance-lead", className="page-head",
                **DRAWN,
            ),
            html.Section(skeleton(), id="card-cause", className="card panel-cause", **DRAWN),
            *[_chart_panel(key, charts.CHARTS[key]) for key in FIRST],
            html.Section(skeleton(), id="card-operators", className="card panel-by-operator", **DRAWN),
            html.Header(id="drill-head", className="drill-head", hidden=True, **DRAWN),
            *[_chart_panel(key, made, hidden=True) for key, made in charts.DRILL_CHARTS.items()],
            *[_chart_panel(key, charts.CHARTS[key]) for key in rest],
        ],
        id="page-performance",
        className="page performance",
        **{"data-filled": "no"},
    )  # fmt: skip


def _chart_panel(key: str, made: charts.Chart, *, hidden: bool = False) -> html.Section:
    return html.Section(
        [
            html.Header([html.H2(made.title), html.Span(id=f"aside-{key}", **DRAWN)], className="card-head"),
            plot(key, made.title, charts.framed(made)),
            html.Div(skeleton(), id=f"body-{key}", className="panel-body", **DRAWN),
        ],
        id=f"card-{key}",
        className=f"card panel-{key}",
        hidden=hidden,
    )


def load(services: Services, request: ViewRequest, now: float) -> PerformanceData:
    """All series of the range in one reading, those of the period before in another where they are compared."""
    settings, hot = services.settings, services.hot
    seen = frozenset(name for environment, name in hot.seen() if environment == request.environment)
    catalogue, over = settings.catalogue, request.range(now)

    def reading_of(part: TimeRange) -> Reading:
        return read(services.ranged, seen, catalogue, request, part, now)

    reading = reading_of(over)
    looked_at = watched(reading, request)
    noticed = dict(zip(looked_at, services.anomalies.found(list(looked_at.values()), now), strict=True))
    lately = lately_of(over, now)
    return data_of(
        reading,
        reading_of(request.previous(now)) if request.compare else None,
        None if lately is None else reading_of(lately),
        noticed,
        catalogue,
        settings.config.checks.filters,
        request,
        over,
        now,
        hot.environments() or (request.environment,),
    )


def view(data: PerformanceData, now: float) -> View:  # noqa: ARG001 - nothing on it moves with the clock alone
    """The page's components and traces. Pure: the same data gives the same view."""
    children: dict[str, Any] = {
        "performance-lead": parts.lead(data),
        "card-cause": parts.cause(data),
        "card-operators": tables.operators(data),
        "drill-head": tables.drill_head(data),
    }
    panels: dict[str, Panel] = dict(data.panels) | (dict(data.drill.panels) if data.drill else {})
    drawn: dict[str, list[Trace]] = {key: [] for key in charts.DRILL_CHARTS}
    drawn |= {key: charts.traces(panel, data.range) for key, panel in panels.items()}
    for key, panel in panels.items():
        children[f"aside-{key}"] = parts.panel_aside(panel, data)
        children[f"body-{key}"] = parts.panel_body(panel, data)
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    for key, panel in panels.items():
        props[f"plot-{key}"] = {"className": "plot" if drawn[key] else "plot plot-empty"}
        props[f"card-{key}"] = {"data-state": "silent" if panel.silent else panel.state}
    closed = data.drill is None or not data.drill.known
    for key in charts.DRILL_CHARTS:
        props[f"card-{key}"] = {**props.get(f"card-{key}", {}), "hidden": closed}
    props["drill-head"]["hidden"] = data.drill is None
    props["card-cause"]["data-speed"] = data.cause.speed
    props["environment"] = {"options": list(data.environments)}
    stale_after = f"{silent_after(data.spacing):.0f}" if data.range.live else ""
    props["page-performance"] = {"data-filled": "yes", "data-stale-after": stale_after}
    return View(
        props=props,
        as_of=data.as_of,
        charts={f"chart-{key}": traces for key, traces in drawn.items()},
        refresh_seconds=SOON_SECONDS if data.source.state == "running" else None,
        source=data.source,
    )


PAGE: Final = Page(
    name="performance",
    path="/performance",
    title="Performance",
    purpose="What is slow, and why?",
    layout=layout,
    load=load,
    view=view,
    styles=("events.css", "performance.css"),
    filters=("environment", "range", "host", "operator"),
    compares=True,
    by_role=True,
    time_charts=tuple(f"chart-{key}" for key in (*charts.CHARTS, *charts.DRILL_CHARTS)),
)
