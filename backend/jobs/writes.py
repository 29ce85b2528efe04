"""Writes to ``JobRuns`` as DynamoDB takes them, each with its condition. Pure; the table is the store's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.events import utc_text
from backend.contract.job_items import (
    LAST,
    MAX_BATCH_ERROR,
    Batch,
    Item,
    batch_item,
    batch_key,
    number_text,
    run_item,
    run_key_of,
)
from backend.contract.jobs import JobRun
from backend.contract.tables import RUN_KEY, STATUS_DAY
from backend.jobs.lease import LOST_TYPE, Take, ended_status, lease_until

_NEW: Final = f"attribute_not_exists({RUN_KEY})"
_OURS: Final = "run_id = :run AND fence = :fence"
_STATUS: Final = {"#status": "status"}
_STARTED: Final = {":started": {"S": "STARTED"}}


def new_run(run: JobRun) -> Item:
    """Puts a run that is not there yet."""
    return {"Item": run_item(run), "ConditionExpression": _NEW}


def ended_run(run: JobRun) -> Item:
    """Puts a run as it ended: over what runs, over what never came, and over itself, so that twice changes nothing."""
    item = run_item(run)
    return {
        "Item": item,
        "ConditionExpression": f"{_NEW} OR #status = :started OR (#status = :status AND ended_at = :ended)",
        "ExpressionAttributeNames": _STATUS,
        "ExpressionAttributeValues": {**_STARTED, ":status": item["status"], ":ended": item["ended_at"]},
    }


def last_run(run: JobRun) -> Item:
    """Puts how the last run without a batch ended."""
    return {"Item": {**batch_key(run.job_name, LAST), "status": {"S": run.status}, "run_id": {"S": run.run_id}}}


def new_batch(batch: Batch, seen: Batch | None) -> Item:
    """Puts a batch's item where it is still as it was ``seen``."""
    if seen is None:
        return {"Item": batch_item(batch), "ConditionExpression": _NEW}
    return {
        "Item": batch_item(batch),
        "ConditionExpression": "fence = :fence AND beats = :beats AND #status = :status",
        "ExpressionAttributeNames": _STATUS,
        "ExpressionAttributeValues": {
            ":fence": {"N": str(seen.fence)}, ":beats": {"N": str(seen.beats)}, ":status": {"S": seen.status},
        },
    }  # fmt: skip


def lost_run(wanted: Take) -> Item:
    """Marks the run as FAILED whose worker is gone, where it is still STARTED."""
    run = wanted.run
    at = run.started_at if run.heartbeat_at is None else run.heartbeat_at
    changes = {
        "status": {"S": "FAILED"},
        STATUS_DAY: {"S": f"FAILED#{wanted.dead[: len('2026-11-21')]}"},
        "ended_at": {"S": utc_text(at)},
        "error": {"S": f"worker lost; taken over by {run.worker}"},
        "error_type": {"S": LOST_TYPE},
    }
    return _update(run_key_of(run.job_name, wanted.dead), changes, "#status = :started", _STARTED)


def ended_batch(run: JobRun) -> Item:
    """Ends the batch with its run, where the run still has it or had it last."""
    changes = {
        "status": {"S": ended_status(run)},
        "updated_at": {"S": utc_text(run.started_at if run.settled_at is None else run.settled_at)},
        "lease_until": {"N": "0"},
        "error": {"S": run.error[:MAX_BATCH_ERROR]},
        "error_type": {"S": run.error_type},
    }
    return _update(batch_key(run.job_name, run.batch), changes, _OURS, _owner(run))


def beating_run(run: JobRun, now: float) -> Item:
    """Notes that a run goes on, with what it tells of itself."""
    changes = {"heartbeat_at": {"S": utc_text(now)}}
    changes |= {
        name: {"N": number_text(value)} for name in ("records", "progress") if (value := getattr(run, name)) is not None
    }
    return _update(run_key_of(run.job_name, run.run_key), changes, "#status = :started", _STARTED)


def renewed_batch(run: JobRun, now: float) -> Item:
    """Moves the lease's end on, where the run still has it."""
    update = _update(
        batch_key(run.job_name, run.batch),
        {"lease_until": {"N": number_text(lease_until(now))}},
        f"{_OURS} AND #status = :running",
        {**_owner(run), ":running": {"S": "running"}, ":one": {"N": "1"}},
    )
    update["UpdateExpression"] += " ADD beats :one"
    return update


def _owner(run: JobRun) -> Item:
    return {":run": {"S": run.run_id}, ":fence": {"N": str(run.fence)}}


def _update(key: Item, changes: Mapping[str, Any], condition: str, values: Item) -> Item:
    return {
        "Key": key,
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :new_{name}" for name in changes),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": _STATUS | {f"#{name}": name for name in changes},
        "ExpressionAttributeValues": values | {f":new_{name}": value for name, value in changes.items()},
    }
