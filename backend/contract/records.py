"""What travels: samples, checked field by field. No I/O."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from backend.contract.errors import InvalidInput

DEFAULT_REGION: Final = "us-east-1"
DEFAULT_ENVIRONMENT: Final = "production"
NAMESPACE: Final = uuid.UUID("5f0c5c1e-6d0b-5a0e-9a63-0b6f6f1f6a11")
LARGEST_VALUE: Final = 1e38
"""DynamoDB keeps 38 digits of a number; larger magnitudes are refused instead of being rounded in silence."""
SMALLEST_VALUE: Final = 1e-130
MAX_TEXT: Final = 1024
"""Longest metric_id, hostname or label; DynamoDB's partition key takes 2,048 bytes."""
MAX_LABELS: Final = 32
REGION: Final = "region"
"""The one ``group_by`` besides ``hostname`` that samples carry as a field; a label of that name goes first."""
OLDEST_TIMESTAMP: Final = 946_684_800
"""2000-01-01T00:00:00Z: nothing older is taken, backfill or not."""
_FARTHEST: Final = 1e15
"""No time that anybody means; also keeps integers out that no float holds."""


class Sample(NamedTuple):
    """One measurement. ``timestamp`` is epoch seconds (int, or float with ms precision); ``value`` is finite.

    ``observations`` belongs to histograms: ``[[value, count], ...]`` measured since the sample before; ``value`` is
    then their mean. A histogram sample without observations is one observation of ``value``.
    """

    metric_id: str
    timestamp: float
    metric_type: str
    value: float
    unit: str
    hostname: str
    region: str
    environment: str
    labels: Mapping[str, str]
    observations: Sequence[Sequence[float]] | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON object of one line of a metrics file; empty labels and observations are left out."""
        record: dict[str, Any] = self._asdict()
        for name in ("labels", "observations"):
            if not record[name]:
                del record[name]
        return record


def metric_id(hostname: str, metric_type: str, labels: Mapping[str, str], timestamp: float) -> str:
    """UUIDv5 over the sample's identity (RFC 9562 section 5.5), so that a second delivery overwrites the first."""
    instant = whole_seconds(timestamp)
    name = json.dumps([hostname, metric_type, sorted(labels.items()), instant], separators=(",", ":"))
    return str(uuid.uuid5(NAMESPACE, name))


