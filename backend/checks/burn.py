"""How fast the error budgets burn: the numbers that alarms look at, and the sentences that people are told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.checks.signals import KIND, RUNBOOK
from backend.contract.catalogue import Severity
from backend.contract.checks import BURN_RATE, Finding
from backend.contract.slo import BurnRate, SloCard
from backend.events.own_metrics import Measured

METRICS: Final = ("burn_rate_1h", "burn_rate_6h", "burn_rate_3d")
"""Of each pair of windows, in the order of ``contract.slo.PAIRS``."""
SOURCES: Final = (
    "latency_ms", "late_records_dropped", "records_in", "window_completeness", "events_ingested", "events_failed",
)  # fmt: skip
"""What the SLOs are counted from."""


def rates(cards: Sequence[SloCard]) -> list[Measured]:
    """The burn of each SLO and pair: the slower of its two windows, as both must burn; none without enough data."""
    return [
        Measured(metric, min(burn.long_rate, burn.short_rate), {"slo": card.title})
        for card in cards
        for metric, burn in zip(METRICS, card.burn, strict=False)
        if burn.long_rate is not None and burn.short_rate is not None and burn.state != "not_enough_data"
    ]


def burning(cards: Sequence[SloCard]) -> tuple[Finding, ...]:
    """What burns too fast, one finding an SLO: the fastest pair speaks, as pages come before tickets."""
    found = []
    for card in cards:
        pairs = zip(METRICS, card.burn, strict=False)
        metric, burn = next(((m, b) for m, b in pairs if b.state in ("page", "ticket")), ("", None))
        if burn is not None:
            found.append(_finding(card, metric, burn))
    return tuple(found)


def fast(cards: Sequence[SloCard], before: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """By SLO the pairs, as their metrics, that burn too fast, or did at the last look (``before``) and lack data since.

    A pair without data takes nothing back: the one that is left may be slower for a burn that goes on.
    """
    found: dict[str, list[str]] = {}
    for card in cards:
        known = before.get(card.title, ())
        pairs = [
            metric
            for metric, burn in zip(METRICS, card.burn, strict=False)
            if burn.state in ("page", "ticket") or (burn.state == "not_enough_data" and metric in known)
        ]
        if pairs:
            found[card.title] = pairs
    return found


def undecided(cards: Sequence[SloCard]) -> list[str]:
    """SLOs that say nothing: not connected, or too few events in every pair of windows."""
    return [card.title for card in cards if all(burn.state == "not_enough_data" for burn in card.burn)]


def _finding(card: SloCard, metric: str, burn: BurnRate) -> Finding:
    severity: Severity = "CRITICAL" if burn.state == "page" else "HIGH"
    details = {KIND: BURN_RATE, RUNBOOK: metric, "windows": burn.name, "limit": burn.limit}
    return Finding(card.title, burn.sentence, severity, "/", details)
