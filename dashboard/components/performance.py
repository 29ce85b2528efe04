"""The Performance page's parts: what is slow, the likely cause with its evidence, and what stands beside charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html

from backend.contract.verdict import amount
from dashboard.components.links import set_link
from dashboard.components.performance_charts import CHARTS
from dashboard.components.rows import beyond, held
from dashboard.components.states import note, shape
from dashboard.components.text import percent
from dashboard.components.times import ago, lasting, stamp
from dashboard.components.unusual import unusual
from dashboard.data.performance_cause import Cause, Finding, Step
from dashboard.data.performance_data import Panel, PerformanceData
from dashboard.data.performance_stretch import Stretch

Children = list[Any]
FINDINGS: Final = {"up": "degraded", "usual": "healthy", "unknown": "no_data"}
"""The shape and colour of what was found of a suspect; of what is past a critical threshold, that one's."""
FOUND: Final[Mapping[Finding, str]] = {"up": "up", "usual": "as usual", "unknown": "not known"}
CAUSES_SAID: Final = 3
AROUND_SECONDS: Final = 1800.0
"""A slow stretch is looked at with so much before and after it, at least."""
DISPLAY_EVIDENCE: Final = 8
"""Values that a screen without scrolling has room for."""
WITHOUT: Final = {
    "latency": "No source sends latency.",
    "regions": "No source says where its records' latency was measured.",
}


def lead(data: PerformanceData) -> Children:
    """What is slow, since when, and how far from its limit; then what else is past a threshold."""
    cause = data.cause
    lines: Children = [html.P(_sentence(data), className="lead", **{"data-state": _worst(cause)})]
    if data.past:
        lines.append(html.P(_also(data), className="label lead-note"))
    if data.request.compare:
        before = data.range.start - data.range.seconds
        text = ["Dotted lines: the period before, from ", stamp(before), " to ", stamp(data.range.start), "."]
        lines.append(html.P(text, className="label lead-note"))
    synthetic = html.P(
        "Synthetic data: made by a generator, not by a real pipeline.", className="synthetic synthetic-events"
    )
    return [html.H1("Performance"), *lines, *([synthetic] if data.synthetic else [])]


def _worst(cause: Cause) -> str:
    value = cause.latency.now
    if cause.speed == "unknown" or value is None:
        return "unknown"
    state = cause.latency.evidence.metric.state(value)
    return "degraded" if state == "healthy" and cause.speed == "slow" else state


def _sentence(data: PerformanceData) -> Children:
    """What latency is; of a range that is over what it was at its worst; what a live range has behind it."""
    cause, live = data.cause, data.range.live
    value = cause.latency.now
    if cause.speed == "unknown" or value is None:
        return [html.Strong("Latency is not known: "), f"{cause.latency.why_unknown}", *_behind(data), "."]
    if cause.then and cause.stretch is not None:
        usual = cause.latency.usual
        return [
            html.Strong(["Latency p99 was ", _amount(cause.latency, value), " at ", stamp(cause.stretch.at)]),
            ", usual value not known" if usual is None else f", usually {_amount(cause.latency, usual)}",
            " (", *_stretch(cause.stretch, data), ")", *_distance(cause.latency, value), ".",
        ]  # fmt: skip
    at = "is" if live else "was"
    words: Children = [html.Strong(f"Latency p99 {at} {_amount(cause.latency, value)}")]
    if not live:
        words.append(" at the end of this range")
    usual = cause.latency.usual
    if cause.speed == "usual" and usual is not None:
        return [*words, ", as usual", *_distance(cause.latency, value), *_behind(data), "."]
    words.append(", usual value not known" if usual is None else f", usually {_amount(cause.latency, usual)}")
    if cause.whole_range:
        words.append(", in the whole of this range")
    elif cause.since is not None:
        words += [", since ", stamp(cause.since), *([" (", lasting(cause.since), ")"] if live else [])]
    return [*words, *_distance(cause.latency, value), *_behind(data), "."]


def _stretch(stretch: Stretch, data: PerformanceData) -> Children:
    """``past critical from 21 Nov, 18:50 UTC to 21 Nov, 19:10 UTC``."""
    level = {"critical": "past critical", "warning": "past its warning", "": "slow"}[stretch.past]
    if data.cause.then and data.cause.whole_range:
        return [f"{level} in the whole of this range"]
    end = ["the end of this range"] if stretch.lasts and data.cause.then else [stamp(stretch.end)]
    return [f"{level} from ", stamp(stretch.start), " to ", *end]


