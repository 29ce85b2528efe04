"""The Capacity page's charts as data: which series each shows, and what becomes of the answers. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from backend.contract.anomaly import Anomaly
from backend.contract.catalogue import Catalogue
from backend.contract.costs import GB
from backend.contract.ranges import TimeRange
from backend.contract.rollup import OTHER
from backend.contract.tables import MINUTE
from dashboard.data.anomalies import Noticed, State
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.lines import CHART_POINTS, line_of
from dashboard.data.models import Line
from dashboard.data.points import Points, Stat
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest

PanelState = Literal["ok", "empty", "not_connected"]
MOST_POINTS: Final = 6_000
"""Of a chart: twenty lines get fewer points each."""
TOP_GROUPS: Final = 5
"""Of a fleet, drawn as lines over its bands."""
SILENT_SPACINGS: Final = 3
SELDOM: Final = 3600.0
"""Measured so seldom, each value stands for the time until the next one."""
LEAST_SILENT: Final = 600.0
"""Seconds without a sample before a panel is called silent, and more where its samples come seldom."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One metric of a panel. ``name`` is the line's where there is one only; ``scale`` turns it into the panel's
    unit; ``per_host``: the host filter applies."""

    metric: str
    stat: Stat = "avg"
    group: str | None = None
    name: str = ""
    scale: float = 1.0
    per_host: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """A chart: its title, what its axis counts, and what it asks for. ``fleet``: beyond twenty groups it has bands.
    ``stacked``: each group's share of all, one on the other, of a fleet the second metric alone. ``judged``: the metric
    whose thresholds are drawn."""

    key: str
    title: str
    axis: str
    unit: str
    asked: tuple[Asked, ...]
    fleet: bool = False
    stacked: bool = False
    judged: str = ""
    budget: bool = False
    """Whether the limit is drawn however far away the data is, as it is what the chart is about."""


def _hosts(metric: str) -> Asked:
    return Asked(metric, per_host=True)


def _total(metric: str, name: str, stat: Stat = "avg", scale: float = 1.0, *, per_host: bool = False) -> Asked:
    return Asked(metric, stat, ALL, name, scale, per_host)


SPECS: Final = (
    Spec("cpu", "CPU by host", "%", "%", (_hosts("cpu_utilization"),), fleet=True, judged="cpu_utilization"),
    Spec("memory", "Memory by host", "%", "%", (_hosts("memory_usage"),), fleet=True, judged="memory_usage"),
    Spec("disk", "Disk by host", "%", "%", (_hosts("disk_usage"),), fleet=True, judged="disk_usage"),
    Spec("stack", "Memory of all hosts", "% of all memory", "%",
         (_hosts("memory_usage"), _total("memory_usage", "all hosts", per_host=True)), stacked=True,
         judged="memory_usage"),
    Spec("network", "Network, all hosts", "Mbit/s", "Mbit/s",
         (_total("network_in", "in", "sum", per_host=True), _total("network_out", "out", "sum", per_host=True))),
    Spec("workers", "Brokers and TaskManagers", "number", "",
         (_total("kafka_broker_alive_count", "brokers"), _total("task_manager_count", "TaskManagers"),
          _total("task_slots_total", "slots"), _total("task_slots_available", "free slots"))),
    Spec("state", "State size", "GB", "GB", (Asked("state_backend_used_bytes", scale=1 / GB),)),
    Spec("throttles", "Throttled requests", "a minute", "a minute",
         (_total("firehose_throttle_count", "Firehose", "rate", 60), _total("dynamodb_throttled_requests", "DynamoDB",
          "rate", 60), _total("lambda_throttles", "Lambda", "rate", 60))),
    Spec("dynamodb", "DynamoDB writes", "units a second", "units/s",
         (Asked("dynamodb_consumed_write_capacity", "rate"),)),
    Spec("lambda", "Lambda concurrency", "executions", "executions", (Asked("lambda_concurrent_executions"),),
         judged="lambda_concurrent_executions"),
    Spec("s3", "S3 against its budget", "GB", "GB", (Asked("s3_bucket_bytes", scale=1 / GB),),
         judged="s3_bucket_bytes", budget=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart's data. ``bands`` are lines for ``QUANTILES``, of ``groups`` groups; then ``lines`` are the top ones.

    ``previous`` is the period before, at its own times. ``missing`` names lines whose metric is not connected.
    """

    spec: Spec
    state: PanelState
    lines: tuple[Line, ...] = ()
    previous: tuple[Line, ...] = ()
    bands: tuple[Line, ...] = ()
    groups: int = 0
    missing: tuple[str, ...] = ()
    as_of: float | None = None
    silent: bool = False
    unusual: tuple[Anomaly, ...] = ()
    noticing: State | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What was read for the panels: answers and, of fleets, bands by request."""

    found: Mapping[Asked, SeriesAnswer] = field(default_factory=dict)
    bands: Mapping[Asked, Bands] = field(default_factory=dict)


LOOKED_AT: Final = ("cpu", "memory", "disk", "network")
"""Panels whose lines are looked at for anomalies."""
UP: Final = Asked("up")
"""Not drawn: it says which sources there are, the synthetic one among them."""


def asked_for(connected: frozenset[str]) -> tuple[Asked, ...]:
    """What all panels ask for together, each once; what never arrived costs no query."""
    every = [*(asked for spec in SPECS for asked in spec.asked), UP]
    return tuple(dict.fromkeys(asked for asked in every if asked.metric in connected))


def request_of(
    asked: Asked, catalogue: Catalogue, environment: str, wanted: TimeRange, host: str | None
) -> SeriesRequest:
    """The request for one of them; a host takes the place of all hosts."""
    group, stat = asked.group, asked.stat
    if asked.per_host and host is not None:
        group, stat = host, "avg"
    return SeriesRequest(catalogue[asked.metric], environment, wanted, stat, group, MINUTE, settled=True)


def panels(read: Answers, before: Answers | None, wanted: TimeRange, now: float) -> tuple[Panel, ...]:
    """All panels of a range; ``before`` is what was read of the period before it."""
    return tuple(_panel(spec, read, before or Answers(), wanted, now) for spec in SPECS)


def _panel(spec: Spec, read: Answers, before: Answers, wanted: TimeRange, now: float) -> Panel:
    known = [asked for asked in spec.asked if asked in read.found]
    missing = tuple(asked.name for asked in spec.asked if asked not in read.found and asked.name)
    if not known:
        return Panel(spec, "not_connected")
    end = min(wanted.end, now)
    answers = [read.found[asked] for asked in known]
    as_of = max((answer.as_of for answer in answers if answer.as_of is not None), default=None)
    if as_of is None:
        return Panel(spec, "empty", missing=missing)
    bands = read.bands.get(known[0]) if spec.fleet else None
    earlier = TimeRange(wanted.start - wanted.seconds, wanted.start, live=False)
    return Panel(
        spec=spec,
        state="ok",
        lines=_lines(spec, known, read, wanted.start, end, top=bands is not None),
        previous=_before(spec, known, before, earlier),
        bands=_band_lines(bands, wanted.start, end),
        groups=bands.groups if bands else sum(len(answer.lines) for answer in answers),
        missing=missing,
        as_of=as_of,
        silent=end - as_of > max(LEAST_SILENT, SILENT_SPACINGS * max(pace_of(answer) for answer in answers)),
    )


def looked_at(drawn: Sequence[Panel], read: Answers) -> tuple[tuple[str, SeriesAnswer], ...]:
    """The lines that are looked at for anomalies, by panel. A fleet's are not: which hosts it shows changes."""
    if any(panel.bands for panel in drawn):
        return ()
    return tuple(
        (panel.spec.key, read.found[asked])
        for panel in drawn
        if panel.spec.key in LOOKED_AT and panel.state == "ok"
        for asked in panel.spec.asked
        if asked in read.found
    )


