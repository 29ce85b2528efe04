"""The scheduled checks: which there are, and what each found. No I/O. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from backend.contract.catalogue import Severity
from backend.contract.jobs import WatchState
from backend.contract.verdict import duration

CheckStatus = Literal["passed", "failed", "unknown"]
"""Unknown: it could not look, or there was nothing to look at. Never taken for passed."""
OVERDUE_INTERVALS: Final = 3
"""A check whose newest result is older than so many of its intervals is unknown."""

SOURCE: Final = "checks"
"""Source of the checks' signals; their rules are ``checks:<kind>``."""
WATCH_KINDS: Final[Mapping[WatchState, str]] = MappingProxyType(
    {"hung": "job_hung", "lost": "job_lost", "missed": "job_missed", "none_succeeded": "none_succeeded"}
)
"""What a watched job's states fire as; also the keys of their runbooks."""
DATASET_LATE: Final = "dataset_late"
DATASET_VOLUME: Final = "dataset_volume"
BURN_RATE: Final = "burn_rate"


@dataclass(frozen=True, slots=True)
class Check:
    """A scheduled check. ``metric`` is the catalogue's key of the number it publishes.

    ``kinds`` are what its findings fire as where that is not its own name.
    """

    name: str
    title: str
    every_seconds: int
    severity: Severity
    metric: str
    purpose: str
    kinds: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of its alerts."""
        return tuple(f"{SOURCE}:{kind}" for kind in self.kinds or (self.name,))


CHECKS: Final[tuple[Check, ...]] = (
    Check("reconciliation", "Reconciliation", 3600, "HIGH", "reconciliation_match_percent",
          "Every event ingested is in S3, indexed, and processed or dead-lettered, hour by hour."),
    Check("daily", "Yesterday complete", 86400, "HIGH", "daily_match_percent",
          "Every hour of yesterday is there and matches at least 99.9 %."),
    Check("invariants", "Invariants", 300, "HIGH", "invariant_violations",
          "What must always hold: out >= in - dead-lettered - late, distinct = total, offsets never go back."),
    Check("sampling", "Sample of events", 3600, "HIGH", "sample_mismatches",
          "A hundred events equal their raw objects, are unique and have their required fields."),
    Check("quality", "Data quality", 3600, "MEDIUM", "data_quality_findings",
          "Schema drift, null rates and constant columns per event type."),
    Check("canary", "Canary", 60, "CRITICAL", "canary_latency_ms",
          "An event a minute goes all the way through."),
    Check("jobs", "Hung and missed jobs", 60, "HIGH", "hung_jobs",
          "Runs past their limit, without a heartbeat, not started when due, or none of which succeed.",
          tuple(WATCH_KINDS.values())),
    Check("datasets", "Stale datasets", 60, "HIGH", "stale_datasets",
          "Datasets past their SLA, and hours whose volume is not that of earlier weeks.",
          (DATASET_LATE, DATASET_VOLUME)),
    Check("ratios", "Ratios and burn rates", 60, "MEDIUM", "lambda_error_rate",
          "Error rates and burn rates, computed here and published as plain metrics.", (BURN_RATE,)),
)  # fmt: skip
"""All checks, in the order in which pages show them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found. ``subject`` is what it is about: an hour, an event, an event type, a job."""

    subject: str
    sentence: str
    severity: Severity | None = None
    page: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found in its interval that begins at ``at``, looking at ``looked_at`` (epoch s).

    ``window_start`` and ``window_end`` are the time that it looked at the data of.

    ``value`` is the published number, None where there is none to tell. ``details`` is JSON, for instance the
    reconciliation's counts per hour and stage.
    """

    check: str
    at: float
    status: CheckStatus
    sentence: str
    value: float | None = None
    unit: str = ""
    window_start: float | None = None
    window_end: float | None = None
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    environment: str = "production"
    looked_at: float | None = None

    @property
    def when(self) -> float:
        """When it looked, for people; of results that don't say so the beginning of their interval."""
        return self.at if self.looked_at is None else self.looked_at


CANARY_SOURCE: Final = "pulseboard-canary"
"""Source of the canary's events: they count for no business figure, and no replay takes them along."""
CANARY_TYPE: Final = "canary"


@dataclass(frozen=True, slots=True)
class Standing:
    """What pages say of a check now. ``at`` is when it last ran, None where it never did."""

    check: Check
    status: CheckStatus
    sentence: str
    at: float | None = None


def overdue(check: Check, latest: CheckResult, now: float) -> float | None:
    """How old (s) the newest result is, where that is more than three of the check's intervals; else None."""
    age = now - latest.when
    return age if age > OVERDUE_INTERVALS * check.every_seconds else None


def standing(check: Check, latest: CheckResult | None, now: float) -> Standing:
    """How a check stands at ``now`` (epoch s): a check that never ran, or not of late, is unknown."""
    if latest is None:
        return Standing(check, "unknown", "Has not run yet")
    late = overdue(check, latest, now)
    if late is not None:
        sentence = f"Has not run for {duration(late)}, although it is due every {duration(check.every_seconds)}"
        return Standing(check, "unknown", sentence, latest.when)
    return Standing(check, latest.status, latest.sentence, latest.when)


STAGES: Final = ("ingested", "stored", "indexed", "processed", "dead_lettered")
"""Stages of the reconciliation, in the order events pass them; stored is raw in S3."""


@dataclass(frozen=True, slots=True)
class HourCounts:
    """Events of one UTC hour by stage. ``counts`` has a number per stage, None where it could not be counted.

    ``settled`` is whether the hour lies before now - late limit: only then what is missing is lost.
    """

    hour: float
    counts: Mapping[str, int | None]
    match_percent: float | None
    settled: bool
    external: int | None = None
    """What an outside counter says, where one is configured."""


IN_FLIGHT_SHARE: Final = 0.01
IN_FLIGHT_LEAST: Final = 10.0


def in_flight(taken: float) -> float:
    """Records that may be inside an operator that took ``taken``, or between two readings of its counters: fewer that
    are missing are not lost."""
    return max(IN_FLIGHT_LEAST, IN_FLIGHT_SHARE * taken)
