"""Beside a chart's title: how many of its values were unusual, or why nobody can tell yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html

from backend.contract.anomaly import Anomaly
from dashboard.data.anomalies import State

METHOD: Final = (
    "Rings mark where a series departs from its own past: from its level, its rhythm of hours and days, and how far it "
    "usually strays. Nothing is trained; docs/adr/0025 says how."
)
NOT_YET: Final[Mapping[State, str]] = {
    "learning": "unusual values: still learning",
    "not_enough": "unusual values: need a day of history",
    "no_data": "unusual values: need a day of history",
}


def unusual(marks: Sequence[Anomaly], noticing: State | None) -> list[Any]:
    """Nothing where all is usual, or where nobody looks (None)."""
    if marks:
        return [html.Span(f"{len(marks):,} unusual", className="unusual", title=METHOD)]
    if noticing is None or noticing == "ready":
        return []
    return [html.Span(NOT_YET[noticing], className="unusual unusual-not-yet", title=METHOD)]
