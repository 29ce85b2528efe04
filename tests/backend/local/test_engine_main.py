"""The engine evaluates alarms as CloudWatch does, and by the names of the emulator that this replaces."""

from __future__ import annotations

import inspect
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.contract.alarm_state import Rule, datum
from backend.local.engine import Engine
from backend.local.template import load_template, properties

pytest.importorskip("ministack", reason="the demo's engine is not installed")
from ministack import app
from ministack.services import cloudwatch

from backend.local.engine_main import datum_of, judged, rule_of

ALARM: dict[str, Any] = {
    "AlarmName": "lag",
    "Namespace": "Pulseboard",
    "MetricName": "ConsumerLagRecords",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 50_000.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "missing",
    "StateValue": "OK",
}
MINUTE = 1_795_000_020 // 60 * 60


def point(minutes_ago: int, value: float) -> dict[str, Any]:
    return {"Timestamp": float(MINUTE - 60 * minutes_ago), "Value": value}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_evaluate_alarm", ["alarm"]),
        ("_evaluate_all_alarms", []),
        ("_evaluate_parent_alarms", ["child", "seen"]),
        ("_dispatch_alarm_actions", ["alarm", "old_state", "new_state", "reason"]),
        ("_record_history", ["alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"]),
        ("_dims_key", ["dims"]),
    ],
)
def test_the_emulator_still_has_the_functions_that_are_replaced_or_called(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(cloudwatch, name)).parameters) == parameters


def test_the_emulator_still_keeps_what_is_read() -> None:
    assert all(hasattr(cloudwatch, name) for name in ("_alarms", "_metrics"))
    assert hasattr(app, "_MAIN_LOOP")
    source = inspect.getsource(cloudwatch._store_datum)
    assert all(f'"{name}"' in source for name in ("Timestamp", "Value", "Count", "_stat"))


def test_its_alarm_becomes_our_rule() -> None:
    assert rule_of(ALARM) == Rule("max", ">", 50_000.0, 60, 3, 2, "missing")
    percentile = rule_of({**ALARM, "ExtendedStatistic": "p99", "DatapointsToAlarm": None})
    assert percentile == Rule("p99", ">", 50_000.0, 60, 3, 3, "missing")
    assert rule_of({**ALARM, "ComparisonOperator": "LessThanLowerThreshold"}) is None


def test_its_points_become_our_data() -> None:
    assert datum_of({"Timestamp": 5.0, "Value": 2.0, "Count": 3.0}) == datum(5.0, 2.0, 3.0)
    statistics = {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9}
    assert datum_of({"Timestamp": 5.0, "Value": 5.0, "_stat": statistics}) == (5.0, 4, 20, 1, 9)


def test_one_sample_leaves_an_alarm_alone_and_silence_ends_it() -> None:
    calm = [point(ago, 1.0) for ago in range(1, 6)]
    assert _state([*calm[1:], point(1, 90_000.0)]) == "OK"
    assert _state([*calm[2:], point(1, 90_000.0), point(2, 90_000.0)]) == "ALARM"
    assert _state([point(9, 90_000.0)]) == "INSUFFICIENT_DATA"


def _state(points: list[dict[str, Any]]) -> str:
    found = judged(ALARM, points, MINUTE)
    assert found is not None
    return found.state


@pytest.mark.e2e
def test_the_running_engine_finds_alarm_and_calm_by_itself(engine: Engine) -> None:
    client = engine.client("cloudwatch")
    name, metric = "engine-main", f"EngineMain{time.time_ns()}"
    settings = {key: ALARM[key] for key in ALARM if key not in ("AlarmName", "MetricName", "StateValue")}
    client.put_metric_alarm(AlarmName=name, MetricName=metric, **settings)
    assert _found(client, name)["StateValue"] == "INSUFFICIENT_DATA"
    minute = int(time.time() // 60) * 60
    # Two full minutes beyond the threshold, then two as they should be, as if time had passed meanwhile.
    for ages, value, state in (((3, 4), 90_000.0, "ALARM"), ((1, 2), 10.0, "OK")):
        moments = [datetime.fromtimestamp(minute - 60 * age, UTC) for age in ages]
        data = [{"MetricName": metric, "Timestamp": moment, "Value": value} for moment in moments]
        client.put_metric_data(Namespace="Pulseboard", MetricData=data)
        assert _becomes(client, name, state), _found(client, name)["StateReason"]
    history = client.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [entry["HistorySummary"] for entry in history[:2]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]
    client.delete_alarms(AlarmNames=[name])


@pytest.mark.e2e
def test_the_engine_keeps_what_the_template_says_of_an_alarm(stack: Any) -> None:
    found = _found(stack.client("cloudwatch"), "pulseboard-latency_ms")
    wanted = properties(load_template(), "AlarmLatencyMs", {"LevelAlarmPeriod": "60"})
    kept = ("DatapointsToAlarm", "EvaluationPeriods", "TreatMissingData", "ExtendedStatistic", "Period", "Threshold")
    assert {name: found[name] for name in kept} == {name: wanted[name] for name in kept}
    assert [found[f"{state}Actions"][0].rpartition(":")[2] for state in ("Alarm", "OK", "InsufficientData")] == [
        "pipeline-alerts"
    ] * 3


def _found(client: Any, name: str) -> dict[str, Any]:
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def _becomes(client: Any, name: str, state: str, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while _found(client, name)["StateValue"] != state:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
