"""Every five minutes: what must always hold, whatever the load. Each invariant says what it could not check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from backend.checks.reconciliation import late_limit
from backend.checks.signals import JUDGED, KIND
from backend.checks.world import World
from backend.contract.bucket import Samples
from backend.contract.checks import CANARY_SOURCE, CheckResult, CheckStatus, Finding, in_flight
from backend.contract.events import EventQuery, EventRecord
from backend.contract.rollup import OTHER, Merged
from backend.contract.verdict import amount

NAME: Final = "invariants"
SPAN_SECONDS: Final = 300
FLOW_SECONDS: Final = 600
"""Counters are compared over so long: what is on its way at both ends weighs little."""
SETTLE_SECONDS: Final = 60
MOST_EVENTS: Final = 5_000
WATERMARK_MINUTES: Final = 3
"""A single minute beyond the limit is no violation; so many in a row are."""
WATERMARK_SECONDS: Final = 1200
"""They are among so many seconds: collected every five minutes, a metric has four of them."""
OUTPUT: Final = "output >= input - errors - late"
DISTINCT: Final = "distinct = total"
WATERMARK: Final = "watermark lag"
OFFSETS: Final = "offsets never go back"
COUNTERS: Final = ("records_in", "records_out", "records_error", "late_records_dropped")


@dataclass(frozen=True, slots=True)
class Held:
    """What became of one invariant. ``violations`` are sentences by what they are about.

    Each has an alert of its own, by its ``name``: one that can't be checked any more is not over because others hold.
    """

    name: str
    status: CheckStatus
    sentence: str
    violations: tuple[Finding, ...] = ()


def run(world: World, now: float) -> CheckResult:
    """Looks at the last minutes of counters and at the newest settled events."""
    watermark = world.settings.catalogue["watermark_lag_ms"].warning or 60_000.0
    filters = frozenset(world.settings.config.checks.filters)
    held = [
        _guarded(OUTPUT, lambda: _flow(world, now, filters)),
        _guarded(DISTINCT, lambda: _events(world, now)),
        _guarded(WATERMARK, lambda: _watermark(world, now, watermark)),
        _guarded(OFFSETS, lambda: offsets(world.levels.samples("consumer_position_offset", now - FLOW_SECONDS, now))),
    ]
    return result_of(held, now)


def result_of(held: Sequence[Held], now: float) -> CheckResult:
    """Failed when one is violated; unknown when none could be checked. Pure."""
    findings = tuple(
        Finding(entry.name, violation.sentence, page=violation.page, details={KIND: NAME, "about": violation.subject})
        for entry in held
        for violation in entry.violations
    )
    checked = [entry for entry in held if entry.status != "unknown"]
    unchecked = [entry.sentence for entry in held if entry.status == "unknown"]
    tail = f"; not checked: {', '.join(unchecked)}" if unchecked else ""
    status: CheckStatus = "failed" if findings else "passed" if checked else "unknown"
    said = f"{len(findings)} violated: {findings[0].sentence}" if findings else f"{len(checked)} of {len(held)} hold"
    details = {
        "invariants": [{"name": e.name, "status": e.status, "sentence": e.sentence} for e in held],
        JUDGED: [entry.name for entry in checked],
    }
    value = float(len(findings)) if checked else None
    return CheckResult(NAME, now, status, said + tail, value, "violations", now - FLOW_SECONDS, now, findings, details)


def output(flow: Mapping[str, Mapping[str, float]], filters: frozenset[str]) -> Held:
    """Operators give out what they take in, but for errors and late records. Pure.

    ``flow`` is what each of ``COUNTERS`` grew by, per operator. A window gives fewer records than it takes: of it, only
    that it never drops more than came. An operator that counts no output is an end, one of ``filters`` drops on
    purpose.
    """
    violations: list[Finding] = []
    checked = 0
    for operator, taken in sorted(flow["records_in"].items()):
        late, lost = flow["late_records_dropped"].get(operator), flow["records_error"].get(operator, 0.0)
        given = flow["records_out"].get(operator)
        if not taken or operator in filters:
            continue
        if late is not None:
            checked += 1
            if late > taken + in_flight(taken):
                violations.append(Finding(operator, f"dropped {late:,.0f} late records, and only {taken:,.0f} came"))
        elif given is not None:
            checked += 1
            missing = taken - lost - given
            if missing > in_flight(taken):
                sentence = f"{missing:,.0f} of {taken:,.0f} records got lost inside {operator}, without an error"
                page = f"/performance?operator={quote(operator, safe='')}"
                violations.append(Finding(operator, sentence, page=page))
    return _held(OUTPUT, checked, "operators", violations, "no operator counts its records")


def distinct(events: Sequence[EventRecord], *, cut: bool = False) -> Held:
    """Each event id is in the index once. ``cut``: there were more events than these newest ones. Pure."""
    often = {event_id: count for event_id, count in Counter(event.event_id for event in events).items() if count > 1}
    violations = [
        Finding(event_id, f"event {event_id[:12]} is in the index {count} times") for event_id, count in often.items()
    ]
    return _held(DISTINCT, len(events), "newest events, cut" if cut else "events", violations, "no event was received")


def watermark_lag(minutes: Mapping[float, Merged], limit_ms: float) -> Held:
    """The newest minutes are not all beyond the limit; fewer than so many say nothing. Pure."""
    newest = [minutes[minute].total.average for minute in sorted(minutes)[-WATERMARK_MINUTES:]]
    if len(newest) < WATERMARK_MINUTES:
        few = f"measured in {len(newest)} minutes, not in {WATERMARK_MINUTES}" if newest else "not measured"
        return _held(WATERMARK, 0, "minutes", [], few)
    sentence = f"the watermark lags {amount(newest[-1], 'ms')} behind, and may lag {amount(limit_ms, 'ms')}"
    violations = [Finding("watermark", sentence, page="/performance")] if min(newest) >= limit_ms else []
    return _held(WATERMARK, len(newest), "minutes", violations, "")


def offsets(samples: Samples) -> Held:
    """No partition's offset is lower than it was before. Pure.

    Several readers of one partition each have their own position, so each series is held to itself.
    """
    violations = []
    for (group, _series), values in sorted(samples.items()):
        ordered = [values[at] for at in sorted(values)]
        back = next(((before, after) for before, after in pairwise(ordered) if after < before), None)
        if back is not None:
            sentence = f"partition {group}: the consumer's offset went back from {back[0]:,.0f} to {back[1]:,.0f}"
            violations.append(Finding(group, sentence, page="/"))
    several = [key for key, values in samples.items() if len(values) > 1]
    return _held(OFFSETS, len(several), "partitions", violations, "no consumer offset was measured twice")


def _held(name: str, checked: int, what: str, violations: Sequence[Finding], nothing: str) -> Held:
    if not checked:
        return Held(name, "unknown", f"{name} ({nothing})")
    if violations:
        return Held(name, "failed", violations[0].sentence, tuple(violations))
    return Held(name, "passed", f"{name}: {checked:,} {what}")


def _guarded(name: str, look: Callable[[], Held]) -> Held:
    """One invariant that can't be read leaves the others."""
    try:
        return look()
    except (ClientError, BotoCoreError) as error:
        return Held(name, "unknown", f"{name} (could not look: {error})"[:300])


