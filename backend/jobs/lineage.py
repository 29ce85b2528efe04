"""OpenLineage's run events as runs: what is known of a run after any of its events, in any order. Pure.

Each event adds what it says to the run's facts. Where two say different things the later one counts (by its own time),
so that events that come out of order, or twice, end in the same facts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.jobs import MAX_ERROR_BYTES, MAX_NAME, JobRun
from backend.contract.ranges import OLDEST
from backend.jobs.run import MAX_RECORDS, cut

EVENT_TYPES: Final = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER")
_ENDS: Final = ("COMPLETE", "ABORT", "FAIL")
"""The later in this order counts where two come with the same time."""
_ERROR_CLASS: Final = re.compile(r"(?:[\w$]+\.)*([A-Za-z_$][\w$]*(?:Error|Exception))\b")
_SHORTENED: Final = 16
"""Hex digits that stand for what a long name loses."""

Said = tuple[float, str]
"""A time and what was said then; the greatest counts."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One run event. ``said`` are dataset, batch, records, error and the like, by name, where it says them."""

    job_name: str
    run_id: str
    kind: str
    at: float
    said: Mapping[str, str] = field(default_factory=dict)
    full_error: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run: when it was first and last heard of, and started (epoch s); how it ended; what was
    said."""

    job_name: str
    run_id: str
    first: float
    last: float
    started: float | None = None
    end: Said | None = None
    said: Mapping[str, Said] = field(default_factory=dict)

    def text(self) -> str:
        """The facts as JSON, the same for the same facts."""
        told = {name: list(value) for name, value in self.said.items()}
        plain = {"first": self.first, "last": self.last, "started": self.started,
                 "end": None if self.end is None else list(self.end), "said": told}  # fmt: skip
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def facts_of(job_name: str, run_id: str, text: str) -> Facts:
    """The facts that ``Facts.text`` wrote."""
    plain = json.loads(text)
    end = plain["end"]
    return Facts(job_name, run_id, plain["first"], plain["last"], plain["started"], tuple(end) if end else None,
                 {name: (value[0], value[1]) for name, value in plain["said"].items()})  # fmt: skip


def parse_event(record: Mapping[str, Any], now: float, future_seconds: float) -> RunEvent:
    """The run event of a request's body. Raises InvalidInput naming the field that is wrong."""
    run, job = _object(record, "run"), _object(record, "job")
    if not run or not job:
        remedy = "is missing: events of jobs and datasets without a run are not taken; send run events"
        raise InvalidInput("run" if not run else "job", None, remedy)
    kind = record.get("eventType", "OTHER")
    if kind not in EVENT_TYPES:
        raise InvalidInput("eventType", kind, f"must be one of {', '.join(EVENT_TYPES)}")
    _text(record, "producer", "")
    facets, job_facets = _object(run, "facets", "run."), _object(job, "facets", "job.")
    said: dict[str, str] = {}
    _say_outputs(record, said)
    error = _object(facets, "errorMessage", "run.facets.")
    if message := error.get("message"):
        said["error"] = cut(str(message), MAX_ERROR_BYTES)
    if nominal := _object(facets, "nominalTime", "run.facets.").get("nominalStartTime"):
        said["batch"] = str(nominal)[:MAX_NAME]
    if parent := _object(_object(facets, "parent", "run.facets."), "run", "run.facets.parent.").get("runId"):
        said["correlation_id"] = str(parent)[:MAX_NAME]
    if str(_object(job_facets, "jobType", "job.facets.").get("processingType")).upper() == "STREAMING":
        said["type"] = "streaming"
    trace = error.get("stackTrace")
    return RunEvent(
        job_name=_job_name(_text(job, "namespace", "job."), _text(job, "name", "job.")),
        run_id=_run_id(run.get("runId")),
        kind=kind,
        at=_time(record.get("eventTime"), now + future_seconds),
        said=said,
        full_error="\n".join(str(part) for part in (message, trace) if part) if trace else "",
    )


def merged(before: Facts | None, event: RunEvent) -> Facts:
    """The facts with what one more event says."""
    if before is None:
        before = Facts(event.job_name, event.run_id, event.at, event.at)
    said = dict(before.said)
    for name, value in event.said.items():
        said[name] = max(said.get(name, (event.at, value)), (event.at, value))
    started, end = before.started, before.end
    if event.kind == "START":
        started = event.at if started is None else min(started, event.at)
    if event.kind in _ENDS:
        new = (event.at, event.kind)
        end = new if end is None else max(end, new, key=lambda entry: (entry[0], _ENDS.index(entry[1])))
    return replace(before, first=min(before.first, event.at), last=max(before.last, event.at), started=started,
                   end=end, said=said)  # fmt: skip