def marked(drawn: Sequence[Panel], found: Mapping[str, Noticed]) -> tuple[Panel, ...]:
    """The panels with what was unusual in their lines, and whether none of it means that nothing was."""
    seen = [(panel, found.get(panel.spec.key, Noticed((), None))) for panel in drawn]
    return tuple(replace(panel, unusual=noticed.marks, noticing=noticed.state) for panel, noticed in seen)


def spacing_of(answer: SeriesAnswer) -> float:
    """How far points lie apart: as far as they do, or as AWS says of its own, of which a day may hold one."""
    return max(answer.spacing_seconds, _period(answer))


def pace_of(answer: SeriesAnswer) -> float:
    """How often a metric is measured now."""
    return max(answer.pace_seconds, _period(answer))


def _period(answer: SeriesAnswer) -> float:
    aws = answer.request.metric.aws
    return aws.period_seconds if aws else 0.0


def _lines(
    spec: Spec, known: Sequence[Asked], read: Answers, start: float, end: float, *, top: bool = False
) -> tuple[Line, ...]:
    lines: list[tuple[str, Points, float]] = []
    for asked in _stack(known, read) if spec.stacked else known:
        answer = read.found[asked]
        named = [(_name(asked, name), points) for name, points in answer.lines if points]
        if top:
            named = top_of(named)
        if spec.stacked:
            named = shares(named, answer.spacing_seconds)
        scaled = [(name, [(t, v * asked.scale) for t, v in points]) for name, points in named]
        step = answer.step_seconds if spacing_of(answer) < SELDOM else spacing_of(answer)
        lines += [(name, points, step) for name, points in scaled]
    points = max(min(CHART_POINTS, MOST_POINTS // max(len(lines), 1)), 2)
    made = (line_of(name, dict(values), start, end, step, points=points) for name, values, step in lines)
    return tuple(line for line in made if line is not None)


def _before(spec: Spec, known: Sequence[Asked], before: Answers, earlier: TimeRange) -> tuple[Line, ...]:
    """The period before: of a fleet its median alone."""
    held = [asked for asked in known if asked in before.found]
    bands = before.bands.get(held[0]) if held and spec.fleet else None
    if bands is not None:
        return _band_lines(bands, earlier.start, earlier.end)[QUANTILES.index(0.5) :][:1]
    return () if spec.stacked else _lines(spec, held, before, earlier.start, earlier.end)


def _name(asked: Asked, name: str) -> str:
    return asked.name or ("all" if name == ALL else name)


def top_of(lines: Sequence[tuple[str, Points]]) -> list[tuple[str, Points]]:
    """The groups that were highest on average while they were among the worst, the highest first."""
    longest = max((len(points) for name, points in lines if name != OTHER), default=0)
    whole = [line for line in lines if line[0] != OTHER and len(line[1]) >= longest / 2]
    return sorted(whole, key=lambda line: (-sum(v for _, v in line[1]) / len(line[1]), line[0]))[:TOP_GROUPS]


def _stack(known: Sequence[Asked], read: Answers) -> Sequence[Asked]:
    """What is stacked: each host, or of a fleet all of them as one area."""
    fleet = any(name == OTHER for name, _ in read.found[known[0]].lines)
    return known[-1:] if fleet else known[:1]


def shares(lines: Sequence[tuple[str, Points]], spacing: float) -> list[tuple[str, Points]]:
    """Each host's part of all, hosts counted alike: together they come to the average of those that are there.

    Hosts report every ``spacing`` seconds, but not in the same second: one is there that did so within two of them.
    """
    width = 2 * spacing
    there = Counter(slot for _, points in lines for slot in {t // width for t, _ in points})
    return [(name, [(t, value / there[t // width]) for t, value in points]) for name, points in lines]


def _band_lines(bands: Bands | None, start: float, end: float) -> tuple[Line, ...]:
    if bands is None:
        return ()
    width = max(bands.step_seconds, math.ceil((end - start) / CHART_POINTS / bands.step_seconds) * bands.step_seconds)
    made = [
        line_of(f"p{round(100 * quantile)}", _edge(points, width, quantile), start, end, width, points=CHART_POINTS)
        for quantile, points in zip(QUANTILES, bands.lines, strict=True)
    ]
    return tuple(line for line in made if line is not None)


def _edge(points: Points, width: float, quantile: float) -> dict[float, float]:
    """A band's edge with fewer points: the outermost of those that share one, so that edges never cross."""
    outer = min if quantile < 0.5 else max
    slots: dict[float, float] = {}
    for t, value in points:
        slot = t // width * width
        slots[slot] = outer(slots.get(slot, value), value)
    return slots
