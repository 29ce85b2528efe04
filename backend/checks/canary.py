"""Every minute an event of its own goes through the API all the way to being processed; the next runs look for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session

from backend.checks.world import World
from backend.contract.checks import CANARY_SOURCE, CANARY_TYPE, CheckResult, CheckStatus, Finding
from backend.contract.events import EventQuery, EventRecord, utc_text
from backend.contract.verdict import amount, duration

NAME: Final = "canary"
ENTITY: Final = CANARY_SOURCE
UNIT: Final = "ms"
LOOK_BACK_SECONDS: Final = 900.0
MOST_WAITING: Final = 15
TIMEOUT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 60.0
"""So soon after it was sent the canary is looked for at the latest."""
WAITING: Final = "waiting"
"""Among the details: canaries that were taken and not found processed yet."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One that the API took: its event id and when it was sent (epoch s)."""

    event_id: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending one: the canary, or the problem in a sentence."""

    canary: Canary | None
    problem: str = ""


def run(world: World, now: float) -> CheckResult:
    """Looks for the canaries of the last minutes, then sends the next one."""
    checks = world.settings.config.checks
    if not checks.canary:
        return CheckResult(NAME, now, "unknown", "Switched off (checks.canary)")
    if not world.settings.api_url:
        return CheckResult(NAME, now, "unknown", "Nowhere to send it: PULSEBOARD_API_URL is not set")
    latest = world.results.latest(NAME, now // 60 * 60, WAITING)
    waiting = tuple(Canary(**entry) for entry in latest.details.get(WAITING, ())) if latest else ()
    query = EventQuery(now - LOOK_BACK_SECONDS, now + PAUSE_SECONDS, entity_id=ENTITY)
    found = {event.event_id: event for event in world.events.search(query).events}
    sent = send(world.settings.api_url, world.settings.region, now)
    return judge(waiting, found, sent, now, checks.canary_limit_seconds)


def judge(
    waiting: Sequence[Canary], found: Mapping[str, EventRecord], sent: Sent, now: float, limit_seconds: float
) -> CheckResult:
    """What the canaries sent before have come to. ``found`` are those in the index, by event id. Pure.

    One that is not processed ``limit_seconds`` after it was sent is missing, until it is found or forgotten.
    """
    arrived = [found[canary.event_id] for canary in waiting if _processed(found.get(canary.event_id))]
    latencies = [round(1000 * max(0.0, (event.processed_at or 0.0) - event.received_at), 1) for event in arrived]
    slowest = max(latencies, default=None)
    left = [canary for canary in waiting if not _processed(found.get(canary.event_id))]
    left = [canary for canary in left if now - canary.sent_at < LOOK_BACK_SECONDS]
    missing = [canary for canary in left if now - canary.sent_at > limit_seconds]
    findings = [Finding(canary.event_id, _missing(canary, found.get(canary.event_id), now)) for canary in missing]
    if slowest is not None and slowest > 1000 * limit_seconds:
        findings.append(Finding("latency", f"it took {amount(slowest, UNIT)}, and may take {duration(limit_seconds)}"))
    if sent.problem:
        findings.append(Finding("ingest", sent.problem))
    kept = [*left, *((sent.canary,) if sent.canary else ())][-MOST_WAITING:]
    status: CheckStatus = "failed" if findings else "passed" if arrived else "unknown"
    if findings:
        sentence = f"The event that goes all the way did not arrive: {findings[0].sentence}"
    elif slowest is not None:
        sentence = f"The newest event went all the way in {amount(slowest, UNIT)}"
    else:
        sentence = "The newest event is on its way, and none has arrived of late"
    return CheckResult(
        NAME, now, status, sentence, slowest, UNIT, now - LOOK_BACK_SECONDS, now, tuple(findings),
        {WAITING: [asdict(canary) for canary in kept]},
    )  # fmt: skip


def event_at(now: float) -> dict[str, Any]:
    """The canary of a minute: sent twice, it is the same event."""
    minute = utc_text(now // 60 * 60)
    return {
        "source": CANARY_SOURCE,
        "event_type": CANARY_TYPE,
        "entity_id": ENTITY,
        "occurred_at": minute,
        "payload": {"minute": minute},
        "idempotency_key": minute,
    }


def send(api_url: str, region: str, now: float) -> Sent:
    """Sends the canary of ``now``, signed where there are credentials. Never raises for what the API does."""
    url = f"{api_url.rstrip('/')}/ingest"
    body = json.dumps(event_at(now)).encode()
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    if credentials := get_session().get_credentials():
        SigV4Auth(credentials, "execute-api", region).add_auth(request)
    try:
        answer = requests.post(url, data=body, headers=dict(request.headers), timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        return Sent(None, f"the API did not answer ({type(error).__name__})")
    if answer.status_code not in (200, 201):
        return Sent(None, f"the API answered {answer.status_code}")
    try:
        event_id = answer.json()["event_id"]
    except (ValueError, KeyError, TypeError):
        return Sent(None, "the API answered without an event id")
    return Sent(Canary(str(event_id), now))


def _processed(event: EventRecord | None) -> bool:
    return event is not None and event.status == "processed" and event.processed_at is not None


def _missing(canary: Canary, event: EventRecord | None, now: float) -> str:
    since = duration(now - canary.sent_at)
    if event is None:
        return f"taken by the API {since} ago, and not in the index"
    if event.status == "failed" and event.error is not None:
        return f"failed in {event.error.operator}: {event.error.error_type}"
    return f"indexed {since} ago, and not processed"
