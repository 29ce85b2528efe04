"""Everything the Capacity page shows, read once a refresh for all viewers, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue
from backend.contract.costs import Estimate, estimate
from backend.contract.ranges import TimeRange
from backend.contract.rollup import OTHER
from dashboard.data.anomalies import Noticed
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.capacity_panels import UP, Answers, Panel, asked_for, looked_at, marked, panels, request_of
from dashboard.data.forecasts import Outlook
from dashboard.data.gallery import GalleryData
from dashboard.data.health import SYNTHETIC_TARGET
from dashboard.data.limits import FLEET, WATCHED, LimitRow, limit_rows
from dashboard.data.ranged import RangedAnswers
from dashboard.data.ranged_merge import lately_of
from dashboard.data.request import ViewRequest
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest
from dashboard.data.source import LIVE, Source, joined

RESOURCE: Final = "resource"
"""The page's own parameter: which row's forecast is drawn."""
_GROUPED: Final = frozenset(watched.key for watched in WATCHED if watched.grouped)


class Ranged(Protocol):
    """Where lines of any range are read: ``dashboard.data.ranged.RangedSeries``."""

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        """The answers in the order of the requests."""

    def bands(self, request: SeriesRequest, now: float) -> Bands | None:
        """How the groups of a fleet spread, of a request that was read; None where lines show each of them."""


class Anomalies(Protocol):
    """Where anomalies are found: ``dashboard.data.anomalies.AnomalyService``."""

    def found(self, answers: Sequence[SeriesAnswer], now: float) -> tuple[Noticed, ...]:
        """What was unusual, in the order of the answers that are shown; never waits."""


class Forecasts(Protocol):
    """Where forecasts come from: ``dashboard.data.forecasts.ForecastService``."""

    def outlook(self, environment: str, host: str | None = None) -> tuple[Outlook | None, bool]:
        """The last outlook and whether a newer one is being made; never waits."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a range for all who look at it. ``newest`` holds values that are fresher than the hourly ones
    of forecasts, by metric and group: (epoch s, value)."""

    panels: tuple[Panel, ...]
    newest: Mapping[tuple[str, str], tuple[float, float]]
    source: Source
    synthetic: bool
    looked_at: tuple[tuple[str, SeriesAnswer], ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the page reads through. ``shared`` keeps a reading for all who look at the same range; ``ended`` is how many
    readings of history have ended, and what began before is not given to who waits for one."""

    ranged: Ranged
    forecasts: Forecasts
    anomalies: Anomalies
    shared: Callable[[str, Callable[[], Reading]], Reading]
    catalogue: Catalogue
    connected: frozenset[str]
    environments: tuple[str, ...]
    prices: Mapping[str, float]
    prices_as_of: str
    ended: int = 0


@dataclass(frozen=True, slots=True)
class CapacityData:
    """``rows`` are the limits, the most urgent first; ``chosen`` is the one whose forecast is drawn.

    ``forecasting``: forecasts are being made and none are there yet. ``forecast_at`` is the end of the hour that they
    were made for, ``forecast_error`` in one line why there are none, ``forecast_source`` whether history is in them.
    ``costs`` is None until usage was counted, over ``counted_seconds`` by item.
    """

    request: ViewRequest
    wanted: TimeRange
    environments: tuple[str, ...]
    rows: tuple[LimitRow, ...]
    chosen: LimitRow | None
    panels: tuple[Panel, ...]
    catalogue: Catalogue
    costs: Estimate | None
    counted_seconds: Mapping[str, float]
    forecasting: bool
    forecast_at: float | None
    forecast_error: str
    forecast_source: Source
    as_of: float | None
    source: Source = LIVE
    synthetic: bool = False
    gallery: GalleryData | None = None
    """What is asked of history; displays ask nothing."""


