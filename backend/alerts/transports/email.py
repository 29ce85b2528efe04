"""Email: plain text through an SNS topic that people subscribe to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.publish import subject_line
from backend.alerts.transports import links, text
from backend.alerts.transports.base import Delivered, Message, TransportError
from backend.contract.alerts import Delivery
from backend.contract.catalogue import Catalogue

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

BODY: Final = 60_000
"""Characters. SNS takes 256 KB, and a character has at most four bytes."""
_PERMANENT: Final = frozenset(
    {"NotFound", "AuthorizationError", "AccessDenied", "InvalidParameter", "InvalidParameterValue", "EndpointDisabled"}
)  # fmt: skip


_NOT_TAKEN: Final = frozenset(
    {"Throttling", "Throttled", "ThrottledException", "ThrottlingException", "KMSThrottling",
     "TooManyRequestsException"}
)  # fmt: skip
"""Codes that say that nothing was done: what is sent again is no repeat."""


class EmailTransport:
    """Sends mails. A reference is the message's id at SNS, which nothing can be done with."""

    name = "email"

    def __init__(self, sns: SNSClient, topic_arn: str, catalogue: Catalogue) -> None:
        self._sns = sns
        self._topic = topic_arn
        self._catalogue = catalogue

    def deliver(self, message: Message, sent: Delivery | None) -> Delivered:
        """Sends one mail; a mail can't be changed, so what only updates one is not sent. Raises TransportError."""
        reference = sent.reference if sent else ""
        if message.kind in ("updated", "incident") or (message.kind == "group" and reference):
            return Delivered(reference)
        subject, body = mail_of(message, self._catalogue)
        try:
            answer = self._sns.publish(TopicArn=self._topic, Subject=subject, Message=body)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            words, permanent = f"email: SNS answered {code}", code in _PERMANENT
            raise TransportError(words, permanent, unsure=code not in _NOT_TAKEN) from error
        except BotoCoreError as error:
            raise TransportError(f"email: no answer of SNS ({type(error).__name__})", permanent=False) from error
        return Delivered(answer["MessageId"])


def mail_of(message: Message, catalogue: Catalogue) -> tuple[str, str]:
    """Subject (printable ASCII, below 100 characters) and body of the mail. Pure."""
    alert = message.alert
    grouped = bool(message.members)
    headline = text.headline(alert)
    rows = [
        ("", text.change_text(message) if message.kind not in ("opened", "group") else ""),
        ("State", text.state_text(message)),
        ("Value", "" if grouped else text.value_text(alert, catalogue)),
        ("Since", text.since_text(alert, message.at)),
        ("Environment", alert.environment),
        ("Rule", "" if grouped else alert.rule),
        ("Correlation id", alert.correlation_id),
    ]
    facts = "\n".join(f"{name}: {value}" if name else value for name, value in rows if value)
    parts = [
        text.one_line(headline, 400),
        facts,
        "\n".join(text.member_lines(message)),
        "" if grouped else text.cut(alert.description.strip(), 8_000),
        "" if grouped else "\n".join(text.label_lines(alert)),
        "\n".join(f"{title}: {url}" for _, title, url in links.shown(message.links)),
        text.REPEATED if message.repeat else "",
        "The data is synthetic." if alert.synthetic else "",
    ]
    return subject_line(headline), "\n\n".join(part for part in parts if part)[:BODY]
