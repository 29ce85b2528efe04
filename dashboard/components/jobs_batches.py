"""Batches of the Jobs page: how far each job is, and the form that runs what is left again."""

from __future__ import annotations

import json
from typing import Any, Final

from dash import html

from backend.contract.jobs import RETRY_CONFIRM_ABOVE, BatchPlan, BatchState, RetryPreview
from dashboard.components.jobs import ignored
from dashboard.components.links import set_link
from dashboard.components.replay import heading, reason_field
from dashboard.components.states import note, shape
from dashboard.components.text import count
from dashboard.components.times import ago
from dashboard.data.jobs import JobsData
from dashboard.data.request import ViewRequest
from dashboard.html import Element

Children = list[Any]
STATES: Final = {
    "succeeded": ("healthy", "succeeded"),
    "running": ("running", "running"),
    "failed": ("critical", "failed"),
    "pending": ("no_data", "pending"),
}
"""State of a batch -> the state whose shape and colour it wears, and its word."""
PLANS_SHOWN: Final = 12
STRIP: Final = 120
"""Batches drawn of a plan; of longer ones the newest, and it is said."""
CHOICES: Final = 200
POST: Final = "/api/v1/actions/job-retry"


def batches(data: JobsData) -> Children:
    """Per job with a plan: how far, its batches as a strip, and for operators the way to run what is left."""
    title, plans = "Batches", data.plans
    if plans is None:
        text = data.problems.get("plans") or "Jobs that work in batches will show how far they are."
        kind = "error" if "plans" in data.problems else "not-connected"
        return [heading(title), note("Can't be read" if kind == "error" else "Not connected yet", text, kind)]
    chosen = data.request.get("job")
    shown = [plan for plan in plans if chosen in (None, plan.job_name)]
    if not shown:
        text = "Jobs that ask pending(name, batches) show here how far they are."
        return [heading(title), note("No batches", text, "empty")]
    order = sorted(shown, key=lambda plan: (not _failed(plan), not plan.remaining, plan.job_name))
    more = f"{PLANS_SHOWN} of {count(len(order), 'job')}" if len(order) > PLANS_SHOWN else count(len(order), "job")
    return [
        heading(title, html.Span("; ".join([more, *ignored(data, ("job",))]), className="aside")),
        html.Ul([_plan(plan, data) for plan in order[:PLANS_SHOWN]], className="plans"),
    ]


def retry_panel(data: JobsData) -> Children:
    """The form of the job that the address names: exactly which batches would run, and which not and why."""
    if not data.acts or data.retry is None:
        return []
    preview = data.retry
    close = set_link("Close", data.request, {"retry": None}, className="clear")
    head = heading(f"Run batches of {preview.job_name} again", close)
    if data.retry_problem:
        return [
            html.Section([head, note("Can't be asked for now", data.retry_problem, "error")], className="card retry")
        ]
    left = _left_out(preview)
    if not preview.batches:
        text = "Every batch has succeeded, is running, or is left out for the reasons below."
        return [html.Section([head, note("Nothing to run", text, "empty"), *left], className="card retry")]
    names = [batch.batch for batch in preview.batches]
    body = {"job_name": preview.job_name}
    confirm = {
        "data-confirm": "Run {would_send} batches of " + preview.job_name + " again?",
        "data-confirm-label": "Run {would_send} again",
        "data-counts": "0",
        "data-type-above": str(RETRY_CONFIRM_ABOVE),
    }
    to = f" They are asked for through {preview.target}." if preview.target else ""
    form = html.Form(
        [
            html.P(f"Ticked batches will run, in this order.{to}", className="hint"),
            html.Ul([_choice(batch) for batch in preview.batches[:CHOICES]], className="choices"),
            *([html.P(f"The first {CHOICES} of {len(names):,}; the others follow next time.", className="hint")]
              if len(names) > CHOICES else []),
            *left,
            html.Div(reason_field("retry-reason"), className="fields"),
            html.Div(
                [
                    html.Button("Dry run", type="submit", formNoValidate=True, **{"data-dry-run": ""}),
                    html.Button("Run ticked again…", type="submit", className="primary", **confirm),
                ],
                className="buttons",
            ),
            html.P(className="form-status", role="status"),
        ],
        id=f"retry-form-{preview.job_name}",
        **{"data-post": POST, "data-body": json.dumps(body)},
    )  # fmt: skip
    return [html.Section([head, form], className="card retry", **{"aria-label": "Run batches again"})]


