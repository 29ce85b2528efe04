"""Why latency is up: each suspect's value now beside its own usual one, and what follows from all of them. Pure.

Of a range that is over, the worst slow stretch in it is judged, and "now" is then.

The order is the one a person follows: is the CPU short, are the lookups of the enrichment slow, and if so, does its
cache miss more often? A cause that explains another one found goes first. Nothing is guessed: a suspect that nobody
measures is *not known*, never cleared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from statistics import median
from typing import Final, Literal

from backend.contract.catalogue import Metric
from backend.contract.verdict import SHORTEST_INTERVAL, SILENT_INTERVALS
from dashboard.data.performance_stretch import (
    LEAST_BEFORE,
    NEWEST,
    NOISE_SPREADS,
    Stretch,
    slow_level,
    spread,
    worst_stretch,
)
from dashboard.data.points import Points

Finding = Literal["up", "usual", "unknown"]
Speed = Literal["slow", "usual", "unknown"]
Role = Literal[
    "latency", "cpu", "enrichment", "cache", "collection", "checkpoints", "servers", "load", "operator", "busy", "lag"
]

RISE: Final = 1.25
"""From this multiple of its usual value on something is up."""
WHOLE: Final = 100.0
CHAIN: Final[tuple[Role, ...]] = ("cpu", "enrichment", "cache")
"""Each, where it is up, explains latency better than the one before it."""
OTHERS: Final[tuple[Role, ...]] = ("collection", "checkpoints", "servers", "load", "operator", "busy")
"""What else may be behind it, the more telling first. A backlog is not among them: it follows from others."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one suspect measured: ``points`` None where no source measures it, [] where nothing came in this range.

    ``spacing`` is the points' usual distance in seconds. ``panel`` shows them; ``operator`` names whose they are.
    """

    role: Role
    title: str
    panel: str
    metric: Metric
    points: Points | None
    spacing: float = SHORTEST_INTERVAL
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One suspect judged. ``usual`` is None where nothing is known from before; then a threshold alone judges.

    ``threshold`` is the catalogue's where it is past; ``why_unknown`` says what is missing.
    """

    evidence: Evidence
    finding: Finding
    now: float | None = None
    usual: float | None = None
    threshold: float | None = None
    why_unknown: str = ""

    @property
    def role(self) -> Role:
        """Which suspect."""
        return self.evidence.role


@dataclass(frozen=True, slots=True)
class Cause:
    """``latency`` judged, and since when it is slow (epoch s; the range's start where it was slow all the time).

    ``causes`` explain it, the deepest first; none where it is not slow or nothing explains it. ``steps`` are all
    suspects in the order they are looked at. ``stretch`` is the range's worst slow one: where ``then``, all is judged
    as it was at its worst, else it is over and only told of.
    """

    speed: Speed
    latency: Step
    since: float | None
    whole_range: bool
    causes: tuple[Step, ...]
    steps: tuple[Step, ...]
    stretch: Stretch | None = None
    then: bool = False

    @property
    def unknown(self) -> tuple[Step, ...]:
        """The suspects that nothing is known of."""
        return tuple(step for step in self.steps if step.finding == "unknown")


def find(latency: Evidence, suspects: Sequence[Evidence], start: float, end: float) -> Cause:
    """What explains the latency at ``end`` of a range that begins at ``start``, epoch s."""
    since = slow_since(latency, end)
    judged = _latency(latency, since, end)
    steps = tuple(judge(evidence, since if since is not None else end, end) for evidence in suspects)
    speed: Speed = "slow" if judged.finding == "up" else judged.finding
    first = min((t for t, _ in latency.points or ()), default=start)
    return Cause(
        speed=speed,
        latency=judged,
        since=since,
        whole_range=since is not None and since <= first,
        causes=explained(steps) if speed == "slow" else (),
        steps=steps,
    )


def find_then(latency: Evidence, suspects: Sequence[Evidence], stretch: Stretch) -> Cause:
    """What explains the latency at the worst of a stretch."""
    judged = replace(judge_then(latency, stretch), finding="up", now=stretch.value, why_unknown="")
    limit = latency.metric.warning
    past = limit if limit is not None and latency.metric.past(stretch.value, limit) else None
    steps = tuple(judge_then(evidence, stretch) for evidence in suspects)
    return Cause(
        speed="slow",
        latency=replace(judged, threshold=past),
        since=stretch.start,
        whole_range=stretch.lasts and latency.points is not None and stretch.start <= latency.points[0][0],
        causes=explained(steps),
        steps=steps,
        stretch=stretch,
        then=True,
    )


