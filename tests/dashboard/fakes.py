"""Health data in every state a page must look right in, and services that answer with it: no AWS."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.contract.catalogue import load_catalogue
from backend.contract.slo import BurnRate, SloCard
from backend.contract.verdict import Reading, State, Status, Verdict, judge
from backend.settings import Settings
from dashboard.data.anomalies import AnomalyService
from dashboard.data.flight import SingleFlight
from dashboard.data.forecasts import ForecastService
from dashboard.data.models import (
    CheckpointCard,
    DayState,
    HealthData,
    Incident,
    Line,
    SelfCheck,
    SignalCard,
)
from dashboard.data.ranged import RangedSeries
from dashboard.data.views import ViewCache
from dashboard.pages import PAGES
from dashboard.pages.base import Page
from dashboard.services import Services

NOW = 1_795_270_500.0
"""2026-11-21 14:15 UTC, where frozen tests stand."""
CATALOGUE = load_catalogue()

_SIGNALS: dict[str, tuple[str, str, float, float]] = {
    "consumer_lag_records": ("Consumer lag", "records", 3120, 900),
    "dlq_records": ("DLQ rate", "records/min", 2, 1.5),
    "latency_ms": ("Latency p99", "ms", 1340, 160),
    "window_completeness": ("Window completeness", "%", 99.62, 0.2),
    "checkpoint_failures_total": ("Checkpoint failures", "in 5 min", 0, 0),
    "job_restarts_total": ("Job restarts", "in 5 min", 0, 0),
}
GOLDEN = tuple(_SIGNALS)[:4]
CRITICAL = {"consumer_lag_records": 61_200.0, "dlq_records": 148.0, "latency_ms": 6_420.0}
DEGRADED = {"consumer_lag_records": 14_200.0, "latency_ms": 3_450.0}


def health(
    now: float = NOW,
    values: dict[str, float] | None = None,
    *,
    absent: tuple[str, ...] = (),
    silent: tuple[str, ...] = (),
    age: float = 12.0,
    **changes: Any,
) -> HealthData:
    """A healthy page, with ``values`` put in by signal, ``absent`` ones never seen, ``silent`` ones seen before."""
    levels = {key: spec[2] for key, spec in _SIGNALS.items()} | (values or {})
    readings = [
        Reading(
            key, CATALOGUE[key], title, unit,
            None if key in absent + silent else levels[key],
            None if key in absent else now - (720.0 if key in silent else age), 60.0, key not in absent,
        )
        for key, (title, unit, _, _) in _SIGNALS.items()
    ]  # fmt: skip
    verdict = judge(readings, now, now - 9 * 3600 - 420)
    if verdict.status != "healthy":
        verdict = replace(verdict, since=now - 780)
    cards = tuple(_card(verdict, key, now, levels[key]) for key in GOLDEN)
    data = HealthData(
        environment="production",
        environments=("production", "staging"),
        verdict=verdict,
        signals=cards,
        checkpoints=CheckpointCard("healthy", "Checkpoint failures: 0 in 5 min", 358, 0, 100.0, 842.0, age),
        slos=slos(),
        self_checks=self_checks(age),
        days=days(now),
        incidents=incidents(now, open_since=verdict.since if verdict.status != "healthy" else None),
        as_of=now - age,
        synthetic=True,
    )
    return replace(data, **changes)


def empty(now: float = NOW) -> HealthData:
    """Nothing has ever arrived."""
    nothing = SelfCheck("collector", "Collector", "not_connected", None, "Not connected yet")
    return health(
        now, absent=tuple(_SIGNALS), synthetic=False, slos=(), as_of=0.0, incidents=(),
        checkpoints=CheckpointCard("not_connected", "Not connected", None, None, None, None, None),
        self_checks=(nothing, replace(nothing, key="processor", title="Processor")),
        days=tuple(replace(day, status="no_data", bad_minutes=0, detail="") for day in days(now)),
    )  # fmt: skip


def partly(now: float = NOW) -> HealthData:
    """Two signals never connected, one fallen silent, little history."""
    short = tuple(
        replace(day, status="no_data", bad_minutes=0, detail="") if index < 24 else day
        for index, day in enumerate(days(now))
    )
    latency, completeness = slos()
    unmeasured = tuple(replace(b, long_rate=None, short_rate=None, state="not_enough_data") for b in completeness.burn)
    absent_slo = replace(
        completeness, state="not_connected", attained_percent=None, budget_left_percent=None, burn=unmeasured
    )
    return health(
        now,
        absent=("dlq_records", "window_completeness"),
        silent=("latency_ms",),
        days=short,
        slos=(latency, absent_slo),
        open_alerts={"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 0},
        dataset_freshness={"fresh": 11, "late": 1},
    )


def critical(now: float = NOW) -> HealthData:
    """Everything at once: long sentences, an open incident, a burning budget."""
    burning = slos(burn=(22.0, 19.4))
    return health(
        now, CRITICAL, slos=burning, silent=("window_completeness",),
        checkpoints=CheckpointCard(
            "critical", "Checkpoint failures: 3 in 5 min, critical above 0", 341, 17, 95.3, 31_400, 9
        ),
    )  # fmt: skip


def degraded(now: float = NOW) -> HealthData:
    """Two signals past their warning."""
    return health(now, DEGRADED)


FIXTURES: dict[str, Callable[[float], HealthData]] = {
    "healthy": health, "degraded": degraded, "critical": critical, "unknown": empty, "partly": partly,
    "stale": lambda now: health(now, age=700.0, silent=tuple(_SIGNALS)),
}  # fmt: skip


def _card(verdict: Verdict, key: str, now: float, level: float) -> SignalCard:
    signal = next(s for s in verdict.signals if s.key == key)
    metric = CATALOGUE[key]
    _, _, usual, noise = _SIGNALS[key]
    seen = signal.state != "not_connected"
    return SignalCard(
        key=key, title=signal.title, unit=signal.unit, value=signal.value, state=signal.state, detail=signal.detail,
        age_seconds=signal.age_seconds, trend=(level - usual) / usual * 0.6 if seen and level != usual else 0.004,
        higher_is_worse=metric.direction != "lower_is_worse", warning=metric.warning, critical=metric.critical,
        sparkline=line(now, usual, noise, level) if seen else None,
        note="from late records dropped" if key == "window_completeness" and seen else "",
    )  # fmt: skip


def line(now: float, usual: float, noise: float, last: float, points: int = 60) -> Line:
    """An hour with a rhythm that ends in ``last``, the change coming in the last quarter."""
    draw = random.Random(int(usual))
    values = []
    for index in range(points):
        share = max(0.0, (index / (points - 1) - 0.75) * 4)
        values.append(max(usual + (last - usual) * share + noise * (math.sin(index / 6) + draw.uniform(-0.6, 0.6)), 0))
    if usual > 90:
        values = [value if usual > 100 else min(value, 100.0) for value in values]
    return Line("line", now - 3600, 60, tuple(round(value, 3) for value in values))


def slos(burn: tuple[float, float] = (0.4, 0.3)) -> tuple[SloCard, ...]:
    """Latency and completeness over 30 days; ``burn`` is the pace of the first one's hour and five minutes."""
    bad = burn[0] > 14.4
    sentence = f"Records under 5 s burns its budget at {burn[1]:.1f} times the even pace; it is gone in 1 h 20 min"

    def pairs(long: float, short: float) -> tuple[BurnRate, ...]:
        fast = "page" if long > 14.4 else "ok"
        return (
            BurnRate("1 h", 14.4, long, short, fast, sentence if fast == "page" else "Within budget"),
            BurnRate("6 h", 6, 0.6, 0.5, "ok", "Within budget"),
            BurnRate("3 d", 1, 0.8, 0.6, "ok", "Within budget"),
        )

    detail = sentence if bad else "74% of the error budget is left"
    attained, left, state = (98.9, 0.0, "critical") if bad else (99.74, 74.0, "healthy")
    return (
        SloCard("latency_ms", "Records under 5 s", 99, attained, left, 30, pairs(*burn), state, detail),
        SloCard(
            "window_completeness", "Complete records in windows", 99, 99.58, 58.0, 30, pairs(0.9, 0.7), "healthy",
            "58% of the error budget is left",
        ),
    )  # fmt: skip


