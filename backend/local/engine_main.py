"""The embedded engine's process: ministack, with alarms evaluated as CloudWatch does.

ministack 1.5.33 compares one statistic over the alarm's whole window, and only when a metric is put: neither M of N
nor missing data, and no alarm ever ends once data stops. Its evaluation is replaced by ``backend.contract.alarm_state``
and asked for every few seconds; actions and history stay its own. The names below are private to it, which a test
watches.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ministack import app
from ministack.services import cloudwatch

from backend.contract.alarm_state import Datum, Evaluation, Rule, datum, evaluate, evaluated_from

EVALUATE_SECONDS: Final = 3.0
"""CloudWatch looks each minute; the demo sooner after the minute's end, for a minute is long to a spectator."""

_STATISTICS: Final = {"Average": "avg", "Sum": "sum", "Minimum": "min", "Maximum": "max"}
_COMPARISONS: Final = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
_logger = logging.getLogger("pulseboard.alarms")


def rule_of(alarm: Mapping[str, Any]) -> Rule | None:
    """The rule of an alarm as the emulator keeps it; None for one that is not about a plain threshold."""
    comparison = _COMPARISONS.get(alarm.get("ComparisonOperator") or "")
    named = alarm.get("ExtendedStatistic") or _STATISTICS.get(alarm.get("Statistic") or "Average")
    if comparison is None or named is None:
        return None
    periods = int(alarm.get("EvaluationPeriods") or 1)
    return Rule(
        statistic=named,
        comparison=comparison,
        threshold=float(alarm["Threshold"]),
        period_seconds=int(alarm.get("Period") or 60),
        periods=periods,
        datapoints=int(alarm.get("DatapointsToAlarm") or periods),
        missing=alarm.get("TreatMissingData") or "missing",
    )


def datum_of(point: Mapping[str, Any]) -> Datum:
    """A point as the emulator keeps it."""
    if (statistics := point.get("_stat")) is None:
        return datum(point["Timestamp"], point["Value"], point.get("Count", 1.0))
    samples, total = float(statistics.get("SampleCount", 0)), float(statistics.get("Sum", 0))
    low, high = float(statistics.get("Minimum", 0)), float(statistics.get("Maximum", 0))
    return Datum(point["Timestamp"], samples, total, low, high)


def judged(alarm: Mapping[str, Any], points: Iterable[Mapping[str, Any]], now: float) -> Evaluation | None:
    """What the alarm's state is at ``now``; None for an alarm that can't be judged here."""
    if (rule := rule_of(alarm)) is None:
        return None
    begin = evaluated_from(rule, now)
    data = [datum_of(point) for point in points if point["Timestamp"] >= begin]
    return evaluate(rule, data, now, alarm["StateValue"])


def evaluate_alarm(alarm: dict[str, Any]) -> None:
    """In place of the emulator's: the new state, its history and its actions."""
    dimensions = {entry["Name"]: entry["Value"] for entry in alarm.get("Dimensions") or ()}
    key = (alarm.get("Namespace"), alarm.get("MetricName"), cloudwatch._dims_key(dimensions))
    found = judged(alarm, cloudwatch._metrics.get(key) or (), time.time())
    if found is None or found.state == alarm["StateValue"]:
        return
    before = alarm["StateValue"]
    alarm["StateValue"], alarm["StateReason"] = found.state, found.reason
    alarm["StateUpdatedTimestamp"] = int(time.time())
    cloudwatch._record_history(alarm["AlarmName"], before, found.state, found.reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, found.state, found.reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def evaluate_all() -> None:
    """Every alarm once; one that can't be evaluated does not stop the others."""
    for alarm in list(cloudwatch._alarms.values()):
        try:
            evaluate_alarm(alarm)
        except Exception:
            _logger.exception("alarm %s was not evaluated", alarm.get("AlarmName"))


def replace_evaluation() -> None:
    """Puts ours in place of the emulator's, which then evaluates nothing by itself when metrics are put."""
    cloudwatch._evaluate_alarm = evaluate_alarm
    cloudwatch._evaluate_all_alarms = lambda: None


def keep_evaluating(loop: Callable[[], asyncio.AbstractEventLoop | None], stop: threading.Event) -> None:
    """Asks for an evaluation again and again, on the loop that serves requests: its stores know no locks."""
    while not stop.wait(EVALUATE_SECONDS):
        if (running := loop()) is not None and not running.is_closed():
            running.call_soon_threadsafe(evaluate_all)


def main() -> None:
    """Serves until it is told to stop."""
    replace_evaluation()
    stop = threading.Event()
    threading.Thread(target=keep_evaluating, args=(lambda: app._MAIN_LOOP, stop), daemon=True).start()
    try:
        app.main()
    finally:
        stop.set()


if __name__ == "__main__":
    main()
