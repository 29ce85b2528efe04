"""Renders ``docs/metrics.md`` from the catalogue: ``python -m backend.contract.docs [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from backend.contract.catalogue import Alarm, Catalogue, Metric, load_catalogue

TARGET: Final = Path("docs/metrics.md")
SECTIONS: Final = {
    "host": "Host",
    "kafka": "Kafka source",
    "stream": "Stream processing",
    "delivery": "Delivery",
    "application": "Application",
    "resources": "Resources",
    "state": "State",
    "debug": "Debug",
    "pulseboard": "Pulseboard's own",
    "aws": "AWS services",
}
HEAD: Final = """# Metrics

Rendered from `backend/contract/catalogue.toml` by `python -m backend.contract.docs`; `make check` fails when this
page and the catalogue differ. A value is past a threshold when it lies strictly beyond it.
"""


def render(catalogue: Catalogue) -> str:
    """The whole page, Markdown."""
    parts = [HEAD, _tiers(catalogue)]
    for section, title in SECTIONS.items():
        metrics = [metric for metric in catalogue.values() if metric.section == section]
        parts.append(f"## {title}\n\n" + _table(_METRIC_HEAD, (_metric_row(metric) for metric in metrics)))
    alarms = [(metric, metric.alarm) for metric in catalogue.values() if metric.alarm]
    rows = (_alarm_row(metric, alarm) for metric, alarm in alarms)
    parts.append("## Alarms\n\n" + _table(_ALARM_HEAD, rows))
    return "\n".join(parts)


_METRIC_HEAD: Final = ("metric_type", "title", "unit", "kind", "per", "tier", "warning", "critical", "CloudWatch")
_ALARM_HEAD: Final = ("CloudWatch metric", "severity", "condition", "datapoints", "missing data")


def _tiers(catalogue: Catalogue) -> str:
    rows = (
        (str(tier.number), f"{tier.resolution_seconds} s", f"{tier.retention_days} days")
        for tier in catalogue.tiers.values()
    )
    return "## Tiers\n\n" + _table(("tier", "finest resolution", "hot retention"), rows)


def _metric_row(metric: Metric) -> tuple[str, ...]:
    kind = f"{metric.kind}, {metric.temporality}" if metric.temporality else metric.kind
    return (
        f"`{metric.key}`",
        metric.title,
        metric.unit,
        kind,
        metric.group_by or "",
        str(metric.tier),
        _threshold(metric, metric.warning),
        _threshold(metric, metric.critical),
        metric.cloudwatch or "",
    )


def _threshold(metric: Metric, value: float | None) -> str:
    if value is None:
        return ""
    side = "below" if metric.direction == "lower_is_worse" else "above"
    window = f" in {_window(metric.window_seconds)}" if metric.window_seconds else ""
    statistic = f"{metric.statistic} " if metric.statistic else ""
    return f"{statistic}{side} {value:,.10g}{window}"


def _alarm_row(metric: Metric, alarm: Alarm) -> tuple[str, ...]:
    condition = f"{alarm.statistic} {alarm.comparison} {alarm.threshold:,.10g} in {_window(alarm.period_seconds)}"
    return (
        f"`{metric.cloudwatch}`",
        alarm.severity,
        condition,
        f"{alarm.datapoints} of {alarm.periods}",
        alarm.missing,
    )


def _window(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main(arguments: list[str]) -> int:
    """Writes the page, or with ``--check`` compares: 1 and one line when they differ."""
    text = render(load_catalogue())
    if "--check" not in arguments:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, "utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text("utf-8") == text:
        return 0
    sys.stderr.write(f"{TARGET}: differs from the catalogue; run: python -m backend.contract.docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
