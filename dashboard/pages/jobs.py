"""Jobs: did every job run, and on time? What needs somebody, every run, why runs fail, and batches to run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from dashboard.components import executions, jobs_batches, jobs_charts, jobs_drawer, jobs_grid, jobs_lists
from dashboard.components import jobs as parts
from dashboard.components.chart import plot
from dashboard.components.errors_charts import Trace
from dashboard.components.states import note, skeleton
from dashboard.data import jobs as data_of
from dashboard.data.jobs import PARAMETERS, JobsData, RunsData
from dashboard.data.jobs_sources import Sources
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

DRAWN: Final = {"data-drawn": "yes"}
"""Regions drawn without Dash (docs/adr/0014)."""
TICK_SECONDS: Final = 5.0
LEAST_ROWS: Final = 5
"""Jobs that the timeline has room for however few there are."""


def layout() -> html.Div:
    """The frame with its loading looks, the closed drawer, and the place of the grid."""
    return html.Div(
        [
            html.Header([html.H1("Jobs")], id="jobs-lead", className="page-head", **DRAWN),
            html.Section(skeleton(), id="card-watches", className="card panel-watches", **DRAWN),
            html.Div(id="jobs-filter", **DRAWN),
            _chart_panel("timeline", "Timeline of runs", jobs_charts.TIMELINE),
            _chart_panel("runtime", "Runtime", jobs_charts.TREND),
            html.Section(
                [
                    html.Header([html.H2("Runs"), html.Span(id="aside-runs", **DRAWN)], className="card-head"),
                    html.Div(id="body-runs", **DRAWN),
                    jobs_grid.region(),
                ],
                id="card-runs",
                className="card panel-runs",
            ),
            *[
                html.Section(skeleton(), id=f"card-{name}", className=f"card panel-{name}", **DRAWN)
                for name in ("failures", "batches")
            ],
            html.Div(id="jobs-retry", **DRAWN),
            html.Section(skeleton(), id="card-datasets", className="card panel-datasets", **DRAWN),
            html.Section(
                [html.Div(skeleton(), id="body-executions", **DRAWN), html.Div(id="jobs-run", **DRAWN)],
                id="card-executions",
                className="card panel-executions",
            ),
            jobs_drawer.frame(),
        ],
        id="page-jobs",
        className="page jobs",
        **{"data-filled": "no"},
    )


def _chart_panel(name: str, title: str, frame: Any) -> html.Section:
    return html.Section(
        [
            html.Header([html.H2(title, id=f"title-{name}", **DRAWN), html.Span(id=f"aside-{name}", **DRAWN)],
                        className="card-head"),
            plot(name, title, frame),
            html.Div(skeleton(), id=f"body-{name}", className="panel-body", **DRAWN),
        ],
        id=f"card-{name}",
        className=f"card panel-{name}",
    )  # fmt: skip


def load(services: Services, request: ViewRequest, now: float) -> JobsData:
    """What the page shows. Raises InvalidInput naming the parameter that is wrong."""
    settings = services.settings
    sources = Sources(
        runs=services.runs,
        jobs=services.jobs,
        retries=services.retries,
        checks=services.alerts,
        pipeline=services.pipeline,
        shared=services.shared,
        limits={name: job.limit_minutes * 60 for name, job in settings.config.jobs.items()},
        region=settings.region,
        bucket=settings.bucket,
    )
    return data_of.load(sources, request, now)


def view(data: JobsData, now: float) -> View:
    """The page's components and traces. Pure: the same data and ``now`` give the same view."""
    runs = data.runs
    children: dict[str, Any] = {
        "jobs-lead": parts.lead(data),
        "card-watches": parts.watches(data),
        "jobs-filter": parts.filter_form(data),
        "jobs-retry": jobs_batches.retry_panel(data),
        "card-failures": jobs_lists.failures(data),
        "card-batches": jobs_batches.batches(data),
        "card-datasets": jobs_lists.datasets(data),
        "body-executions": executions.panel(data.executions, data.request.role),
        "jobs-run": executions.run_form(data.executions, data.request.role),
        "title-timeline": ["Timeline of runs"],
        "title-runtime": parts.trend_title(runs.trend if runs else None, data),
        "aside-runtime": parts.trend_unit(runs.trend, data) if runs else [],
        "aside-timeline": parts.timeline_aside(runs) if runs else [],
        "aside-runs": parts.grid_words(runs, data) if runs else [],
    }
    charts = _charts(runs)
    children["body-timeline"] = _instead(runs) or (parts.status_legend(runs) if runs else [])
    trend = runs.trend if runs else None
    children["body-runtime"] = parts.trend_words(trend) if trend and trend.points else _instead(runs, "runtime")
    children["body-runs"] = _instead(runs, "grid") if runs is None or not len(runs.held.columns) else []
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    for name in ("timeline", "runtime"):
        props[f"plot-{name}"] = {"className": "plot" if charts[f"chart-{name}"] else "plot plot-empty"}
    if runs is not None:
        rows = max(len(runs.timeline.jobs), LEAST_ROWS)
        single = "run" if not runs.timeline.slot else "job"
        props["plot-timeline"] |= {"data-click": single, "style": {"--rows": str(rows)}}
        if data.request.role != "display" and len(runs.held.columns):
            props["jobs-grid"] = jobs_grid.props(runs, now)
    props |= jobs_drawer.props(data)
    state = parts.worst_state(data)
    props["card-watches"]["data-state"] = state
    props["page-jobs"] = {"data-filled": "yes"}
    return View(props, as_of=runs.held.read_at if runs else None, charts=charts)


def _charts(runs: RunsData | None) -> dict[str, list[Trace]]:
    if runs is None:
        return {"chart-timeline": [], "chart-runtime": []}
    ends = (runs.timeline.start, runs.timeline.end)
    return {
        "chart-timeline": jobs_charts.timeline_traces(runs.timeline),
        "chart-runtime": jobs_charts.trend_traces(runs.trend, ends) if runs.trend else [],
    }


def _instead(runs: RunsData | None, what: str = "timeline") -> list[Any]:
    """What stands where runs would: nothing is connected, none was ever recorded, or none matches."""
    if runs is None:
        return [note("Not connected yet", "Job runs will be shown here.", "not-connected")]
    if not runs.whole and not runs.counts.matching:
        none = "that is held passes the filters" if len(runs.held.columns) else "of these days is held"
        return [note("No run known", [f"No run {none}; ", *parts.unheld(runs.held), "."], "empty")]
    if not len(runs.held.columns):
        text = "Jobs appear here once they are recorded: with the SDK, the command line or OpenLineage."
        return [note("No run yet", text, "empty")]
    if not runs.counts.matching:
        return [note("No run matches", "No run of this range passes the filters.", "empty")]
    return (
        [note("No run began in this range", "Runs that go on are in the timeline.", "empty")]
        if (what == "runtime")
        else []
    )


PAGE: Final = Page(
    name="jobs",
    path="/jobs",
    title="Jobs",
    purpose="Did every job run, and on time?",
    layout=layout,
    load=load,
    view=view,
    styles=("forms.css", "events.css", "replay.css", "jobs.css"),
    filters=("environment", "range"),
    parameters=PARAMETERS,
    tick_seconds=TICK_SECONDS,
    by_role=True,
    time_charts=("chart-timeline", "chart-runtime"),
)