def derived_id(*parts: object) -> str:
    """UUIDv5 over any parts: ids of rollup and bookkeeping items, equal for equal parts."""
    digest = hashlib.sha1(NAMESPACE.bytes + "\x1f".join(map(str, parts)).encode(), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def make_sample(
    *,
    timestamp: float,
    metric_type: str,
    value: float,
    hostname: str,
    unit: str = "",
    region: str = DEFAULT_REGION,
    environment: str = DEFAULT_ENVIRONMENT,
    labels: Mapping[str, str] | None = None,
    observations: Sequence[Sequence[float]] | None = None,
) -> Sample:
    """A sample with its derived ``metric_id``, as collectors make it."""
    labels = labels or {}
    timestamp = whole_seconds(timestamp)
    identity = metric_id(hostname, metric_type, labels, timestamp)
    return Sample(identity, timestamp, metric_type, value, unit, hostname, region, environment, labels, observations)


def parse_sample(record: object) -> Sample:
    """The sample of one decoded JSON object.

    Raises InvalidInput naming the first field that is missing, of the wrong type or out of bounds.
    """
    if not isinstance(record, dict):
        raise InvalidInput("line", record, "must be a JSON object with one sample", "not_an_object")
    identity = record.get("metric_id")
    metric_type = record.get("metric_type")
    hostname = record.get("hostname")
    for name, text in (("metric_id", identity), ("metric_type", metric_type), ("hostname", hostname)):
        if type(text) is not str or not text or len(text) > MAX_TEXT:
            raise _bad_text(record, name)
    timestamp = record.get("timestamp")
    value = record.get("value")
    if type(timestamp) is not int and type(timestamp) is not float:
        raise _bad_number(record, "timestamp")
    if type(value) is not float and type(value) is not int:
        raise _bad_number(record, "value")
    if not abs(timestamp) < _FARTHEST:
        raise InvalidInput("timestamp", timestamp, "must be finite epoch seconds", "wrong_type")
    if value and not SMALLEST_VALUE <= abs(value) < LARGEST_VALUE:
        raise InvalidInput("value", value, "must be finite and below 1e38 (DynamoDB keeps 38 digits)", "out_of_range")
    labels = record.get("labels") or {}
    observations = record.get("observations")
    if labels:
        labels = _labels(labels)
    if observations is not None:
        _check_observations(observations)
    region = record.get("region") or DEFAULT_REGION
    environment = record.get("environment") or DEFAULT_ENVIRONMENT
    unit = record.get("unit") or ""
    for name, text in (("region", region), ("environment", environment), ("unit", unit)):
        if type(text) is not str or len(text) > MAX_TEXT:
            raise _bad_text(record, name)
    if timestamp.__class__ is float:
        timestamp = whole_seconds(timestamp)
    return Sample(
        identity,  # type: ignore[arg-type]
        timestamp,
        metric_type,  # type: ignore[arg-type]
        value,
        unit,
        hostname,  # type: ignore[arg-type]
        region,
        environment,
        labels,
        observations,
    )


def whole_seconds(timestamp: float) -> float:
    """An int where the time is whole, else milliseconds' precision: one form for one instant."""
    whole = int(timestamp)
    return whole if whole == timestamp else round(timestamp, 3)


def group_and_series(sample: Sample, group_by: str | None) -> tuple[str, str]:
    """The line a sample belongs to, and the series within that line (a counter is differenced per series).

    The group is the value of the catalogue's ``group_by`` label ("" without one), of a region without a label the
    sample's own; the series is what else tells two sources of one line apart: host and remaining labels.
    """
    labels = sample.labels
    if group_by == "hostname":
        return sample.hostname, (_canonical(labels) if labels else "")
    if group_by is None:
        return "", (sample.hostname + "|" + _canonical(labels) if labels else sample.hostname)
    group = labels.get(group_by) or (sample.region if group_by == REGION else "")
    if len(labels) == 1 and group:
        return group, sample.hostname
    return group, sample.hostname + "|" + _canonical({k: v for k, v in labels.items() if k != group_by})


def _canonical(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def _labels(labels: object) -> dict[str, str]:
    if not isinstance(labels, dict) or len(labels) > MAX_LABELS:
        raise InvalidInput("labels", labels, f"must be an object of at most {MAX_LABELS} texts", "wrong_type")
    for key, text in labels.items():
        if not isinstance(text, str | int | float) or len(str(text)) > MAX_TEXT or len(key) > MAX_TEXT:
            raise InvalidInput(f"labels.{key}", text, "must be a short text", "wrong_type")
    return {key: str(text) for key, text in labels.items()}


def _check_observations(observations: object) -> None:
    fits = isinstance(observations, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(n) in (int, float) and math.isfinite(n) and 0 <= n < LARGEST_VALUE for n in pair)
        for pair in observations
    )
    if not fits:
        raise InvalidInput("observations", observations, "must be a list of [value, count] pairs", "wrong_type")


def _bad_text(record: Mapping[str, Any], name: str) -> InvalidInput:
    if name not in record:
        return InvalidInput(name, None, "is required; add it as a text", "missing_field")
    return InvalidInput(name, record[name], f"must be a text of 1 to {MAX_TEXT} characters", "wrong_type")


def _bad_number(record: Mapping[str, Any], name: str) -> InvalidInput:
    if name not in record:
        return InvalidInput(name, None, "is required; add it as a number", "missing_field")
    return InvalidInput(name, record[name], "must be a JSON number", "wrong_type")
