"""The catalogue: complete, with the thresholds the product promises, and loud about what does not fit."""

from __future__ import annotations

import pytest

from backend.contract.catalogue import Catalogue, load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import REGION

CATALOGUE = load_catalogue()

PROMISED = {
    "host": "cpu_utilization memory_usage disk_usage network_in network_out",
    "kafka": "consumer_lag_records consumer_position_offset kafka_messages_in_per_second"
    " kafka_deserialization_errors_total",
    "stream": "records_in records_out records_error operator_latency_ms busy_time_ms_per_second"
    " backpressured_time_ms_per_second late_records_dropped checkpoint_duration_ms checkpoint_failures_total"
    " checkpoints_completed_total job_restarts_total job_uptime_ms up",
    "delivery": "firehose_put_success firehose_failed_put_count firehose_throttle_count",
    "application": "latency_ms dlq_records window_completeness duplicate_records_detected watermark_lag_ms"
    " cache_hit_rate enrichment_latency_ms timeouts latency_p50_ms latency_p95_ms latency_p99_ms",
    "resources": "memory_usage_percentage cpu_usage_percentage task_manager_count task_slots_total"
    " task_slots_available kafka_broker_alive_count",
    "state": "state_backend_used_bytes state_read_count state_write_count",
    "debug": "checkpoint_size_bytes checkpoint_unaligned_ratio gc_pause_time_ms gc_pauses_per_minute"
    " gc_memory_freed_bytes",
    "pulseboard": "files_processed metrics_processed successful_writes failed_writes s3_upload_failures job_failures"
    " events_ingested events_failed duplicate_events late_events ingest_lag_seconds canary_latency_ms"
    " reconciliation_match_percent executions_failed executions_succeeded",
    "aws": "lambda_invocations lambda_errors lambda_duration_ms lambda_throttles dynamodb_consumed_write_capacity"
    " dynamodb_throttled_requests sqs_queue_depth sqs_oldest_message_age_seconds s3_bucket_bytes",
}
TIER_OF_SECTION = {
    "host": 2,
    "kafka": 1,
    "stream": 1,
    "delivery": 1,
    "application": 1,
    "resources": 2,
    "state": 2,
    "debug": 3,
}

# metric_type: (warning, critical, window in seconds of an increase)
THRESHOLDS = {
    "consumer_lag_records": (10_000, 50_000, None),
    "dlq_records": (10, 100, 60),
    "latency_ms": (3000, 5000, None),
    "latency_p99_ms": (3000, 5000, None),
    "window_completeness": (95, 90, None),
    "memory_usage": (70, 85, None),
    "memory_usage_percentage": (70, 85, None),
    "cpu_utilization": (70, 90, None),
    "cpu_usage_percentage": (70, 90, None),
    "checkpoint_duration_ms": (10_000, 30_000, None),
    "checkpoint_failures_total": (None, 0, 300),
    "kafka_broker_alive_count": (3, 2, None),
    "firehose_failed_put_count": (None, 0, 60),
    "watermark_lag_ms": (60_000, None, None),
    "duplicate_records_detected": (1, 10, 60),
    "kafka_deserialization_errors_total": (5, None, 60),
    "gc_pause_time_ms": (200, None, None),
    "disk_usage": (80, None, None),
    "job_restarts_total": (0, 3, 300),
}