def _behind(data: PerformanceData) -> Children:
    """The slow stretch that a live range has behind it, with the way to look at it as it was."""
    stretch = data.cause.stretch
    if stretch is None or data.cause.then:
        return []
    words = _stretch(stretch, data)
    if data.display:
        return ["; it was ", *words]
    # With as much around it as tells what is usual.
    around = max(stretch.end - stretch.slow_from, AROUND_SECONDS)
    ends = {"from": stretch.slow_from - around, "to": min(stretch.end + around, data.range.end)}
    return ["; it was ", set_link(words, data.request, {name: f"{1000 * at:.0f}" for name, at in ends.items()})]


def _distance(latency: Step, value: float) -> Children:
    """How far the latency is from what is promised."""
    metric = latency.evidence.metric
    limit = metric.slo.limit if metric.slo else metric.critical
    if limit is None:
        return []
    word = "promised" if metric.slo else "critical"
    if value > limit:
        return [f"; {_amount(latency, value - limit)} over the {word} {_amount(latency, limit)}"]
    return [f"; {percent(100 * value / limit, 0)} of the {word} {_amount(latency, limit)}"]


def _also(data: PerformanceData) -> Children:
    words: Children = ["Past a threshold: " if data.range.live else "Past a threshold at the end of this range: "]
    for index, past in enumerate(data.past):
        panel = data.panels[past.panel]
        whose = f" ({past.line})" if len(panel.lines) > 1 else ""
        text = f"{CHARTS[past.panel].title} {amount(past.value, panel.metric.unit)}{whose}"
        words += [", "] if index else []
        words += [shape(past.state), " ", _to_chart(text, past.panel, data)]
    return [*words, "."]


def _to_chart(text: str, panel: str, data: PerformanceData) -> Any:
    return text if data.display or not panel else html.A(text, href=f"#card-{panel}")


def cause(data: PerformanceData) -> Children:
    """The likely cause in a sentence, and the evidence that it rests on."""
    found = data.cause
    applied = _filtered(data)
    aside = [html.Span(applied, className="aside")] if applied else []
    when = "now" if data.range.live else "then"
    return [
        html.Header([html.H2("Likely cause"), *aside], className="card-head"),
        html.P(cause_sentence(data), className="cause-line"),
        html.Ol(
            _steps(found, data), className="evidence",
            **{"aria-label": f"Evidence: each value {when}, and its usual one"},
        ),
    ]  # fmt: skip


def _filtered(data: PerformanceData) -> str:
    """Which of the evidence the chosen filters apply to, where they do not apply to all of it."""
    said = []
    for name in (name for name in ("host", "operator") if getattr(data.request, name)):
        applies = {key for key, panel in data.panels.items() if name not in panel.unfiltered}
        steps = (data.cause.latency, *data.cause.steps)
        titles = ", ".join(_named(step) for step in steps if step.evidence.panel in applies)
        said.append(f"only {titles} filtered by {name}" if titles else f"not filtered by {name}")
    return "; ".join(said)


def cause_sentence(data: PerformanceData) -> Children:
    """What explains the latency, or that nothing does, or that it can't be known."""
    found = data.cause
    if found.speed == "unknown":
        return ["Not known: there is no latency to explain."]
    if found.speed == "usual":
        latency = "as usual" if found.latency.usual is not None else "past no threshold, its usual value not known"
        verb = "is" if data.range.live else "was"
        now = " now" if found.stretch else ""
        return [f"Nothing to explain{now}: latency {verb} {latency}", *_behind(data), ".", *_not_known(found.unknown)]
    if not found.causes:
        looked = [step for step in found.steps if step.finding == "usual"]
        among = ", ".join(_named(step) for step in looked)
        words: Children = [html.Strong("No cause found"), f" among {among}: all as usual." if looked else "."]
        return [*words, *_not_known(found.unknown)]
    words = []
    for index, step in enumerate(found.causes[:CAUSES_SAID]):
        words += ["; "] if index else []
        said = _change(step, "is" if data.range.live else "was")
        words.append(html.Strong(said[:1].upper() + said[1:]) if not index else said)
    where = next((step for step in found.causes if step.evidence.operator), None)
    if where is not None and where not in found.causes[:CAUSES_SAID]:
        words += ["; felt most at ", _operator(where.evidence.operator, data)]
    return [*words, ".", *_not_known(found.unknown)]


def _not_known(steps: Sequence[Step]) -> Children:
    return [f" Not known: no data for {', '.join(_named(step) for step in steps)}."] if steps else []


