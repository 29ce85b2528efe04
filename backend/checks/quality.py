"""Hourly, per event type: have the payloads changed against those of the days before?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.checks.profile import (
    LEAST_EVENTS,
    LEAST_KNOWN,
    Profile,
    changes,
    comparable,
    merged,
    profile_of,
    read_profile,
)
from backend.checks.signals import JUDGED, KIND
from backend.checks.world import World
from backend.contract.checks import CANARY_TYPE, Check, CheckResult, CheckStatus, Finding
from backend.contract.events import EventQuery, EventRecord
from backend.events.failures import EventFailure
from backend.events.own_metrics import Measured
from backend.events.raw import read_raw

NAME: Final = "quality"
SPAN_SECONDS: Final = 3600
SAMPLED: Final = 200
"""Newest events of a type that its profile is made of."""
MOST_TYPES: Final = 50
BASELINE_BYTES: Final = 250_000
"""Of all profiles that are kept; the item that they are part of takes 400 KB."""
BASELINE: Final = "baseline"
"""Among the details: each type's profile of all earlier runs, which the next run compares with."""


@dataclass(frozen=True, slots=True)
class OfType:
    """One event type: its profile of this hour, what it was before, and how many objects could not be read."""

    name: str
    now: Profile
    before: Profile | None
    unread: int = 0


def run(world: World, now: float) -> CheckResult:
    """Profiles the newest events of the last full hour, per type."""
    start = now // SPAN_SECONDS * SPAN_SECONDS - SPAN_SECONDS
    # An earlier run of the same hour must not be what this one is compared with.
    latest = world.results.latest(NAME, start + SPAN_SECONDS, BASELINE)
    known: Mapping[str, Any] = latest.details.get(BASELINE, {}) if latest else {}
    types = [name for name in world.events.known()[0] if name != CANARY_TYPE]
    looked = [_look(world, name, start, known.get(name)) for name in types[:MOST_TYPES]]
    return result_of(looked, known, len(types), start, world.settings.config.checks.null_rate_change)


def result_of(
    looked: Iterable[OfType], known: Mapping[str, Any], types: int, start: float, null_rate_change: float
) -> CheckResult:
    """What the types come to; each new profile joins the baseline. Pure."""
    findings: list[Finding] = []
    baseline = dict(known)
    compared: list[str] = []
    few, unread = 0, 0
    for entry in looked:
        unread += entry.unread
        if entry.now.events:
            baseline[entry.name] = merged(entry.before, entry.now).as_json()
        if entry.before is None or not comparable(entry.before, entry.now):
            few += entry.now.events > 0
            continue
        compared.append(entry.name)
        told = changes(entry.before, entry.now, null_rate_change)
        page = f"/replay?event_type={entry.name}"
        findings += [Finding(entry.name, text, page=page, details={KIND: NAME}) for text in told]
    kept = _fitting(baseline)
    rare = f"fewer than {LEAST_EVENTS} an hour or {LEAST_KNOWN} in all"
    notes = [
        f"{few} too new or too rare to compare ({rare})" if few else "",
        f"{unread} objects could not be read" if unread else "",
        f"the first {MOST_TYPES} of {types} types" if types > MOST_TYPES else "",
        f"{len(baseline) - len(kept)} types have no room to be remembered" if len(kept) < len(baseline) else "",
    ]
    tail = "".join(f"; {note}" for note in notes if note)
    status: CheckStatus = "failed" if findings else "passed" if compared else "unknown"
    said = "No event type could be compared" if not compared else f"{len(compared)} event types look as they did"
    if findings:
        first = findings[0]
        changed = len({finding.subject for finding in findings})
        said = f"{len(findings)} changes in {changed} event types: {first.subject}: {first.sentence}"
    value = float(len(findings)) if compared else None
    details = {BASELINE: kept, JUDGED: compared}
    end = start + SPAN_SECONDS
    return CheckResult(NAME, end, status, said + tail, value, "findings", start, end, tuple(findings), details)


def measured(check: Check, result: CheckResult) -> Iterable[Measured]:
    """The number of findings per event type; one zero where there is none."""
    if result.value is None:
        return ()
    counts = Counter(finding.subject for finding in result.findings)
    return [Measured(check.metric, float(count), {"event_type": name}) for name, count in counts.items()] or [
        Measured(check.metric, 0.0, {})
    ]


def _fitting(baseline: Mapping[str, Any]) -> dict[str, Any]:
    """The profiles of the busiest types, as many as an item has room for."""
    room = BASELINE_BYTES
    kept: dict[str, Any] = {}
    for name, entry in sorted(baseline.items(), key=lambda pair: pair[1]["events"], reverse=True):
        room -= len(json.dumps({name: entry}))
        if room >= 0:
            kept[name] = entry
    return kept


def _look(world: World, name: str, start: float, before: Mapping[str, Any] | None) -> OfType:
    page = world.events.search(EventQuery(start, start + SPAN_SECONDS, event_type=name), SAMPLED)
    payloads = list(world.table.pool.map(lambda event: _payload(world, event), page.events))
    read = [payload[0] for payload in payloads if payload is not None]
    known = read_profile(before) if before else None
    return OfType(name, profile_of(read), known, len(payloads) - len(read))


def _payload(world: World, event: EventRecord) -> tuple[Any] | None:
    """The payload, which may itself be null; None where it can't be read."""
    try:
        body = world.clients.s3.get_object(Bucket=world.settings.bucket, Key=event.raw_key)["Body"].read()
        return (read_raw(body, event.sha256).payload,)
    except (ClientError, BotoCoreError, EventFailure):
        return None
