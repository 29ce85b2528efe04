"""Which batches a retry asks for, why it leaves out others, and what it says to the job's workers. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.jobs import MOST_BATCHES, BatchPlan, BatchState, RetryPreview
from backend.contract.tables import JOB_NAME
from backend.settings import Settings

NOT_TAKEN_UP: Final = "has been asked for and not been taken up yet"


def retry_url(job_name: str, settings: Settings) -> str:
    """URL of the queue from which the job's workers take retries. Raises InvalidInput where there is none."""
    job = settings.config.jobs.get(job_name)
    url = (job.retry_queue if job else "") or settings.retry_queue_url
    if not url:
        remedy = "has no queue for retries; set RETRY_QUEUE_URL, or retry_queue of the job"
        raise InvalidInput(JOB_NAME, job_name, remedy, "not_connected")
    return url


def queue_name(url: str) -> str:
    """The queue's name, the last part of its URL."""
    return url.rstrip("/").rpartition("/")[2]


def preview_of(
    plan: BatchPlan,
    wanted: Sequence[str] | None,
    target: str,
    max_attempts: int | None = None,
    waiting: Collection[str] = (),
) -> RetryPreview:
    """Exactly which batches would be asked for: the ``wanted`` ones, or all that remain of the plan for None.

    In the order of the plan, each once. ``max_attempts`` leaves out those that had as many, ``waiting`` are those that
    were asked for already. Raises InvalidInput where more than ``MOST_BATCHES`` would be asked for.
    """
    known = {state.batch: state for state in plan.batches}
    asked = known.keys() if wanted is None else dict.fromkeys(wanted)
    left_out = {batch: f"is not in the plan of {plan.job_name}" for batch in asked if batch not in known}
    reasons = {batch: why_not(known[batch], max_attempts) for batch in asked if batch in known}
    left_out |= {batch: reason or NOT_TAKEN_UP for batch, reason in reasons.items() if reason or batch in waiting}
    batches = tuple(state for state in plan.batches if state.batch in asked and state.batch not in left_out)
    if len(batches) > MOST_BATCHES:
        raise InvalidInput("batches", len(batches), f"are too many for one retry; name at most {MOST_BATCHES}")
    return RetryPreview(plan.job_name, batches, left_out, target)


def why_not(state: BatchState, max_attempts: int | None = None) -> str:
    """Why a batch can't be asked for as it stands; empty where it can."""
    if state.status == "succeeded":
        return "has succeeded"
    if state.status == "running":
        until = "" if state.leased_until is None else f" (its worker holds it until {utc_text(state.leased_until)})"
        return f"is running now{until}"
    if max_attempts is not None and state.attempts >= max_attempts:
        return f"was tried {state.attempts} times; {max_attempts} attempts are allowed"
    return ""


def retry_body(job_name: str, state: BatchState, replay_id: str, requested_by: str) -> str:
    """The message that asks a worker for a batch. ``attempt`` is the one that it will be."""
    return json.dumps(
        {
            JOB_NAME: job_name,
            "batch": state.batch,
            "replay_id": replay_id,
            "requested_by": requested_by,
            "attempt": state.attempts + 1,
        }
    )


def retry_attributes(job_name: str) -> Mapping[str, Any]:
    """The message's attributes: whose it is, for who looks into the queue or routes by it."""
    return {JOB_NAME: {"DataType": "String", "StringValue": job_name}}
