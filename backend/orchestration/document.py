"""What the states of an execution decide, on the document that goes from one to the next. Pure.

A state adds its part: ``generated`` (the collector's), ``processing``, ``quality``. Where it finds that the execution
has failed it adds ``failure`` in the form in which Step Functions gives a caught error: ``Error`` and ``Cause``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput
from backend.settings import CollectorSource

Document = Mapping[str, Any]
NAMED: Final = 5
"""Objects and metrics that a sentence names; the rest is counted."""
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "synthetic": ("cpu_utilization", "memory_usage", "disk_usage", "network_in", "network_out"),
    # Rates of network need two looks, and a function has had only one.
    "host": ("cpu_utilization", "memory_usage", "disk_usage"),
    "prometheus": ("up",),
}
"""What a source always brings, whatever it looks at."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What the collector wrote for this execution. Times are epoch seconds; ``objects`` are keys."""

    at: float
    ended_at: float
    samples: int
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the processor recorded of an object once all of it was written. ``metrics`` are those it held."""

    key: str
    samples: int
    stored: int
    merged: int
    quarantined: int
    metrics: tuple[str, ...]


def generated_of(document: Document) -> Generated:
    """The collector's part. Raises InvalidInput where it is missing or has another form."""
    part = document.get("generated")
    try:
        if not isinstance(part, Mapping) or not isinstance(part["objects"], list):
            raise TypeError
        keys = tuple(str(key) for key in part["objects"])
        return Generated(float(part["at"]), float(part["ended_at"]), int(part["samples"]), keys)
    except (KeyError, TypeError, ValueError):
        remedy = "must be what data-collector answers: at, ended_at, samples, objects; deploy function and template"
        raise InvalidInput("generated", part, f"{remedy} of the same version") from None


def checked_processing(
    document: Document, receipts: Iterable[Receipt], now: float, within_seconds: float
) -> dict[str, Any]:
    """The document with ``processing``: ``complete``, ``waiting``, or past the deadline ``failed``, naming what lacks.

    The deadline counts from when the collector had ended.
    """
    generated = generated_of(document)
    found = {receipt.key: receipt for receipt in receipts}
    missing = [key for key in generated.objects if key not in found]
    late = now - generated.ended_at > within_seconds
    status = "complete" if not missing else "failed" if late else "waiting"
    part = {
        "status": status,
        "checked_at": now,
        "objects": len(generated.objects),
        "missing": missing[:NAMED],
        "samples": sum(receipt.samples for receipt in found.values()),
        "stored": sum(receipt.stored for receipt in found.values()),
        "merged": sum(receipt.merged for receipt in found.values()),
        "quarantined": sum(receipt.quarantined for receipt in found.values()),
        "metrics": sorted({metric for receipt in found.values() for metric in receipt.metrics}),
    }
    checked = {**document, "processing": part}
    if status == "failed":
        was = "object was" if len(generated.objects) == 1 else "objects were"
        sentence = (
            f"{len(missing)} of {len(generated.objects)} {was} not processed within {within_seconds:g} s: "
            f"{listed(missing)}; look at log-processor-dlq and at the log of log-processor"
        )
        checked["failure"] = {"Error": "ProcessingIncomplete", "Cause": sentence}
    return checked


def checked_quality(document: Document, required: Sequence[str], limit_percent: float) -> dict[str, Any]:
    """The document with ``quality``: whether what was generated is what was stored, and all of it that must be there.

    ``limit_percent`` is the share of samples that may be quarantined. Raises InvalidInput for a document without
    ``processing``.
    """
    generated, processing = generated_of(document), document.get("processing")
    if not isinstance(processing, Mapping):
        raise InvalidInput("processing", processing, "is missing; validate what CheckProcessingStatus has looked at")
    read, quarantined = int(processing["samples"]), int(processing["quarantined"])
    percent = 100 * quarantined / read if read else 0.0
    lacking = [metric for metric in required if metric not in processing["metrics"]]
    problems = []
    if not generated.samples:
        problems.append("the collector brought no samples")
    elif read != generated.samples:
        problems.append(f"the collector wrote {generated.samples:,} samples and the processor read {read:,}")
    if percent > limit_percent:
        problems.append(f"{quarantined:,} of {read:,} samples were quarantined ({percent:.1f} %)")
    if lacking:
        problems.append(f"required metrics are missing: {listed(lacking)}")
    status = "failed" if problems else "passed"
    part = {"status": status, "quarantined_percent": round(percent, 3), "required": list(required), "missing": lacking}
    checked = {**document, "quality": part}
    if problems:
        checked["failure"] = {"Error": "DataQualityFailed", "Cause": "; ".join(problems)}
    return checked


def required_metrics(sources: Iterable[CollectorSource], catalogue: Catalogue, environment: str) -> list[str]:
    """What the configured sources of an environment always bring, less what they leave out."""
    found: dict[str, None] = {}
    for source in sources:
        if source.environment in (None, environment):
            found |= dict.fromkeys(name for name in _REQUIRED.get(source.source, ()) if name not in source.leave_out)
    return [name for name in found if name in catalogue]


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
