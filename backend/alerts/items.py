"""Alerts, their tracks, incidents, silences and annotations as items of the table ``Alerts``. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from backend.alerts.state import NO_ORDER, KnownIncident, Member, Order, Storm, Track
from backend.contract.alerts import Alert, AlertEvent, Annotation, Delivery, Incident, RuleWeek, Silence
from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.tables import CURRENT, DATA, FINGERPRINT, INCIDENTS, OPENED_AT, RULE_WEEK, SILENCES

VERSION: Final = "version"
OPEN_ALERTS: Final = "open_alerts"
LOOK_AT: Final = "look_at"
"""When time itself changes something about an open alert: what the sweep reads from the index."""
DELIVERY: Final = "delivery_"
"""How the attributes begin that say what a transport knows of an alert. Their writers are not the alert's."""
POINTER: Final = "@alert#"
"""Partition followed by an alert's short id: where the alert is."""
POINTER_ITEM: Final = "@pointer"
_ORDERS: Final = ("decided", "unsure")


def key(partition: str, sort: str) -> Item:
    """A key of the table."""
    return {FINGERPRINT: {"S": partition}, OPENED_AT: {"S": sort}}


def alert_key(fingerprint: str, opened_at: float) -> Item:
    """Where an alert is."""
    return key(fingerprint, utc_text(opened_at))


def alert_text(alert: Alert) -> str:
    """An alert as JSON, without its deliveries: those are attributes of their own."""
    record = {**asdict(alert), "labels": dict(alert.labels)}
    del record["deliveries"]
    return _json(record)


def alert_of(item: Mapping[str, Any]) -> Alert:
    """The alert of an item, with what was delivered, which is part of its timeline too."""
    record = json.loads(item[DATA]["S"])
    record["events"] = tuple(AlertEvent(**event) for event in record["events"])
    alert = Alert(**record)
    found = [json.loads(value["S"]) for name, value in sorted(item.items()) if name.startswith(DELIVERY)]
    deliveries = tuple(Delivery(**entry) for entry in found)
    events = [*alert.events, *(event for delivery in deliveries for event in _delivery_events(delivery))]
    events.sort(key=lambda event: event.at)
    return replace(alert, deliveries=deliveries, events=tuple(events))


def without_deliveries(alert: Alert) -> Alert:
    """An alert as its writers keep it: without what the readers add."""
    kept = tuple(event for event in alert.events if event.kind not in ("delivered", "delivery_failed"))
    return replace(alert, deliveries=(), events=kept)


def delivery_text(delivery: Delivery) -> str:
    """What one transport knows of an alert, as JSON."""
    return _json(asdict(delivery))


def track_item(fingerprint: str, track: Track, storm: Storm) -> Item:
    """The item that says how things stand with a fingerprint."""
    record: dict[str, Any] = {field.name: getattr(track, field.name) for field in fields(track)}
    for name in _ORDERS:
        if record[name] == NO_ORDER:
            del record[name]  # JSON has no infinity.
    if storm != Storm():
        record["storm"] = asdict(storm)
    return {
        **key(fingerprint, CURRENT),
        VERSION: {"N": str(track.version)},
        DATA: {"S": _json(record)},
    }


def track_of(item: Mapping[str, Any]) -> tuple[Track, Storm]:
    """How things stand with a fingerprint, and with the storms that it speaks for."""
    record = json.loads(item[DATA]["S"])
    storm = record.pop("storm", None)
    for name in _ORDERS:
        record[name] = Order(*record[name]) if name in record else NO_ORDER
    for name in ("seen", "opens", "told_to"):
        record[name] = tuple(record[name])
    known = {field.name: record[field.name] for field in fields(Track) if field.name in record}
    return Track(**known), _storm(storm) if storm else Storm()


def incident_item(known: KnownIncident, version: int) -> Item:
    """The item of an incident; its sort key, the id, sorts by time."""
    incident = known.incident
    return {
        **key(INCIDENTS, incident.incident_id),
        VERSION: {"N": str(version)},
        OPEN_ALERTS: {"S": _json(sorted(known.open_alerts))},
        DATA: {"S": _json({**asdict(incident), "links": dict(incident.links)})},
    }


def incident_of(item: Mapping[str, Any]) -> KnownIncident:
    """The incident of an item."""
    record = json.loads(item[DATA]["S"])
    record["events"] = tuple(AlertEvent(**event) for event in record["events"])
    open_alerts = frozenset(json.loads(item[OPEN_ALERTS]["S"]))
    return KnownIncident(Incident(**record), open_alerts, int(item[VERSION]["N"]))


def silence_item(silence: Silence) -> Item:
    """The item of a silence. The id begins with its end, so that what is over is not read."""
    return {**key(SILENCES, silence.silence_id), DATA: {"S": _json(asdict(silence))}}


def silence_of(item: Mapping[str, Any]) -> Silence:
    """The silence of an item."""
    return Silence(**json.loads(item[DATA]["S"]))


def annotation_of(item: Mapping[str, Any]) -> Annotation:
    """The posted annotation of an item."""
    return Annotation(**json.loads(item[DATA]["S"]))


def week_of_item(item: Mapping[str, Any]) -> RuleWeek:
    """The tuning figures of an item."""
    counters = {
        name: int(item[name]["N"]) if name in item else 0 for name in ("fired", "acknowledged_in_time", "noise")
    }
    return RuleWeek(item[OPENED_AT]["S"], item[FINGERPRINT]["S"].removeprefix(RULE_WEEK), **counters)


def _delivery_events(delivery: Delivery) -> list[AlertEvent]:
    events, said = [], f"{delivery.transport}: {delivery.problem}"
    if delivery.delivered_at is not None:
        noted = delivery.problem and delivery.failed_at is None
        events.append(AlertEvent(delivery.delivered_at, "delivered", said if noted else delivery.transport))
    if delivery.failed_at is not None:
        events.append(AlertEvent(delivery.failed_at, "delivery_failed", said))
    return events


def _storm(record: Mapping[str, Any]) -> Storm:
    members = tuple(Member(**member) for member in record["members"])
    return Storm(tuple(record["openings"]), members, record["incident_id"])


def _json(value: Any) -> str:
    """JSON with as few bytes as may be; half a surrogate pair, which is no UTF-8, stays an escape."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()
