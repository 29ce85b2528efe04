"""The grid of runs: AG Grid over rows that it fetches in blocks as it is scrolled (``assets/grid.js``)."""

from __future__ import annotations

from typing import Any, Final

import dash_ag_grid
from dash import html

from dashboard.data.jobs import RunsData

GRID_ID: Final = "grid-runs"
ROWS_URL: Final = "/api/v1/jobs/runs"
SUITE: Final = "dash_ag_grid"
"""The component suite that this page alone needs: ``assets/live.js`` loads it before it puts the grid there."""
BLOCK: Final = 100
THEME: Final = (
    "themeQuartz.withParams({accentColor: 'var(--accent)', backgroundColor: 'var(--panel)',"
    " foregroundColor: 'var(--text)', borderColor: 'var(--edge)', headerBackgroundColor: 'var(--panel)',"
    " headerTextColor: 'var(--muted)', headerFontWeight: 500, oddRowBackgroundColor: 'var(--panel)',"
    " rowHoverColor: 'var(--bg)', selectedRowBackgroundColor: 'var(--accent-soft)', fontFamily: 'inherit',"
    " fontSize: 14, headerFontSize: 13, rowHeight: 36, headerHeight: 36, wrapperBorder: false,"
    " columnBorder: false, browserColorScheme: 'inherit'})"
)
"""Colours are the page's own variables, so both themes come without a word to the grid."""
_INSTANT: Final = {"function": "pulseboardInstant(params.value)"}
_DURATION: Final = {"function": "pulseboardDuration(params.value)"}
_NUMBER: Final = {"function": "pulseboardNumber(params.value)"}


def region() -> html.Div:
    """Where the grid comes; its rows' address and the parameters that its clicks set stand here for ``grid.js``."""
    return html.Div(
        html.Div(className="skeleton grid-skeleton", role="status", **{"aria-label": "Loading"}),
        id="jobs-grid",
        className="grid",
        **{"data-needs": SUITE, "data-grid": GRID_ID, "data-rows": ROWS_URL, "data-opens-row": "run"},
    )


def props(runs: RunsData, now: float) -> dict[str, Any]:
    """The region's props. The version changes when rows may have: then the grid asks for what it shows again."""
    return {"children": grid(), "data-version": f"{runs.held.version}-{now // 60:.0f}"}


def grid() -> dash_ag_grid.AgGrid:
    """The grid. It is the same for every view, so a refresh never makes it anew."""
    return dash_ag_grid.AgGrid(
        id=GRID_ID,
        columnDefs=_columns(),
        defaultColDef={
            "resizable": True, "sortable": True, "filter": False, "suppressMovable": True,
            "suppressHeaderMenuButton": True, "sortingOrder": ["desc", "asc"],
        },
        rowModelType="infinite",
        getRowId="params.data.id",
        className="runs-grid",
        dashGridOptions={
            "theme": {"function": THEME},
            "cacheBlockSize": BLOCK,
            "maxBlocksInCache": 20,
            "infiniteInitialRowCount": 1,
            "blockLoadDebounceMillis": 60,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "suppressCellFocus": False,
            "suppressMultiSort": True,
            "enableCellTextSelection": True,
            "animateRows": False,
            "tooltipShowDelay": 400,
            "localeText": {"noRowsToShow": "No run matches"},
        },
        style={"height": "100%", "width": "100%"},
    )  # fmt: skip


def _columns() -> list[dict[str, Any]]:
    number = {"type": "rightAligned"}
    states = {
        "state-healthy": "params.value === 'SUCCESS'",
        "state-critical": "params.value === 'FAILED'",
        "state-running": "params.value === 'STARTED'",
    }
    return [
        {"field": "status", "headerName": "Status", "width": 140, "cellClass": "state", "cellClassRules": states,
         "valueFormatter": {"function": "pulseboardRunStatus(params.value)"}},
        {"field": "job", "headerName": "Job", "minWidth": 170, "flex": 2, "tooltipField": "job"},
        {"field": "batch", "headerName": "Batch", "width": 130, "tooltipField": "batch"},
        {"field": "started", "headerName": "Started", "width": 205, "valueFormatter": _INSTANT, "sort": "desc"},
        {"field": "duration", "headerName": "Duration", "width": 125, "valueFormatter": _DURATION, **number},
        {"field": "records", "headerName": "Records", "width": 115, "valueFormatter": _NUMBER, **number},
        {"field": "error", "headerName": "Error", "minWidth": 260, "flex": 4, "tooltipField": "error",
         "cellClass": "error-text"},
        {"field": "dataset", "headerName": "Dataset", "width": 130, "tooltipField": "dataset"},
        {"field": "attempt", "headerName": "Attempt", "width": 105, **number},
        {"field": "worker", "headerName": "Worker", "width": 150, "tooltipField": "worker"},
        {"field": "type", "headerName": "Type", "width": 105},
        {"field": "ended", "headerName": "Ended", "width": 205, "valueFormatter": _INSTANT},
        {"field": "requested_by", "headerName": "Requested by", "width": 160, "tooltipField": "requested_by"},
    ]  # fmt: skip
