"""The branches of ``ParallelMonitoring``: can what was written be read, and does somebody watch?

They cost nothing but reads. What fires elsewhere has been told already: an execution fails only where its own samples
can't be seen, or where trouble on Pulseboard's own path would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backend.contract.alerts import alarm_name
from backend.contract.checks import CHECKS, Check, CheckResult, overdue
from backend.contract.tables import LIVE, partition
from backend.contract.verdict import duration
from backend.orchestration.document import Document, generated_of, listed
from backend.processor.items import Row

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

OWN_ALARMS: Final = (
    "s3_upload_failures", "dynamodb_throttled_requests", "lambda_error_rate", "alert_consumer_heartbeat",
)  # fmt: skip
"""Metrics whose alarms are about the path that samples and alerts take, not about what they say."""
ENABLED: Final = "ENABLED"

Verdict = dict[str, Any]
"""``status`` (passed, failed) and ``sentence``, which has no full stop."""
Query = Callable[[str, float, float], Iterable[Row]]
"""Partition, first and last time to its items, as ``MetricsStore.query``."""


class NotVisible(RuntimeError):  # noqa: N818 - what happened, as the execution's cause shows it
    """Samples that are stored are not in the index yet; the state tries again."""


def freshness(document: Document, metrics: Sequence[str], environment: str, query: Query, now: float) -> Verdict:
    """Passed when readers find the execution's minute of each metric. Raises NotVisible when they don't yet."""
    at = generated_of(document).at
    minute = at // 60 * 60
    unseen = [metric for metric in metrics if not any(query(partition(metric, LIVE, environment), minute, minute))]
    if unseen:
        raise NotVisible(f"Readers do not find samples of this execution's minute: {listed(unseen)}")
    return passed(f"Readers find all {len(metrics)} required metrics, collected {duration(max(0.0, now - at))} ago")


def alarms(cloudwatch: CloudWatchClient) -> Verdict:
    """Looks at the alarms on Pulseboard's own path. Raises botocore's errors."""
    names = [alarm_name(metric) for metric in OWN_ALARMS]
    answer = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])
    return alarm_verdict(names, answer["MetricAlarms"])


def alarm_verdict(names: Sequence[str], found: Iterable[MetricAlarmTypeDef]) -> Verdict:
    """Failed when one of the alarms is firing, is gone, or would tell nobody. Pure."""
    known = {alarm["AlarmName"]: alarm for alarm in found}
    firing = [name for name in names if name in known and known[name]["StateValue"] == "ALARM"]
    gone = [name for name in names if name not in known]
    mute = [name for name in known if not known[name].get("ActionsEnabled", True)]
    unknown = [name for name in names if name in known and known[name]["StateValue"] == "INSUFFICIENT_DATA"]
    said = [
        f"{words}: {listed(which)}"
        for words, which in (("alarms are firing", firing), ("alarms do not exist", gone), ("alarms tell nobody", mute))
        if which
    ]
    if said:
        return failed(_sentence(said))
    silent = f"; without data: {listed(unknown)}" if unknown else ""
    return passed(f"No alarm on Pulseboard's own path is firing{silent}")


def watchers(expected: str, latest: Callable[[Check], CheckResult | None], now: float) -> Verdict:
    """Looks when the scheduled checks last ran. ``expected`` is whether the stack has them on."""
    if expected != ENABLED:
        return passed("The scheduled checks are switched off")
    return watchers_verdict({check: latest(check) for check in CHECKS}, now)


def watchers_verdict(found: Mapping[Check, CheckResult | None], now: float) -> Verdict:
    """Failed when a check that once ran runs no more. Pure."""
    ran = {check: result for check, result in found.items() if result is not None}
    silent = [check.title for check, result in ran.items() if overdue(check, result, now) is not None]
    if silent:
        return failed(f"Checks do not run any more: {listed(silent)}")
    return passed(f"{len(ran)} of {len(found)} scheduled checks have run, none is overdue")


def passed(sentence: str) -> Verdict:
    """All is well."""
    return {"status": "passed", "sentence": sentence}


def failed(sentence: str) -> Verdict:
    """It is not."""
    return {"status": "failed", "sentence": sentence}


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[0].upper() + text[1:]
