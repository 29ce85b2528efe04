"""The doctor's checks of events, jobs and alerts: tables, queues, how long raw events are kept, plug-ins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from botocore.exceptions import ClientError

from backend.aws import Clients
from backend.checks.daily import external_count
from backend.contract.errors import InvalidInput
from backend.contract.tables import (
    CORRELATION_INDEX,
    DATASET_INDEX,
    DAY_INDEX,
    ERROR_DAY_INDEX,
    EVENT_ID_INDEX,
    EVENTS_PREFIX,
    EXPIRES_AT,
    SOURCE_DAY_INDEX,
    STATE_INDEX,
    STATUS_DAY_INDEX,
    TYPE_DAY_INDEX,
)
from backend.events.plugins import processor_plugins, replay_message
from backend.settings import VARIABLES, Settings
from pulseboard.findings import Finding, messages, waiting_messages

Check = tuple[str, Callable[[Settings, Clients], Finding]]

EVENT_INDEXES: Final = (EVENT_ID_INDEX, CORRELATION_INDEX, TYPE_DAY_INDEX, SOURCE_DAY_INDEX, ERROR_DAY_INDEX)
TABLES: Final = {
    "gate_table": ((), True),
    "events_table": (EVENT_INDEXES, True),
    "aggregates_table": ((), True),
    # Replays, the audit log, display tokens and what datasets there are is never deleted.
    "replays_table": ((DAY_INDEX,), False),
    "tokens_table": ((), False),
    "job_runs_table": ((STATUS_DAY_INDEX, DATASET_INDEX), True),
    "datasets_table": ((), False),
    "alerts_table": ((STATE_INDEX,), True),
}
"""Field of Settings to the table's indexes, and whether its items expire."""
_DEPLOY: Final = "deploy infra/template.yaml again"


def event_checks(settings: Settings) -> list[Check]:
    """Every check with its subject, in the order in which they are told."""
    tables: list[Check] = [(_table_subject(settings, name), partial(_table, name)) for name in TABLES]
    return [
        *tables,
        ("event queue", partial(_queue, "event queue", "event_queue_url")),
        ("events' dead letters", _dead_letters),
        ("replay queue", partial(_queue, "replay queue", "replay_queue_url")),
        ("retry queue", partial(_queue, "retry queue", "retry_queue_url")),
        ("raw events", _lifecycle),
        ("plug-ins", _plugins),
        ("outside count", _outside_count),
    ]


def _table_subject(settings: Settings, name: str) -> str:
    return f"table {getattr(settings, name)}"


def _table(name: str, settings: Settings, clients: Clients) -> Finding:
    subject, table = _table_subject(settings, name), getattr(settings, name)
    indexes, expires = TABLES[name]
    described = clients.dynamodb.describe_table(TableName=table)["Table"]
    there = {index["IndexName"] for index in described.get("GlobalSecondaryIndexes", [])}
    if missing := [index for index in indexes if index not in there]:
        return Finding("problem", subject, f"has no index {', '.join(missing)}; {_DEPLOY}")
    if not expires:
        return Finding("ok", subject, described["TableStatus"])
    expiry = clients.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if expiry.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") and expiry.get("AttributeName") == EXPIRES_AT:
        return Finding("ok", subject, f"{described['TableStatus']}, items expire by {EXPIRES_AT}")
    return Finding("problem", subject, f"its time to live is not on for {EXPIRES_AT}, so it only grows; {_DEPLOY}")


def _queue(subject: str, name: str, settings: Settings, clients: Clients) -> Finding:
    url = getattr(settings, name)
    if not url:
        return Finding("skipped", subject, f"{VARIABLES[name]} is not set; ingest, replays and retries need theirs")
    return Finding("ok", subject, f"answers; {messages(waiting_messages(clients, url))} waiting")


def _dead_letters(settings: Settings, clients: Clients) -> Finding:
    subject, url = "events' dead letters", settings.event_dead_letter_queue_url
    if not url:
        return Finding("skipped", subject, "EVENT_DEAD_LETTER_QUEUE_URL is not set; redrives need it")
    if waiting := waiting_messages(clients, url):
        return Finding("problem", subject, f"{messages(waiting)}; the Errors page says why, Replay puts them through")
    return Finding("ok", subject, "none")


def _lifecycle(settings: Settings, clients: Clients) -> Finding:
    subject, needed = "raw events", settings.config.events.retention_days
    try:
        rules = clients.s3.get_bucket_lifecycle_configuration(Bucket=settings.bucket).get("Rules", [])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        rules = []
    kept = [
        rule["Expiration"]["Days"]
        for rule in rules
        if EVENTS_PREFIX.startswith(rule.get("Filter", {}).get("Prefix", "")) and "Days" in rule.get("Expiration", {})
    ]
    if not kept:
        return Finding("problem", subject, f"no rule of {settings.bucket} ever removes {EVENTS_PREFIX}; {_DEPLOY}")
    if min(kept) < needed:
        text = f"{EVENTS_PREFIX} is kept {min(kept)} days, less than events.retention_days ({needed}), so events are "
        return Finding(
            "problem", subject, f"{text}found that can't be replayed; deploy with EventsRetentionDays={needed}"
        )
    return Finding("ok", subject, f"kept {min(kept)} days, searchable for {needed}")


def _plugins(settings: Settings, _clients: Clients) -> Finding:
    try:
        processor_plugins(settings)
        replay_message(settings)
    except InvalidInput as error:
        return Finding("problem", "plug-ins", str(error))
    own = [name for name in settings.config.events.plugins.__slots__ if getattr(settings.config.events.plugins, name)]
    return Finding("ok", "plug-ins", f"your own: {', '.join(own)}" if own else "the built-in ones")


def _outside_count(settings: Settings, _clients: Clients) -> Finding:
    path = settings.config.checks.external_count
    if not path:
        return Finding("ok", "outside count", "none is configured")
    try:
        external_count(path)
    except InvalidInput as error:
        return Finding("problem", "outside count", str(error))
    return Finding("ok", "outside count", path)
