"""What the actions of the Jobs page do: bodies to the services' calls, their results to one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.jobs import MAX_NAME, MOST_BATCHES, RetryPreview
from backend.replay.request import wants_dry_run
from dashboard.components.text import count
from dashboard.replay_actions import PAGE as REPLAYS
from dashboard.replay_actions import connected
from dashboard.services import Services

Body = Mapping[str, Any]
Content = dict[str, Any]

KNOWN: Final = ("job_name", "batches", "reason", "dry_run", "confirm")
NAMED: Final = 8
"""Batches that a sentence names; the rest is counted."""


def retry(services: Services, body: Body, who: str) -> Content:
    """Asks for batches of a job to run again, or with ``dry_run`` says exactly which would."""
    service = connected(services.retries, "Retries")
    for name, value in body.items():
        if name not in KNOWN:
            raise InvalidInput(name, value, f"is not known; use {', '.join(KNOWN)}")
    job, batches = _job(body), _batches(body)
    if wants_dry_run(body):
        return _previewed(service.preview(job, batches))
    replay = service.retry(job, batches, who, body["reason"], confirm=_confirmed(body))
    go = {"tab": "replays", "replay": replay.replay_id}
    return {
        "message": f"{count(replay.matched, 'batch', 'batches')} of {job} asked to run again",
        "replay_id": replay.replay_id,
        "matched": replay.matched,
        "at": REPLAYS,
        "go": go,
    }


def run_pipeline(services: Services, body: Body, who: str) -> Content:
    """Starts an execution of the state machine."""
    pipeline = connected(services.pipeline, "The state machine")
    for name, value in body.items():
        if name != "reason":
            raise InvalidInput(name, value, "is not known; give a reason")
    execution = pipeline.start(who, body["reason"])
    return {"message": f"Execution {execution.name} started", "execution": execution.name}


def _previewed(preview: RetryPreview) -> Content:
    names = [batch.batch for batch in preview.batches]
    sentence = f"{count(len(names), 'batch', 'batches')} would run{_listed(names)}"
    if preview.left_out:
        sentence += f"; {len(preview.left_out):,} left out{_reasons(preview.left_out)}"
    return {
        "message": f"{sentence}. Nothing was asked for",
        "would_send": len(names),
        "batches": names,
        "left_out": dict(preview.left_out),
    }


def _listed(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f": {', '.join(names[:NAMED])}{more}"


def _reasons(left_out: Mapping[str, str]) -> str:
    named = [f"{batch}: {reason}" for batch, reason in list(left_out.items())[:3]]
    return f" ({'; '.join(named)}{'; ...' if len(left_out) > 3 else ''})"


def _confirmed(body: Body) -> int | None:
    """The number of batches that the person typed, where it was asked for."""
    number = body.get("confirm")
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidInput("confirm", number, "must be the number of batches")
    return number


def _job(body: Body) -> str:
    name = body.get("job_name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput("job_name", name, "must be a job's name")
    return name


def _batches(body: Body) -> list[str]:
    """The batches named. Leaving them out never means all: a form with nothing ticked sends nothing."""
    names = body.get("batches")
    if not names or not isinstance(names, list):
        raise InvalidInput("batches", names, "must name the batches; tick them")
    if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in names):
        raise InvalidInput("batches", names, "must be a list of batches' names")
    if len(names) > MOST_BATCHES:
        raise InvalidInput("batches", len(names), f"are more than {MOST_BATCHES:,} at once")
    return list(dict.fromkeys(names))
