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
MERGE_STATE: Final = "@merge"
"""The scheduled merge's cursor: ``merged_until`` and ``late_until`` (epoch s)."""

LATENESS_ALLOWANCE_SECONDS: Final = 120
"""The merge closes a minute this long after its end; what comes later makes it compute the minute again."""


def partition(metric_type: str, level: str, environment: str) -> str:
    """The index partition of one metric, level and environment: ``cpu_utilization@1m#production``."""
    return f"{metric_type}@{level}#{environment}"
