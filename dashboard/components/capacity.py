"""The Capacity page's parts: limits in a sentence and as a table, and what stands beside or instead of its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html

from backend.contract.verdict import amount, duration
from dashboard.components.links import set_link
from dashboard.components.rows import beyond, held, rest
from dashboard.components.states import note, shape, skeleton
from dashboard.components.text import count
from dashboard.components.times import ago, stamp
from dashboard.components.unusual import unusual
from dashboard.data.capacity import RESOURCE, CapacityData
from dashboard.data.capacity_panels import Panel
from dashboard.data.forecast import DAY, HORIZON_DAYS, HOUR, LEAST_DAYS, LEAST_HOURS, NOMINAL, Reach, Shortage
from dashboard.data.limits import FLEET, KIND, LimitRow
from dashboard.data.series import ALL
from dashboard.data.source import Source

Children = list[Any]
ROWS: Final = 12
DISPLAY_ROWS: Final = 7
"""Rows that a screen without scrolling has room for."""
OWN_UNITS: Final = {"bytes": ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB"))}
_STATES: Final[Mapping[str, str]] = {
    "reached": "critical", "peaks": "critical", "reaches": "critical", "may": "degraded", "clear": "healthy",
    "silent": "unknown", "failed": "unknown", "shortage": "no_data", "pending": "no_data",
    "not_connected": "not_connected",
}  # fmt: skip
"""Which shape and colour a row wears; what is met later than ``SOON_DAYS`` is a warning, what may be met later than
``FAR_DAYS`` none."""
SOON_DAYS: Final = 14
FAR_DAYS: Final = 30
IN_SIGHT: Final = ("reached", "peaks", "reaches", "may")
PERIODS_SURE: Final = 3
"""A range of so many periods of a metric holds a value of it, though AWS tells them a day late."""
HEADS: Final = ("Resource", "Now", "Limit", "Time left")


def lead(data: CapacityData) -> Children:
    """Whether to scale, in a sentence: the most urgent limit."""
    lines: Children = [html.P(sentence(data), className="lead", **{"data-state": _worst(data)})]
    if data.forecast_at is not None:
        by = ["Forecasts of ", stamp(data.forecast_at), f"; a range holds {NOMINAL:.0%} of what is to be expected."]
        by += [f" {_without(data.forecast_source)}"] if data.forecast_source.state != "done" else []
        lines.append(html.P(by, className="label lead-note"))
    synthetic = html.P(
        "Synthetic data: made by a generator, not by real servers.", className="synthetic capacity-synthetic"
    )
    return [html.H1("Capacity"), *lines, *([synthetic] if data.synthetic else [])]


def _without(source: Source) -> str:
    """What a forecast lacks that was made before history came."""
    why = {"running": "reading it takes too long", "cancelled": "reading it was cancelled"}
    return f"Made without history ({source.days}): {why.get(source.state) or source.error}."


def sentence(data: CapacityData) -> Children:
    """The answer to "do we need to scale?"."""
    if data.forecast_error:
        return ["Forecasts can't be made now: ", html.Span(data.forecast_error), ". Trying again."]
    if data.forecasting:
        return ["Forecasts are being made; this takes a few seconds."]
    first = data.rows[0]
    if first.state in IN_SIGHT:
        return [html.Strong(f"{named(first)} {_verb(first)}"), *_others(data.rows)]
    known = [row.reach.horizon_days for row in data.rows if row.reach is not None and row.state == "clear"]
    if known:
        return [html.Strong(f"No limit is in sight within {count(round(min(known)), 'day')}."), *_unsaid(data.rows)]
    if all(row.state == "not_connected" for row in data.rows):
        return ["Nothing that has a limit is connected yet."]
    return [html.Strong("Not enough data to say."), " A forecast takes two days of measurements, better four weeks."]


def _verb(row: LimitRow) -> str:
    limit = f"its {KIND[row.limit.kind]} of {quantity(row.limit.value, row.metric.unit)}"
    if row.state == "reached":
        assert row.value is not None  # noqa: S101 - it is past its limit
        return f"is at {quantity(row.value, row.metric.unit)}, past {limit}."
    if row.state == "peaks":
        return f"is past {limit} at its daily {'low' if row.limit.falls else 'peak'} already."
    assert row.reach is not None  # noqa: S101 - else there is no such state
    if row.state == "reaches":
        return f"reaches {limit} {within(row.reach)}."
    return f"may reach {limit}, {within(row.reach)}."


def _others(rows: Sequence[LimitRow]) -> Children:
    more = sum(row.state in IN_SIGHT for row in rows) - 1
    return [f" {count(more, 'more limit')} {'is' if more == 1 else 'are'} in sight."] if more > 0 else []


def _unsaid(rows: Sequence[LimitRow]) -> Children:
    """What the good news does not speak of."""
    short = sum(row.state in ("shortage", "silent", "failed") for row in rows)
    absent = sum(row.state == "not_connected" for row in rows)
    parts = [f"{short} can't be forecast yet" if short else "", f"{absent} not connected" if absent else ""]
    said = " and ".join(part for part in parts if part)
    return [f" Not counting {said}."] if said else []


def _worst(data: CapacityData) -> str:
    return "unknown" if data.forecast_error or data.forecasting else state_of(data.rows[0])


def state_of(row: LimitRow) -> str:
    """The state whose shape and colour a row wears: the sooner a limit is met, the worse."""
    if row.state == "reaches" and row.days is not None and row.days > SOON_DAYS:
        return "degraded"
    if row.state == "may" and row.days is not None and row.days > FAR_DAYS:
        return "healthy"
    return _STATES[row.state]


def named(row: LimitRow) -> str:
    """``Disk usage of server-004``, ``Free task slots``."""
    if row.group == FLEET:
        return f"{row.metric.title} of the busiest twentieth of hosts"
    if row.group == ALL:
        return row.metric.title if row.metric.group_by != "hostname" else f"{row.metric.title} of all hosts together"
    return f"{row.metric.title} of {row.group}"


def quantity(value: float, unit: str) -> str:
    """A value with its unit, bytes in the multiple that people use."""
    for size, name in OWN_UNITS.get(unit, ()):
        if abs(value) >= size:
            return amount(value / size, name)
    return amount(value, unit)


def within(found: Reach) -> str:
    """``in 12 to 19 days``; the far end open where the band does not meet the limit."""
    if found.earliest is None:
        return f"not within {count(round(found.horizon_days), 'day')}"
    by_days = found.horizon_days >= LEAST_DAYS
    first, likely, last = (_length(days, by_days=by_days) for days in (found.earliest, found.likely, found.latest))
    if found.likely is None:
        return f"in {first} at the earliest"
    if found.latest is None:
        return f"in {first} or later, most likely {likely}"
    if first == last:
        return f"in about {first}"
    number, _, unit = first.partition(" ")
    return f"in {number if unit[:3] == last.partition(' ')[2][:3] else first} to {last}"


def _length(days: float | None, *, by_days: bool) -> str:
    """Days, or hours where hours were forecast and they are few."""
    if days is None:
        return ""
    return count(max(round(days), 1), "day") if by_days or days >= 2 else count(max(round(days * 24), 1), "hour")


def limits(data: CapacityData) -> Children:
    """Every limit, the most urgent first; a row with a forecast shows it in the chart beside."""
    few = shown_rows(data.rows, held(len(data.rows), DISPLAY_ROWS))
    shown = few if data.request.role == "display" else shown_rows(data.rows, ROWS)
    body = html.Tbody([_row(row, data, row not in few) for row in shown])
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in HEADS]))
    more = rest(
        lambda number: _rest([row for row in data.rows if row not in (few if number == len(few) else shown)]),
        len(shown), len(few), len(data.rows), "limits-more",
    )  # fmt: skip
    return [
        html.Header([html.H2("Days until each limit"), *_age(data)], className="card-head"),
        html.Table([head, body], className="limit-rows"),
        *more,
    ]


def shown_rows(rows: Sequence[LimitRow], most: int) -> list[LimitRow]:
    """Those in sight, and of each other metric the nearest one: what is far away in ten hosts is said once."""
    near = [row for row in rows if row.state in IN_SIGHT]
    firsts = {row.metric.key: row for row in reversed(rows)}
    told = {row.metric.key for row in near[: max(most - len(firsts), 1)]}
    others = [row for row in firsts.values() if row.metric.key not in told]
    kept = [*near[: max(most - len(others), 1)], *others]
    return [row for row in rows if row in kept][:most]


def _rest(rows: Sequence[LimitRow]) -> str:
    first = rows[0]
    words = "none of them in sight"
    if first.state in ("reached", "peaks"):
        words = "the first of them reached already"
    elif first.state in IN_SIGHT and first.reach is not None:
        words = f"the first of them {within(first.reach)}"
    return f"And {len(rows)} more, {words}."


def _age(data: CapacityData) -> Children:
    return [] if data.as_of is None else [html.Span(["data from ", ago(data.as_of)], className="aside")]


def _row(row: LimitRow, data: CapacityData, left_out: bool) -> html.Tr:
    chosen = data.chosen is not None and data.chosen.key == row.key
    title: Any = [html.Span(row.metric.title), html.Span(_group(row), className="limit-group")]
    if row.forecast is not None and data.request.role != "display":
        title = set_link(title, data.request, {RESOURCE: row.key}, className="limit-link")
    value = "–" if row.value is None else quantity(row.value, row.metric.unit)
    state = state_of(row)
    return html.Tr(
        [
            html.Th(html.Span([shape(state), title], className="limit-name"), scope="row", title=named(row)),
            html.Td(value, className="limit-now"),
            html.Td([_ceiling(row), *_kind(row)], className="limit-limit"),
            html.Td(_left(row), className="limit-left"),
        ],
        **{"data-state": state, "data-here": "yes" if chosen else "no"},
        **beyond(left_out),
    )


def _group(row: LimitRow) -> str:
    if row.group == ALL:
        return "all hosts" if row.metric.group_by == "hostname" else ""
    return row.group


def _ceiling(row: LimitRow) -> str:
    """The limit; units that are words stand beside the value already."""
    text = quantity(row.limit.value, row.metric.unit)
    return text if row.metric.unit in ("%", "bytes") else text.partition(" ")[0]


def _kind(row: LimitRow) -> Children:
    return [] if row.limit.kind == "limit" else [html.Span(row.limit.kind, className="limit-kind")]


def _left(row: LimitRow) -> Any:
    if row.state == "reached":
        return "reached"
    if row.state == "peaks":
        return f"past at its daily {'low' if row.limit.falls else 'peak'}"
    if row.state == "silent":
        assert row.at is not None  # noqa: S101 - it was measured before
        return ["silent, last ", ago(row.at)]
    if row.state == "shortage":
        return _short(row.shortage)
    if row.reach is not None:
        words = within(row.reach)
        return words if row.reach.earliest is not None else f"not reached {words.removeprefix('not ')}"
    return {"pending": "being forecast", "failed": "can't be forecast", "not_connected": "not connected"}[row.state]


def _short(found: Shortage | None) -> str:
    """How much there is, and how much it takes."""
    if found is None:
        return f"not enough data: nothing of {duration(LEAST_HOURS * HOUR)} yet"
    have, need = (f"{seconds / DAY:.0f} d" if found.need > 2 * DAY else f"{seconds / HOUR:.0f} h" for seconds in
                  (found.have, found.need))  # fmt: skip
    return f"not enough data: {have} of {need}"


def forecast_title(row: LimitRow | None) -> Children:
    """What the forecast chart is of."""
    return ["Forecast"] if row is None else [f"Forecast: {named(row)}"]


def forecast_body(data: CapacityData) -> Children:
    """Instead of the forecast's chart, or below it what it was made of."""
    row = data.chosen
    if row is not None and row.forecast is not None:
        by = "each day's peak" if row.forecast.step == DAY else "hourly averages"
        if row.limit.falls and row.forecast.step == DAY:
            by = "each day's lowest hour"
        days = count(round(((data.forecast_at or 0.0) - row.forecast.history[0][0]) / DAY), "day")
        reached = row.state in ("reaches", "may") and row.reach is not None
        met = f"; the limit is met {within(row.reach)}" if reached and row.reach else ""
        return [html.P(f"From {by} of {days}{met}.", className="forecast-note")]
    if data.forecasting:
        return [skeleton()]
    if data.forecast_error:
        return [note("No forecast", data.forecast_error, "error")]
    if all(row.state == "not_connected" for row in data.rows):
        return [note("Not connected yet", "No source sends a metric that has a limit.", "not-connected")]
    return [note("Not enough data", f"A forecast takes {duration(LEAST_HOURS * HOUR)} of measurements, one over "
                 f"{HORIZON_DAYS} days a month.", "empty")]  # fmt: skip


