"""SLO attainment, error budget and multi-window burn rates: what pages show and what alerts are raised by. No I/O.

Burn-rate pairs follow the Google SRE workbook, chapter 5 ("Alerting on SLOs"): both windows must burn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from backend.contract.catalogue import Catalogue, Metric
from backend.contract.rollup import OTHER, Merged
from backend.contract.verdict import State, duration

PERIOD_SECONDS: Final = 30 * 86400
LEAST_SAMPLES: Final = 3
LEAST_EVENTS: Final = 100
EVENTS: Final = ("events_ingested", "events_failed")
"""Events taken in, and those of them that became dead letters: ``dlq_records`` counts other pipelines' as well."""


class Pair(NamedTuple):
    """Two windows (seconds) that must both burn faster than ``limit`` times the even pace."""

    name: str
    long: int
    short: int
    limit: float
    call: Literal["page", "ticket"]


PAIRS: Final = (
    Pair("1 h and 5 min", 3600, 300, 14.4, "page"),
    Pair("6 h and 30 min", 21600, 1800, 6.0, "page"),
    Pair("3 d and 6 h", 259200, 21600, 1.0, "ticket"),
)
FINE_SECONDS: Final = 21600
"""Windows up to this long are counted in minutes, longer ones in hours."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Good and all events of one bucket; ``counted`` is False where only a ratio is known, not a count."""

    good: float
    total: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class BurnRate:
    """One multi-window pair: burning when both windows burn faster than ``limit`` times the budget's even pace.

    ``long_rate`` and ``short_rate`` are None when a window has not enough data.
    """

    name: str
    limit: float
    long_rate: float | None
    short_rate: float | None
    state: Literal["ok", "page", "ticket", "not_enough_data"]
    sentence: str


@dataclass(frozen=True, slots=True)
class SloCard:
    """Attainment over 30 days, or as much of them as there is data for (``covered_days``, of 24 hours with data).

    A budget that is not gone is unknown while its source is silent.
    """

    key: str
    title: str
    target_percent: float
    attained_percent: float | None
    budget_left_percent: float | None
    covered_days: float
    burn: tuple[BurnRate, ...]
    state: State
    detail: str


def latency_tallies(metric: Metric, buckets: Mapping[float, Merged]) -> dict[float, Tally]:
    """Records under the SLO's limit out of all, from sketch counts."""
    limit = metric.slo.limit if metric.slo and metric.slo.limit is not None else float("inf")
    tallies: dict[float, Tally] = {}
    for t, bucket in buckets.items():
        sketch = bucket.total.sketch
        if sketch is not None and sketch.count:
            tallies[t] = Tally(sketch.count_up_to(limit), sketch.count)
    return tallies


def late_and_arrived(late: Merged, arrived: Merged) -> tuple[float, float]:
    """Records dropped and records that came, at the operators that both buckets keep apart."""
    both = (late.groups.keys() & arrived.groups.keys()) - {OTHER}
    dropped, came = (sum(bucket.groups[name].increase or 0.0 for name in both) for bucket in (late, arrived))
    return dropped, came


def completeness_tallies(
    late: Mapping[float, Merged], arrived: Mapping[float, Merged], gauge: Mapping[float, Merged]
) -> dict[float, Tally]:
    """Records kept by windows out of all that reached them; from the completeness gauge where no counts exist."""
    tallies: dict[float, Tally] = {}
    for t, bucket in late.items():
        dropped, came = late_and_arrived(bucket, arrived[t]) if t in arrived else (0.0, 0.0)
        if came > 0:
            tallies[t] = Tally(came - min(dropped, came), came)
    if tallies:
        return tallies
    return {t: Tally(b.total.average / 100 * b.total.count, b.total.count, counted=False) for t, b in gauge.items()}


def event_tallies(taken: Mapping[float, Merged], failed: Mapping[float, Merged]) -> dict[float, Tally]:
    """Events taken in that did not become dead letters.

    A dead letter follows its event by seconds, maybe into the next bucket: a bucket alone can have more of them than
    events, the sum over a window has not. Those from before the first event are of events that are not counted here.
    """
    if not taken:
        return {}
    first = min(taken)
    tallies: dict[float, Tally] = {}
    for t in sorted({*taken, *(t for t in failed if t >= first)}):
        came, lost = (level[t].total.increase or 0.0 if t in level else 0.0 for level in (taken, failed))
        tallies[t] = Tally(came - lost, came)
    return tallies


