"""The Errors page's parts: values in, components out. Whatever comes from an event is drawn as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html

from backend.contract.verdict import amount
from dashboard.components import errors_before as earlier
from dashboard.components.errors_charts import Trace, colour, tint
from dashboard.components.links import set_link
from dashboard.components.sparkline import sparkline
from dashboard.components.states import badge, note, synthetic_events
from dashboard.components.text import change, count, masked, number_and_unit, percent
from dashboard.components.times import ago, exact, stamp
from dashboard.data.errors import DIMENSIONS, Count, Failures
from dashboard.data.errors_before import PeriodBefore
from dashboard.data.errors_data import ErrorsData
from dashboard.data.errors_metrics import DELIVERED, REPEATED, OperatorRow, Trend, with_failed

Children = list[Any]
TITLES: Final = {
    "error_type": "Error type",
    "operator": "Operator",
    "entity_id": "Entity",
    "event_type": "Event type",
    "source": "Source",
    "correlation_id": "Correlation id",
}
TOP_ENTITIES: Final = 20
TOP_OTHERS: Final = 6
DISPLAY_ROWS: Final = 8
"""Rows of a list on a display, which can't scroll."""
DISPLAY_OPERATORS: Final = 6


def lead(data: ErrorsData) -> Children:
    """What is failing, in a sentence, and what the page's counts are counts of."""
    found = data.failures
    title = html.H1("Errors")
    if found is None:
        dotted = [html.P(text, className="label lead-note") for text in earlier.notes(data.before)]
        return [title, html.P("Which events fail, why, and for whom.", className="purpose"), *dotted]
    lines: Children = [html.P(_sentence(found, data.before), className="lead")]
    lines += [html.P(text, className="label lead-note") for text in _caveats(found, data)]
    return [title, *lines, *([synthetic_events()] if data.synthetic else [])]


def _sentence(found: Failures, before: PeriodBefore | None) -> Children:
    if not found.matching:
        nothing = "No failed event matches these filters" if found.chosen else "No failed event in this range"
        return [nothing, *earlier.against(found, before), "."]
    total = (
        f"{found.matching:,} of the newest {len(found.reading.events):,}"
        if found.reading.cut_from
        else f"{found.matching:,}"
    )
    words: Children = [html.Strong(f"{total} failed {'event' if found.matching == 1 else 'events'}")]
    words += earlier.against(found, before)
    top = _top(found, "error_type")
    where = _top(found, "operator")
    if top is not None and "error_type" not in found.chosen:
        words.append(f", {percent(100 * top.number / found.matching, 0)} of them {top.name}")
    if where is not None and "operator" not in found.chosen:
        words.append(f", most at {where.name}")
    assert found.last_at is not None  # noqa: S101 - something matches
    return [*words, "; the newest ", ago(found.last_at), "."]


def _top(found: Failures, name: str) -> Count | None:
    """The most frequent value among the events that pass all filters."""
    counts = found.counts[name]
    return counts[0] if counts and name not in found.chosen else None


def _caveats(found: Failures, data: ErrorsData) -> list[Children]:
    said: list[Children] = []
    if found.reading.cut_from is not None:
        newest = f"Only the newest {len(found.reading.events):,} failed events were read, from "
        said.append(
            [newest, exact(found.reading.cut_from), ": every count of events is of these. Narrow the range to see all."]
        )
    said += earlier.notes(data.before)
    if data.foreign:
        said.append([f"Events are those of {data.own_environment}: they are not filtered by environment."])
    if (status := data.request.get("status")) not in (None, "failed"):
        said.append([f"This page shows failed events only: it is not filtered by status {status}."])
    return said


def chips(data: ErrorsData) -> Children:
    """The chosen filters of events, each with a way to take it out."""
    if data.failures is None or data.display:
        return []
    filters = data.failures.chosen
    items = [
        html.Li(
            [
                html.Span([f"{TITLES[name]}: ", html.Strong(value)], title=value),
                set_link("Remove", data.request, {name: None}, **{"aria-label": f"Remove the filter {TITLES[name]}"}),
            ]
        )
        for name, value in filters.items()
    ]
    if len(items) > 1:
        items.append(html.Li(set_link("Remove all", data.request, dict.fromkeys(filters))))
    return items


def not_filtered(data: ErrorsData, applied: Sequence[str] = (), what: str = "Not") -> Children:
    """Which of the chosen filters a panel of metrics, or ``what`` of it, can't apply."""
    names = [TITLES[name].lower() for name in (data.failures.chosen if data.failures else {}) if name not in applied]
    return [html.Span(f"{what} filtered by {', '.join(names)}", className="aside")] if names else []


