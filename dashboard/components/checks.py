"""The checks tab: each scheduled check with its state, and the reconciliation hour by hour."""

from __future__ import annotations

from typing import Any, Final

from dash import html

from backend.contract.alerts import CRITICAL_TOPIC
from backend.contract.checks import OVERDUE_INTERVALS, Finding
from backend.contract.verdict import amount, duration
from dashboard.components.alerts import Children, severity_badge
from dashboard.components.checks_strip import LEGEND
from dashboard.components.links import runbook_address, set_link
from dashboard.components.replay import cell, heading, table
from dashboard.components.states import badge, note
from dashboard.components.text import count
from dashboard.components.times import ago, stamp
from dashboard.data.alerts import AlertsData
from dashboard.data.checks import HOURS, ChecksData, CheckView
from dashboard.data.request import ViewRequest

COLUMNS: Final = ("Check", "State", "Value", "Result", "Looked", "Runbook")
LOOKS: Final = {
    "passed": ("healthy", "Passed"),
    "failed": ("critical", "Failed"),
    "unknown": ("unknown", "Unknown"),
}
MOST_FINDINGS: Final = 20


def checks(data: AlertsData) -> Children:
    """All checks in their order."""
    found = data.checks
    if found is None:
        return []
    by_state = {state: sum(one.state == state for one in found.checks) for state in LOOKS}
    words = ", ".join(f"{number} {state}" for state, number in by_state.items() if number)
    rows = [_row(one, data.request) for one in found.checks]
    head = heading("Checks", html.Span(words, className="aside"))
    return [html.Section([head, table(COLUMNS, rows, "checks-found", "Checks", ("Value",))], className="card")]


def _row(one: CheckView, request: ViewRequest) -> html.Tr:
    check, result = one.check, one.result
    look, word = LOOKS[one.state]
    if one.state == "failed" and check.severity not in CRITICAL_TOPIC:
        look = "degraded"
    value = ""
    if result is not None and one.overdue_seconds is None and result.value is not None:
        value = amount(result.value, result.unit).strip()
    name: Children = [html.Strong(check.title), html.Span(check.purpose, className="hint")]
    return html.Tr(
        [
            cell("Check", name, "check-cell"),
            cell("State", badge(look, word)),
            cell("Value", value, "number-cell"),
            cell("Result", _said(one, request), "words-cell"),
            cell("Looked", "" if result is None else [ago(result.when), _every(check.every_seconds)], "when"),
            cell("Runbook", html.A("Runbook", href=runbook_address(check.name))),
        ],
        id=f"check-{check.name}",
        **{"data-state": look},
    )


def _every(seconds: int) -> html.Span:
    return html.Span(f"every {duration(seconds)}" if seconds > 60 else "every minute", className="hint")


def _said(one: CheckView, request: ViewRequest) -> Children:
    """Its sentence and findings; why nothing is known, where nothing is."""
    result = one.result
    if one.elsewhere:
        return [f"It looks at {one.elsewhere} only: nothing is known of {request.environment}."]
    if result is None:
        return ["Nothing is known: it has never run, or its result can't be read."]
    if one.overdue_seconds is not None:
        late = duration(one.overdue_seconds)
        return [
            f"No result for {late}, more than {OVERDUE_INTERVALS} intervals: nothing is known now.",
            html.Span(f"The last one said: {result.sentence}", className="hint"),
        ]
    parts: Children = [result.sentence]
    if result.window_start is not None and result.window_end is not None:
        window = ["Looked at ", stamp(result.window_start), " to ", stamp(result.window_end)]
        parts.append(html.Span(window, className="hint"))
    if result.findings:
        parts.append(_findings(one.check.name, result.findings, request))
    return parts


def _findings(check: str, findings: tuple[Finding, ...], request: ViewRequest) -> html.Details:
    entries = [_finding(finding, request) for finding in findings[:MOST_FINDINGS]]
    if len(findings) > MOST_FINDINGS:
        entries.append(html.Li(f"and {len(findings) - MOST_FINDINGS:,} more", className="hint"))
    return html.Details(
        [html.Summary(count(len(findings), "finding")), html.Ul(entries, className="check-findings")],
        id=f"findings-{check}",
    )


def _finding(finding: Finding, request: ViewRequest) -> html.Li:
    subject: Any = html.Code(finding.subject) if finding.subject else ""
    if finding.page.startswith("/") and not finding.page.startswith("//"):
        joint = "&" if "?" in finding.page else "?"
        subject = html.A(subject or "Show it", href=f"{finding.page}{joint}environment={request.environment}")
    severity = [severity_badge(finding.severity)] if finding.severity else []
    return html.Li([*severity, subject, " ", finding.sentence])


def strip_head(data: AlertsData) -> Children:
    """The strip's heading with the lengths it can have."""
    found = data.checks
    if found is None:
        return []
    links = [_length(hours, found, data.request) for hours in HOURS]
    return [heading("Reconciliation, hour by hour", html.Span(links, className="aside"))]


def _length(hours: int, found: ChecksData, request: ViewRequest) -> html.A:
    here = {"aria-current": "true"} if found.hours == hours else {}
    changes = {"hours": None if hours == HOURS[0] else str(hours)}
    return set_link(f"{hours} hours", request, changes, className="length", **here)


def strip_foot(data: AlertsData) -> Children:
    """What its colours and patterns mean, or that there is none."""
    found = data.checks
    if found is None:
        return []
    if found.strip is None:
        return [
            note("Nothing known", f"No reconciliation of {data.request.environment} has been recorded yet.", "empty")
        ]
    entries = [html.Li([html.Span(className="swatch", **{"data-cell": name}), words]) for name, words in LEGEND.items()]
    return [html.Ul(entries, className="legend-list", **{"aria-label": "Colours of the strip"})]
