"""What the processors tell people. An alert that can't be sent is logged and never costs a sample or an event."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from backend.alerts.publish import Publisher
from backend.contract.catalogue import Severity
from backend.processor.core import Processed
from backend.processor.part import ObjectPart
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SOURCE: Final = "log-processor"
LASTS_SECONDS: Final = 3600.0
"""Nobody says that a bad object has gone: such an alert ends so long after the last of its kind."""


class Alerts:
    """Alerts of one processor by what happened; without topics they are logged only."""

    def __init__(self, sns: SNSClient, settings: Settings, logger: Logger, source: str = SOURCE) -> None:
        self._publisher = Publisher(sns, settings, logger, source)

    def access_denied(self, bucket: str, part: ObjectPart, error: str) -> None:
        """An object can't be read: someone must mend the permission and redrive the dead-letter queue."""
        title = "The processor may not read a metrics object"
        self.send("CRITICAL", "access_denied", title, {"bucket": bucket, "object": part.key, "error": error})

    def quality(self, part: ObjectPart, processed: Processed, quarantine: str, limit_percent: float) -> None:
        """Some of an object's samples were quarantined; above the limit it is an alert, else a warning."""
        failed = processed.failed_percent
        reasons = dict(Counter(q.reason for q in processed.quarantined))
        title = f"{len(processed.quarantined)} of {processed.samples} samples quarantined ({failed:.1f} %)"
        details = {"object": part.key, "reasons": reasons, "quarantine": quarantine}
        details["example"] = processed.quarantined[0].message
        self.send("HIGH" if failed > limit_percent else "MEDIUM", "data_quality", title, details)

    def send(self, severity: Severity, kind: str, title: str, details: dict[str, Any]) -> None:
        """An alert of any kind: a title of one line, and details that are logged as well."""
        self._publisher.send(
            severity, kind, title, runbook=kind, page="/errors", lasts_seconds=LASTS_SECONDS, details=details
        )