def self_checks(age: float) -> tuple[SelfCheck, ...]:
    """Pulseboard's own parts, two of them not there yet."""
    return (
        SelfCheck("collector", "Collector", "healthy", age, "Last seen 12 s ago"),
        SelfCheck("processor", "Processor", "healthy", age + 3, "Last seen 15 s ago"),
        SelfCheck("newest-minute", "Newest minute", "healthy", age + 60, "Last seen 72 s ago"),
        SelfCheck("alert-consumer", "Alert consumer", "not_connected", None, "Not connected yet"),
        SelfCheck("canary", "Canary latency", "not_connected", None, "Not connected yet"),
    )


def days(now: float) -> tuple[DayState, ...]:
    """Thirty days with two gaps and some bad ones."""
    bad: dict[int, tuple[Status, int]] = {
        9: ("degraded", 42), 17: ("critical", 95), 18: ("degraded", 12), 26: ("unknown", 30)
    }  # fmt: skip
    today = datetime.fromtimestamp(now, UTC).date()
    strip = []
    for index in range(30):
        date = (today - timedelta(days=29 - index)).isoformat()
        if index < 2:
            strip.append(DayState(date, "no_data", 0, ""))
        elif index in bad:
            status, minutes = bad[index]
            strip.append(DayState(date, status, minutes, "Consumer lag was above its threshold"))
        else:
            strip.append(DayState(date, "healthy", 0, ""))
    return tuple(strip)


