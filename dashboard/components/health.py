"""The Health page's parts: values in, components out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from dash import html

from backend.contract.alerts import LOOK_BACK_SECONDS
from backend.contract.slo import BurnRate, SloCard, pace
from backend.contract.verdict import Verdict, amount, duration
from dashboard.components.sparkline import sparkline
from dashboard.components.states import WORDS, badge, note, shape
from dashboard.components.text import change, count, number_and_unit, percent
from dashboard.components.times import ago, lasting, short_day, stamp
from dashboard.data.models import (
    CheckpointCard,
    Compared,
    DayState,
    Incident,
    SelfCheck,
    SignalCard,
)

REASONS_SHOWN: Final = 3
INCIDENTS_SHOWN: Final = 5
DEAD_LETTERS: Final = "DLQ rate"
"""How reasons name the signal of dead letters."""
HEADLINES: Final = {
    "healthy": "The pipeline is healthy",
    "degraded": "The pipeline is degraded",
    "critical": "The pipeline is in trouble",
    "unknown": "Nobody knows how the pipeline is",
}
Children = list[Any]


def verdict(judged: Verdict, environment: str) -> Children:
    """Word, reasons, since when. The first reason is the sentence an executive takes along."""
    first, *others = judged.reasons or ("",)
    shown = others[: REASONS_SHOWN - 1]
    more = len(others) - len(shown)
    lines: Children = [html.P(f"{first}.", className="verdict-reason", title=first)]
    if shown or more:
        lines.append(
            html.Ul(
                [html.Li(reason, title=reason) for reason in shown]
                + ([html.Li(f"and {count(more, 'more reason')} below")] if more else []),
                className="verdict-more",
            )
        )
    since: Children = []
    if judged.since is not None:
        since = [
            html.Span("Since", className="label"),
            stamp(judged.since, "verdict-stamp"),
            lasting(judged.since, "verdict-for"),
        ]
    return [
        shape(judged.status, "verdict-shape"),
        html.Div(
            [
                html.H1(
                    [
                        html.Span(WORDS[judged.status], className="verdict-word"),
                        html.Span(environment, className="verdict-environment"),
                    ]
                ),
                html.Div(lines, className="verdict-text"),
            ],
            className="verdict-body",
        ),
        html.Div(since, className="verdict-since"),
    ]


def spoken(judged: Verdict, environment: str) -> str:
    """The verdict as it is read out when it changes: no value and no age, which change with each refresh."""
    deciding = [entry.title for entry in judged.signals if entry.state == judged.status]
    because = f": {', '.join(deciding)}" if deciding and judged.status != "healthy" else ""
    return f"{environment} is {WORDS[judged.status].lower()}{because}"


def signal(card: SignalCard, now: float, page: str | None = None) -> Children:
    """A golden signal with value, trend, line and threshold state; its title leads to ``page``, the range kept."""
    title = html.A(card.title, href=page, className="card-link", **{"data-nav": page}) if page else card.title
    return [_heading(title, _badge(card.state)), *_signal_body(card), _signal_foot(card, now)]


def _signal_body(card: SignalCard) -> Children:
    if card.state == "not_connected":
        return [note("Not connected yet", "No source sends this signal.", "not-connected")]
    line = sparkline(
        card.sparkline, card.title, card.unit, warning=card.warning, higher_is_worse=card.higher_is_worse,
        before=card.before.line if card.before else None,
    )  # fmt: skip
    if card.value is None:
        silent = "" if card.age_seconds is None else f" for {duration(card.age_seconds)}"
        return [note("No current value", f"Silent{silent}.", "empty"), line]
    number, unit = number_and_unit(card.value, card.unit)
    direction, words = change(card.trend) if card.before is None else _against(card.before)
    worse = direction == ("up" if card.higher_is_worse else "down")
    # The change alone fits on a line; what it is against may need another.
    wraps = {"style": {"whiteSpace": "normal"}} if card.before else {}
    return [
        html.Div(
            [
                html.P(
                    [
                        html.Span(number, className="number"),
                        html.Span(unit, className="unit"),
                        html.Span(card.note, className="made"),
                    ],
                    className="value",
                ),
                html.P(
                    words, className="trend", **{"data-trend": direction, "data-worse": str(worse).lower()}, **wraps
                ),
            ],
            className="reading",
        ),
        line,
    ]


def _against(found: Compared) -> tuple[str, str]:
    """As ``change``, against the period before: ``("up", "12% higher than the period before")``."""
    if found.change is None:
        return "unknown", found.why_unknown
    if math.isinf(found.change):
        return ("up" if found.change > 0 else "down"), "was zero in the period before"
    direction, words = change(found.change)
    if direction == "steady":
        return direction, "as in the period before"
    return direction, f"{words} {'as' if words.endswith('as high') else 'than'} the period before"


def _signal_foot(card: SignalCard, now: float) -> html.P:
    parts: Children = []
    side = ">" if card.higher_is_worse else "<"
    limits = [
        f"{word} {side} {_limit(limit, card.unit)}"
        for word, limit in (("warning", card.warning), ("critical", card.critical))
        if limit is not None
    ]
    if limits:
        whole = ", ".join(limits).capitalize()
        parts.append(html.Span(whole, className="limits", title=f"{whole} ({card.unit})"))
    if card.age_seconds is not None:
        parts.append(ago(now - card.age_seconds, "card-age"))
    return html.P(parts, className="foot")


def _limit(limit: float, unit: str) -> str:
    """A threshold under its value: the unit is said again only where it may differ (ms and s) or is one sign."""
    return amount(limit, unit) if unit in ("ms", "s", "%") else number_and_unit(limit, unit)[0]


def checkpoints(card: CheckpointCard, now: float) -> Children:
    """Checkpoint success over the shown range."""
    if card.state == "not_connected":
        return [
            _heading("Checkpoints"),
            note("Not connected yet", "No source counts checkpoints.", "not-connected"),
        ]
    rows = [
        ("Completed", _whole(card.completed)),
        ("Failed", _whole(card.failed)),
        ("Last took", "–" if card.last_duration_ms is None else amount(card.last_duration_ms, "ms")),
    ]
    success = None if card.success_percent is None else percent(card.success_percent)
    foot = [] if card.age_seconds is None else [ago(now - card.age_seconds, "card-age")]
    return [
        _heading("Checkpoints", badge(card.state)),
        html.P(
            [
                html.Span((success or "–").rstrip("%"), className="number"),
                html.Span("% succeeded" if success else "no checkpoint in range", className="unit"),
            ],
            className="value",
        ),
        html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in rows], className="facts"),
        html.P([html.Span(card.detail, className="limits", title=card.detail), *foot], className="foot"),
    ]


def slos(cards: Sequence[SloCard]) -> Children:
    """Attainment, error budget left and the burn rate of each pair of windows, one row per objective."""
    if not cards:
        return [
            _heading("Service levels, 30 days"),
            note("No data yet", "Objectives are measured as samples arrive.", "empty"),
        ]
    windows = [burn.name for burn in max((card.burn for card in cards), key=len)]
    head = html.Thead(
        html.Tr(
            [html.Th("Objective", scope="col"), html.Th("Attained", scope="col"), html.Th("Budget left", scope="col")]
            + [html.Th(f"Burn {name}", scope="col", className="burn") for name in windows]
        )
    )
    covered = max(card.covered_days for card in cards)
    span = "" if covered >= 29.5 else f", {duration(covered * 86400)} of data so far"
    # Windows that say the same, as at the start of an incident, say it once: the first, which is the most urgent.
    said: dict[str, BurnRate] = {}
    for burn in (burn for card in cards for burn in card.burn if burn.state in ("page", "ticket")):
        said.setdefault(burn.sentence, burn)
    return [
        _heading(f"Service levels, 30 days{span}"),
        html.Table([head, html.Tbody([_slo_row(card) for card in cards])], className="slos"),
        html.Ul(
            [
                html.Li([shape(_burn_state(burn)), html.Span(sentence)], title=sentence)
                for sentence, burn in said.items()
            ],
            className="burning",
        ),
    ]


def _slo_row(card: SloCard) -> html.Tr:
    left = card.budget_left_percent
    return html.Tr(
        [
            html.Th(
                [
                    shape(card.state),
                    html.Span(card.title),
                    html.Span(f"target {percent(card.target_percent)}", className="target"),
                ],
                scope="row",
                title=card.detail,
            ),
            _cell("Attained", "no data" if card.attained_percent is None else percent(card.attained_percent, 2)),
            _cell(
                "Budget left",
                "no data"
                if left is None
                else html.Span([html.Span(percent(max(left, 0.0), 0)), _bar(left)], className="budget"),
            ),
            *[_burn_cell(burn) for burn in card.burn],
        ],
        id=f"slo-{card.key}",
        **{"data-state": card.state},
    )


def _bar(left: float) -> html.Span:
    width = f"{min(max(left, 0.0), 100.0):.1f}%"
    return html.Span(html.Span(style={"width": width}), className="bar", **{"aria-hidden": "true"})


def _burn_cell(burn: BurnRate) -> html.Td:
    rates = [rate for rate in (burn.long_rate, burn.short_rate) if rate is not None]
    # Both windows must burn, so the slower one is what counts.
    text = f"{pace(min(rates))}×" if len(rates) == 2 else "too little data"
    kept = html.Span([shape(_burn_state(burn)), html.Span(text)], className="burn-rate")
    return _cell(f"Burn {burn.name}", kept, "burn", title=burn.sentence, state=_burn_state(burn))


def _burn_state(burn: BurnRate) -> str:
    return {"page": "critical", "ticket": "degraded", "ok": "healthy"}.get(burn.state, "no_data")


def _cell(label: str, content: Any, class_name: str = "", title: str = "", state: str = "") -> html.Td:
    extra: dict[str, Any] = {"data-label": label}
    if state:
        extra["data-state"] = state
    if title:
        extra["title"] = title
    return html.Td(content, className=class_name, **extra)


def self_checks(checks: Sequence[SelfCheck], now: float) -> Children:
    """Pulseboard's own parts: last seen at work."""
    return [
        _heading("Pulseboard itself"),
        html.Ul([_check(check, now) for check in checks], className="checks")
        if checks
        else note("No data yet", "No part of Pulseboard has reported.", "empty"),
    ]


