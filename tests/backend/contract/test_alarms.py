"""The template's alarms and dashboard are what the catalogue says, and what the product promises."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.contract import alarms
from backend.contract.alarms import function_names, main, rendered_into, resource_name
from backend.contract.alerts import CRITICAL_TOPIC, alarm_name
from backend.contract.catalogue import Catalogue, load_catalogue
from backend.local.template import load_template, properties

ROOT = Path(__file__).parents[3]
CATALOGUE = load_catalogue()
TEMPLATE = load_template()
TEXT = (ROOT / "infra/template.yaml").read_text("utf-8")
ALARMED = [metric.key for metric in CATALOGUE.values() if metric.alarm]


def of(resource: str, **parameters: str) -> Any:
    return properties(TEMPLATE, resource, parameters)


def test_the_template_agrees_with_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["--check"]) == 0


def test_a_template_that_differs_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(alarms, "TARGET", tmp_path / "template.yaml")
    alarms.TARGET.write_text(TEXT.replace("Threshold: 50000\n", "Threshold: 60000\n"), "utf-8")
    assert main(["--check"]) == 1
    assert capsys.readouterr().err.endswith("run: python -m backend.contract.alarms\n")
    assert main([]) == 0
    assert alarms.TARGET.read_text("utf-8") == TEXT


@pytest.mark.parametrize("text", ["", TEXT + TEXT, TEXT.replace(alarms.END, "")])
def test_a_template_without_its_marks_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="two lines of marks"):
        rendered_into(text, CATALOGUE)


def test_a_threshold_of_the_catalogue_reaches_the_template() -> None:
    lag = CATALOGUE["consumer_lag_records"]
    assert lag.alarm is not None
    changed = dict(CATALOGUE) | {lag.key: replace(lag, alarm=replace(lag.alarm, threshold=70_000))}
    assert "Threshold: 70000\n" in rendered_into(TEXT, Catalogue(changed, CATALOGUE.tiers))


@pytest.mark.parametrize("key", ALARMED)
def test_an_alarm_of_the_template_is_the_one_of_the_catalogue(key: str) -> None:
    metric, found = CATALOGUE[key], of(resource_name(key), LevelAlarmPeriod="60")
    alarm = metric.alarm
    assert alarm is not None
    assert found["AlarmName"] == alarm_name(key) == f"pulseboard-{key}"
    assert (found["Namespace"], found["MetricName"]) == ("Pulseboard", metric.cloudwatch)
    assert "Dimensions" not in found
    assert (found["Period"], found["EvaluationPeriods"]) == (alarm.period_seconds, alarm.periods)
    assert (found["DatapointsToAlarm"], found["TreatMissingData"]) == (alarm.datapoints, alarm.missing)
    assert found["Threshold"] == alarm.threshold
    assert found["ComparisonOperator"] == ("LessThanThreshold" if alarm.comparison == "<" else "GreaterThanThreshold")
    assert ("ExtendedStatistic" in found) == alarm.statistic.startswith("p")
    assert found["AlarmDescription"] == f"{alarm.meaning} Runbook: docs/runbooks/{key}.md"
    assert found["Period"] * found["EvaluationPeriods"] <= (604_800 if found["Period"] >= 3600 else 86_400)


@pytest.mark.parametrize("key", ALARMED)
def test_every_change_of_state_goes_to_the_topic_of_its_severity(key: str) -> None:
    alarm = CATALOGUE[key].alarm
    assert alarm is not None
    topic = "AlertsTopic" if alarm.severity in CRITICAL_TOPIC else "WarningsTopic"
    # What tells that the alert consumer is gone can't go through it.
    wanted = [{"Ref": "EmailTopic" if key == "alert_consumer_heartbeat" else topic}]
    found = of(resource_name(key))
    assert [found[f"{state}Actions"] for state in ("Alarm", "OK", "InsufficientData")] == [wanted] * 3


def test_no_other_alarm_stands_in_the_template() -> None:
    kinds = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    found = {name for name, entry in TEMPLATE["Resources"].items() if entry["Type"] in kinds}
    # Dead letters of EventBridge are seen where no function of ours runs: on AWS's own metric.
    assert found == {*map(resource_name, ALARMED), "AlarmVerdict", "StepFunctionsDeadLetterAlarm"}


def test_missing_data_is_treated_as_promised() -> None:
    treated = {key: of(resource_name(key))["TreatMissingData"] for key in ALARMED}
    assert [key for key, value in treated.items() if value == "breaching"] == ["alert_consumer_heartbeat"]
    counted = {key for key, value in treated.items() if value == "notBreaching"}
    assert counted == {
        "kafka_deserialization_errors_total",
        "checkpoint_failures_total",
        "firehose_failed_put_count",
        "dlq_records",
        "s3_upload_failures",
        "job_failures",
        "dynamodb_throttled_requests",
    }


def test_any_failure_alarms_at_once_and_a_level_on_two_of_three() -> None:
    for key in ALARMED:
        alarm = CATALOGUE[key].alarm
        assert alarm is not None
        numbers = (alarm.datapoints, alarm.periods)
        if alarm.threshold == 0:
            assert numbers == (1, 1), key
        elif alarm.statistic != "sum" and key != "cpu_utilization":
            assert numbers == (2, 3), key


def test_levels_that_are_collected_follow_the_pace_of_collection() -> None:
    slow = {
        key
        for key in ALARMED
        if of(resource_name(key))["Period"] != of(resource_name(key), LevelAlarmPeriod="60")["Period"]
    }
    assert slow == {
        "memory_usage",
        "consumer_lag_records",
        "latency_ms",
        "window_completeness",
        "kafka_broker_alive_count",
    }


def test_the_verdicts_alarm_stands_for_its_signals_and_tells_nobody_twice() -> None:
    verdict = of("AlarmVerdict")
    assert TEMPLATE["Resources"]["AlarmVerdict"]["Condition"] == "HasCompositeAlarm"
    assert verdict["AlarmRule"]["Fn::Sub"].count("ALARM(") == len(alarms.VERDICT)
    assert all(f'ALARM("${{{resource_name(key)}}}")' in verdict["AlarmRule"]["Fn::Sub"] for key in alarms.VERDICT)
    assert not [name for name in verdict if name.endswith("Actions")]


def test_the_dashboard_has_its_six_widgets() -> None:
    dashboard = of("MetricsDashboard")
    assert dashboard["DashboardName"] == "InfraMonitoring-Dashboard"
    widgets = [widget["properties"] for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]]
    shown = [(w["title"], w["view"], w.get("stacked"), w.get("start"), w["stat"]) for w in widgets]
    assert shown == [
        ("CPU utilization", "timeSeries", False, "-PT1H", "Average"),
        ("Memory usage", "timeSeries", True, "-PT1H", "Average"),
        ("Disk usage", "timeSeries", False, "-PT24H", "Average"),
        ("Network in and out", "timeSeries", False, "-PT1H", "Average"),
        ("Lambda invocations", "singleValue", None, None, "Sum"),
        ("Lambda error rate", "singleValue", None, None, "Maximum"),
    ]
    assert [line[1] for line in widgets[3]["metrics"]] == ["AvgNetworkIn", "AvgNetworkOut"]
    assert [widget["period"] for widget in widgets[4:]] == [300, 300]
    assert widgets[5]["metrics"][0][:2] == ["Pulseboard", "LambdaErrorRate"]


def test_invocations_are_those_of_the_stacks_own_functions() -> None:
    names = [of(n)["FunctionName"] for n, e in TEMPLATE["Resources"].items() if e["Type"] == "AWS::Lambda::Function"]
    assert function_names(TEXT) == sorted(names)
    body = json.loads(of("MetricsDashboard")["DashboardBody"]["Fn::Sub"])
    expression = body["widgets"][4]["properties"]["metrics"][0][0]["expression"]
    assert all(f'"{name}"' in expression for name in names)
    assert len(expression) <= 1024, "the longest search expression that CloudWatch takes"