def incidents(now: float, open_since: float | None = None) -> tuple[Incident, ...]:
    """Four that are over, and one still open when asked for."""
    past = [
        (3.2, 0.2, "degraded", "Job restarts: 1 in 5 min, warning above 0"),
        (11.4, 0.5, "degraded", "Window completeness is 93.1%, below the warning threshold of 95%"),
        (12.1, 1.6, "critical", "DLQ rate is 412 records/min, above the critical threshold of 100 records/min"),
        (20.3, 0.7, "degraded", "Consumer lag is 12,480 records, above the warning threshold of 10,000 records"),
    ]
    over = [
        Incident(now - day * 86400, now - day * 86400 + hours * 3600, status, reason)
        for day, hours, status, reason in past
    ]
    if open_since is None:
        return tuple(over)
    reason = "Latency p99 is 6.42 s, above the critical threshold of 5 s"
    return (Incident(open_since, None, "critical", reason), *over)


@dataclass
class FakeHealth:
    """Answers with a fixture, remade at each call so that ages stay small; ``error`` is raised when set."""

    make: Callable[[float], HealthData] = health
    error: Exception | None = None
    calls: list[Any] = field(default_factory=list)

    def load(self, request: Any, now: float) -> HealthData:
        """As HealthService.load."""
        self.calls.append(request)
        if self.error:
            raise self.error
        return replace(self.make(now), environment=request.environment)


class FakeHot:
    """A hot store that was never read."""

    def environments(self) -> tuple[str, ...]:
        """The known environments."""
        return ("production", "staging")

    def seen(self) -> frozenset[tuple[str, str]]:
        """What has ever arrived."""
        return frozenset()

    def trouble(self) -> None:
        """Nothing that could not be read."""

    def close(self) -> None:
        """Nothing to end."""


class DictStore(dict[str, Any]):
    """A view store in a dict."""

    def set(self, key: str, value: Any, timeout: int | None = None) -> None:
        """As flask-caching's."""
        self[key] = value


def services(
    fake: FakeHealth | None = None,
    *,
    pages: tuple[Page, ...] = PAGES,
    build_id: str = "build-1",
    now: Callable[[], float] = time.time,
    hot_refresh_seconds: float = 0.01,
) -> Services:
    """Real services over a fake health service; a view lasts a hundredth of a second unless told otherwise."""
    settings = Settings()
    settings = replace(settings, config=replace(settings.config, hot_refresh_seconds=hot_refresh_seconds))
    hot: Any = FakeHot()
    nothing: Any = None
    answering: Any = fake or FakeHealth()
    ranged = RangedSeries(nothing)
    forecasts = ForecastService(ranged, hot.seen, CATALOGUE, now)
    return Services(
        settings=settings, pages=pages, build_id=build_id, now=now, reader=nothing, hot=hot, health=answering,
        series=nothing, ranged=ranged, forecasts=forecasts, anomalies=AnomalyService(nothing, now, lambda _: None),
        views=ViewCache(DictStore(), now), answers=ViewCache(DictStore(), now), loads=SingleFlight(),
    )  # fmt: skip


STATES: tuple[State, ...] = ("healthy", "degraded", "critical", "unknown", "not_connected")
