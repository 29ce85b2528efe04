"""What every transport is given and gives back. A transport sends one message; when and whether is not its business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from backend.contract.alerts import Alert, Delivery

MessageKind = Literal[
    "opened", "updated", "renotified", "acknowledged", "unknown", "resolved", "group", "incident"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell. ``alert`` is as it is now, which may be later than ``at`` (epoch s), when this was decided.

    - ``opened``: say it, page for it. ``renotified``: say it again, loudly: nobody acknowledged it.
    - ``updated``: count, value or text changed: in place, or not at all.
    - ``acknowledged``, ``unknown``, ``resolved``: below what was said. An alert that was never said is not resolved.
    - ``group``: ``alert`` speaks for ``members``; the first one is said, later ones are in place.
    - ``incident``: open what belongs to a new incident (a channel); ``reference`` is then its name.

    ``links`` are absolute URLs by name (``alert``, ``page``, ``runbook``), none without a dashboard's address.
    ``repeat``: an earlier attempt may have arrived. ``delivery_id`` is the same at every attempt, and no other's.
    """

    kind: MessageKind
    alert: Alert
    at: float
    links: Mapping[str, str] = field(default_factory=dict)
    repeat: bool = False
    members: tuple[Alert, ...] = ()
    delivery_id: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The message there: a Slack ts, a PagerDuty dedup_key; "" where there is none. ``problem`` is what went wrong
    beside it, in a sentence, though it arrived."""

    reference: str
    problem: str = ""


class TransportError(RuntimeError):
    """A message did not arrive, or nobody knows whether it did.

    ``permanent``: no attempt will help before somebody mends it. ``retry_after``: seconds that the service asked for.
    ``unsure``: it may have arrived all the same; not where the service said that it did not take it.
    """

    def __init__(self, message: str, permanent: bool, retry_after: float | None = None, *, unsure: bool = True) -> None:
        super().__init__(message)
        self.unsure = unsure
        self.permanent = permanent
        self.retry_after = retry_after


class Transport(Protocol):
    """One way to tell people. Thread-safe. Each request has a time limit of seconds; ``delivery.SEND_SECONDS`` are kept
    for a call. One that looks for an earlier message page by page may need more: cut off, it is made again."""

    @property
    def name(self) -> str:
        """``slack``, ``pagerduty``, ``email``: as routes name it."""
        ...

    def deliver(self, message: Message, sent: Delivery | None) -> Delivered:
        """Sends one message. ``sent`` is what was delivered of this alert before, None the first time.

        Raises TransportError.
        """
        ...