# CloudWatch name: (severity, comparison, threshold, seconds, datapoints, periods, missing data)
ALARMS = {
    "DLQRecordCount": ("CRITICAL", ">", 100, 60, 2, 2, "notBreaching"),
    "CheckpointFailures": ("CRITICAL", ">", 0, 300, 1, 1, "notBreaching"),
    "KafkaBrokerAliveCount": ("CRITICAL", "<", 3, 60, 2, 3, "missing"),
    "FirehoseFailedPutCount": ("CRITICAL", ">", 0, 60, 1, 1, "notBreaching"),
    "LambdaErrorRate": ("CRITICAL", ">", 5, 60, 2, 3, "missing"),
    "ConsumerLagRecords": ("HIGH", ">", 50_000, 60, 2, 3, "missing"),
    "LatencyP99": ("HIGH", ">", 5000, 60, 2, 3, "missing"),
    "WindowCompleteness": ("HIGH", "<", 95, 60, 2, 3, "missing"),
    "AvgMemoryUsage": ("HIGH", ">", 85, 60, 2, 3, "missing"),
    "DynamoDBThrottledRequests": ("HIGH", ">", 10, 300, 1, 1, "notBreaching"),
    "S3UploadFailures": ("HIGH", ">", 3, 600, 1, 1, "notBreaching"),
    "AvgCPUUtilization": ("HIGH", ">", 80, 300, 2, 2, "missing"),
    "JobFailureCount": ("HIGH", ">", 0, 300, 1, 1, "notBreaching"),
    "LambdaDurationPercent": ("MEDIUM", ">", 80, 300, 2, 3, "missing"),
    "DynamoDBCapacityPercent": ("MEDIUM", ">", 80, 60, 2, 3, "missing"),
    "S3BucketBytes": ("MEDIUM", ">", 4_500_000_000, 86_400, 2, 3, "missing"),
    "KafkaDeserializationErrors": ("LOW", ">", 5, 60, 2, 3, "notBreaching"),
    "DuplicateRecordDetected": ("LOW", ">", 10, 60, 2, 3, "missing"),
    # Pulseboard's own: a silent consumer mails directly, burn rates page at 14.4 and 6 and are a ticket at 1.
    "AlertConsumerHeartbeat": ("CRITICAL", "<", 1, 60, 5, 5, "breaching"),
    "BurnRate1h": ("CRITICAL", ">", 14.4, 60, 2, 3, "missing"),
    "BurnRate6h": ("CRITICAL", ">", 6, 60, 2, 3, "missing"),
    "BurnRate3d": ("HIGH", ">", 1, 300, 2, 3, "missing"),
    "ExecutionFailureRate": ("HIGH", ">", 5, 60, 2, 3, "missing"),
}

GOOD = """
[tier.1]
resolution_seconds = 1
retention_days = 30
[metric.good]
section = "stream"
title = "Good"
unit = "ms"
kind = "gauge"
tier = 1
direction = "higher_is_worse"
"""


@pytest.mark.parametrize("section", PROMISED)
def test_every_promised_metric_is_there_in_its_section_and_tier(section: str) -> None:
    for key in PROMISED[section].split():
        assert CATALOGUE[key].section == section, key
        if section in TIER_OF_SECTION:
            assert CATALOGUE[key].tier == TIER_OF_SECTION[section], key


@pytest.mark.parametrize("key", THRESHOLDS)
def test_thresholds_are_the_promised_ones(key: str) -> None:
    metric = CATALOGUE[key]
    assert (metric.warning, metric.critical, metric.window_seconds) == THRESHOLDS[key]


def test_the_other_promised_limits() -> None:
    assert CATALOGUE["consumer_lag_records"].normal == 5000
    assert CATALOGUE["kafka_broker_alive_count"].normal == 3
    latency = CATALOGUE["latency_ms"]
    assert (latency.normal, latency.group_critical) == (2000, 10_000)
    assert latency.slo is not None
    assert (latency.slo.target_percent, latency.slo.limit) == (99, 5000)
    completeness = CATALOGUE["window_completeness"].slo
    assert completeness is not None
    assert completeness.target_percent == 99
    tiers = {t.number: (t.resolution_seconds, t.retention_days) for t in CATALOGUE.tiers.values()}
    assert tiers == {1: (1, 30), 2: (10, 7), 3: (60, 7)}


def test_alarms_are_the_promised_ones_and_no_others() -> None:
    found = {}
    for metric in CATALOGUE.values():
        if alarm := metric.alarm:
            found[metric.cloudwatch] = (
                alarm.severity,
                alarm.comparison,
                alarm.threshold,
                alarm.period_seconds,
                alarm.datapoints,
                alarm.periods,
                alarm.missing,
            )
            assert metric.runbook == f"docs/runbooks/{metric.key}.md"
            assert alarm.meaning.endswith("."), metric.key
    assert found == ALARMS


