"""State as word + shape + colour, the same everywhere. Colour and shape come from ``data-state`` in the CSS."""

from __future__ import annotations

from typing import Any, Final

from dash import html

WORDS: Final = {
    "healthy": "Healthy",
    "degraded": "Degraded",
    "critical": "Critical",
    "unknown": "Unknown",
    "not_connected": "Not connected",
    "no_data": "No data",
    "ok": "Within budget",
    "page": "Burning fast",
    "ticket": "Burning",
    "not_enough_data": "Not enough data",
}
"""Every state a page can show, as people say it."""

_AS: Final = {"ok": "healthy", "page": "critical", "ticket": "degraded", "not_enough_data": "no_data"}


def look(state: str) -> str:
    """The ``data-state`` whose shape and colour a state wears."""
    return _AS.get(state, state)


def shape(state: str, class_name: str = "") -> html.Span:
    """The shape alone, hidden from screen readers: only ever beside the word."""
    return html.Span(className=f"shape {class_name}".strip(), **{"aria-hidden": "true", "data-state": look(state)})


def badge(state: str, word: str | None = None) -> html.Span:
    """Shape and word."""
    return html.Span(
        [shape(state), html.Span(word or WORDS[state], className="badge-word")],
        className="badge",
        **{"data-state": look(state)},
    )


def note(title: str, text: str | list[Any], kind: str, **attributes: Any) -> html.Div:
    """What stands where data would be. ``kind``: ``empty`` | ``error`` | ``not-connected``: three different looks."""
    mark = [shape("not_connected")] if kind == "not-connected" else []
    return html.Div(
        [html.P([*mark, html.Span(title)], className="note-title"), html.P(text, className="note-text")],
        className=f"note note-{kind}",
        **attributes,
    )


def synthetic_events() -> html.P:
    """Says that events on the page come from a source that is configured as synthetic."""
    return html.P(
        "Synthetic events: sent by a generator, not by a real pipeline.", className="synthetic synthetic-events"
    )


def skeleton() -> html.Div:
    """The loading look: bars in the place of what will come, so nothing jumps when it does."""
    return html.Div(className="skeleton", role="status", **{"aria-label": "Loading"})