def _check(check: SelfCheck, now: float) -> html.Li:
    seen: Any = WORDS[check.state]
    if check.age_seconds is not None and check.state != "not_connected":
        said = check.value or WORDS[check.state]
        seen = [html.Span(f"{said}, "), ago(now - check.age_seconds)]
    return html.Li(
        [shape(check.state), html.Span(check.title, className="check-title"), html.Span(seen, className="check-seen")],
        title=check.detail,
        **{"data-state": check.state},
    )


def days(strip: Sequence[DayState]) -> Children:
    """One cell a day, oldest first, with a legend that counts."""
    recorded = [day for day in strip if day.status != "no_data"]
    healthy = sum(day.status == "healthy" for day in recorded)
    counted = f"{healthy} of {count(len(recorded), 'recorded day')} healthy"
    order = ("healthy", "degraded", "critical", "unknown", "no_data")
    legend = [(status, sum(day.status == status for day in strip)) for status in order]
    return [
        _heading("Last 30 days", html.Span(counted if recorded else "nothing recorded yet", className="aside")),
        html.Ol([_day(day) for day in strip], className="strip"),
        html.Div(
            [
                html.Span(short_day(strip[0].date) if strip else "", className="strip-end"),
                html.Ul(
                    [
                        html.Li([shape(status), html.Span(f"{WORDS[status]} {number}")])
                        for status, number in legend
                        if number
                    ],
                    className="legend",
                ),
                html.Span("today" if strip else "", className="strip-end"),
            ],
            className="strip-foot",
        ),
    ]


