"""Hourly: is every event ingested in S3, indexed, and processed or dead-lettered?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.checks.counting import reach_note, read_evidence
from backend.checks.hours import HOUR_SECONDS, Hour, finding_of, hour_of, hour_text, hours_of, rows
from backend.checks.signals import JUDGED, KIND
from backend.checks.world import World
from backend.contract.checks import CheckResult, CheckStatus, Finding
from backend.settings import Config

NAME: Final = "reconciliation"
SPAN_HOURS: Final = 48
UNIT: Final = "%"


def run(world: World, now: float) -> CheckResult:
    """Compares the last 48 hours, the current one included, which is never settled."""
    end = hour_of(now) + HOUR_SECONDS
    start = end - SPAN_HOURS * HOUR_SECONDS
    evidence = read_evidence(world, start, end)
    hours = hours_of(evidence, start, end, now - late_limit(world.settings.config))
    judged = judge(hours, world.settings.config.checks.match_percent, reach_note(evidence, start))
    # Each hour has an alert of its own: what is lost is not found by the hour being out of reach.
    findings = tuple(replace(finding, details={**finding.details, KIND: NAME}) for finding in judged.findings)
    details = {"hours": rows(hours), JUDGED: [hour_text(hour.counts.hour) for hour in hours if hour.judged]}
    return CheckResult(NAME, now, judged.status, judged.sentence, judged.value, UNIT, start, now, findings, details)


def late_limit(config: Config) -> float:
    """Seconds after which what was received must have gone all the way: the longest of the types' late limits."""
    types = config.events.types.values()
    return max([config.events.late_seconds, *(entry.late_seconds or 0.0 for entry in types)])


@dataclass(frozen=True, slots=True)
class Judged:
    """What a number of hours comes to."""

    status: CheckStatus
    sentence: str
    value: float | None
    findings: tuple[Finding, ...]


def judge(hours: Sequence[Hour], least_percent: float, note: str = "") -> Judged:
    """Failed when an hour matches less than ``least_percent``; unknown when none can be judged. Pure."""
    judged = [hour for hour in hours if hour.judged]
    bad = [hour for hour in judged if _match(hour) < least_percent]
    value = min((_match(hour) for hour in judged), default=None)
    unsure = [hour for hour in hours if hour.counts.settled and not hour.judged and not hour.empty]
    uncounted = [hour for hour in judged if not hour.counted]
    alone = f"{_hours(uncounted)} without the ingest's own count" if uncounted else ""
    tail = "".join(f"; {text}" for text in (note, _unsure(unsure), alone) if text)
    missing = sum(hour.missing.total for hour in judged)
    if bad:
        lost = sum(hour.missing.total for hour in bad)
        sentence = f"{lost:,} {_events(lost)} missing in {len(bad)} of {_hours(judged)}, worst {value:.2f} %"
        return Judged("failed", sentence + tail, value, tuple(finding_of(hour) for hour in reversed(bad)))
    if not judged:
        return Judged("unknown", "No settled hour with events to compare" + tail, None, ())
    said = f"All events {'found in' if uncounted else 'of'} {_hours(judged)} are accounted for"
    if missing:
        said = f"{missing:,} {_events(missing)} missing in {_hours(judged)}, each matches at least {value:.2f} %"
    return Judged("passed", said + tail, value, ())


def _match(hour: Hour) -> float:
    match = hour.counts.match_percent
    return 100.0 if match is None else match


def _hours(hours: Sequence[Hour]) -> str:
    return f"{len(hours)} hour{'' if len(hours) == 1 else 's'}"


def _unsure(hours: Sequence[Hour]) -> str:
    if not hours:
        return ""
    gone = sum(hour.forgotten for hour in hours)
    because = f" ({gone:,} objects have neither index nor gate any more)" if gone else ""
    return f"{len(hours)} {'hour' if len(hours) == 1 else 'hours'} could not be judged{because}"


def _events(count: int) -> str:
    return "event is" if count == 1 else "events are"
