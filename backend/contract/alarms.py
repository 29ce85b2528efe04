"""Renders the alarms and the CloudWatch dashboard of the catalogue into the template.

``python -m backend.contract.alarms [--check]`` writes the block between the two marks of ``infra/template.yaml``, or
compares. Syntax of the widgets: Amazon CloudWatch API reference, "Dashboard body structure and syntax".
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from backend.contract.alerts import CRITICAL_TOPIC, VERDICT_ALARM, alarm_name
from backend.contract.catalogue import CLOUDWATCH_NAMESPACE, Alarm, Catalogue, Metric, load_catalogue

TARGET: Final = Path("infra/template.yaml")
BEGIN: Final = "  # ---- Alarms: rendered from the catalogue by `python -m backend.contract.alarms`; begin "
END: Final = "  # ---- Alarms: end "
WIDTH: Final = 119
"""Length of the template's ruled lines."""

VERDICT: Final = (
    "consumer_lag_records",
    "dlq_records",
    "checkpoint_failures_total",
    "latency_ms",
    "window_completeness",
)
"""Signals of the health verdict that have an alarm; job restarts only ever degrade it."""
DASHBOARD_NAME: Final = "InfraMonitoring-Dashboard"
CHART_PERIOD_SECONDS: Final = 300
"""A datapoint of the dashboard's charts: how often the collector function runs."""

_STATISTICS: Final = {"avg": "Average", "sum": "Sum", "min": "Minimum", "max": "Maximum"}
_COMPARISONS: Final = {">": "GreaterThanThreshold", "<": "LessThanThreshold"}


def resource_name(key: str) -> str:
    """The alarm's logical id in the template."""
    return "Alarm" + "".join(part.capitalize() for part in key.split("_"))


def render(catalogue: Catalogue, functions: Sequence[str]) -> str:
    """The block between the marks. ``functions`` are the stack's function names, whose invocations are counted."""
    alarms = [(metric, metric.alarm) for metric in catalogue.values() if metric.alarm]
    resources = [*(_alarm(metric, alarm) for metric, alarm in alarms), _composite(), _dashboard(catalogue, functions)]
    return "\n".join(resources)


def function_names(template: str) -> list[str]:
    """The names of the template's functions, sorted."""
    return sorted(re.findall(r"^      FunctionName: ([a-z][a-z-]+)$", template, re.MULTILINE))


def rendered_into(template: str, catalogue: Catalogue) -> str:
    """The template with its block written anew. Raises ValueError when it has not exactly one."""
    marks = [re.findall(rf"^{re.escape(mark)}-*\n", template, re.MULTILINE) for mark in (BEGIN, END)]
    if [len(found) for found in marks] != [1, 1] or template.index(END) < template.index(BEGIN):
        raise ValueError(f"{TARGET} must have the two lines of marks once each, begin before end")
    before, _, rest = template.partition(marks[0][0])
    after = rest.partition(marks[1][0])[2]
    return before + _ruled(BEGIN) + render(catalogue, function_names(template)) + _ruled(END) + after


def _ruled(mark: str) -> str:
    return mark.ljust(WIDTH, "-") + "\n"


# --------------------------------------------------------------------------------------------------------- alarms
def _alarm(metric: Metric, alarm: Alarm) -> str:
    topic = "EmailTopic" if alarm.mails_directly else _topic(alarm)
    kind = "ExtendedStatistic" if alarm.statistic.startswith("p") else "Statistic"
    lines = [
        f"{resource_name(metric.key)}:",
        "  Type: AWS::CloudWatch::Alarm",
        "  Properties:",
        f"    AlarmName: {alarm_name(metric.key)}",
        "    AlarmDescription: >-",
        *_folded(f"{alarm.meaning} Runbook: {metric.runbook}", "      "),
        f"    Namespace: {CLOUDWATCH_NAMESPACE}",
        f"    MetricName: {metric.cloudwatch}",
        f"    {kind}: {_STATISTICS.get(alarm.statistic, alarm.statistic)}",
        f"    Period: {'!Ref LevelAlarmPeriod' if alarm.follows_collection else alarm.period_seconds}",
        f"    EvaluationPeriods: {alarm.periods}",
        f"    DatapointsToAlarm: {alarm.datapoints}",
        f"    ComparisonOperator: {_COMPARISONS[alarm.comparison]}",
        f"    Threshold: {alarm.threshold:.12g}",
        f"    TreatMissingData: {alarm.missing}",
        *(f"    {state}Actions: [!Ref {topic}]" for state in ("Alarm", "OK", "InsufficientData")),
    ]
    return _indented(lines)


def _topic(alarm: Alarm) -> str:
    return "AlertsTopic" if alarm.severity in CRITICAL_TOPIC else "WarningsTopic"


