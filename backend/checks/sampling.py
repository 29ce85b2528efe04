"""Hourly: a hundred events of the last hour equal their raw objects, are unique and have their required fields."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.checks.world import World
from backend.contract.checks import CANARY_SOURCE, CheckResult, CheckStatus, Finding
from backend.contract.events import EventQuery, EventRecord
from backend.events.failures import EventFailure
from backend.events.plugins import EventSchema, event_schema
from backend.events.raw import RawEvent, read_raw

NAME: Final = "sampling"
SPAN_SECONDS: Final = 3600
POPULATION: Final = 5_000
"""Newest events of the hour that the sample is drawn from."""
FIELDS: Final = ("event_id", "source", "event_type", "entity_id", "occurred_at", "received_at", "correlation_id")


def run(world: World, now: float) -> CheckResult:
    """Draws the sample by the hour: a second run within it draws the same of the same events."""
    start = now // SPAN_SECONDS * SPAN_SECONDS - SPAN_SECONDS
    page = world.events.search(EventQuery(start, start + SPAN_SECONDS), POPULATION)
    events = [event for event in page.events if event.source != CANARY_SOURCE]
    sample = random.Random(start).sample(events, min(len(events), world.settings.config.checks.sample_events))  # noqa: S311 - no secret
    schema = event_schema(world.settings)
    looked = list(world.table.pool.map(lambda event: look(world, event, schema), sample))
    of = f"of the newest {len(events):,} events" if page.truncated else f"of {len(events):,} events"
    return result_of(sample, looked, of, start, now)


def result_of(
    sample: Sequence[EventRecord], looked: Sequence[tuple[CheckStatus, str]], of: str, start: float, now: float
) -> CheckResult:
    """What the looks at a sample come to. Pure."""
    findings = tuple(
        Finding(event.event_id, problem, page=f"/errors?event={event.event_id}")
        for event, (status, problem) in zip(sample, looked, strict=True)
        if status == "failed"
    )
    unread = [problem for status, problem in looked if status == "unknown"]
    read = len(sample) - len(unread)
    tail = f"; {len(unread)} could not be read ({unread[0]})" if unread else ""
    status: CheckStatus
    if findings:
        status, said = "failed", f"{len(findings)} of {read} do not hold ({of}): {findings[0].sentence}"
    elif not read:
        status, said = "unknown", "Nothing could be read" if sample else "No event was received in that hour"
    else:
        status, said = "passed", f"{read} {of} equal their raw objects, are unique and whole"
    value = float(len(findings)) if read else None
    end = start + SPAN_SECONDS
    return CheckResult(NAME, now, status, said + tail, value, "events", start, end, findings, {"sampled": len(sample)})


def look(world: World, event: EventRecord, schema: EventSchema) -> tuple[CheckStatus, str]:
    """Whether an event holds, and if not, why; unknown where AWS does not answer."""
    try:
        body = world.clients.s3.get_object(Bucket=world.settings.bucket, Key=event.raw_key)["Body"].read()
        times = len(world.table.keys_of(event.event_id))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return "failed", "its raw object is gone"
        return "unknown", str(error)
    except BotoCoreError as error:
        return "unknown", str(error)
    problem = problem_of(event, body, times, schema)
    return ("failed", problem) if problem else ("passed", "")


def problem_of(event: EventRecord, body: bytes, times: int, schema: EventSchema) -> str:
    """What is wrong with an event whose raw object is ``body`` and which the index has ``times`` times. Pure."""
    if times != 1:
        return f"the index has it {times} times"
    try:
        raw = read_raw(body, event.sha256)
    except EventFailure as failure:
        return failure.message
    if wrong := [name for name in FIELDS if not _equal(raw, event, name)]:
        return f"{', '.join(wrong)} differ between index and raw object"
    if event.status != "processed":
        # What was refused is known to be wrong, and says so on the Errors page.
        return ""
    try:
        schema.check(raw)
    except EventFailure as failure:
        return f"processed although {failure.message}"
    return ""


def _equal(raw: RawEvent, event: EventRecord, name: str) -> bool:
    there, here = getattr(raw, name), getattr(event, name)
    return bool(abs(there - here) < 0.001 if isinstance(here, float) else there == here)