def _day(day: DayState) -> html.Li:
    bad = f", not healthy for {duration(day.bad_minutes * 60)}" if day.bad_minutes else ""
    words = f"{short_day(day.date)}: {WORDS[day.status].lower()}{bad}"
    return html.Li(
        className="day",
        title=f"{words}. {day.detail}" if day.detail else words,
        **{"data-state": day.status, "aria-label": words},
    )


def incidents(stretches: Sequence[Incident], recorded: bool, environment: str, *, links: bool = False) -> Children:
    """The last stretches that were not healthy, newest first; an open one of dead letters leads to the Errors page."""
    if not stretches:
        text = "No incident in the recorded time." if recorded else "Incidents are found as history builds up."
        return [_heading("Last incidents"), note("None" if recorded else "No history yet", text, "empty")]
    return [
        _heading("Last incidents"),
        html.Ol(
            [_incident(item, environment if links else None) for item in stretches[:INCIDENTS_SHOWN]],
            className="incidents",
        ),
    ]


def _incident(item: Incident, environment: str | None) -> html.Li:
    length: Any = [html.Span("open, "), lasting(item.start)]
    reason: Any = item.reason
    if item.end is not None:
        length = duration(item.end - item.start)
    elif environment is not None and DEAD_LETTERS in item.reason:
        query = urlencode({"from": round(item.start - LOOK_BACK_SECONDS) * 1000, "environment": environment})
        reason = html.A(item.reason, href=f"/errors?{query}")
    return html.Li(
        [
            badge(item.status),
            stamp(item.start, "incident-start"),
            html.Span(length, className="incident-length"),
            html.Span(reason, className="incident-reason", title=item.reason),
        ],
        **{"data-state": item.status, "data-open": str(item.end is None).lower()},
    )


def _badge(state: str) -> Any:
    """Parts that are not connected say so in their place instead."""
    return None if state == "not_connected" else badge(state)


def _heading(title: Any, aside: Any = None) -> html.Header:
    return html.Header([html.H2(title), *([] if aside is None else [aside])], className="card-head")


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