def slo_card(metric: Metric, minutes: Mapping[float, Tally], hours: Mapping[float, Tally], now: float) -> SloCard:
    """Attainment over 30 days and the burn of each pair of windows.

    ``minutes`` reach back at least 6 h, ``hours`` 30 days; both up to the newest sample.
    """
    slo = metric.slo
    if slo is None:
        raise ValueError(f"{metric.key} has no SLO in the catalogue")
    inside = {t: tally for t, tally in hours.items() if t > now - PERIOD_SECONDS}
    total = sum(tally.total for tally in inside.values())
    budget = 1 - slo.target_percent / 100
    if not total:
        return not_connected(metric.key, slo.title, slo.target_percent)
    bad_share = _bad_share(list(inside.values()))
    spent = bad_share / budget

    def over(window: int) -> float | None:
        source = minutes if window <= FINE_SECONDS else hours
        return burn_rate([tally for t, tally in source.items() if t >= now - window], budget)

    burns = tuple(_burn(slo.title, pair, over(pair.long), over(pair.short), spent) for pair in PAIRS)
    left = 100 * (1 - spent)
    state: State = "healthy"
    if left < 0 or any(b.state == "page" for b in burns):
        state = "critical"
    elif any(b.state == "ticket" for b in burns):
        state = "degraded"
    detail = next((b.sentence for b in burns if b.state in ("page", "ticket")), "")
    newest = max((*minutes, *hours))
    if state == "healthy" and newest < now - FINE_SECONDS:
        state, detail = "unknown", f"No data for {duration(now - newest)}"
    return SloCard(
        key=metric.key,
        title=slo.title,
        target_percent=slo.target_percent,
        attained_percent=100 * (1 - bad_share),
        budget_left_percent=left,
        covered_days=len(inside) / 24,
        burn=burns,
        state=state,
        detail=detail or f"{max(left, 0):.0f} % of the error budget is left",
    )


def not_connected(key: str, title: str, target_percent: float) -> SloCard:
    """The card of an SLO whose source has never sent anything."""
    return SloCard(key, title, target_percent, None, None, 0.0, (), "not_connected", "Not connected yet")


def slo_cards(
    catalogue: Catalogue,
    minutes: Mapping[str, Mapping[float, Merged]],
    hours: Mapping[str, Mapping[float, Merged]],
    now: float,
) -> tuple[SloCard, ...]:
    """All SLOs of the product."""
    latency, completeness, events = (catalogue[n] for n in ("latency_ms", "window_completeness", "events_ingested"))

    def complete(level: Mapping[str, Mapping[float, Merged]]) -> dict[float, Tally]:
        names = ("late_records_dropped", "records_in", "window_completeness")
        return completeness_tallies(*(level.get(name, {}) for name in names))

    def successful(level: Mapping[str, Mapping[float, Merged]]) -> dict[float, Tally]:
        return event_tallies(*(level.get(name, {}) for name in EVENTS))

    return (
        slo_card(
            latency,
            latency_tallies(latency, minutes.get(latency.key, {})),
            latency_tallies(latency, hours.get(latency.key, {})),
            now,
        ),
        slo_card(completeness, complete(minutes), complete(hours), now),
        slo_card(events, successful(minutes), successful(hours), now),
    )


def burn_rate(tallies: Sequence[Tally], budget: float) -> float | None:
    """How many times faster than even the budget burns; None for fewer than 3 samples or 100 events."""
    total = sum(tally.total for tally in tallies)
    counted = all(tally.counted for tally in tallies)
    if len(tallies) < LEAST_SAMPLES or total <= 0 or (counted and total < LEAST_EVENTS):
        return None
    return _bad_share(tallies) / budget


def pace(rate: float) -> str:
    """A burn rate as people read it: a decimal says nothing more from a hundred on."""
    return f"{rate:.1f}" if round(rate, 1) < 100 else f"{rate:,.0f}"


def _bad_share(tallies: Sequence[Tally]) -> float:
    return min(1 - sum(tally.good for tally in tallies) / sum(tally.total for tally in tallies), 1.0)


def _burn(title: str, pair: Pair, long_rate: float | None, short_rate: float | None, spent: float) -> BurnRate:
    if long_rate is None or short_rate is None:
        sentence = "Not enough data in these windows"
        return BurnRate(pair.name, pair.limit, long_rate, short_rate, "not_enough_data", sentence)
    if long_rate > pair.limit and short_rate > pair.limit:
        sentence = f"{title}: the budget burns at {pace(long_rate)} times its even pace {_exhausted(long_rate, spent)}"
        return BurnRate(pair.name, pair.limit, long_rate, short_rate, pair.call, sentence)
    sentence = f"Burning at {pace(long_rate)} times the even pace, limit {pair.limit:g}"
    return BurnRate(pair.name, pair.limit, long_rate, short_rate, "ok", sentence)


def _exhausted(rate: float, spent: float) -> str:
    if spent >= 1:
        return "and is gone"
    return f"and is gone in {duration((1 - spent) * PERIOD_SECONDS / rate)}"
