"""The drawer of one run, beside the page that opened it (``?run=<key>``): all that is recorded, drawn as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from dash import html

from backend.contract.alerts import LOOK_BACK_SECONDS
from backend.contract.jobs import LOST_SECONDS, JobRun
from backend.contract.verdict import duration
from dashboard.components.jobs import RUN_STATES
from dashboard.components.jobs_charts import STATUS_WORDS
from dashboard.components.links import changed, runbook_address, set_link
from dashboard.components.states import badge, note, shape
from dashboard.components.text import count, took
from dashboard.components.times import ago, exact
from dashboard.data.insights import LOG_GROUPS, console_address, literal
from dashboard.data.jobs import Attempt, JobsData, OpenRun
from dashboard.data.request import ViewRequest

Children = list[Any]
PARTS: Final = ("head", "error", "action", "facts", "trace")


def frame() -> html.Aside:
    """The closed drawer. ``assets/explore.js`` moves the focus into it and back, and closes it on Escape."""
    return html.Aside(
        [html.Div(id=f"run-{part}", className=f"drawer-{part}", **{"data-drawn": "yes"}) for part in PARTS],
        id="run-drawer",
        className="drawer",
        hidden=True,
        tabIndex=-1,
        **{"aria-labelledby": "run-title", "data-closes": "run"},
    )


def props(data: JobsData) -> dict[str, dict[str, Any]]:
    """The view's props of the drawer; closed and empty where no run is open."""
    parts: dict[str, Children] = {part: [] for part in PARTS}
    opened = data.opened
    if opened is not None:
        parts["head"] = _head(opened, data.request)
        if opened.run is None:
            parts["error"] = [note("Nothing to show", opened.problem, "error")]
        else:
            parts |= {
                "error": _error(opened.run, data),
                "action": _links(opened.run, data),
                "facts": _facts(opened.run, data),
                "trace": _attempts(opened, data.request),
            }
    filled = {f"run-{part}": {"children": children} for part, children in parts.items()}
    return {**filled, "run-drawer": {"hidden": opened is None}}


def _head(opened: OpenRun, request: ViewRequest) -> Children:
    close = set_link(
        html.Span("Close", className="unseen"), request, {"run": None}, className="drawer-close", title="Close (Esc)"
    )
    run = opened.run
    if run is None:
        return [html.H2("Run", id="run-title"), close]
    batch = [" ", html.Span(run.batch, className="drawer-entity")] if run.batch else []
    return [
        html.Div(
            [
                html.H2([run.job_name, *batch], id="run-title"),
                html.P(
                    [badge(RUN_STATES[run.status], STATUS_WORDS[run.status]),
                     html.Span(["started ", exact(run.started_at)])],
                    className="drawer-sub",
                ),
            ]
        ),
        close,
    ]  # fmt: skip


def _error(run: JobRun, data: JobsData) -> Children:
    parts: Children = []
    if run.status == "STARTED":
        parts += _alive(run, data.at)
    if run.status != "FAILED":
        return parts
    operator = data.request.role == "operator"
    text = run.error if operator else run.error.split("\n", 1)[0][:200]
    shown: Children = [html.Pre(text, className="code run-error", tabIndex=0)] if text else []
    if not operator and text != run.error:
        shown.append(html.P("The whole text is shown to operators only.", className="label"))
    if operator and run.error_key:
        shown.append(html.P(["Whole text: ", html.Code(f"s3://{data.bucket}/{run.error_key}")], className="label"))
    failure = html.Div(
        [html.P([shape("critical"), html.Strong(run.error_type or "Failed")], className="failure-kind"), *shown],
        className="failure",
        **{"data-state": "critical"},
    )
    return [*parts, failure]


def _alive(run: JobRun, now: float) -> Children:
    said: Children = []
    late = run.limit_seconds is not None and run.seconds(now) > run.limit_seconds
    if late and run.limit_seconds is not None:
        said.append(_warning(["Past its limit of ", duration(run.limit_seconds)]))
    beat = run.heartbeat_at
    if beat is None:
        said.append(_warning(["No heartbeat was ever recorded"]))
    elif now - beat > LOST_SECONDS:
        said.append(_warning(["Its last heartbeat was ", ago(beat), ": the worker may be gone"]))
    return said


