"""Health: is the pipeline healthy? One glance, with the reason in a plain sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from dash import html

from dashboard.components import health as parts
from dashboard.components.alerts_card import open_alerts as open_alerts_card
from dashboard.components.jobs_lists import freshness_card
from dashboard.components.states import skeleton
from dashboard.data.alerts import by_severity, open_alerts
from dashboard.data.jobs_checks import dataset_freshness
from dashboard.data.models import HealthData
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services

logger = logging.getLogger(__name__)

GOLDEN: Final = ("consumer_lag_records", "dlq_records", "latency_ms", "window_completeness")
EXPLAINED: Final = {"consumer_lag_records": "/performance", "dlq_records": "/errors", "latency_ms": "/performance"}
"""Signals whose cards lead to the page that explains them."""
STALE_INTERVALS: Final = 3
LEAST_STALE_SECONDS: Final = 180.0
UNREADABLE: Final = (BotoCoreError, ClientError, TimeoutError, LookupError, TypeError, ValueError)
"""What keeps a panel from being read: AWS does not answer, or a record is of another version. The verdict stands
without it."""
_PANELS: Final = ("checkpoints", "slos", "selfcheck", "days", "incidents", "alerts", "datasets")


def layout() -> html.Div:
    """The frame with its loading looks; every part has the height its content will have."""
    return html.Div(
        [
            html.Section(
                skeleton(),
                id="verdict",
                className="verdict",
                **{"data-status": "loading", "aria-label": "Health verdict"},
            ),
            html.Div(id="synthetic"),
            html.Section(
                [html.Article(skeleton(), id=f"card-{key}", className="card signal") for key in GOLDEN],
                id="signals",
                className="signals",
                **{"aria-label": "Golden signals"},
            ),
            *[html.Section(skeleton(), id=f"card-{name}", className=f"card panel-{name}") for name in _PANELS],
        ],
        id="page-health",
        className="page health",
        **{"data-filled": "no"},
    )


def load(services: Services, request: ViewRequest, now: float) -> HealthData:
    """What the page shows, from what is already in memory or one shared read."""
    data = replace(services.health.load(request, now), links=request.role != "display")
    data = _with_datasets(services, data, request.environment, now)
    if services.alerts is None:
        return data
    try:
        alerts = open_alerts(services.alerts, services.shared)
    except UNREADABLE as error:
        return replace(data, alerts_problem=_unread("alerts", error))
    return replace(data, open_alerts=by_severity(alerts, request.environment))


def _with_datasets(services: Services, data: HealthData, environment: str, now: float) -> HealthData:
    try:
        counts: Mapping[str, int] | None = dataset_freshness(
            services.jobs, services.alerts, services.shared, environment, now
        )
    except UNREADABLE as error:
        return replace(data, datasets_problem=_unread("datasets", error))
    return replace(data, dataset_freshness=counts or data.dataset_freshness)


def _unread(what: str, error: Exception) -> str:
    logger.warning("%s can't be read", what, exc_info=error)
    return f"The {what} can't be read ({type(error).__name__})."


def view(data: HealthData, now: float) -> View:
    """The page's components. Pure: the same data and ``now`` give the same view."""
    recorded = any(day.status != "no_data" for day in data.days)
    children: dict[str, list[Any]] = {
        "verdict": parts.verdict(data.verdict, data.environment),
        "card-checkpoints": parts.checkpoints(data.checkpoints, now),
        "card-slos": parts.slos(data.slos),
        "card-selfcheck": parts.self_checks(data.self_checks, now),
        "card-days": parts.days(data.days),
        "card-incidents": parts.incidents(data.incidents, recorded, data.environment, links=data.links),
        "card-alerts": open_alerts_card(data.open_alerts, data.environment, data.alerts_problem, links=data.links),
        "card-datasets": freshness_card(data),
        "synthetic": [html.P("Synthetic data: made by Pulseboard's generator, not by a real pipeline.")]
        if data.synthetic
        else [],
    }
    props: dict[str, dict[str, Any]] = {key: {"children": value} for key, value in children.items()}
    for card in data.signals:
        page = EXPLAINED.get(card.key) if data.links else None
        props[f"card-{card.key}"] = {
            "children": parts.signal(card, now, page), "data-state": card.state, "title": card.detail
        }  # fmt: skip
    props["verdict"]["data-status"] = data.verdict.status
    props["verdict"]["data-say"] = parts.spoken(data.verdict, data.environment)
    props["card-checkpoints"]["data-state"] = data.checkpoints.state
    props["synthetic"]["className"] = "synthetic" if data.synthetic else ""
    props["environment"] = {"options": list(data.environments)}
    props["page-health"] = {"data-filled": "yes", "data-stale-after": f"{stale_after(data):.0f}"}
    return View(props=props, as_of=data.as_of or None)


def stale_after(data: HealthData) -> float:
    """Seconds after which the newest sample is too old to trust: three of its own intervals, at least 3 min."""
    return max(STALE_INTERVALS * data.interval_seconds, LEAST_STALE_SECONDS)


PAGE: Final = Page(
    name="health",
    path="/",
    title="Health",
    purpose="Is the pipeline healthy, and if not, why?",
    layout=layout,
    load=load,
    view=view,
    filters=("environment", "range"),
    by_role=True,
    compares=True,
)
