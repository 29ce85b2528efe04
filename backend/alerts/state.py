"""What is known of one fingerprint, and what a decision makes of it. Pure data; times are epoch seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from backend.alerts.transports.base import MessageKind
from backend.contract.alerts import Alert, Incident, Signal, Silence
from backend.settings_alerts import Alerting

_RANK: Final = {"firing": 0, "unknown": 1, "resolved": 2}
Part = Literal["own", "group", "incident"]


class Order(NamedTuple):
    """Where a signal stands among those of its fingerprint: by its source's clock, never by arrival.

    Of two at one instant the resolving one is the later one; two that say the same say it twice.
    """

    at: float = -math.inf
    rank: int = 0


NO_ORDER: Final = Order()


def order_of(signal: Signal) -> Order:
    """The place of a signal, in whole milliseconds."""
    return Order(round(signal.at, 3), _RANK[signal.state])


@dataclass(frozen=True, slots=True)
class Track:
    """What is kept of a fingerprint beside its alerts. ``version`` counts the writes, 0 is none.

    ``decided`` is the newest firing or resolving signal, ``unsure`` the newest unknown one: what nobody knows is kept
    apart from what somebody said, so that unknown never resolves. ``seen`` are the last signals' ids,
    ``opens`` when the last alerts opened.

    The rest is about the alert that is open. ``told_at`` is None while nobody was told; ``told_to`` are the
    transports that were, ``last_told`` is when they last were. ``shown_at`` is when its message was last brought up to
    date, ``dirty`` whether it changed since. ``hold_until``: it was resolved at ``resolved_at`` and flaps, so it has
    to stay so until then. ``close_at``: it ends then unless it is repeated. ``look_at``: when time changes something.
    """

    version: int = 0
    decided: Order = NO_ORDER
    unsure: Order = NO_ORDER
    seen: tuple[str, ...] = ()
    opens: tuple[float, ...] = ()
    told_at: float | None = None
    told_to: tuple[str, ...] = ()
    last_told: float | None = None
    shown_at: float | None = None
    dirty: bool = False
    unknown_told: bool = False
    hold_until: float | None = None
    resolved_at: float | None = None
    lasts_seconds: float | None = None
    close_at: float | None = None
    extra_route: str = ""
    look_at: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One alert that a group speaks for."""

    fingerprint: str
    opened_at: float


@dataclass(frozen=True, slots=True)
class Storm:
    """Kept with the fingerprint that speaks for storms of a severity and an environment.

    ``openings`` are when the last such alerts were to be told, ``members`` whom the group speaks for.
    ``incident_id`` is the incident that the first alert of the last storm opened.
    """

    openings: tuple[float, ...] = ()
    members: tuple[Member, ...] = ()
    incident_id: str = ""


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident and the ids of its alerts that are still open; ``version`` 0 is one that was never written."""

    incident: Incident
    open_alerts: frozenset[str]
    version: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A fingerprint as the store has it. ``alert`` is the one in question, by default its newest; None: none ever.

    ``group`` is the fingerprint that speaks for storms of its severity and environment, ``incident`` the one it belongs
    or could belong to: both only where a decision may need them.
    """

    fingerprint: str
    track: Track = field(default_factory=Track)
    alert: Alert | None = None
    storm: Storm = field(default_factory=Storm)
    group: Known | None = None
    incident: KnownIncident | None = None

    @property
    def open(self) -> Alert | None:
        """The alert, if it is not resolved."""
        return self.alert if self.alert is not None and self.alert.state != "resolved" else None


@dataclass(frozen=True, slots=True)
class Context:
    """What decisions depend on besides: time, rules, who can be told, and whether an alert of more words is there."""

    now: float
    config: Alerting
    silences: tuple[Silence, ...] = ()
    connected: frozenset[str] = frozenset()
    covered_by: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for some transports, about the alert of this fingerprint that opened at ``opened_at``."""

    kind: MessageKind
    transports: tuple[str, ...]
    fingerprint: str
    opened_at: float
    at: float


@dataclass(frozen=True, slots=True)
class Count:
    """One more of ``counter`` (``fired``, ``acknowledged_in_time``, ``noise``) for a rule in an ISO week."""

    rule: str
    week: str
    counter: Literal["fired", "acknowledged_in_time", "noise"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written, all or nothing, and then told. ``outcome`` is a word for the log.

    ``known`` is how everything is afterwards; ``changed`` names the parts to write, empty: nothing happened.
    """

    known: Known
    outcome: str
    changed: frozenset[Part] = frozenset()
    messages: tuple[Outgoing, ...] = ()
    counts: tuple[Count, ...] = ()