def load(sources: Sources, request: ViewRequest, now: float) -> CapacityData:
    """The page's data. Raises the reader's error where nothing was ever read."""
    wanted = request.range(now)
    reading = _shared(sources, request, wanted, now)
    outlook, making = sources.forecasts.outlook(request.environment, request.host)
    found = outlook or Outlook()
    newest = reading.newest if wanted.live else {}
    rows = limit_rows(sources.catalogue, sources.connected, found.prospects, newest, now, pending=outlook is None)
    costs = None
    if outlook is not None and not found.error:
        costs = estimate(found.amounts.monthly, sources.prices, sources.prices_as_of)
    return CapacityData(
        request=request,
        wanted=wanted,
        environments=sources.environments,
        rows=rows,
        chosen=choose(rows, request.get(RESOURCE)),
        panels=_unusual(sources, reading, now),
        catalogue=sources.catalogue,
        costs=costs,
        counted_seconds=found.amounts.counted_seconds,
        forecasting=making and outlook is None,
        forecast_at=found.at or None,
        forecast_error=found.error,
        forecast_source=found.source,
        as_of=max((panel.as_of for panel in reading.panels if panel.as_of is not None), default=None),
        source=reading.source,
        synthetic=reading.synthetic,
    )


def _shared(sources: Sources, request: ViewRequest, wanted: TimeRange, now: float) -> Reading:
    """The range's reading; while history is on its way, what is there by now."""
    compared = request.previous(now) if request.compare else None
    fresh = False

    def read() -> Reading:
        nonlocal fresh
        fresh = True
        answers, source = _read(sources, request, wanted, now)
        before = None
        if compared is not None:
            before, earlier = _read(sources, request, compared, now)
            source = joined(source, earlier)
        up = answers.found.get(UP)
        synthetic = up is not None and any(name == SYNTHETIC_TARGET for name, _ in up.lines)
        drawn = panels(answers, before, wanted, now)
        # What is drawn in hours can't tell what is so now.
        lately = lately_of(wanted, now)
        newest = newest_values(answers)
        if lately is not None:
            newest |= newest_values(_read(sources, request, lately, now)[0])
        return Reading(drawn, newest, source, synthetic, looked_at(drawn, answers))

    # Which row is chosen and who looks changes nothing of what is read.
    key = f"capacity?{replace(request, parameters=(), role='viewer').key}"
    reading = sources.shared(key, read)
    if fresh or reading.source.state != "running":
        return reading
    return sources.shared(f"{key}&second={now:.0f}&ended={sources.ended}", read)


def _unusual(sources: Sources, reading: Reading, now: float) -> tuple[Panel, ...]:
    found = sources.anomalies.found([answer for _, answer in reading.looked_at], now)
    noticed: dict[str, Noticed] = {}
    for (key, _), (some, state) in zip(reading.looked_at, found, strict=True):
        marks, other = noticed.get(key, ((), state))
        noticed[key] = Noticed((*marks, *some), other if state == "ready" else state)
    return marked(reading.panels, noticed)


def _read(sources: Sources, request: ViewRequest, wanted: TimeRange, now: float) -> tuple[Answers, Source]:
    """All that the panels show of a range, in one reading."""
    asked = asked_for(sources.connected)
    requests = [request_of(one, sources.catalogue, request.environment, wanted, request.host) for one in asked]
    answered = sources.ranged.read(requests, now)
    found = dict(zip(asked, answered.answers, strict=True))
    fleets = [one for one in asked if one.per_host and any(name == OTHER for name, _ in found[one].lines)]
    spread = {one: sources.ranged.bands(found[one].request, now) for one in fleets}
    return Answers(found, {one: bands for one, bands in spread.items() if bands is not None}), answered.source


def newest_values(read: Answers) -> dict[tuple[str, str], tuple[float, float]]:
    """The newest (time, value) by (metric, group) of what the panels were read for: fresher than the hourly ones."""
    newest: dict[tuple[str, str], tuple[float, float]] = {}
    for asked, answer in read.found.items():
        if asked.metric in _GROUPED and asked.stat == "avg":
            newest |= {(asked.metric, name): points[-1] for name, points in answer.lines if points and name != OTHER}
        elif asked.group == ALL and asked.stat == "avg" and answer.lines:
            newest[asked.metric, ALL] = answer.lines[0][1][-1]
    for asked, bands in read.bands.items():
        newest[asked.metric, FLEET] = bands.lines[QUANTILES.index(0.95)][-1]
    return newest


def choose(rows: Sequence[LimitRow], wanted: str | None) -> LimitRow | None:
    """The row whose forecast is drawn: the one asked for, else the most urgent one that has a forecast."""
    drawable = [row for row in rows if row.forecast is not None]
    named = next((row for row in drawable if row.key == wanted), None)
    return named or next(iter(drawable), None)
