"""Time charts: the figure's frame here, its data through the view protocol, its colours in the CSS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dash import dcc, html

from dashboard.components.marks import MARKS_AXIS, over_marks

CONFIG: Final = {
    "displaylogo": False,
    "responsive": True,
    # plotly.js 4 offers to upload the data unless told otherwise.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    # Dragging zooms and a double click goes back: two buttons stay, so that none covers a legend.
    "modeBarButtons": [["toImage", "resetScale2d"]],
}


def chart(panel: str, title: str, layout: Mapping[str, Any] | None = None) -> dcc.Graph:
    """An empty chart with the id ``chart-<panel>``; views send traces only, so a user's zoom survives a refresh."""
    frame: dict[str, Any] = {
        "autosize": True,
        "margin": {"l": 48, "r": 12, "t": 8, "b": 32},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "inherit", "size": 12},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": -0.2},
        "uirevision": panel,
        "meta": {"title": title},
        **MARKS_AXIS,
        **(layout or {}),
    }
    if "yaxis" in frame:
        frame["yaxis"] = over_marks(frame["yaxis"])
    return dcc.Graph(
        id=f"chart-{panel}", figure={"data": [], "layout": frame}, config=CONFIG, className="chart", responsive=True
    )


def plot(panel: str, title: str, layout: Mapping[str, Any] | None = None, **attributes: Any) -> html.Div:
    """The chart's place, ``plot-<panel>``, closed until there are traces.

    Who does not see the picture is told its title and axis, and by ``words-<panel>`` what it shows: the lines' text
    (``dashboard.components.chart_words``) comes with each view.
    """
    axis = ((layout or {}).get("yaxis") or {}).get("title") or {}
    name = f"{title}, {axis['text']}" if axis.get("text") else title
    return html.Div(
        [chart(panel, title, layout), html.P(id=f"words-{panel}", className="unseen", **{"data-drawn": "yes"})],
        id=f"plot-{panel}",
        className="plot plot-empty",
        role="figure",
        **{"aria-label": name, "aria-describedby": f"words-{panel}", **attributes},
    )