def of_events(data: ErrorsData) -> Children:
    """Beside the title of a panel that counts events: says so where they are not all."""
    found = data.failures
    if found is None or found.reading.cut_from is None:
        return []
    text = f"Of the newest {len(found.reading.events):,}"
    return [html.Span([text, ", from ", stamp(found.reading.cut_from)], className="aside")]


def types(data: ErrorsData) -> Children:
    """Error types with their colours and shares: the legend of both charts, and links for keyboards."""
    if (missing := unavailable(data)) is not None:
        return [missing]
    assert data.failures is not None  # noqa: S101 - else unavailable
    return [ranking(data, "error_type", len(data.failures.counts["error_type"]), swatches=True)]


def legend(data: ErrorsData, traces: Sequence[Trace], before: str = "") -> Children:
    """What the colours of a chart's bars mean; each type chooses itself, or takes itself back.

    ``before`` says what there is of the period before, where that is compared.
    """
    names = [str(trace["name"]) for trace in traces if "meta" in trace]
    entries = [
        html.Li(
            [
                html.Span(className="swatch", style={"--swatch": tint(name, data.request.get("error_type"))}),
                html.Span(name) if data.display else pick(name, "error_type", data),
            ]
        )
        for name in names
    ]
    if before:
        entries.append(earlier.entry(before))
    return [html.Ul(entries, className="legend-list", **{"aria-label": "Colours of the bars"})] if entries else []


def unavailable(data: ErrorsData) -> html.Div | None:
    """What stands in a panel of events without any: not connected, or nothing failed. None where there are some."""
    found = data.failures
    if found is None:
        return note("Not connected yet", "No store of events is configured.", "not-connected")
    if not any(found.counts[name] for name in DIMENSIONS):
        if found.chosen:
            return note("Nothing matches", "No failed event passes these filters.", "empty")
        return note("No failed event", "None was received in this range.", "empty")
    return None


def ranked(data: ErrorsData, name: str, one: str, many: str) -> Children:
    """The most frequent values of a dimension as links with bars, and how many there are in all."""
    found = data.failures
    title = f"{many.capitalize()} by failed events"
    if (missing := unavailable(data)) is not None or found is None:
        return [_head(title), missing]
    most = DISPLAY_ROWS if data.display else TOP_ENTITIES if name == "entity_id" else TOP_OTHERS
    counts = found.counts[name]
    shown = f"Top {most} of {len(counts):,}" if len(counts) > most else count(len(counts), one, many)
    return [_head(title, html.Span(shown, className="aside")), *of_events(data), ranking(data, name, most)]


def ranking(data: ErrorsData, name: str, most: int, *, swatches: bool = False) -> html.Ol:
    """Values with bars as long as their counts; each chooses its value, the chosen one takes it back."""
    assert data.failures is not None  # noqa: S101 - callers looked
    counts = data.failures.counts[name]
    total = sum(entry.number for entry in counts)
    longest = max((entry.number for entry in counts), default=1)
    chosen = data.failures.chosen.get(name)
    rows = [_rank(data, name, entry, total, longest, chosen, swatches=swatches) for entry in counts[:most]]
    return html.Ol(rows, className="ranks", **{"data-chosen": "yes" if chosen else "no"})


def _rank(
    data: ErrorsData, name: str, entry: Count, total: int, longest: int, chosen: str | None, *, swatches: bool
) -> html.Li:
    text = masked(entry.name) if data.display and name == "entity_id" else entry.name
    share = percent(100 * entry.number / total, 0)
    swatch = [html.Span(className="swatch", style={"--swatch": colour(entry.name)})] if swatches else []
    style = {"--part": f"{100 * entry.number / longest:.1f}%"}
    parts = [
        *swatch,
        html.Span(text, className="rank-name", title=text),
        html.Span(f"{entry.number:,}", className="rank-number"),
        html.Span(share, className="rank-share"),
    ]
    here = {"aria-current": "true"} if entry.name == chosen else {}
    row: Any = html.Span(parts, className="rank", style=style)
    if not data.display:
        value = None if entry.name == chosen else entry.name
        row = set_link(parts, data.request, {name: value}, className="rank", style=style, **here)
    return html.Li(row, className="rank-row", **{"data-here": "yes" if here else "no"})