def stretch_of(latency: Evidence) -> Stretch | None:
    """The worst slow stretch of what is known of latency."""
    return worst_stretch(latency.points or [], latency.metric, latency.spacing)


def slow_since(latency: Evidence, end: float) -> float | None:
    """When the slowdown that lasts at ``end`` began, epoch s; None where latency is usual, silent or not measured.

    Slow is past the catalogue's warning, or far above the quiet part of the range.
    """
    points = latency.points or []
    if len(points) < NEWEST or _silent(latency, end):
        return None
    level = slow_level(points, latency.metric)
    now = median(value for _, value in points[-NEWEST:])
    if now <= level:
        return None
    # A single value below the level does not end a slowdown: its neighbours are looked at with it.
    smooth = [(points[i + 1][0], median(v for _, v in points[i : i + NEWEST])) for i in range(len(points) - 2)]
    lasting = list(takewhile(lambda point: point[1] > level, reversed(smooth)))
    if len(lasting) == len(smooth):
        return points[0][0]
    return lasting[-1][0] if lasting else points[-1][0]


def judge(evidence: Evidence, before: float, end: float) -> Step:
    """One suspect at ``end``: its newest values against those from before ``before``, epoch s."""
    points = evidence.points or []
    values = [] if points and _silent(evidence, end) else [value for _, value in points[-NEWEST:]]
    return _judged(evidence, values, [value for t, value in points[:-NEWEST] if t < before], "silent")


def judge_then(evidence: Evidence, stretch: Stretch) -> Step:
    """One suspect at the worst of a stretch, against what it measured outside of it."""
    points = evidence.points or []
    return _judged(evidence, stretch.values(points, evidence.spacing), stretch.others(points), "silent then")


def _judged(evidence: Evidence, values: Sequence[float], earlier: Sequence[float], without: str) -> Step:
    if evidence.points is None:
        return Step(evidence, "unknown", why_unknown="no source measures it")
    if not evidence.points:
        return Step(evidence, "unknown", why_unknown="nothing was reported in this range")
    if not values:
        return Step(evidence, "unknown", why_unknown=without)
    now = median(values)
    usual = median(earlier) if len(earlier) >= LEAST_BEFORE else None
    metric = evidence.metric
    limit = metric.warning if metric.basis == "value" else None
    past = limit is not None and metric.past(now, limit)
    if usual is None and limit is None:
        return Step(evidence, "unknown", now, why_unknown="nothing from before to compare with")
    up = past or (usual is not None and _departs(metric, now, usual, earlier))
    return Step(evidence, "up" if up else "usual", now, usual, limit if past else None)


def explained(steps: Sequence[Step]) -> tuple[Step, ...]:
    """What is up, the best explanation first: a cache that misses explains slow lookups, slow lookups explain the rest.

    A cache alone explains nothing where lookups are as fast as ever.
    """
    up: Mapping[Role, Step] = {step.role: step for step in steps if step.finding == "up"}
    chain = [role for role in reversed(CHAIN) if role in up]
    if "enrichment" not in up and "cache" in chain and _known(steps, "enrichment"):
        chain.remove("cache")
    return tuple(up[role] for role in [*chain, *(role for role in OTHERS if role in up)])


def _latency(latency: Evidence, since: float | None, end: float) -> Step:
    judged = judge(latency, since if since is not None else end, end)
    if judged.now is None:
        return judged
    # Of too few values nobody can say since when; that they are past their threshold is so all the same.
    slow = since is not None or judged.threshold is not None
    return replace(judged, finding="up" if slow else "usual", why_unknown="")


def _departs(metric: Metric, now: float, usual: float, earlier: Sequence[float]) -> bool:
    change, size = now - usual, abs(usual)
    if metric.direction == "lower_is_worse":
        # Of a share that should be high, what is missing counts: 93 % to 86 % are twice as many misses.
        change, size = -change, (WHOLE - usual if metric.unit == "%" else size)
    return change > max((RISE - 1) * size, NOISE_SPREADS * spread(earlier, usual))


def _silent(evidence: Evidence, end: float) -> bool:
    newest = evidence.points[-1][0] if evidence.points else 0.0
    return is_silent(newest, evidence.spacing, end)


def is_silent(newest: float, spacing: float, end: float) -> bool:
    """Whether the newest value of a line, epoch s, is too old at ``end`` to be called present."""
    return end - newest > SILENT_INTERVALS * max(spacing, SHORTEST_INTERVAL) + SHORTEST_INTERVAL


def _known(steps: Sequence[Step], role: Role) -> bool:
    return any(step.role == role and step.finding != "unknown" for step in steps)
