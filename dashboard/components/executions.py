"""The newest executions of the state machine, and the form that starts one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from dash import html

from backend.contract.executions import EXECUTION_FAILED, Execution
from dashboard.components.links import runbook_address
from dashboard.components.replay import cell, heading, reason_field, table
from dashboard.components.states import badge, note
from dashboard.components.text import took
from dashboard.components.times import exact, lasting
from dashboard.data.executions import SHOWN, Executions

Children = list[Any]
TITLE: Final = "Pipeline executions"
POST: Final = "/api/v1/actions/pipeline-run"
STATES: Final = {
    "RUNNING": ("running", "Running"),
    "SUCCEEDED": ("healthy", "Succeeded"),
    "FAILED": ("critical", "Failed"),
    "TIMED_OUT": ("critical", "Timed out"),
    "ABORTED": ("no_data", "Stopped"),
    "PENDING_REDRIVE": ("running", "To be taken up"),
}
"""Status -> the state whose shape and colour it wears, and its word."""
COLUMNS: Final = ("Execution", "Status", "Started", "Duration", "Failed in", "Cause")
NUMBERS: Final = ("Duration",)
ROWS_KEPT: Final = 100


def panel(executions: Executions, role: str) -> Children:
    """The newest executions; in words why there are none. Displays get no causes: they may quote data."""
    if executions.problem:
        return [heading(TITLE), note("Can't be read", executions.problem, "error")]
    if executions.found is None:
        return [heading(TITLE), note("Not used", executions.unused, "not-connected")]
    if not executions.found:
        text = (
            "The state machine has not run: `pulseboard pipeline run` starts it, or a stack with Collection=pipeline."
        )
        return [heading(TITLE), note("No execution yet", text, "empty")]
    shown = executions.found[:SHOWN]
    said = f"the newest {SHOWN}" if len(shown) == SHOWN else f"all {len(shown)}" if len(shown) > 1 else "the only one"
    rows = [_row(execution, role == "display") for execution in shown]
    aside = html.Span(f"{said}, of Step Functions' last 90 days; not filtered", className="aside")
    return [heading(TITLE, aside), table(COLUMNS, rows, "executions-found", TITLE, NUMBERS)]


def run_form(executions: Executions, role: str) -> Children:
    """What starts an execution; for operators, where there is a state machine."""
    if role != "operator" or executions.found is None:
        return []
    form = html.Form(
        [
            html.P("Collects metrics now, and follows them until they are processed and seen.", className="hint"),
            html.Div(reason_field("pipeline-reason"), className="fields"),
            html.Div(html.Button("Run the pipeline", type="submit", className="primary"), className="buttons"),
            html.P(className="form-status", role="status"),
        ],
        id="pipeline-form",
        **{"data-post": POST, "data-body": "{}"},
    )
    return [html.Details([html.Summary("Run it now…"), form], className="run-pipeline")]


@lru_cache(maxsize=ROWS_KEPT)
def _row(execution: Execution, display: bool) -> html.Tr:
    look, word = STATES.get(execution.status, ("unknown", execution.status))
    name: Any = execution.name
    if not display and execution.region:
        name = html.A(name, href=console(execution), target="_blank", rel="noopener", title="In AWS's console")
    ended = execution.ended_at
    lasted: Any = lasting(execution.started_at) if ended is None else took(execution.seconds(ended))
    cause: Any = "" if display else execution.cause
    if execution.status in ("FAILED", "TIMED_OUT") and not display:
        cause = [f"{execution.cause} ", html.A("Runbook", href=runbook_address(EXECUTION_FAILED))]
    cells = [
        cell("Execution", name, "name-cell"),
        cell("Status", badge(look, word)),
        cell("Started", exact(execution.started_at), "when"),
        cell("Duration", lasted, "number-cell"),
        cell("Failed in", execution.failed_state, "words-cell"),
        cell("Cause", cause, "words-cell cause-cell"),
    ]
    return html.Tr(cells, id=f"execution-{execution.name}", **{"data-state": look})


def console(execution: Execution) -> str:
    """The execution in AWS's console."""
    region = quote(execution.region, safe="")
    where = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    return f"{where}#/v2/executions/details/{quote(execution.arn, safe=':')}"