def _plan(plan: BatchPlan, data: JobsData) -> html.Li:
    done = sum(batch.status == "succeeded" for batch in plan.batches)
    failed = _failed(plan)
    name: Any = plan.job_name
    if data.request.role != "display":
        name = set_link(name, data.request, {"job": plan.job_name, "run": None}, title="Only runs of this job")
    states = [(word, sum(batch.status == status for batch in plan.batches)) for status, (_, word) in STATES.items()]
    words = ", ".join(f"{number:,} {word}" for word, number in states if number)
    ask: Children = []
    if data.acts and plan.remaining:
        label = "Retry failed batches…" if failed else "Run pending batches…"
        ask = [set_link(label, data.request, {"retry": plan.job_name}, className="retry-link")]
    shown = plan.batches[-STRIP:]
    cut = [f"the last {STRIP} of them shown, "] if len(plan.batches) > STRIP else []
    planned: Children = [] if plan.planned_at is None else ["planned ", ago(plan.planned_at)]
    return html.Li(
        [
            html.P(
                [html.Strong(name), html.Span(f"{done:,} of {len(plan.batches):,}", className="plan-done"), *ask],
                className="plan-head",
            ),
            html.Ol([_cell(batch, data.request) for batch in shown], className="batch-strip", **{"aria-label": words}),
            html.P([f"{words}; ", *cut, *planned], className="plan-words"),
        ],
        id=f"plan-{plan.job_name}",
    )


def _cell(batch: BatchState, request: ViewRequest) -> html.Li:
    look, word = STATES[batch.status]
    words = f"{batch.batch}: {word}"
    if batch.attempts:
        words += f", {count(batch.attempts, 'attempt')}"
    if batch.error_type and request.role != "display":
        words += f", {batch.error_type}"
    return html.Li(html.Span(words, className="unseen"), title=words, className="batch-cell", **{"data-state": look})


def _choice(batch: BatchState) -> html.Li:
    look, word = STATES[batch.status]
    ident = f"retry-{batch.batch}"
    box = Element(
        "input",
        {"id": ident, "type": "checkbox", "name": "batches[]", "value": batch.batch, "checked": True,
         "class": "form-check-input"},
    )  # fmt: skip
    attempts = f", {count(batch.attempts, 'attempt')}" if batch.attempts else ""
    error = f"{batch.error_type} {batch.error}".strip()
    how = html.Span([shape(look), f"{word}{attempts}"], className="choice-state", **{"data-state": look})
    return html.Li(
        [
            box,
            html.Label([html.Strong(batch.batch), how], htmlFor=ident),
            *([html.Span(error, className="choice-error", title=error)] if error else []),
        ],
        className="form-check",
    )


def _left_out(preview: RetryPreview) -> Children:
    if not preview.left_out:
        return []
    reasons: dict[str, list[str]] = {}
    for batch, reason in preview.left_out.items():
        reasons.setdefault(reason, []).append(batch)
    items = [
        html.Li([html.Strong(f"{', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"),
                 f": {reason}"])
        for reason, names in reasons.items()
    ]  # fmt: skip
    number = count(len(preview.left_out), "batch is", "batches are")
    return [html.Details([html.Summary(f"{number} left out"), html.Ul(items)], className="left-out", open=True)]


def _failed(plan: BatchPlan) -> int:
    return sum(batch.status == "failed" for batch in plan.batches)
