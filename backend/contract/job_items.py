"""Items of ``JobRuns`` and ``DatasetStatus``: one spelling for writers and readers. No I/O.

Items are DynamoDB's own JSON, ``{"job_name": {"S": "..."}}``. What is not known has no attribute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal, cast

from backend.contract.events import utc_seconds, utc_text
from backend.contract.jobs import (
    BatchPlan,
    BatchState,
    BatchStatus,
    DatasetState,
    DatasetStatus,
    JobRun,
    VolumeFinding,
)
from backend.contract.tables import (
    BATCHES,
    DATASET,
    EXPIRES_AT,
    JOB_NAME,
    PLAN,
    PLANS,
    RUN_KEY,
    STARTED_AT,
    STATUS_DAY,
)

Item = dict[str, Any]
RUN_RETENTION_SECONDS: Final = 400 * 86_400
LEASE_ALLOWANCE_SECONDS: Final = 5.0
"""A lease counts as over so long after its end: answers tell the time by whole seconds, and take a while to come."""
LAST: Final = "@last"
"""Sort key in a job's partition of batches: how the last run without a batch ended."""
MAX_BATCH_ERROR: Final = 500
"""Characters of an error that a batch's item keeps; the run has more."""

_TEXTS: Final = (
    "run_id", "status", "type", "batch", "error", "error_type", "error_key", "worker", "correlation_id",
    "environment", "requested_by",
)  # fmt: skip
_TIMES: Final = (STARTED_AT, "ended_at", "heartbeat_at")
_NUMBERS: Final = ("attempt", "records", "progress", "fence", "limit_seconds")
_WHOLE: Final = ("attempt", "records", "fence")

HeldStatus = Literal["running", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's item: how far it is, and its lease. Times are epoch seconds, of DynamoDB's clock where it is known.

    ``lease_until`` means something while it is running. ``beats`` counts the heartbeats of the holder.
    """

    job_name: str
    batch: str
    status: HeldStatus
    attempts: int
    fence: int
    run_id: str
    run_key: str
    worker: str
    lease_until: float
    beats: int
    updated_at: float
    error: str = ""
    error_type: str = ""

    def held(self, now: float) -> bool:
        """Whether a worker has it at ``now``."""
        return self.status == "running" and now <= self.lease_until + LEASE_ALLOWANCE_SECONDS

    def state(self, now: float) -> BatchState:
        """The batch as pages show it at ``now``: pending again where its worker is gone."""
        held = self.held(now)
        status: BatchStatus = "pending" if self.status == "running" and not held else self.status
        return BatchState(
            batch=self.batch,
            status=status,
            attempts=self.attempts,
            run_id=self.run_id,
            updated_at=self.updated_at,
            leased_until=self.lease_until if held else None,
            error=self.error,
            error_type=self.error_type,
        )


def run_key_of(job_name: str, run_key: str) -> Item:
    """The key of a run's item."""
    return {JOB_NAME: {"S": job_name}, RUN_KEY: {"S": run_key}}


def status_day(status: str, started_at: float) -> str:
    """Partition of the index by status and UTC day: ``STARTED#2026-11-21``."""
    return f"{status}#{utc_text(started_at)[:10]}"


def run_item(run: JobRun) -> Item:
    """The whole item of a run. Times are kept by the millisecond."""
    item = run_key_of(run.job_name, run.run_key)
    item |= {name: {"S": text} for name in _TEXTS if (text := getattr(run, name))}
    item |= {name: {"S": utc_text(at)} for name in _TIMES if (at := getattr(run, name)) is not None}
    item |= {name: {"N": number_text(value)} for name in _NUMBERS if (value := getattr(run, name)) is not None}
    item[STATUS_DAY] = {"S": status_day(run.status, run.started_at)}
    item[EXPIRES_AT] = {"N": str(int(run.started_at) + RUN_RETENTION_SECONDS)}
    if run.dataset:
        item[DATASET] = {"S": run.dataset}
    if run.synthetic:
        item["synthetic"] = {"BOOL": True}
    return item


def run_of(item: Mapping[str, Any]) -> JobRun:
    """The run of an item. Raises KeyError for an item that is not a run's."""
    found: dict[str, Any] = {JOB_NAME: item[JOB_NAME]["S"], "run_id": item["run_id"]["S"]}
    found |= {name: item[name]["S"] for name in (*_TEXTS, DATASET) if name in item}
    found |= {name: utc_seconds(item[name]["S"]) for name in _TIMES if name in item}
    found |= {name: float(item[name]["N"]) for name in _NUMBERS if name in item}
    # Not through a float, which has but 53 bits.
    found |= {name: int(Decimal(item[name]["N"])) for name in _WHOLE if name in item}
    if "synthetic" in item:
        found["synthetic"] = item["synthetic"]["BOOL"]
    return JobRun(**found)


def number_text(value: float) -> str:
    """A number as DynamoDB takes it: up to 38 digits, no exponent beyond 125."""
    return str(value) if isinstance(value, int) else format(value, ".15g")


def batches_partition(job_name: str) -> str:
    """Partition of a job's batches, its plan and its last run's end."""
    return f"{BATCHES}{job_name}"


def batch_key(job_name: str, batch: str) -> Item:
    """The key of a batch's item."""
    return {JOB_NAME: {"S": batches_partition(job_name)}, RUN_KEY: {"S": batch}}


def batch_item(batch: Batch) -> Item:
    """The whole item of a batch."""
    texts = {
        **{name: getattr(batch, name) for name in ("status", "run_id", "worker", "error", "error_type")},
        "last_run_key": batch.run_key,
        "updated_at": utc_text(batch.updated_at),
    }
    numbers = {name: getattr(batch, name) for name in ("attempts", "fence", "lease_until", "beats")}
    return {
        **batch_key(batch.job_name, batch.batch),
        **{name: {"S": text} for name, text in texts.items() if text},
        **{name: {"N": number_text(value)} for name, value in numbers.items()},
    }


def batch_of(item: Mapping[str, Any]) -> Batch:
    """The batch of an item. Raises KeyError for an item that is not a batch's."""
    return Batch(
        job_name=item[JOB_NAME]["S"].removeprefix(BATCHES),
        batch=item[RUN_KEY]["S"],
        status=cast("HeldStatus", item["status"]["S"]),
        attempts=int(item["attempts"]["N"]),
        fence=int(item["fence"]["N"]),
        run_id=item["run_id"]["S"],
        run_key=item["last_run_key"]["S"],
        worker=item["worker"]["S"] if "worker" in item else "",
        lease_until=float(item["lease_until"]["N"]),
        beats=int(item["beats"]["N"]),
        updated_at=utc_seconds(item["updated_at"]["S"]),
        error=item["error"]["S"] if "error" in item else "",
        error_type=item["error_type"]["S"] if "error_type" in item else "",
    )


def plan_items(job_name: str, batches: Sequence[str], planned_at: float) -> tuple[Item, Item]:
    """What ``pending`` registers: the plan itself, and the job's entry among the jobs that have one."""
    at = {"S": utc_text(planned_at)}
    text = json.dumps(list(batches), ensure_ascii=False, separators=(",", ":"))
    plan = {**batch_key(job_name, PLAN), "batches": {"S": text}, "planned_at": at}
    return plan, {JOB_NAME: {"S": PLANS}, RUN_KEY: {"S": job_name}, "planned_at": at}


def planned(items: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], float | None]:
    """The batches that were last asked for and when, among the items of a job's partition; nothing and None if none."""
    for item in items:
        if item[RUN_KEY]["S"] == PLAN:
            return tuple(json.loads(item["batches"]["S"])), utc_seconds(item["planned_at"]["S"])
    return (), None


