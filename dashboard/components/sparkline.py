"""Sparklines without a chart library: one SVG used as a CSS mask, so that its colour follows the theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from dash import html

from backend.contract.verdict import amount
from dashboard.data.models import Line

WIDTH: Final = 240
HEIGHT: Final = 60
PAD: Final = 3
MOST_POINTS: Final = 120
DOTTED: Final = "Dotted: the period before"


def sparkline(
    line: Line | None,
    title: str,
    unit: str,
    *,
    warning: float | None = None,
    higher_is_worse: bool = True,
    before: Line | None = None,
) -> html.Div:
    """The line with its text alternative, and the warning threshold where it lies in range; empty look without data.

    ``before`` is the line of the period before, moved onto the range: dotted and faint, behind the other.
    """
    values = thin(line.values, MOST_POINTS) if line else ()
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return html.Div("No line yet", className="spark spark-empty")
    earlier = thin(before.values, MOST_POINTS) if before else ()
    past = [value for value in earlier if value is not None]
    low, high = domain([*known, *past], higher_is_worse)
    image = _image(values, low, high, earlier)
    children = [html.Div(className="spark-line", style={"--spark": f'url("{image}")'})]
    if warning is not None and low < warning < high:
        top = _y(warning, low, high) / HEIGHT * 100
        # Near the top edge the label would leave the box: it then hangs below its line.
        side = " below" if top < 30 else ""
        children.append(
            html.Div(
                html.Span(f"warning {amount(warning, unit)}"),
                className=f"spark-limit{side}",
                style={"top": f"{top:.1f}%"},
                **{"aria-hidden": "true"},
            )
        )
    words = described(known, title, unit)
    if not past:
        return html.Div(children, className="spark", role="img", **{"aria-label": words})
    words = f"{words}. The period before, dotted: {_course(past, unit)}"
    return html.Div(children, className="spark", role="img", title=DOTTED, **{"aria-label": words})


def described(known: Sequence[float], title: str, unit: str) -> str:
    """What a reader who does not see the line needs of it."""
    return f"{title} over the range: {_course(known, unit)}"


def _course(known: Sequence[float], unit: str) -> str:
    return (
        f"from {amount(known[0], unit)} to {amount(known[-1], unit)}, "
        f"lowest {amount(min(known), unit)}, highest {amount(max(known), unit)}"
    )


def domain(known: Sequence[float], higher_is_worse: bool) -> tuple[float, float]:
    """The value range drawn. Where more is worse it starts at zero, so that noise does not look like an incident."""
    low, high = min(known), max(known)
    if higher_is_worse:
        low = min(low, 0.0)
        high = high or 1.0  # nothing but zeros lies on the ground
    least = max(abs(high) * 0.02, 1e-9)
    if high - low < least:
        low, high = low - least / 2, high + least / 2
    return low, high


def thin(values: Sequence[float | None], most: int) -> tuple[float | None, ...]:
    """At most ``most`` values, each the extreme of its stretch (farthest from the stretch's mean), gaps kept."""
    if len(values) <= most:
        return tuple(values)
    thinned: list[float | None] = []
    for index in range(most):
        stretch = values[index * len(values) // most : (index + 1) * len(values) // most]
        known = [value for value in stretch if value is not None]
        if not known:
            thinned.append(None)
            continue
        mean = sum(known) / len(known)
        thinned.append(max(known, key=lambda value: abs(value - mean)))
    return tuple(thinned)


def _y(value: float, low: float, high: float) -> float:
    return PAD + (HEIGHT - 2 * PAD) * (1 - (value - low) / (high - low))


def _image(values: Sequence[float | None], low: float, high: float, before: Sequence[float | None] = ()) -> str:
    """A data URI: the line opaque, the area under it faint, the period before dotted. ``None`` breaks all."""
    areas, lines = _paths(values, low, high)
    _, dotted = _paths(before, low, high)
    behind = (
        f"<path d='{dotted}' fill='none' stroke='#000' stroke-opacity='.6' stroke-width='1.75'"
        " stroke-dasharray='.1 4' stroke-linecap='round' vector-effect='non-scaling-stroke'/>"
        if dotted
        else ""
    )
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' preserveAspectRatio='none'>{behind}"
        f"<path d='{areas}' fill-opacity='.13'/>"
        f"<path d='{lines}' fill='none' stroke='#000' stroke-width='1.75' stroke-linejoin='round'"
        " vector-effect='non-scaling-stroke'/></svg>"
    )
    return "data:image/svg+xml," + quote(svg, safe=" ='/:.,-;")


def _paths(values: Sequence[float | None], low: float, high: float) -> tuple[str, str]:
    """What is drawn of the area under the line, and of the line."""
    step = WIDTH / max(len(values) - 1, 1)
    lines, areas = [], []
    for run in _runs(values):
        points = [f"{index * step:.0f} {_y(value, low, high):.1f}" for index, value in run]
        if len(points) == 1:
            points = [points[0], f"{run[0][0] * step + 1:.0f} {points[0].split()[1]}"]
        path = "L".join(points)
        lines.append(f"M{path}")
        areas.append(f"M{path}L{points[-1].split()[0]} {HEIGHT}L{points[0].split()[0]} {HEIGHT}z")
    return "".join(areas), "".join(lines)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((index, value))
    return [run for run in runs if run]
