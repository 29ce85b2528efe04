"""From the answers of one look to the charts of the Performance page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.ranges import TimeRange
from backend.contract.tables import LIVE
from backend.contract.verdict import SILENT_INTERVALS
from dashboard.data.lines import CHART_POINTS, line_of
from dashboard.data.models import Line
from dashboard.data.performance_data import Drill, Panel
from dashboard.data.performance_operators import ByName, ends_of
from dashboard.data.performance_series import (
    DRILLED,
    IN,
    JUDGED_BY,
    LATENCY,
    OUT,
    PERCENT_OF_SECOND,
    WORST,
    Wanted,
    not_applied,
)
from dashboard.data.points import Points, Stat
from dashboard.data.request import ViewRequest
from dashboard.data.series import ALL, SeriesAnswer
from dashboard.data.source import Source

LEAST_SILENT: Final = 180.0
"""Seconds: no chart is called silent sooner."""
WORST_NOTE: Final = "worst subtask"


def silent_after(spacing: float) -> float:
    """Seconds without a sample after which what reports every ``spacing`` seconds is called silent."""
    return max(SILENT_INTERVALS * spacing, LEAST_SILENT)


@dataclass(frozen=True, slots=True)
class Reading:
    """Answers by what was wanted; what is not among them is not connected. ``source`` is where all were read."""

    answers: Mapping[Wanted, SeriesAnswer]
    source: Source

    def of(self, panel: str) -> list[tuple[Wanted, SeriesAnswer]]:
        """The connected series of a panel."""
        return [(wanted, answer) for wanted, answer in self.answers.items() if wanted.panel == panel]

    def operators(self, metric: str, stat: Stat) -> SeriesAnswer | None:
        """The answer with a line for each operator; None where the metric is not connected."""
        return next((a for w, a in self.of("operators") if (w.metric, w.stat) == (metric, stat)), None)

    def by_operator(self, metric: str, stat: Stat) -> ByName | None:
        """The same as points by name."""
        answer = self.operators(metric, stat)
        return None if answer is None else dict(answer.lines)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart before it is thinned."""

    name: str
    points: Points
    answer: SeriesAnswer


def curves(reading: Reading, panel: str) -> list[Curve]:
    """The lines of a panel: each group's by its name, or all groups together by the series' own name."""
    return [
        Curve(wanted.name if wanted.lines == "all" else group, points, answer)
        for wanted, answer in reading.of(panel)
        for group, points in answer.lines
    ]


def throughput(reading: Reading, operator: str | None) -> list[Curve]:
    """What comes in and what leaves: of one operator, else where records enter and leave the pipeline."""
    answers = {wanted.metric: answer for wanted, answer in reading.of("throughput")}
    taken, given = (dict(answers[key].lines) if key in answers else {} for key in (IN, OUT))
    first, last = (operator, operator) if operator else ends_of(taken, given)
    found = []
    for word, name, metric, lines in (("in", first, IN, taken), ("out", last, OUT, given)):
        if name in lines:
            found.append(Curve(word if operator or name == ALL else f"{word}, {name}", lines[name], answers[metric]))
    return found


def latency_panel(reading: Reading) -> str:
    """The panel that tells latency: sketches do, else the quantiles that a source computed for each subtask."""
    return "worst" if not curves(reading, "latency") and curves(reading, "worst") else "latency"


def curves_of(reading: Reading, key: str, operator: str | None) -> list[Curve]:
    """The lines of a chart of the whole pipeline."""
    if key == "throughput":
        return throughput(reading, operator)
    return curves(reading, latency_panel(reading) if key == "latency" else key)


def drill_curves(reading: Reading, key: str, operator: str) -> list[Curve]:
    """The lines of one chart of one operator."""
    found = []
    for metric, stat, name in DRILLED[key]:
        answer = reading.operators(metric, stat)
        points = dict(answer.lines).get(operator) if answer else None
        # Samples that are not merged yet are their own highest: the same line twice would say nothing.
        if answer and points and not (stat == "max" and answer.level == LIVE):
            scale = PERCENT_OF_SECOND if key == "op-busy" else 1.0
            found.append(Curve(name, [(t, value * scale) for t, value in points], answer))
    return found


@dataclass(frozen=True, slots=True)
class Panels:
    """Makes the charts of one look. ``before`` is the reading of the period before, where it is compared; ``lately``
    the one that tells how old the newest values are."""

    catalogue: Catalogue
    reading: Reading
    before: Reading | None
    lately: Reading
    request: ViewRequest
    over: TimeRange
    now: float

    def all(self) -> dict[str, Panel]:
        """Those of the whole pipeline."""
        return {key: self._panel(key, metric) for key, metric in JUDGED_BY.items()}

    def drill(self, operator: str, *, known: bool) -> Drill:
        """Those of one operator."""
        panels = {}
        for key, lines in DRILLED.items():
            connected = any(self.reading.operators(metric, stat) for metric, stat, _ in lines)
            metric = self.catalogue[lines[0][0]]
            drawn = partial(drill_curves, key=key, operator=operator)
            panels[key] = self._made(key, metric, drawn, connected, ("host",) if self.request.host else ())
        return Drill(operator, panels, known)

    def _panel(self, key: str, metric_key: str) -> Panel:
        metric, read_from = self.catalogue[metric_key], key
        if key == "latency":
            read_from = latency_panel(self.reading)
            metric = self.catalogue[WORST if read_from == "worst" else LATENCY]
        elif key == "regions":
            metric = replace(metric, warning=None, critical=metric.group_critical, slo=None)
        made = self._made(
            key, metric, lambda reading: curves_of(reading, key, self.request.operator),
            bool(self.reading.of(read_from)), not_applied(read_from, self.request),
        )  # fmt: skip
        return replace(made, note=WORST_NOTE) if read_from == "worst" else made

    def _made(
        self, key: str, metric: Metric, drawn: Callable[[Reading], list[Curve]], connected: bool,
        unfiltered: tuple[str, ...],
    ) -> Panel:  # fmt: skip
        if not connected:
            return Panel(key, "not_connected", metric)
        found = drawn(self.reading)
        newest = drawn(self.lately) or found
        as_of = max((curve.points[-1][0] for curve in newest if curve.points), default=None)
        spacing = max((curve.answer.pace_seconds for curve in newest), default=0.0)
        quiet = as_of is not None and self.now - as_of > silent_after(spacing)
        lines = self._lines(found, self.over)
        earlier = TimeRange(self.over.start - self.over.seconds, self.over.start, live=False)
        previous = [] if self.before is None else self._lines(drawn(self.before), earlier)
        return Panel(
            key=key,
            state="shown" if lines else "empty",
            metric=metric,
            lines=tuple(lines),
            previous=tuple(replace(line, x0=line.x0 + self.over.seconds) for line in previous),
            as_of=as_of,
            spacing=spacing,
            silent=self.over.live and quiet,
            unfiltered=unfiltered,
        )

    def _lines(self, found: list[Curve], over: TimeRange) -> list[Line]:
        end = min(over.end, self.now)
        made = [
            line_of(
                curve.name,
                # What lies on a fixed end belongs to what comes after: of the period before, to the range itself.
                {t: value for t, value in curve.points if over.live or t < over.end},
                over.start, end, curve.answer.step_seconds, CHART_POINTS,
            )
            for curve in found
        ]  # fmt: skip
        return [line for line in made if line is not None]
