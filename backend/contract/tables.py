"""Names of everything that is stored: buckets' prefixes, tables, indexes, attributes and the levels of detail."""

from __future__ import annotations

from typing import Final

# S3
METRICS_PREFIX: Final = "metrics/"
QUARANTINE_PREFIX: Final = "quarantine/"
BACKFILL_NAME: Final = "backfill-"
"""An object whose file name starts so is an explicit backfill: samples of any date from 2000 on are taken."""
SPACING_METADATA: Final = "spacing-seconds"
"""Object metadata: how far apart one series' samples are at their producer; thins raw items below 60 s."""

# DynamoDB: InfraMetrics
METRICS_TABLE: Final = "InfraMetrics"
METRIC_TYPE_INDEX: Final = "metric_type-timestamp-index"
METRIC_ID: Final = "metric_id"
TIMESTAMP: Final = "timestamp"
METRIC_TYPE: Final = "metric_type"
EXPIRES_AT: Final = "expires_at"
DATA: Final = "data"
ENVIRONMENT: Final = "environment"

# Levels of detail (DESIGN "Metrics path"): the level is part of the index's partition key.
LIVE: Final = "live"
MINUTE: Final = "1m"
HOUR: Final = "1h"
LEVEL_SECONDS: Final = {LIVE: 60, MINUTE: 60, HOUR: 3600}
"""Span of one item of a level, seconds."""

LIVE_RETENTION_SECONDS: Final = 24 * 3600
HOUR_RETENTION_SECONDS: Final = 400 * 86400
RAW_RETENTION_SECONDS: Final = 30 * 86400
RAW_SPACING_SECONDS: Final = 60

# Bookkeeping partitions of the same index.
SEEN: Final = "@seen"
"""One item per (environment, metric_type) that ever arrived: what "never connected" is decided by."""
LATE: Final = "@late"
"""One item per object that brought samples older than the lateness allowance; timestamp = time of the write."""
CLOSED_DAY: Final = "@closed-day"
"""One item per object of samples that was handled after its UTC day had ended; timestamp = the beginning of that day,
``data`` its key, ``recorded_at`` when that was (epoch s). History reads what a compacted day lacks."""
RECORDED_AT: Final = "recorded_at"
RECEIPTS: Final = "@receipts"
"""One item per object whose producer asked for a receipt: that all of it is written, and what was in it."""
RECEIPT_METADATA: Final = "receipt"
"""Object metadata: ``yes`` asks for a receipt. Executions of the state machine wait for theirs."""
MERGE_STATE: Final = "@merge"
"""The scheduled merge's cursor: ``merged_until`` and ``late_until`` (epoch s)."""

LATENESS_ALLOWANCE_SECONDS: Final = 120
"""The merge closes a minute this long after its end; what comes later makes it compute the minute again."""


def partition(metric_type: str, level: str, environment: str) -> str:
    """The index partition of one metric, level and environment: ``cpu_utilization@1m#production``."""
    return f"{metric_type}@{level}#{environment}"


# S3: events and what belongs to them
EVENTS_PREFIX: Final = "events/"
REPLAYS_PREFIX: Final = "replays/"
"""Frozen selections: ``replays/<replay_id>/page-<n>.jsonl``."""
ERRORS_PREFIX: Final = "errors/"
"""Full texts of errors that the table keeps shortened."""

# DynamoDB: events
GATE_TABLE: Final = "EventGate"
EVENTS_TABLE: Final = "PipelineEvents"
AGGREGATES_TABLE: Final = "Aggregates"
REPLAYS_TABLE: Final = "Replays"
TOKENS_TABLE: Final = "AccessTokens"

EVENT_ID: Final = "event_id"
ENTITY_ID: Final = "entity_id"
RECEIVED_KEY: Final = "received_key"
"""Sort key of PipelineEvents: ``<received_at>#<event_id>``, received_at as text of ``contract.events.utc_text``."""
RECEIVED_AT: Final = "received_at"
"""Sort key of the indexes below, the same text without the id."""
EVENT_ID_INDEX: Final = "event_id-index"
CORRELATION_INDEX: Final = "correlation_id-received_at-index"
TYPE_DAY_INDEX: Final = "type_day-received_at-index"
SOURCE_DAY_INDEX: Final = "source_day-received_at-index"
ERROR_DAY_INDEX: Final = "error_day-received_at-index"
"""Sparse: only events whose status is failed carry ``error_day``."""
TYPE_DAY: Final = "type_day"
SOURCE_DAY: Final = "source_day"
ERROR_DAY: Final = "error_day"
KNOWN: Final = "@known"
"""Item of EventGate with the string sets ``types`` and ``sources`` that ever arrived."""
TRACE: Final = "@trace#"
"""Partition of PipelineEvents, followed by an event id: its errors and replays, sort key ``<at>#<stage>#<n>``.

Entity ids may not begin with ``@``, so the two never meet.
"""