def batches_of(items: Sequence[Mapping[str, Any]]) -> dict[str, Batch]:
    """The batches among the items of a job's partition, by name."""
    found = (batch_of(item) for item in items if not item[RUN_KEY]["S"].startswith("@"))
    return {batch.batch: batch for batch in found}


def plan_of(job_name: str, items: Sequence[Mapping[str, Any]], now: float) -> BatchPlan | None:
    """The plan of a job from all items of its partition, as it stands at ``now``; None where it has no batches.

    Without a plan it is the batches that were ever run, by name, and ``planned_at`` is None.
    """
    batches = batches_of(items)
    names, planned_at = planned(items)
    if planned_at is None and not batches:
        return None
    wanted = names if planned_at is not None else sorted(batches)
    states = (batches[name].state(now) if name in batches else BatchState(name, "pending") for name in wanted)
    return BatchPlan(job_name, tuple(states), planned_at)


_DATASET_TEXTS: Final = ("state", "last_run_id", "job_name", "calendar", "volume_note", "environment")
_DATASET_TIMES: Final = ("checked_at", "last_success_at", "due_at")
_DATASET_NUMBERS: Final = ("records", "freshness_minutes", "sla_minutes")


def dataset_item(status: DatasetStatus) -> Item:
    """The item of a dataset's status."""
    item: Item = {DATASET: {"S": status.dataset}}
    item |= {name: {"S": text} for name in _DATASET_TEXTS if (text := getattr(status, name))}
    item |= {name: {"S": utc_text(at)} for name in _DATASET_TIMES if (at := getattr(status, name)) is not None}
    item |= {
        name: {"N": number_text(value)} for name in _DATASET_NUMBERS if (value := getattr(status, name)) is not None
    }
    if status.synthetic:
        item["synthetic"] = {"BOOL": True}
    if status.volume is not None:
        volume = {entry.name: getattr(status.volume, entry.name) for entry in fields(status.volume)}
        item["volume"] = {"S": json.dumps(volume)}
    return item


def dataset_of(item: Mapping[str, Any]) -> DatasetStatus:
    """The status of a dataset's item. Raises KeyError for an item that is none."""
    given: dict[str, Any] = {
        entry.name: entry.default for entry in fields(DatasetStatus) if entry.default is not MISSING
    }
    given |= {name: item[name]["S"] for name in _DATASET_TEXTS if name in item}
    given |= {name: utc_seconds(item[name]["S"]) for name in _DATASET_TIMES if name in item}
    given |= {name: float(item[name]["N"]) for name in _DATASET_NUMBERS if name in item}
    given["dataset"] = item[DATASET]["S"]
    given["state"] = cast("DatasetState", item["state"]["S"])
    given["checked_at"] = utc_seconds(item["checked_at"]["S"])
    if given["records"] is not None:
        given["records"] = int(given["records"])
    if "synthetic" in item:
        given["synthetic"] = item["synthetic"]["BOOL"]
    if "volume" in item:
        given["volume"] = VolumeFinding(**json.loads(item["volume"]["S"]))
    return DatasetStatus(**given)
