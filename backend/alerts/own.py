"""What the alert consumer says of itself. Pure."""

from __future__ import annotations

from typing import Final

from backend.alerts.routing import DEAD_LETTERS, DELIVERY_FAILED, TRANSPORT, UNDELIVERED
from backend.contract.alerts import MAX_TITLE, Signal, fingerprint

LASTS_SECONDS: Final = 3600.0
"""Nobody says that a transport works again: the alert ends so long after the last delivery that failed."""

LETTERS_SECONDS: Final = 300.0
"""The dead-letter queue is looked at so often; its alert ends after three looks that found it empty."""


def letters_signal(count: int, environment: str, now: float) -> Signal:
    """The alert about messages that the consumer could not take for hours: nobody was told what they say."""
    source, _, kind = DEAD_LETTERS.partition(":")
    return Signal(
        fingerprint=fingerprint(source, kind, "", environment),
        rule=DEAD_LETTERS,
        state="firing",
        severity="HIGH",
        title=f"Alerts nobody was told of: about {count:,} in the dead-letter queue",
        at=round(now, 3),
        signal_id=f"{kind}.{now:.3f}",
        source=source,
        description="The alert consumer failed at these messages for hours. Redrive them once it works.",
        value=float(count),
        unit="messages",
        environment=environment,
        page="/replay?tab=dead-letters",
        runbook=kind,
        lasts_seconds=3 * LETTERS_SECONDS,
    )


def delivery_signal(
    transport: str, reason: str, gave_up: bool, delivery_id: str, environment: str, now: float
) -> Signal:
    """The alert about a delivery that ended without arriving: one per transport and reason, however many fail.

    ``gave_up`` is whether it was tried for as long as deliveries are; else no attempt would have helped.
    """
    rule = UNDELIVERED if gave_up else DELIVERY_FAILED
    source, _, kind = rule.partition(":")
    why = "could not be delivered in time" if gave_up else "was refused"
    return Signal(
        fingerprint=fingerprint(source, kind, transport if gave_up else f"{transport}: {reason}", environment),
        rule=rule,
        state="firing",
        severity="HIGH",
        title=f"An alert for {transport} {why}: {reason}"[:MAX_TITLE],
        at=round(now, 3),
        signal_id=f"{delivery_id}.{kind}",
        source=source,
        description="People are told by the other transports until somebody mends this one.",
        environment=environment,
        labels={TRANSPORT: transport, "reason": reason},
        page="/alerts",
        runbook=DELIVERY_FAILED.partition(":")[2],
        lasts_seconds=LASTS_SECONDS,
    )
