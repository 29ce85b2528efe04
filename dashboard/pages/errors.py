"""Errors: what is failing, and for whom? From a slice to the events behind it to a single event and its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from dashboard.components import errors as parts
from dashboard.components import errors_before as earlier
from dashboard.components import errors_charts as charts
from dashboard.components import errors_table as tables
from dashboard.components import event_drawer
from dashboard.components.chart import plot
from dashboard.components.states import note, skeleton
from dashboard.data.errors import Failures, failures, read
from dashboard.data.errors_before import PeriodBefore, rates_before, read_before
from dashboard.data.errors_data import ErrorsData, traced_by
from dashboard.data.errors_metrics import TRENDS, ErrorMetrics, Rates, read_metrics
from dashboard.data.insights import queries
from dashboard.data.open_event import open_event
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

PARAMETERS: Final = ("error_type", "entity_id", "event_type", "source", "correlation_id", "status", "event")
DRAWN: Final = {"data-drawn": "yes"}
"""Regions of many elements, which would keep Dash busy for seconds (docs/adr/0014)."""
_CHARTS: Final = (
    ("failed", "Failed events over time", charts.titled("events a bar")),
    ("dlq", "Dead letters a minute", charts.titled("a minute")),
    ("types", "By error type", charts.DONUT),
)
_LISTS: Final = (
    ("entities", "entity_id", "entity", "entities"),
    ("event-types", "event_type", "event type", "event types"),
    ("sources", "source", "source", "sources"),
)
DAY_SECONDS: Final = 86400
_PANELS: Final = ("newest", "entities", "operators", "event-types", "sources")


def layout() -> html.Div:
    """The frame with its loading looks, and the closed drawer."""
    return html.Div(
        [
            html.Header([html.H1("Errors")], id="errors-lead", className="page-head", **DRAWN),
            html.Ul(
                id="errors-chips",
                className="filters",
                **{"aria-label": "Filters of events", "data-shows": "operator", **DRAWN},
            ),
            *[_chart_panel(name, title, frame) for name, title, frame in _CHARTS],
            *[html.Section(skeleton(), id=f"card-{name}", className=f"card panel-{name}", **DRAWN) for name in _PANELS],
            *[
                html.Section(skeleton(), id=f"card-{key}", className=f"card signal panel-{key}", **DRAWN)
                for key, _ in TRENDS
            ],
            html.Section(skeleton(), id="card-insights", className="card panel-insights", **DRAWN),
            event_drawer.frame(),
        ],
        id="page-errors",
        className="page errors",
        **{"data-filled": "no"},
    )


def _chart_panel(name: str, title: str, frame: Any) -> html.Section:
    """A chart under its heading. Its data comes as traces; what there is to say besides, or instead, in its body."""
    return html.Section(
        [
            html.Header([html.H2(title), html.Span(id=f"aside-{name}", **DRAWN)], className="card-head"),
            plot(name, title, frame, **{"data-click": "error_type"}),
            html.Div(skeleton(), id=f"body-{name}", className="panel-body", **DRAWN),
        ],
        id=f"card-{name}",
        className=f"card panel-{name}",
    )


def load(services: Services, request: ViewRequest, now: float) -> ErrorsData:
    """Failed events and metrics of the range, read once a refresh for all filters and viewers, and the open event."""
    wanted, settings, hot = request.range(now), services.settings, services.hot
    source, found, span = services.events, None, f"{request.start}&{request.end}"
    if source is not None:
        reading = services.shared(f"errors?{span}", lambda: read(source, wanted.start, wanted.end, now))
        found = failures(reading, request, tables.ROWS)

    def metrics() -> ErrorMetrics:
        seen = frozenset(name for environment, name in hot.seen() if environment == request.environment)
        return read_metrics(services.series, seen, settings.catalogue, request.environment, wanted, now)

    measured = services.shared(f"errors-metrics?{request.environment}&{span}", metrics)
    opened = open_event(source, request.get("event"), request.role, settings.config.access.redacted_fields)
    chosen = found.chosen if found else {}
    traced = traced_by(found, opened)
    read_at = found.reading.read_at if found else measured.as_of
    return ErrorsData(
        request=request,
        own_environment=settings.config.environment,
        environments=hot.environments() or (request.environment,),
        failures=found,
        metrics=measured,
        opened=opened,
        queries=queries(chosen, wanted.start // 60 * 60, -(-wanted.end // 60) * 60, settings.region, traced),
        max_replays=settings.config.replay.max_replays,
        as_of=read_at,
        synthetic_sources=tuple(settings.config.events.synthetic_sources),
        before=_before(services, request, now) if request.compare else None,
    )


def _before(services: Services, request: ViewRequest, now: float) -> PeriodBefore:
    """The period before, read once a refresh for all filters and viewers, as the range is."""
    past, settings, source = request.previous(now), services.settings, services.events
    found, span = None, f"{request.start}&{request.end}"
    if source is not None:
        kept = settings.config.events.retention_days * DAY_SECONDS
        reading = services.shared(f"errors-before?{span}", lambda: read_before(source, past, kept, now))
        found = None if reading is None else failures(reading, request, 0)

    def dead_letters() -> Rates | None:
        seen = frozenset(name for environment, name in services.hot.seen() if environment == request.environment)
        return rates_before(services.series, seen, settings.catalogue, request.environment, past, now)

    rates = services.shared(f"errors-metrics-before?{request.environment}&{span}", dead_letters)
    return PeriodBefore(past, found, rates)


def view(data: ErrorsData, now: float) -> View:
    """The page's components and traces. Pure: the same data and ``now`` give the same view."""
    children: dict[str, Any] = {
        "errors-lead": parts.lead(data),
        "errors-chips": parts.chips(data),
        "card-newest": tables.newest(data),
        "card-operators": parts.operators(data),
        "card-insights": tables.insights(data),
        **{f"card-{panel}": parts.ranked(data, name, one, many) for panel, name, one, many in _LISTS},
        **{f"card-{trend.key}": parts.trend(trend, data, now) for trend in data.metrics.trends},
        "aside-failed": parts.of_events(data),
        "aside-types": parts.of_events(data),
        "aside-dlq": parts.not_filtered(data, ("error_type",)) if data.metrics.dead_letters else [],
    }
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    traces = _traces(data)
    for name, drawn in traces.items():
        props[f"plot-{name}"] = {"className": "plot" if drawn else "plot plot-empty"}
    props["body-failed"] = {
        "children": _instead(data, data.failures)
        or parts.legend(data, traces["failed"], earlier.failed_before(data.before))
    }
    props["body-types"] = {"children": parts.types(data)}
    without = _no_dead_letters(data, drawn=bool(traces["dlq"]))
    props["body-dlq"] = {"children": without or parts.legend(data, traces["dlq"], earlier.rate_before(data.before))}
    for trend in data.metrics.trends:
        props[f"card-{trend.key}"]["data-state"] = trend.state or "unjudged"
    props |= event_drawer.props(data.opened, data.request, data.max_replays)
    props["environment"] = {"options": list(data.environments)}
    props["page-errors"] = {"data-filled": "yes"}
    return View(props=props, as_of=data.as_of, charts={f"chart-{name}": drawn for name, drawn in traces.items()})