def operators(data: ErrorsData) -> Children:
    """Error rate of each operator from metrics, and its failed events beside it."""
    found, metrics = data.failures, data.metrics
    rows = with_failed(metrics.operators, found.counts["operator"] if found else ())
    aside = [] if metrics.operators is None else not_filtered(data, ("operator",), "Rates are not")
    if data.display and len(rows) > DISPLAY_OPERATORS:
        aside.append(html.Span(f"Worst {DISPLAY_OPERATORS} of {len(rows):,}", className="aside"))
        rows = rows[:DISPLAY_OPERATORS]
    head = _head("Error rate by operator", *aside)
    if not rows:
        if metrics.operators is None and found is None:
            text = "No source counts records, and no store of events is configured."
            return [head, note("Not connected yet", text, "not-connected")]
        return [head, note("No data", "No operator reported in this range.", "empty")]
    titles = ("Operator", "Error rate", "In error", "Came in", "Failed events")
    return [
        head,
        html.Table(
            [
                html.Thead(html.Tr([html.Th(title, scope="col") for title in titles])),
                html.Tbody([_operator(row, data) for row in rows]),
            ],
            className="operators",
        ),
    ]


def _operator(row: OperatorRow, data: ErrorsData) -> html.Tr:
    chosen = data.request.operator == row.name
    name: Any = row.name
    if not data.display:
        here = {"aria-current": "true"} if chosen else {}
        name = set_link(row.name, data.request, {"operator": None if chosen else row.name}, **here)
    failed = "–" if data.failures is None else f"{row.failed:,}"
    return html.Tr(
        [
            html.Th(name, scope="row", title=row.name),
            html.Td("not reported" if row.rate_percent is None else percent(row.rate_percent, 2), className="rate"),
            html.Td("–" if row.errors is None else f"{row.errors:,.0f}"),
            html.Td("–" if row.records is None else f"{row.records:,.0f}"),
            html.Td(failed),
        ],
        **{"data-here": "yes" if chosen else "no"},
    )


def trend(found: Trend, data: ErrorsData, now: float) -> Children:
    """A counter as a rate per minute, with its line, its sum over the range, and its thresholds."""
    state = found.state
    head = _head(found.title, *([badge(state)] if state not in (None, "not_connected") else []))
    if state == "not_connected":
        return [head, note("Not connected yet", "No source sends this signal.", "not-connected")]
    line = sparkline(found.line, found.title, found.unit, warning=found.warning)
    return [head, _reading(found), line, _foot(found, data, now)]


def _reading(found: Trend) -> Any:
    if found.value is None:
        return note("No current value", "Nothing was reported lately.", "empty")
    number, unit = number_and_unit(found.value, found.unit)
    direction, words = change(found.change)
    return html.Div(
        [
            html.P([html.Span(number, className="number"), html.Span(unit, className="unit")], className="value"),
            html.P(words, className="trend", **{"data-trend": direction, "data-worse": str(direction == "up").lower()}),
        ],
        className="reading",
    )


def _foot(found: Trend, data: ErrorsData, now: float) -> html.P:
    parts: Children = []
    if found.total is not None:
        parts.append(html.Span(f"{found.total:,.0f} in this range{_beside(found.key, data)}"))
    limits = [
        f"{word} > {limit:,g}"
        for word, limit in (("warning", found.warning), ("critical", found.critical))
        if limit is not None
    ]
    if limits:
        parts.append(html.Span(", ".join(limits).capitalize(), className="limits"))
    if found.age_seconds is not None:
        parts.append(ago(now - found.age_seconds, "card-age"))
    return html.P(parts, className="foot")


def _beside(key: str, data: ErrorsData) -> str:
    """What else is known of the same thing: successes of deliveries, repeats refused at ingest."""
    delivered, repeated = (data.metrics.totals.get(name) for name in (DELIVERED, REPEATED))
    if key == "firehose_failed_put_count":
        return ", successes not reported" if delivered is None else f", {amount(delivered, 'records')} delivered"
    if key == "duplicate_records_detected" and repeated is not None:
        return f", {count(int(repeated), 'repeat')} at ingest"
    return ""


def _head(title: str, *aside: Any) -> html.Header:
    return html.Header([html.H2(title), *aside], className="card-head")


def pick(text: str, name: str, data: ErrorsData) -> html.A:
    """A value in a table that chooses itself, or takes itself back."""
    chosen = data.failures.chosen.get(name) if data.failures else None
    return set_link(text, data.request, {name: None if chosen == text else text}, className="pick", title=text)
