"""The pages whose data arrives later: they say what they will show, and nothing that is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dash import html

from dashboard.components.states import note
from dashboard.pages.base import Page, View

if TYPE_CHECKING:
    from dashboard.data.request import ViewRequest
    from dashboard.services import Services


def announced(name: str, title: str, purpose: str, sentences: Sequence[str]) -> Page:
    """A page that is not connected yet; ``sentences`` say in two or three lines what it will show."""

    def layout() -> html.Div:
        return html.Div(
            [
                html.Header([html.H1(title), html.P(purpose, className="purpose")], className="page-head"),
                note("Not connected yet", " ".join(sentences), "not-connected"),
            ],
            id=f"page-{name}",
            className="page announced",
            **{"data-filled": "yes"},
        )

    return Page(name, f"/{name}", title, purpose, layout, _nothing, _empty)


def _nothing(services: Services, request: ViewRequest, now: float) -> None:  # noqa: ARG001
    return None


def _empty(data: Any, now: float) -> View:  # noqa: ARG001
    return View(props={}, as_of=None)


PERFORMANCE = announced(
    "performance",
    "Performance",
    "What is slow, and why?",
    (
        "Throughput in against out, latency percentiles with the service level's limit, and latency by region.",
        "Per operator: latency, busy and backpressured time, and records lost inside.",
        "A line that follows the likely cause of a slowdown.",
    ),
)
LATER = (PERFORMANCE,)
