"""A decision in the making: one fingerprint, its group and its incident, with what is to be told and counted.

Pure: it is made from what is known and a context, and ends as a ``Decision``. What is decided when stands in
``decide``; here is what each step does to the records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

from backend.alerts import incidents
from backend.alerts.routing import ANOTHER_ROAD, GROUP, Quiet, quiet, routes
from backend.alerts.state import (
    Context,
    Count,
    Decision,
    Known,
    Member,
    Outgoing,
    Part,
)
from backend.alerts.storms import group_alert, size_title
from backend.alerts.transports.base import MessageKind
from backend.alerts.transports.links import links_of
from backend.alerts.tuning import week_of
from backend.contract.alerts import ACKNOWLEDGE_SECONDS, SEVERITIES, Alert, AlertEvent
from backend.contract.catalogue import Severity

MAX_EVENTS: Final = 100
FIRST_EVENTS: Final = 20
"""Of a timeline that is too long the middle goes."""
MAX_MEMBERS: Final = 1_000
MAX_OPENINGS: Final = 50
UPDATE_SECONDS: Final = 60.0
"""What was told is brought up to date in place at most so often."""
GROUP_UPDATE_SECONDS: Final = 10.0
RECHECK_SECONDS: Final = 60.0
"""An alert that is kept quiet is looked at so often: silences are ended early, covering alerts end unforeseen."""
INCIDENT_SEVERITY: Final = "CRITICAL"
LONG_AGO: Final = 0.0
"""When an alert was last told that is to be told again at once, or as soon as nothing keeps it quiet."""


class Draft:
    """Changes of one fingerprint, step by step."""

    def __init__(self, known: Known, context: Context) -> None:
        self.known = known
        self.track = known.track
        self.alert = known.alert
        self.storm = known.storm
        self.incident = known.incident
        self.context = context
        self.changed: set[Part] = set()
        self.messages: list[Outgoing] = []
        self.counts: list[Count] = []
        self._group: Draft | None = None

    @property
    def group(self) -> Draft | None:
        """The group that speaks for such storms, where it was loaded."""
        if self._group is None and self.known.group is not None:
            self._group = Draft(self.known.group, self.context)
        return self._group

    def the_alert(self) -> Alert:
        """The alert in question; there has to be one."""
        if self.alert is None:
            raise ValueError("there is no alert")
        return self.alert

    def decision(self, outcome: str) -> Decision:
        """What is to be written and told."""
        self.track = replace(self.track, look_at=self.look_at())
        changed, messages = set(self.changed), list(self.messages)
        group = self.known.group
        if self._group is not None and self._group.changed:
            group = self._group.decision("").known
            changed.add("group")
            messages += self._group.messages
        known = replace(
            self.known,
            track=self.track,
            alert=self.alert,
            storm=self.storm,
            group=group,
            incident=self.incident,
        )
        # What belongs to an incident comes after what says it.
        messages.sort(key=lambda message: message.kind == "incident")
        return Decision(known, outcome, frozenset(changed), tuple(messages), tuple(self.counts))

    def set_track(self, **changes: Any) -> None:
        """Changes the track."""
        self.track = replace(self.track, **changes)
        self.changed.add("own")

    def set_alert(self, **changes: Any) -> None:
        """Changes the alert; it is updated now."""
        self.alert = replace(self.the_alert(), **{"updated_at": self.context.now, **changes})
        self.changed.add("own")

    def note(self, kind: str, text: str, at: float | None = None, who: str = "") -> None:
        """One line more of the alert's timeline, and of its incident's."""
        event = AlertEvent(self.context.now if at is None else at, kind, text, who)
        events = (*self.the_alert().events, event)
        if len(events) > MAX_EVENTS:
            events = (*events[:FIRST_EVENTS], *events[-(MAX_EVENTS - FIRST_EVENTS) :])
        self.set_alert(events=events)
        if kind in ("acknowledged", "unknown", "note") and self.incident and self._belongs():
            self.incident = incidents.noted(self.incident, event)
            self.changed.add("incident")

    def count(self, counter: Literal["fired", "acknowledged_in_time", "noise"]) -> None:
        """Counts for the alert's rule in the week in which it opened."""
        alert = self.the_alert()
        self.counts.append(Count(alert.rule, week_of(alert.opened_at), counter))

    def say(self, kind: MessageKind, to: tuple[str, ...]) -> None:
        """Tells some transports about the alert, if there are any."""
        alert = self.the_alert()
        if to:
            self.messages.append(Outgoing(kind, to, self.known.fingerprint, alert.opened_at, self.context.now))

    def routes(self) -> tuple[str, ...]:
        """The transports the alert is for that are connected."""
        wanted = routes(self.the_alert(), self.track.extra_route, self.context.config)
        return tuple(name for name in wanted if name in self.context.connected)

    def quiet(self) -> Quiet | None:
        """What keeps the alert from being told now."""
        context = self.context
        return quiet(self.the_alert(), context.now, context.config, context.silences, context.covered_by)

    def tell_opening(self) -> None:
        """Tells the alert for the first time, by itself or through its group, unless something keeps it quiet."""
        reason = self.quiet()
        if reason is not None:
            if self.the_alert().silenced_by != reason.why:
                self.set_alert(silenced_by=reason.why)
                self.note("silenced", f"Not told: {reason.why}")
            return
        now = self.context.now
        if self.the_alert().silenced_by:
            self.note("note", f"Told now, it is no longer kept quiet ({self.the_alert().silenced_by})")
            self.set_alert(silenced_by="")
        self._take_part_in_storm()
        if self.the_alert().group:
            self.set_track(told_at=now, last_told=now)
        else:
            self.tell_alone()

    def tell_alone(self) -> None:
        """Tells the alert by itself; the group that spoke for it does so no more."""
        now = self.context.now
        self.leave_group()
        to = self.routes()
        if not to:
            self.note("note", "Nobody is told: no transport of its routes is connected")
        self.set_track(told_at=now, told_to=to, last_told=now, shown_at=now, dirty=False)
        self.say("opened", to)
        self._need_incident()

    def tell_worse(self) -> None:
        """Tells that a told alert became worse, to those that it is for now; what keeps it quiet delays that."""
        reason = self.quiet()
        if reason is not None:
            self.note("silenced", f"Not told: {reason.why}")
            self.leave_group()
            self.set_track(last_told=LONG_AGO)
        elif self.the_alert().group:
            self.tell_alone()
        else:
            self.tell_again()

    def tell_again(self) -> None:
        """Tells a told alert once more, to whom it was told and to those that it is for now."""
        now = self.context.now
        told_to = union(self.track.told_to, self.routes())
        self.set_track(told_to=told_to, last_told=now, shown_at=now, dirty=False)
        self.say("renotified", told_to)
        self._need_incident()

    def show_change(self) -> None:
        """The told message is brought up to date in place, now or when the last time is long enough ago."""
        group = self.group
        if self.the_alert().group and group is not None:
            group.set_track(dirty=True)
            group.show_due()
        elif self.track.told_at is not None:
            self.set_track(dirty=True)
            self.show_due()

    def show_due(self) -> None:
        """Sends the update in place that is due, if one is."""
        shown_at, is_group = self.track.shown_at, bool(self.storm.members)
        pause = GROUP_UPDATE_SECONDS if is_group else UPDATE_SECONDS
        if self.track.dirty and (shown_at is None or self.context.now >= shown_at + pause):
            self.set_track(dirty=False, shown_at=self.context.now)
            self.say("group" if is_group else "updated", self.track.told_to)

    def resolve(self, at: float, text: str, who: str = "") -> None:
        """Ends the alert as of ``at``; who was told of it is told of that."""
        alert = self.the_alert()
        ended = max(round(at, 3), alert.opened_at)
        self.set_alert(state="resolved", resolved_at=ended, unknown_since=None)
        self.note("resolved", text, who=who)
        if alert.group:
            self._group_without()
        elif self.track.told_at is not None:
            self.say("resolved", self.track.told_to)
        self.set_track(hold_until=None, close_at=None, dirty=False)
        if self.incident and self._belongs():
            self.incident = incidents.left(self.incident, self.the_alert(), self.context.now)
            self.changed.add("incident")

    def look_at(self) -> float | None:
        """When time itself changes something about this alert; None: never."""
        alert, track = self.alert, self.track
        if alert is None or alert.state == "resolved":
            return None
        moments = [track.hold_until, track.close_at]
        if track.told_at is None:
            reason = self.quiet()
            recheck = self.context.now + RECHECK_SECONDS
            moments.append(recheck if reason is None or reason.until is None else min(recheck, reason.until))
        else:
            moments.append(self.renotify_at())
            if track.dirty and track.shown_at is not None:
                pause = GROUP_UPDATE_SECONDS if self.storm.members else UPDATE_SECONDS
                moments.append(track.shown_at + pause)
        return min((moment for moment in moments if moment is not None), default=None)

    def renotify_at(self) -> float | None:
        """When the alert is told again unless somebody acknowledges it; None while it need not be."""
        alert, track = self.the_alert(), self.track
        if alert.state != "open" or track.told_at is None or alert.group or track.hold_until is not None:
            return None
        pause = 60 * float(getattr(self.context.config.renotify_minutes, alert.severity.lower()))
        if track.last_told == track.told_at:
            return track.told_at + ACKNOWLEDGE_SECONDS.get(alert.severity, pause)
        return (track.told_at if track.last_told is None else track.last_told) + pause

    def _belongs(self) -> bool:
        return self.incident is not None and self.the_alert().incident_id == self.incident.incident.incident_id

    def _take_part_in_storm(self) -> None:
        """Counts the opening, lets a group speak for it where there were too many, and finds its incident."""
        group, config, now = self.group, self.context.config, self.context.now
        # That a transport is broken is said by the others: a group's message may go by that one alone.
        if group is None or self.the_alert().rule in (GROUP, *ANOTHER_ROAD):
            return
        recent = tuple(at for at in group.storm.openings if at > now - config.group_seconds)
        if self.the_alert().severity == INCIDENT_SEVERITY:
            self._find_incident(group, in_storm=bool(recent))
        group.storm = replace(group.storm, openings=(*recent, now)[-max(MAX_OPENINGS, config.group_after + 1) :])
        group.changed.add("own")
        if len(recent) >= config.group_after and len(group.storm.members) < MAX_MEMBERS:
            self.set_alert(group=group.known.fingerprint)
            self.note("note", "Told together with others that came at the same time")
            group.join(self.the_alert(), self.routes())

    def _find_incident(self, group: Draft, in_storm: bool) -> None:
        known = self.incident
        if in_storm and known is not None and known.incident.closed_at is None:
            self.incident = incidents.joined(known, self.the_alert())
            self.set_alert(incident_id=known.incident.incident_id)
            self.changed.add("incident")
        else:
            self._open_incident()
        group.storm = replace(group.storm, incident_id=self.the_alert().incident_id)

    def _need_incident(self) -> None:
        """What became CRITICAL after it was told has an incident too."""
        if self.the_alert().severity == INCIDENT_SEVERITY and not self.the_alert().incident_id:
            self._open_incident()

    def _open_incident(self) -> None:
        """An incident of this alert's own."""
        alert, url = self.the_alert(), self.context.config.dashboard_url
        self.incident = incidents.new_incident(alert, self.context.now, links_of(alert, url))
        self.set_alert(incident_id=self.incident.incident.incident_id)
        self.changed.add("incident")
        if self.context.config.slack.incident_channels and "slack" in self.context.connected:
            self.say("incident", ("slack",))

    def next_opening(self, at: float) -> float:
        """When an alert opens whose cause began at ``at``: each opens later than the one before, by which a store
        knows the newest. In milliseconds."""
        before = self.alert.opened_at + 0.001 if self.alert is not None else at
        return round(max(at, before), 3)

    def join(self, member: Alert, told_to: tuple[str, ...]) -> None:
        """This fingerprint's group alert, opened where there is none, speaks for one more, to those it is for too."""
        now = self.context.now
        is_open = self.alert is not None and self.alert.state != "resolved"
        members = self.storm.members if is_open else ()
        self.storm = replace(self.storm, members=(*members, Member(member.fingerprint, member.opened_at)))
        if not is_open:
            self.alert = group_alert(self.known.fingerprint, member, self.next_opening(now))
            self.set_track(told_at=now, told_to=(), last_told=now, shown_at=None, extra_route="")
        self.set_track(told_to=union(self.track.told_to, told_to))
        self._say_size()

    def leave(self, member: Alert) -> None:
        """The group speaks for one less; for none any more it is resolved."""
        gone = Member(member.fingerprint, member.opened_at)
        self.storm = replace(self.storm, members=tuple(one for one in self.storm.members if one != gone))
        self.changed.add("own")
        if self.alert is None or self.alert.state == "resolved":
            return
        if self.storm.members:
            self._say_size()
        else:
            self.set_alert(title=size_title(self.alert.fired, self.alert.severity), value=0.0)
            self.resolve(self.context.now, "All of its alerts are resolved")

    def _say_size(self) -> None:
        alert, size = self.the_alert(), len(self.storm.members)
        self.set_alert(title=size_title(size, alert.severity), value=float(size), fired=max(alert.fired, size))
        self.set_track(dirty=True)
        self.show_due()

    def leave_group(self) -> None:
        """The group that spoke for this alert, if one did, does so no more."""
        if self.the_alert().group:
            self._group_without()
            self.set_alert(group="")

    def _group_without(self) -> None:
        group = self.group
        if group is not None and group.known.fingerprint == self.the_alert().group:
            group.leave(self.the_alert())


def union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each once, in their order."""
    return tuple(dict.fromkeys((*first, *second)))


def worse(severity: Severity, than: Severity) -> bool:
    """Whether a severity is worse than another."""
    return SEVERITIES.index(severity) < SEVERITIES.index(than)