def _traces(data: ErrorsData) -> dict[str, list[charts.Trace]]:
    found, rates, before = data.failures, data.metrics.dead_letters, data.before
    failed_before = charts.before_line(before.failed if before else None, "events")
    rate_before = charts.before_line(before.rate if before else None, "a minute")
    chosen = data.request.get("error_type")
    some = found is not None and any(values for _, values in found.bars.lines)
    return {
        "failed": [*charts.failed_bars(found.bars, chosen), *failed_before] if found and some else [],
        "types": charts.donut(found.counts["error_type"], chosen) if found and some else [],
        "dlq": [*charts.rate_bars(rates, chosen), *rate_before] if rates and rates.lines else [],
    }


def _instead(data: ErrorsData, found: Failures | None) -> list[Any]:
    missing = parts.unavailable(data)
    if missing is None and found is not None and not found.bars.lines:
        return [note("Nothing matches", "No failed event passes these filters.", "empty")]
    return [missing] if missing else []


def _no_dead_letters(data: ErrorsData, *, drawn: bool) -> list[Any]:
    if data.metrics.dead_letters is None:
        return [note("Not connected yet", "No source counts dead letters.", "not-connected")]
    return [] if drawn else [note("No data", "Nothing was reported in this range.", "empty")]


PAGE: Final = Page(
    name="errors",
    path="/errors",
    title="Errors",
    purpose="What is failing, and for whom?",
    layout=layout,
    load=load,
    view=view,
    styles=("forms.css", "events.css", "replay.css"),
    filters=("environment", "range", "operator"),
    parameters=PARAMETERS,
    travels=tuple(name for name in PARAMETERS if name != "event"),
    by_role=True,
    compares=True,
    time_charts=("chart-failed", "chart-dlq"),
)