def _warning(words: Children) -> html.P:
    return html.P([shape("degraded"), html.Span(words)], className="late", **{"data-state": "degraded"})


def _links(run: JobRun, data: JobsData) -> Children:
    """Where to look next: its job, its trace, its runbook, its logs."""
    request = data.request
    since = str(round(max(run.started_at - LOOK_BACK_SECONDS, 0)) * 1000)
    links: Children = [
        set_link("Only this job", request, {"job": run.job_name, "batch": None}, className="button"),
    ]
    if run.correlation_id:
        wanted = replace(request, page="errors", parameters=(), host=None, operator=None, end="now")
        query = changed(wanted, {"correlation_id": run.correlation_id, "from": since}).query()
        links.append(html.A("Trace on Errors", href=f"/errors?{query}", className="button"))
    if run.status == "FAILED":
        links.append(html.A("Runbook", href=runbook_address("job_failed"), className="button"))
    if run.correlation_id and data.region:
        end = run.ended_at or data.at
        text = "\n| ".join(
            ["fields @timestamp, logger, level, message", f"filter correlation_id = {literal(run.correlation_id)}",
             "sort @timestamp asc", "limit 1000"]
        )  # fmt: skip
        address = console_address(data.region, LOG_GROUPS, text, run.started_at - 60, end + 60)
        links.append(html.A("Logs in CloudWatch", href=address, className="button", target="_blank", rel="noopener"))
    return [html.Div(links, className="drawer-row")]


def _facts(run: JobRun, data: JobsData) -> Children:
    lasted = took(run.seconds(data.at))
    rows: list[tuple[str, Any]] = [
        ("Duration", lasted if run.ended_at is not None else f"{lasted} so far"),
        ("Ended", "not yet" if run.ended_at is None else exact(run.ended_at)),
        ("Records", "not told" if run.records is None else f"{run.records:,}"),
        ("Progress", _progress(run)),
        ("Heartbeat", "none" if run.heartbeat_at is None else exact(run.heartbeat_at)),
        ("Limit", "none" if run.limit_seconds is None else duration(run.limit_seconds)),
        ("Type", run.type),
        ("Dataset", run.dataset),
        ("Attempt", f"{run.attempt:,}"),
        ("Worker", run.worker),
        ("Requested by", run.requested_by or "schedule or hand"),
        ("Environment", run.environment),
        ("Run id", _copied("run-id", run.run_id)),
        ("Correlation id", _copied("run-correlation", run.correlation_id) if run.correlation_id else ""),
        ("Fence", f"{run.fence:,}" if run.fence else ""),
    ]
    items = [html.Div([html.Dt(name), html.Dd(value)]) for name, value in rows if value != ""]
    synthetic = [html.P("Recorded by a generator, not by a real job.", className="label")] if run.synthetic else []
    return [html.H3("Facts"), html.Dl(items, className="event-facts"), *synthetic]


def _progress(run: JobRun) -> str:
    """How far it told it was; nothing of a run that failed after the last of its work: it did not do all of it."""
    if run.progress is None or (run.status == "FAILED" and run.progress >= 1):
        return ""
    return f"{run.progress:.0%}"


def _copied(ident: str, text: str) -> html.Span:
    button = html.Button("Copy", type="button", className="copy", **{"data-copy": f"#{ident}"})
    return html.Span([html.Code(text, id=ident), button], className="copied")


def _attempts(opened: OpenRun, request: ViewRequest) -> Children:
    if opened.run is None or not opened.attempts:
        return []
    head = f"{count(len(opened.attempts), 'attempt')} of batch {opened.run.batch}"
    return [
        html.H3(head),
        html.Ol([_attempt(entry, opened.key, request) for entry in opened.attempts], className="attempts"),
    ]


def _attempt(entry: Attempt, open_key: str, request: ViewRequest) -> html.Li:
    name: Any = f"Attempt {entry.attempt}"
    if entry.key != open_key:
        name = set_link(name, request, {"run": entry.key})
    word = next((word for status, word in STATUS_WORDS.items() if status == entry.status), entry.status)
    return html.Li(
        [
            badge(RUN_STATES.get(entry.status, "unknown"), word),
            html.Span(name),
            exact(entry.started_at),
            html.Span(took(entry.seconds), className="attempt-took"),
        ],
        **{"data-own": str(entry.key == open_key).lower()},
    )