def _flow(world: World, now: float, filters: frozenset[str]) -> Held:
    end = (now - SETTLE_SECONDS) // 60 * 60
    minutes = {name: world.levels.minutes(name, end - FLOW_SECONDS, now) for name in COUNTERS}
    closed = {name: {at: merged for at, merged in of.items() if at < end} for name, of in minutes.items()}
    return output({name: grown(of, ends=name == "records_out") for name, of in closed.items()}, filters)


def grown(minutes: Mapping[float, Merged], *, ends: bool = False) -> dict[str, float]:
    """What a counter grew by, per operator that is told apart. Pure.

    With ``ends`` those are left out whose counter never rose above zero: an end counts its output, too, as nothing.
    """
    found: dict[str, float] = {}
    risen: set[str] = set()
    for operator, stats in (group for merged in minutes.values() for group in merged.groups.items()):
        # A counter's first reading says nothing of what it grew by.
        if operator not in (OTHER, "") and stats.increase is not None and stats.span:
            found[operator] = found.get(operator, 0.0) + stats.increase
        if stats.high > 0:
            risen.add(operator)
    return {operator: value for operator, value in found.items() if not ends or operator in risen}


def _events(world: World, now: float) -> Held:
    end = now - late_limit(world.settings.config)
    page = world.events.search(EventQuery(end - SPAN_SECONDS, end), MOST_EVENTS)
    return distinct([event for event in page.events if event.source != CANARY_SOURCE], cut=page.truncated)


def _watermark(world: World, now: float, limit_ms: float) -> Held:
    closed = now // 60 * 60
    minutes = world.levels.minutes("watermark_lag_ms", closed - WATERMARK_SECONDS, now)
    return watermark_lag({minute: merged for minute, merged in minutes.items() if minute < closed}, limit_ms)