def _named(step: Step) -> str:
    """A suspect inside a sentence; abbreviations keep their capitals."""
    title = step.evidence.title
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _change(step: Step, verb: str) -> str:
    evidence, name = step.evidence, step.evidence.operator or _named(step)
    assert step.now is not None  # noqa: S101 - it was judged
    if evidence.role == "operator":
        name = f"latency of {name}"
    elif evidence.role == "busy":
        name = f"busy time of {name}"
    now = _amount(step, step.now)
    if step.usual is None or (step.threshold is not None and not _differs(step)):
        assert step.threshold is not None  # noqa: S101 - one of the two judged it
        return f"{name} {verb} {now}, past its warning of {_amount(step, step.threshold)}"
    moved = "fell" if step.now < step.usual else "rose"
    return f"{name} {moved} to {now}, usually {_amount(step, step.usual)}"


def _differs(step: Step) -> bool:
    """Whether now and usual look different once they are written."""
    return step.now is not None and step.usual is not None and _amount(step, step.now) != _amount(step, step.usual)


def _amount(step: Step, value: float) -> str:
    """A value of a suspect as the page's charts show it."""
    role = step.evidence.role
    if role == "busy":
        return percent(value / 10, 0)
    if role == "load":
        return f"{amount(value, '').strip()} records/s"
    return amount(value, step.evidence.metric.unit)


def _operator(name: str, data: PerformanceData) -> Any:
    if data.display:
        return name
    return set_link(name, data.request, {"operator": name}, **{"aria-label": f"Look into {name}"})


def _steps(found: Cause, data: PerformanceData) -> Children:
    """Latency and its suspects; where there is no room for all, those that are up go first and the rest is counted."""
    steps = (found.latency, *found.steps)
    telling = sorted(range(len(steps)), key=lambda i: (i > 0 and steps[i].finding != "up", i))
    few = sorted(telling[: held(len(steps), DISPLAY_EVIDENCE)])
    kept = few if data.display else range(len(steps))
    items = [_evidence(steps[i], data, i not in few) for i in kept]
    left = [step.finding for i, step in enumerate(steps) if i not in few]
    if left:
        said = ", ".join(f"{left.count(f)} {word}" for f, word in FOUND.items() if f in left)
        parts = [
            html.Span(f"{len(left)} more", className="evidence-title"),
            html.Span(said, className="evidence-usual"),
        ]
        items.append(html.Li(parts, className="" if data.display else "kiosk-only"))
    return items


def _evidence(step: Step, data: PerformanceData, left_out: bool) -> html.Li:
    """One suspect: its value now against its usual one, with the way to its chart or operator."""
    evidence = step.evidence
    state = FINDINGS[step.finding]
    if step.threshold is not None and step.now is not None:
        state = evidence.metric.state(step.now)
    title: Any = evidence.title
    if not step.evidence.operator:
        title = _to_chart(evidence.title, evidence.panel if step.finding != "unknown" else "", data)
    parts: Children = [html.Span([shape(state), title], className="evidence-title")]
    if evidence.operator:
        parts.append(html.Span(_operator(evidence.operator, data), className="evidence-operator"))
    if step.finding == "unknown":
        parts.append(html.Span(step.why_unknown, className="evidence-usual"))
    else:
        assert step.now is not None  # noqa: S101 - it was judged
        parts.append(html.Span(_amount(step, step.now), className="evidence-now"))
        usual = "usual value not known" if step.usual is None else f"usually {_amount(step, step.usual)}"
        if step.threshold is not None:
            usual = f"{usual}, warning {_amount(step, step.threshold)}"
        parts.append(html.Span(usual, className="evidence-usual"))
    return html.Li(parts, **{"data-state": state, "data-role": evidence.role}, **beyond(left_out))


def panel_aside(panel: Panel, data: PerformanceData) -> Children:
    """Beside a chart's title: how it is made, what does not apply to it, and its age."""
    words = [panel.note] if panel.note else []
    if panel.state == "shown":
        words += [f"not filtered by {' or '.join(panel.unfiltered)}"] if panel.unfiltered else []
    parts: Children = [html.Span(", ".join(words))] if words else []
    parts += unusual(panel.unusual, panel.noticing)
    if panel.as_of is not None and data.range.live:
        word = "silent, last " if panel.silent else ""
        parts.append(html.Span([word, ago(panel.as_of)], className="panel-age"))
    return [html.Span(parts, className="aside")] if parts else []


def panel_body(panel: Panel, data: PerformanceData) -> Children:
    """Instead of a chart that has nothing to draw."""
    if panel.state == "not_connected":
        return [note("Not connected", WITHOUT.get(panel.key, "No source sends it."), "not-connected")]
    if panel.state == "empty":
        chosen = {"host": data.request.host, "operator": data.request.operator}
        applied = [name for filtered, name in chosen.items() if name and filtered not in panel.unfiltered]
        text = f"{' and '.join(applied)} reported none of it in this range." if applied else "Nothing in this range."
        return [note("No data", text, "empty")]
    return []
