"""What a check of the doctor finds, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backend.aws import Clients

State = Literal["ok", "problem", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``text`` names the remedy where there is a problem."""

    state: State
    subject: str
    text: str

    def line(self) -> str:
        """As it is printed."""
        return f"{self.state:<8} {self.subject}: {self.text}"


def waiting_messages(clients: Clients, url: str) -> int:
    """About how many messages a queue holds. Raises botocore's errors."""
    name: Literal["ApproximateNumberOfMessages"] = "ApproximateNumberOfMessages"
    return int(clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def messages(count: int) -> str:
    """``1 message``, ``2 messages``."""
    return f"{count} message{'' if count == 1 else 's'}"
