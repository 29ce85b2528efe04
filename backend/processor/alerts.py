"""What the processor tells people, through SNS. An alert that can't be sent is logged and never costs a sample."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.processor.core import Processed
from backend.processor.part import ObjectPart

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SOURCE = "log-processor"


class Alerts:
    """Critical alerts go to one topic, warnings to the other; without a topic they are logged only."""

    def __init__(
        self, sns: SNSClient, alerts_topic: str, warnings_topic: str, logger: Logger, source: str = SOURCE
    ) -> None:
        self._sns = sns
        self._source = source
        self._topics = {"CRITICAL": alerts_topic, "HIGH": alerts_topic, "MEDIUM": warnings_topic}
        self._logger = logger

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

    def send(self, severity: str, kind: str, title: str, details: dict[str, Any]) -> None:
        """An alert of any kind: CRITICAL, HIGH or MEDIUM, a title of one line, and details that are logged as well."""
        topic = self._topics[severity]
        self._logger.warning(title, extra={"status": kind, "severity": severity, **details})
        if not topic:
            return
        message = json.dumps({"source": self._source, "kind": kind, "severity": severity, "title": title, **details})
        try:
            self._sns.publish(
                TopicArn=topic,
                Subject=f"{severity}: {title}"[:100],
                Message=message,
                MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
            )
        except (BotoCoreError, ClientError) as error:
            self._logger.error(
                "alert not sent", extra={"error_type": type(error).__name__, "error_message": str(error)}
            )