def run_from(facts: Facts, environment: str) -> JobRun:
    """The run as its facts tell it. One whose start was never heard of began when it was first heard of.

    It has no heartbeat: nobody has to send events while it runs, so silence says nothing.
    """
    said = {name: value for name, (_, value) in facts.said.items()}
    started = facts.first if facts.started is None else facts.started
    run = JobRun(
        job_name=facts.job_name,
        run_id=facts.run_id,
        status="STARTED",
        started_at=utc_seconds(utc_text(started)),
        type="streaming" if "type" in said else "batch",
        dataset=said.get("dataset", ""),
        batch=said.get("batch", ""),
        records=int(said["records"]) if "records" in said else None,
        worker=said.get("producer", ""),
        correlation_id=said.get("correlation_id", facts.run_id),
        error_key=said.get("error_key", ""),
        environment=environment,
    )
    if facts.end is None:
        return run
    at, kind = facts.end
    # An end before the start can only be two clocks: the run has no length then, rather than a negative one.
    ended = replace(run, status="SUCCESS" if kind == "COMPLETE" else "FAILED", ended_at=max(at, run.started_at))
    if kind == "COMPLETE":
        return replace(ended, error_key="")
    error = said.get("error") or ("aborted" if kind == "ABORT" else "failed, and did not say why")
    named = _ERROR_CLASS.match(error)
    fallback = "Aborted" if kind == "ABORT" else "Failed"
    return replace(ended, error=error, error_type=named.group(1)[:MAX_NAME] if named else fallback)


def _say_outputs(record: Mapping[str, Any], said: dict[str, str]) -> None:
    outputs = record.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(entry, dict) for entry in outputs):
        raise InvalidInput("outputs", outputs, "must be a list of objects")
    said["producer"] = cut(str(record["producer"]), MAX_NAME)
    if not outputs:
        return
    said["dataset"] = _joined(_text(outputs[0], "namespace", "outputs[0]."), _text(outputs[0], "name", "outputs[0]."))
    statistics = _object(
        _object(outputs[0], "outputFacets", "outputs[0]."), "outputStatistics", "outputs[0].outputFacets."
    )
    rows = statistics.get("rowCount")
    if rows is None:
        return
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows <= MAX_RECORDS:
        field_name = "outputs[0].outputFacets.outputStatistics.rowCount"
        raise InvalidInput(field_name, rows, "must be a whole number of 0 or more")
    said["records"] = str(rows)


def _object(record: Mapping[str, Any], name: str, prefix: str = "") -> Mapping[str, Any]:
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{prefix}{name}", value, "must be a JSON object")
    return value


def _text(record: Mapping[str, Any], name: str, prefix: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{prefix}{name}", value, "must be a text that is not empty")
    return value


def _job_name(namespace: str, name: str) -> str:
    joined = _joined(namespace, name)
    if joined.startswith("@"):
        raise InvalidInput("job.namespace", namespace, "must not begin with @, which names Pulseboard's own records")
    return joined


def _joined(namespace: str, name: str) -> str:
    """``<namespace>/<name>`` in one line; of a longer one the beginning, and a hash of all."""
    joined = "".join(character if character.isprintable() else " " for character in f"{namespace}/{name}")
    if len(joined) <= MAX_NAME:
        return joined
    digest = hashlib.sha256(joined.encode("utf-8", "backslashreplace")).hexdigest()[:_SHORTENED]
    return f"{joined[: MAX_NAME - _SHORTENED - 1]}~{digest}"


def _run_id(value: object) -> str:
    try:
        return str(UUID(value)) if isinstance(value, str) else _no_uuid(value)
    except ValueError:
        return _no_uuid(value)


def _no_uuid(value: object) -> str:
    raise InvalidInput("run.runId", value, "must be a UUID")


def _time(value: object, latest: float) -> float:
    remedy = "must be a time with a zone, such as 2026-11-21T15:46:35Z"
    if not isinstance(value, str):
        raise InvalidInput("eventTime", value, remedy)
    try:
        instant = datetime.fromisoformat(value)
        seconds = instant.timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput("eventTime", value, remedy) from None
    if instant.tzinfo is None:
        raise InvalidInput("eventTime", value, remedy)
    if not OLDEST <= seconds <= latest:
        raise InvalidInput("eventTime", value, "must lie between 2000 and now; set the sender's clock right")
    return seconds