def test_what_is_published_has_an_alarm_or_a_widget_and_a_name_of_its_own() -> None:
    names = [metric.cloudwatch for metric in CATALOGUE.published]
    assert set(ALARMS) <= set(names)
    assert all(metric.alarm or metric.widget for metric in CATALOGUE.published)
    assert len(names) == len(set(names))


def test_a_value_is_past_a_threshold_only_strictly_beyond_it() -> None:
    lag, brokers = CATALOGUE["consumer_lag_records"], CATALOGUE["kafka_broker_alive_count"]
    assert [lag.state(v) for v in (10_000, 10_001, 50_000, 50_001)] == ["healthy", "degraded", "degraded", "critical"]
    assert [brokers.state(v) for v in (3, 2, 1)] == ["healthy", "degraded", "critical"]


def test_a_good_entry_loads() -> None:
    assert load_catalogue(GOOD)["good"].title == "Good"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("colour = 3", "metric.good.colour"),
        ('warning = "3"', "metric.good.warning"),
        ("warning = true", "metric.good.warning"),
        ("warning = nan", "metric.good.warning"),
        ("critical = inf", "metric.good.critical"),
        ("window_seconds = 1.5", "metric.good.window_seconds"),
        ('combine = "median"', "metric.good.combine"),
        ('key = "other"', "metric.good.key"),
        ('temporality = "delta"', "metric.good.temporality"),
        ('basis = "increase"', "metric.good.window_seconds"),
        ("window_seconds = 60", "metric.good.window_seconds"),
        ('basis = "increase"\nwindow_seconds = 60', "metric.good.basis"),
        ("warning = 5\ncritical = 3", "metric.good.warning"),
        ("slo = 99", "metric.good.slo"),
        ("slo = { target_percent = 99 }", "metric.good.slo.title"),
        ('slo = { target_percent = 99, title = "x", limits = 5 }', "metric.good.slo.limits"),
        (
            'aws = { namespace = "", metric = "", statistic = "", dimension = "", period_seconds = 60, plus = [1] }',
            "metric.good.aws.plus[0]",
        ),
    ],
)
def test_a_bad_field_is_refused_by_name(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_catalogue(GOOD + text)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('title = "Good"\n', "", "metric.good.title"),
        ('section = "stream"', 'section = "streams"', "metric.good.section"),
        ('kind = "gauge"', 'kind = "meter"', "metric.good.kind"),
        ('kind = "gauge"', 'kind = "counter"', "metric.good.temporality"),
        (
            'kind = "gauge"',
            'kind = "counter"\ntemporality = "delta"\nbasis = "increase"\nwindow_seconds = 0',
            "metric.good.window_seconds",
        ),
        ("tier = 1\n", "tier = 4\n", "metric.good.tier"),
        ("tier = 1\n", 'tier = "1"\n', "metric.good.tier"),
        ('direction = "higher_is_worse"', 'direction = "up"', "metric.good.direction"),
        ('direction = "higher_is_worse"', 'direction = "none"\nwarning = 3', "metric.good.direction"),
        (
            'direction = "higher_is_worse"',
            'direction = "lower_is_worse"\nwarning = 3\ncritical = 5',
            "metric.good.warning",
        ),
        ("[metric.good]", "[metric.Good]", "metric.Good"),
        ("[metric.good]", '[metric."go od"]', "metric.go od"),
        ("[metric.good]", "[metrics.good]", "metrics"),
        ("[tier.1]", "[tier.one]", "tier.one"),
        ("retention_days = 30", "retention_days = 0", "tier.1.retention_days"),
        ("retention_days = 30\n", "", "tier.1.retention_days"),
        ("resolution_seconds = 1", "number = 2", "tier.1.number"),
        (GOOD, GOOD.partition("[metric")[0], "catalogue"),
        (GOOD, "[metric]\ngood = 5", "metric.good"),
        (GOOD, "metric = 5", "metric"),
        (GOOD, "[metric.good", "catalogue"),
    ],
)
def test_a_bad_entry_is_refused_by_name(old: str, new: str, field: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput) as caught:
        load_catalogue(GOOD.replace(old, new))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, None),
        ({"cloudwatch": None}, "metric.good.cloudwatch"),
        ({"datapoints": "4"}, "metric.good.alarm.datapoints"),
        ({"datapoints": "0"}, "metric.good.alarm.datapoints"),
        ({"period_seconds": "45"}, "metric.good.alarm.period_seconds"),
        ({"comparison": '"<"'}, "metric.good.alarm.comparison"),
        ({"comparison": '">="'}, "metric.good.alarm.comparison"),
        ({"severity": '"URGENT"'}, "metric.good.alarm.severity"),
        ({"missing": '"ignore"'}, "metric.good.alarm.missing"),
        ({"route": '"pager"'}, "metric.good.alarm.route"),
        ({"threshold": None}, "metric.good.alarm.threshold"),
    ],
)
def test_a_bad_alarm_is_refused_by_name(change: dict[str, str | None], field: str | None) -> None:
    values: dict[str, str | None] = {
        "severity": '"HIGH"',
        "comparison": '">"',
        "threshold": "5",
        "statistic": '"max"',
        "period_seconds": "60",
        "periods": "3",
        "datapoints": "2",
        "missing": '"missing"',
    }
    values |= {name: value for name, value in change.items() if name != "cloudwatch"}
    alarm = ", ".join(f"{name} = {value}" for name, value in values.items() if value is not None)
    text = GOOD + f"alarm = {{ {alarm} }}\n" + ("" if "cloudwatch" in change else 'cloudwatch = "Good"\n')
    if field is None:
        assert load_catalogue(text)["good"].alarm is not None
        return
    with pytest.raises(InvalidInput) as caught:
        load_catalogue(text)
    assert caught.value.field == field


