"""The time picker and the line below it, which says where the chosen range was read. ``assets/range.js`` and
``assets/source.js`` move them."""

from __future__ import annotations

import json
from typing import Any, Final

from dash import html

from dashboard.components.url_state import RANGES, UrlState
from dashboard.data.request import DEFAULT_FROM
from dashboard.data.source import Source
from dashboard.html import Element

_STEPS: Final = {
    "earlier": "Half a range earlier",
    "later": "Half a range later",
    "zoom-out": "Twice the range",
}


def range_control(state: UrlState) -> html.Div:
    """The picker with its steps: what is chosen in words, the common ranges, and absolute ends."""
    return html.Div(
        [_step("earlier"), _picker(state), _step("later"), _step("zoom-out")], className="range control", role="group"
    )


def live_switch() -> html.Div:
    """One place for two buttons: a range that moves with the clock can be paused, another brought back to it."""
    return html.Div(
        [
            html.Button(
                "Pause", type="button", title="Stop refreshing until you go back to live", **{"data-action": "pause"}
            ),
            _to_live(),
        ],
        className="live-switch",
    )  # fmt: skip


def _to_live() -> html.Button:
    return html.Button(
        "Back to live", type="button", hidden=True, className="to-live",
        title="Show what arrives again, up to now", **{"data-action": "live"},
    )  # fmt: skip


def compare_switch(state: UrlState, *, offered: bool) -> html.Button:
    """Whether the period before is drawn as well; ``offered`` on pages that can."""
    return html.Button(
        "Compare", type="button", hidden=not offered, title="Draw the period before, of the same length, as well",
        **{"data-action": "compare", "aria-pressed": str(bool(state.get("compare"))).lower()},
    )  # fmt: skip


def source_line(source: Source | None, *, acts: bool) -> html.Div:
    """Where the range was read and what that cost; the browser writes it, as what runs counts on. Its place is kept.

    ``acts``: whether whoever looks may stop what runs. On a phone it also leads back to live, for the picker is folded
    away there.
    """
    known = {} if source is None else {"data-source": json.dumps(source.as_json())}
    cancel = html.Button("Cancel", type="button", hidden=True, **{"data-action": "history"})
    return html.Div(
        [html.Span(id="source-words"), *([cancel, _to_live()] if acts else [])],
        id="source",
        className="source",
        **known,
    )


def _picker(state: UrlState) -> html.Details:
    chosen = state.get("from", DEFAULT_FROM) if state.get("to", "now") == "now" else ""
    links = [
        html.Li(
            html.A(
                label,
                href=state.query(**{"from": start, "to": None}),
                **{"data-from": start, **({"aria-current": "true"} if start == chosen else {})},
            )
        )
        for start, label in RANGES.items()
    ]
    label = [html.Span("Time range: ", className="unseen"), html.Span(state.range_label, id="range-label")]
    return html.Details(
        [
            html.Summary(label),
            html.Div(
                [
                    html.Ul(links, className="ranges"),
                    html.Div(
                        [
                            _moment("range-from", "From"),
                            _moment("range-to", "To"),
                            html.P(className="label", id="range-zone"),
                            html.Button("Apply", type="button", **{"data-action": "range"}),
                        ],
                        className="absolute",
                    ),
                    html.P(id="range-problem", role="alert"),
                ],
                className="menu-body",
            ),
        ],
        className="menu",
        id="range",
    )


def _moment(ident: str, label: str) -> html.Label:
    box = Element("input", {"id": ident, "type": "datetime-local", "step": "60"})
    return html.Label([html.Span(label, className="label"), box])


def _step(action: str) -> Any:
    title = _STEPS[action]
    return html.Button(
        html.Span(className=f"icon icon-{action}", **{"aria-hidden": "true"}),
        type="button", title=title, className="step", **{"data-action": action, "aria-label": title},
    )  # fmt: skip