def _composite() -> str:
    rule = " OR ".join(f'ALARM("${{{resource_name(key)}}}")' for key in VERDICT)
    lines = [
        "# Tells nobody: each of its alarms has told already. It is there for whoever waits for one state of all,",
        "# such as a deployment that should roll back.",
        "AlarmVerdict:",
        "  Type: AWS::CloudWatch::CompositeAlarm",
        "  Condition: HasCompositeAlarm",
        "  Properties:",
        f"    AlarmName: {VERDICT_ALARM}",
        "    AlarmDescription: A signal of the health verdict is critical. Look at the Health page.",
        "    AlarmRule: !Sub >-",
        *_folded(rule, "      "),
    ]
    return _indented(lines)


def _folded(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH - 2,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"  {line}\n" for line in lines)


# ------------------------------------------------------------------------------------------------------ dashboard
def _dashboard(catalogue: Catalogue, functions: Sequence[str]) -> str:
    titles: dict[str, list[Metric]] = {}
    for metric in catalogue.values():
        if metric.widget:
            titles.setdefault(metric.widget.title, []).append(metric)
    widgets = [_placed(place, _widget(*found, functions)) for place, found in enumerate(titles.items())]
    body = '{"widgets": [\n' + ",\n".join(widgets) + "\n]}"
    lines = [
        "MetricsDashboard:",
        "  Type: AWS::CloudWatch::Dashboard",
        "  Properties:",
        f"    DashboardName: {DASHBOARD_NAME}",
        "    DashboardBody: !Sub |",
        *(f"      {line}" for line in body.splitlines()),
    ]
    return _indented(lines)


def _placed(place: int, properties: dict[str, Any]) -> str:
    """A widget as JSON, a property a line: two beside each other."""
    where = {"type": "metric", "x": 12 * (place % 2), "y": 6 * (place // 2), "width": 12, "height": 6}
    inside = ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in properties.items())
    return f'  {json.dumps(where)[:-1]}, "properties": {{\n{inside}\n  }}}}'


def _widget(title: str, metrics: Sequence[Metric], functions: Sequence[str]) -> dict[str, Any]:
    place = metrics[0].widget
    assert place is not None  # noqa: S101 - only metrics with a widget are grouped
    number = place.view == "number"
    properties: dict[str, Any] = {
        "title": title,
        "view": "singleValue" if number else "timeSeries",
        "region": "${AWS::Region}",
        "stat": _STATISTICS[place.statistic],
        "period": place.period_seconds if number else CHART_PERIOD_SECONDS,
        "metrics": [_line(metric, second=turn > 0, functions=functions) for turn, metric in enumerate(metrics)],
    }
    if number:
        return properties
    properties |= {"stacked": place.view == "stacked_area", "start": _ago(place.period_seconds), "end": "P0D"}
    properties["yAxis"] = {"left": {"label": metrics[0].unit, "showUnits": False}}
    if len(metrics) > 1:
        properties["yAxis"]["right"] = {"label": metrics[1].unit, "showUnits": False}
    elif thresholds := _thresholds(metrics[0]):
        properties["annotations"] = {"horizontal": thresholds}
    return properties


def _line(metric: Metric, *, second: bool, functions: Sequence[str]) -> list[Any]:
    if metric.aws and not metric.cloudwatch:
        names = " OR ".join(f'"{name}"' for name in functions)
        search = f'{{{metric.aws.namespace},{metric.aws.dimension}}} MetricName="{metric.aws.metric}"'
        search += f" {metric.aws.dimension}=({names})"
        period = metric.aws.period_seconds
        expression = f"SUM(SEARCH('{search}', '{metric.aws.statistic}', {period}))"
        return [{"expression": expression, "id": "total", "label": metric.title, "period": period}]
    options: dict[str, Any] = {"label": f"{metric.title}, {metric.unit}"}
    return [CLOUDWATCH_NAMESPACE, metric.cloudwatch, {**options, "yAxis": "right"} if second else options]


def _thresholds(metric: Metric) -> list[dict[str, Any]]:
    named = (("warning", metric.warning), ("critical", metric.critical))
    return [{"label": label, "value": value} for label, value in named if value is not None]


def _ago(seconds: int) -> str:
    return f"-PT{seconds // 3600}H"


def main(arguments: list[str]) -> int:
    """Writes the block, or with ``--check`` compares: 1 and one line when they differ."""
    template = TARGET.read_text("utf-8")
    wanted = rendered_into(template, load_catalogue())
    if "--check" not in arguments:
        TARGET.write_text(wanted, "utf-8")
        return 0
    if template == wanted:
        return 0
    sys.stderr.write(f"{TARGET}: its alarms differ from the catalogue; run: python -m backend.contract.alarms\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