def test_an_error_says_what_to_do_in_one_line() -> None:
    with pytest.raises(InvalidInput, match=r"^metric\.good\.warning: 5\.0 lies beyond critical \(3\); swap them$"):
        load_catalogue(GOOD + "warning = 5\ncritical = 3")


def test_overrides_change_thresholds_of_a_copy() -> None:
    changed = CATALOGUE.with_overrides({"cpu_utilization": {"warning": 60, "critical": 75.5}})
    assert (changed["cpu_utilization"].warning, changed["cpu_utilization"].critical) == (60, 75.5)
    assert CATALOGUE["cpu_utilization"].warning == 70
    assert isinstance(changed, Catalogue)
    assert changed["memory_usage"] is CATALOGUE["memory_usage"]


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"cpu": {"warning": 1}}, "thresholds.cpu"),
        ({"cpu_utilization": 5}, "thresholds.cpu_utilization"),
        ({"cpu_utilization": {"unit": 1}}, "thresholds.cpu_utilization"),
        ({"cpu_utilization": {"warning": "high"}}, "thresholds.cpu_utilization.warning"),
        ({"cpu_utilization": {"warning": True}}, "thresholds.cpu_utilization.warning"),
        ({"cpu_utilization": {"warning": float("nan")}}, "thresholds.cpu_utilization.warning"),
        ({"cpu_utilization": {"warning": 95}}, "metric.cpu_utilization.warning"),
        ({"network_in": {"warning": 95}}, "metric.network_in.direction"),
    ],
)
def test_a_bad_override_is_refused_by_name(overrides: dict[str, dict[str, float]], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        CATALOGUE.with_overrides(overrides)
    assert caught.value.field == field


def test_only_observations_are_grouped_by_the_samples_own_region() -> None:
    """History's SQL of the other kinds knows labels and hosts."""
    assert {metric.kind for metric in CATALOGUE.values() if metric.group_by == REGION} == {"histogram"}