# DynamoDB: access
TOKEN_ID: Final = "token_id"  # noqa: S105 - the name of a key
"""Key of AccessTokens: a display token's SHA-256, never the token."""

# DynamoDB: replays and audit
REPLAY_ID: Final = "replay_id"
ITEM: Final = "item"
"""Sort key of Replays: ``meta``, ``audit``, ``result#<page>``."""
DAY: Final = "day"
CREATED_AT: Final = "created_at"
DAY_INDEX: Final = "day-created_at-index"
"""``day`` is ``replay#2026-11-21`` or ``audit#2026-11-21``, created_at text of ``contract.events.utc_text``."""


def shard_of(event_id: str, shards: int) -> int:
    """The shard 0 to ``shards`` - 1 of an event id: spreads one day's writes over several partitions of an index."""
    return int(event_id[:8], 16) % shards


def day_partition(name: str, day: str, shard: int) -> str:
    """Partition of ``type_day`` and ``source_day``: ``order_placed#2026-11-21#3``; of ``error_day`` with no name."""
    return f"{name}#{day}#{shard}" if name else f"{day}#{shard}"


# S3 and Athena: history
HISTORY_PREFIX: Final = "history/metrics/"
"""Closed days as Parquet, ``year=2026/month=11/day=21/generation=0/`` below it."""
LEDGER_PREFIX: Final = "history/ledger/"
"""Which generation of a day is read, and which objects are in it: ``backend.history.ledger``."""
RESULTS_PREFIX: Final = "athena-results/"
WORKGROUP: Final = "pulseboard"
METRICS_DATABASE: Final = "infra_monitoring_db"
METRICS_JSON: Final = "metrics"
"""Athena's table of metric objects as they were collected, one JSON object a line."""
METRICS_PARQUET: Final = "metrics_parquet"
"""Athena's table of compacted days; its partition ``generation`` is told by the ledger."""
SAMPLES_VIEW: Final = "samples"
"""Athena's view of both: each sample once, with its day. Compaction rewrites it (``backend.history.view``)."""
EVENTS_JSON: Final = "events"
MONITORING_DATABASE: Final = "monitoring"
JOB_RUNS_HISTORY: Final = "job_runs"
DATASET_STATUS_HISTORY: Final = "dataset_status"

# S3: job runs and dataset status, which Athena reads too
JOB_RUNS_PREFIX: Final = "monitoring/job_runs/"
DATASET_STATUS_PREFIX: Final = "monitoring/dataset_status/"

# DynamoDB: jobs and datasets
JOB_RUNS_TABLE: Final = "JobRuns"
DATASETS_TABLE: Final = "DatasetStatus"
JOB_NAME: Final = "job_name"
RUN_KEY: Final = "run_key"
"""Sort key of JobRuns: ``<started_at>#<run_id>``, started_at as text of ``contract.events.utc_text``."""
STATUS_DAY: Final = "status_day"
"""``STARTED#2026-11-21``: a run's status and the UTC day of its start."""
STARTED_AT: Final = "started_at"
STATUS_DAY_INDEX: Final = "status_day-started_at-index"
DATASET: Final = "dataset"
DATASET_INDEX: Final = "dataset-started_at-index"
BATCHES: Final = "@batches#"
"""Partition of JobRuns, followed by a job's name: an item per batch (its lease and how far it is), sort key the
batch; ``@plan`` holds the list that ``pending`` was last asked for. Job names may not begin with ``@``."""
PLAN: Final = "@plan"
PLANS: Final = "@plans"
"""Partition of JobRuns that lists the jobs with batches, sort key the job's name: what pages ask for plans of."""
LINEAGE: Final = "@lineage#"
"""Partition of JobRuns, followed by a job's name: what OpenLineage's events said of its runs, sort key the run id."""

# DynamoDB: alerts
ALERTS_TABLE: Final = "Alerts"
FINGERPRINT: Final = "fingerprint"
OPENED_AT: Final = "opened_at"
"""Sort key of Alerts: ``contract.events.utc_text`` of the opening; other kinds of items have their own text."""
STATE: Final = "state"
STATE_INDEX: Final = "state-opened_at-index"
"""``state`` is open, acknowledged, resolved; ``outbox`` for deliveries, whose opened_at is when to try next."""
CURRENT: Final = "@current"
"""Sort key of the item that says which alert of a fingerprint is open, and what was last heard of it."""
SILENCES: Final = "@silences"
INCIDENTS: Final = "@incidents"
ANNOTATIONS: Final = "@annotations"
CHECK_RESULTS: Final = "@check#"
"""Partition followed by the check's name; sort key the time of the result."""
RULE_WEEK: Final = "@week#"
"""Partition followed by the ISO week; sort key the rule."""