def panel_aside(panel: Panel, data: CapacityData) -> Children:
    """Beside a panel's title: how many hosts, what is missing, its age, and what does not apply to it."""
    words: Children = []
    spec = panel.spec
    if panel.bands:
        words.append(f"{panel.groups:,} hosts and the {len(panel.lines)} highest")
    if spec.stacked and panel.state == "ok" and panel.groups > 1:
        words.append("hosts counted alike")
    if panel.missing and panel.state == "ok":
        words.append(f"not connected: {', '.join(panel.missing)}")
    if data.request.host and panel.state == "ok" and not all(asked.per_host for asked in spec.asked):
        words.append("not filtered by host")
    parts: Children = [html.Span(", ".join(words))] if words else []
    parts += unusual(panel.unusual, panel.noticing)
    if panel.as_of is not None:
        word = "silent, last " if panel.silent else ""
        parts.append(html.Span([word, ago(panel.as_of)], className="panel-age"))
    return [html.Span(parts, className="aside")] if parts else []


def panel_body(panel: Panel, data: CapacityData) -> Children:
    """Instead of a panel's chart; nothing where there is one."""
    if panel.state == "not_connected":
        return [note("Not connected", _source(panel, data), "not-connected")]
    if panel.state == "empty" or not (panel.lines or panel.bands):
        filtered = data.request.host and any(asked.per_host for asked in panel.spec.asked)
        text = f"{data.request.host} reported none of it in this range." if filtered else "Nothing in this range."
        longest = max(_period(asked.metric, data) for asked in panel.spec.asked)
        if longest >= DAY and data.wanted.seconds < PERIODS_SURE * longest and not filtered:
            text = "Measured once a day: choose a longer range."
        return [note("No data", text, "empty")]
    return []


def _period(metric: str, data: CapacityData) -> float:
    """How often AWS measures a metric, in seconds; 0 of one that is not AWS's."""
    aws = data.catalogue[metric].aws
    return aws.period_seconds if aws else 0.0


def _source(panel: Panel, data: CapacityData) -> str:
    """Which source would fill a panel."""
    aws = any(data.catalogue[asked.metric].aws for asked in panel.spec.asked)
    return "The cloudwatch source sends it." if aws else "No source sends it."
