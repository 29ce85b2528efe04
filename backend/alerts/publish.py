"""How every part of Pulseboard raises an alert: a message to one of the two topics, which the alert consumer reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.alerts import CRITICAL_TOPIC, LEFT_OUT, SignalState, signal_message
from backend.contract.catalogue import Severity
from backend.contract.errors import InvalidInput
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

MAX_SUBJECT: Final = 99
"""SNS takes fewer than 100 characters of printable ASCII."""
MAX_DETAIL: Final = 1_000
MAX_DETAILS: Final = 20
"""SNS takes 256 KB a message; who needs more than this follows a link."""
_REFUSED: Final = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})
"""Codes of SNS for a message that it will not take at any time."""


class Publisher:
    """Sends alerts of one ``source``. What can't be sent is logged and costs its caller nothing; thread-safe."""

    def __init__(
        self,
        sns: SNSClient,
        settings: Settings,
        logger: Logger,
        source: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sns = sns
        self._settings = settings
        self._logger = logger
        self._source = source
        self._clock = clock

    def send(
        self,
        severity: Severity,
        kind: str,
        title: str,
        *,
        state: SignalState = "firing",
        subject: str = "",
        at: float | None = None,
        description: str = "",
        value: float | None = None,
        unit: str = "",
        environment: str = "",
        page: str = "",
        runbook: str = "",
        correlation_id: str = "",
        lasts_seconds: float | None = None,
        synthetic: bool = False,
        details: Mapping[str, Any] | None = None,
        strict: bool = False,
    ) -> bool:
        """Says that ``kind`` fires, is resolved, or is unknown for ``subject``; whether it was sent. Never raises,
        except, where ``strict``, InvalidInput for a message that SNS would refuse at any time.

        ``at`` (epoch s) is when that began, now by default; ``environment`` is the configured one by default. The
        topic follows the severity, so a resolution needs the severity of its alert. Without a topic it is logged only.
        """
        details = _short(details or {})
        # Names of details may be anybody's: they stand apart from the fields of the line.
        said = {"status": kind, "severity": severity, "alert_state": state, "subject": subject, "details": details}
        (self._logger.warning if state == "firing" else self._logger.info)(title, extra=said)
        topic = self._topic(severity)
        if not topic:
            return False
        message = signal_message(
            source=self._source,
            kind=kind,
            severity=severity,
            title=title,
            at=self._clock() if at is None else at,
            state=state,
            subject=subject,
            description=description,
            value=value,
            unit=unit,
            environment=environment or self._settings.config.environment,
            page=page,
            runbook=runbook,
            correlation_id=correlation_id,
            lasts_seconds=lasts_seconds,
            synthetic=synthetic,
            details=details,
        )
        return self._publish(topic, severity, title, message, strict)

    def _topic(self, severity: Severity) -> str:
        critical = severity in CRITICAL_TOPIC
        return self._settings.alerts_topic_arn if critical else self._settings.warnings_topic_arn

    def _publish(self, topic: str, severity: Severity, title: str, message: str, strict: bool) -> bool:
        try:
            self._sns.publish(
                TopicArn=topic,
                Subject=subject_line(f"{severity}: {title}"),
                Message=message,
                MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
            )
        except (BotoCoreError, ClientError) as error:
            self._logger.error(
                "alert not sent", extra={"error_type": type(error).__name__, "error_message": str(error)}
            )
            if strict and _refused(error):
                raise InvalidInput("alert", title, f"was refused by SNS, now and later: {error}") from error
            return False
        return True


def subject_line(text: str) -> str:
    """The text as a subject that SNS takes: one line of printable ASCII, cut."""
    printable = "".join(character if " " <= character <= "~" else " " for character in text)
    return " ".join(printable.split())[:MAX_SUBJECT]


def _refused(error: Exception) -> bool:
    """Whether it is the message that SNS does not take; a wrong topic is no fault of the message's."""
    return (
        isinstance(error, ClientError)
        and error.response["Error"]["Code"] in _REFUSED
        and "TopicArn" not in error.response["Error"].get("Message", "")
    )


def _short(details: Mapping[str, Any]) -> dict[str, Any]:
    """At most so many details, each cut: what is no text and too long becomes the beginning of its JSON."""
    names = list(details)
    kept = {name: _cut(details[name]) for name in names[:MAX_DETAILS]}
    return {**kept, LEFT_OUT: f"{len(names) - MAX_DETAILS} more"} if len(names) > MAX_DETAILS else kept


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if len(text) <= MAX_DETAIL else text[:MAX_DETAIL]
