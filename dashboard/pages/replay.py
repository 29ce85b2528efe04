"""Replay: which events must go through again? Search them, send them again, watch it, and find the record later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from dashboard.components import event_drawer, replay_audit, replay_form, replay_queues, replay_runs, replay_search
from dashboard.components.replay import Children, environment_note, tabs
from dashboard.data import replay as data_of
from dashboard.data.replay import PARAMETERS, ReplayData
from dashboard.data.replay_sources import Limits, Sources
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

DRAWN: Final = {"data-drawn": "yes"}
"""Regions drawn without Dash (``assets/draw.js``): long lists, and inputs that are there with the first paint."""
RUNNING_REFRESH_SECONDS: Final = 1.0
"""How soon a running replay is looked at again."""


def layout() -> html.Div:
    """The frame. The form stands around the rows and the panel: what is ticked belongs to what is asked for."""
    return html.Div(
        [
            html.Header([html.H1("Replay"), html.P(PAGE.purpose, className="purpose")], className="page-head"),
            html.Nav(id="replay-tabs", className="tabs", **{"aria-label": "Parts of this page"}),
            html.Div(id="replay-note"),
            html.Div(id="replay-queues", **DRAWN),
            html.Div(id="replay-filter", **DRAWN),
            html.Div(id="replay-findings", **DRAWN),
            html.Form(
                [html.Div(id="replay-rows", **DRAWN), html.Div(id="replay-panel", **DRAWN)],
                id="replay-form",
                className="replay-form",
            ),
            event_drawer.frame(),
        ],
        id="page-replay",
        className="page replay",
        **{"data-filled": "no"},
    )


def load(services: Services, request: ViewRequest, now: float) -> ReplayData:
    """What the open tab shows. Raises InvalidInput naming the parameter that is wrong."""
    config = services.settings.config
    limits = config.replay
    sources = Sources(
        events=services.events,
        replays=services.replays,
        dead_letters=services.dead_letters,
        audit=services.audit,
        shared=services.shared,
        limits=Limits(limits.rate_per_second, limits.max_events, limits.max_replays),
        environment=config.environment,
        operators=tuple(sorted({kind.operator for kind in config.events.types.values()} | {"event-processor"})),
        redacted_fields=tuple(config.access.redacted_fields),
        synthetic_sources=tuple(config.events.synthetic_sources),
    )
    return data_of.load(sources, request, now)


def view(data: ReplayData, now: float) -> View:  # noqa: ARG001 - ages are written by the browser
    """The page's components. Pure: the same data give the same view."""
    moving = data.replays is not None and data.replays.moving
    children = {
        "replay-tabs": tabs(data),
        "replay-note": environment_note(data),
        "replay-panel": replay_form.panel(data),
        **_parts(data),
    }
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    props["replay-form"] = replay_form.action(data)
    props["page-replay"] = {"data-filled": "yes", "data-tab": data.tab}
    props |= event_drawer.props(data.event, data.request, data.limits.max_replays)
    return View(props, as_of=data.at, refresh_seconds=RUNNING_REFRESH_SECONDS if moving else None)


def _parts(data: ReplayData) -> dict[str, Children]:
    """What the open tab puts into the frame's regions; the others are empty."""
    parts: dict[str, Children] = {f"replay-{name}": [] for name in ("queues", "filter", "findings", "rows")}
    if data.tab == "search":
        parts["replay-filter"] = replay_search.search_form(data)
        parts["replay-findings"] = replay_search.findings(data)
        parts["replay-rows"] = replay_search.result(data)
    elif data.tab == "dead-letters":
        parts["replay-queues"] = replay_queues.queues(data)
        parts["replay-filter"] = replay_queues.filter_form(data)
        parts["replay-rows"] = replay_queues.sample(data)
    elif data.tab == "audit":
        parts["replay-filter"] = replay_audit.filter_form(data)
        parts["replay-rows"] = replay_audit.log(data)
    else:
        parts["replay-queues"] = replay_queues.queues(data) if data.tab == "overview" else []
        parts["replay-rows"] = replay_runs.replays(data)
    return parts


PAGE: Final = Page(
    name="replay",
    path="/replay",
    title="Replay",
    purpose="Which events must go through again?",
    layout=layout,
    load=load,
    view=view,
    styles=("forms.css", "events.css", "replay.css"),
    filters=("range", "operator"),
    parameters=PARAMETERS,
    tick_seconds=RUNNING_REFRESH_SECONDS,
    by_role=True,
)
