"""What a chart shows, in words, for whoever does not see it: lines with their newest, lowest and highest value, the
thresholds they passed, bars by their sums, slices by their shares. Made from the traces alone, so every chart has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.contract.verdict import amount
from dashboard.components.text import count
from dashboard.components.times import written

Trace = Mapping[str, Any]
MOST: Final = 6
"""Lines, sums or slices that are told one by one."""
_UNIT: Final = re.compile(r"%\{y[^}]*\}\s*(%(?!\{)|[^<%,{]*)")
_MARKUP: Final = re.compile(r"<[^>]*>")


def words_props(charts: Mapping[str, Sequence[Trace]]) -> dict[str, dict[str, Any]]:
    """``words-<panel>`` of each ``chart-<panel>``, as a view's props."""
    return {
        name.replace("chart-", "words-", 1): {"children": chart_words(traces) if traces else ""}
        for name, traces in charts.items()
    }


def chart_words(traces: Sequence[Trace]) -> str:
    """Sentences on what ``traces`` draw; times are UTC."""
    limits = [trace for trace in traces if _is_limit(trace)]
    lines = [trace for trace in traces if _is_line(trace)]
    sentences = [_span(lines)] if lines else []
    sentences += _few([_line(trace, limits) for trace in lines], "line")
    sentences += _few([_sum(trace) for trace in traces if trace.get("type") == "bar" and trace.get("name")], "bar")
    sentences += [_slices(trace) for trace in traces if trace.get("type") == "pie"]
    points = [trace for trace in traces if trace.get("mode") == "markers"]
    sentences += [f"{count(len(trace['x']), 'point')} {_name(trace)}" for trace in points]
    if limits:
        sentences.append(f"Drawn as limits: {', '.join(_name(trace) for trace in limits)}")
    return ". ".join(sentence for sentence in sentences if sentence) + "." if sentences else ""


def _is_limit(trace: Trace) -> bool:
    """A threshold: two equal values, dashed."""
    values = trace.get("y", ())
    return trace.get("line", {}).get("dash") == "dash" and len(values) == 2 and values[0] == values[1]


def _is_line(trace: Trace) -> bool:
    hidden = trace.get("hoverinfo") == "skip" or trace.get("opacity") == 0
    return "lines" in trace.get("mode", "") and not hidden and bool(_known(trace))


def _known(trace: Trace) -> list[float]:
    return [value for value in trace.get("y", ()) if value is not None]


def _name(trace: Trace) -> str:
    return _MARKUP.sub(" ", str(trace.get("name") or "unnamed")).replace("&lt;", "<").replace("&amp;", "&")


def _unit(trace: Trace) -> str:
    """As the hover writes it behind a value."""
    found = _UNIT.search(trace.get("hovertemplate", ""))
    return found[1].strip() if found else ""


def _value(value: float, unit: str) -> str:
    return amount(value, unit).strip()


def _span(lines: Sequence[Trace]) -> str:
    """From when to when; nothing where times are no times."""
    ends = [end for trace in lines for end in _ends(trace)]
    return f"From {written(min(ends) / 1000, 'stamp', 0)} to {written(max(ends) / 1000, 'stamp', 0)}" if ends else ""


def _ends(trace: Trace) -> tuple[float, ...]:
    if "x0" in trace:
        return trace["x0"], trace["x0"] + trace["dx"] * (len(trace["y"]) - 1)
    numbers = [x for x in trace.get("x", ()) if isinstance(x, int | float)]
    return (min(numbers), max(numbers)) if numbers else ()


def _line(trace: Trace, limits: Sequence[Trace]) -> str:
    known, unit = _known(trace), _unit(trace)
    newest, low, high = known[-1], min(known), max(known)
    said = f"{_name(trace)}: newest {_value(newest, unit)}, lowest {_value(low, unit)}, highest {_value(high, unit)}"
    passed = [limit for limit in limits if low < limit["y"][0] <= high]
    sides = [f"{'above' if newest >= limit['y'][0] else 'below'} {_name(limit)}" for limit in passed]
    return f"{said}; passed a limit, now {' and '.join(sides)}" if passed else said


def _sum(trace: Trace) -> str:
    """Bars upright by their sum; lying ones, whose length is a time, by their number."""
    if trace.get("orientation") == "h" or "base" in trace:
        return f"{_name(trace)}: {count(len(trace.get('x', ())), 'bar')}"
    return (
        f"{_name(trace)}: {_value(sum(_known(trace)), '')} in all, at most {_value(max(_known(trace), default=0), '')}"
    )


def _slices(trace: Trace) -> str:
    total = sum(trace["values"]) or 1
    shares = [
        f"{name} {value:,} ({value / total:.0%})" for name, value in zip(trace["labels"], trace["values"], strict=True)
    ]
    return ", ".join(_few(shares, "slice", "and"))


def _few(sentences: Sequence[str], thing: str, word: str = "And") -> list[str]:
    more = len(sentences) - MOST
    return [*sentences[:MOST], f"{word} {count(more, f'more {thing}')}"] if more > 0 else list(sentences)
