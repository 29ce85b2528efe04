"""What a signal, an operator or the clock makes of an alert. Pure: the same records give the same decision."""

from __future__ import annotations

from typing import Final

from backend.alerts.draft import LONG_AGO, Draft, worse
from backend.alerts.routing import GROUP
from backend.alerts.state import Context, Decision, Known, Order, Track, order_of
from backend.contract.alerts import Alert, AlertEvent, Signal
from backend.contract.errors import InvalidInput

MAX_SEEN: Final = 20
"""Ids of signals that are remembered: SQS delivers a second time within minutes."""

OVERTAKEN_SECONDS: Final = 5.0
"""Consumers side by side take what came in one moment in any order: a firing that began so shortly before its alert
opened is of that alert."""


def on_signal(known: Known, signal: Signal, context: Context) -> Decision:
    """What a signal changes. A second delivery changes nothing, an older signal nothing but the timeline."""
    draft = Draft(known, context)
    if signal.signal_id in known.track.seen:
        return draft.decision("repeated")
    draft.set_track(seen=(*known.track.seen, signal.signal_id)[-MAX_SEEN:])
    order = order_of(signal)
    if signal.state == "unknown":
        return draft.decision(_unknown(draft, order))
    again = order == known.track.decided and not known.open
    if order < known.track.decided or (again and signal.state != "firing"):
        if known.open:
            if signal.state == "firing" and order.at >= known.open.opened_at - OVERTAKEN_SECONDS:
                draft.set_alert(fired=known.open.fired + 1)
            draft.note("note", f"An older message came late: {signal.state}", at=order.at)
        return draft.decision("older")
    draft.set_track(decided=order)
    if signal.state == "firing":
        # What was ended by hand, or for not being repeated, fires on: sources repeat when it began.
        opened_at = draft.next_opening(context.now if again else order.at)
        outcome = _repeat(draft, signal, order.at) if known.open else _open(draft, signal, opened_at)
        _still_unsure(draft)
        return draft.decision(outcome)
    return draft.decision(_resolve(draft, signal, order.at) if known.open else "nothing open")


def on_time(known: Known, context: Context) -> Decision:
    """What time alone changes: held resolutions, the end of silences, who is told again, what nobody repeats."""
    draft, now, track = Draft(known, context), context.now, known.track
    alert = known.open
    if alert is None:
        return draft.decision("nothing open")
    if track.hold_until is not None and now >= track.hold_until:
        if track.unsure < track.decided:
            draft.resolve(track.resolved_at or now, "Resolved, and it stayed so")
            return draft.decision("resolved")
        draft.set_track(hold_until=None, resolved_at=None)
        draft.note("note", "Nobody knows whether it stayed resolved; it stays open")
    if track.close_at is not None and now >= track.close_at:
        draft.resolve(now, f"Ended: not repeated for {_minutes(track.lasts_seconds or 0)}")
        return draft.decision("resolved")
    outcome = "waiting"
    if track.told_at is None and alert.state == "open" and track.hold_until is None:
        draft.tell_opening()
        outcome = "told" if draft.track.told_at is not None else "quiet"
    renotify_at = draft.renotify_at()
    if renotify_at is not None and now >= renotify_at:
        outcome = _renotify(draft)
    draft.show_due()
    return draft.decision(outcome)


def acknowledge(known: Known, context: Context, by: str, reason: str) -> Decision:
    """Somebody takes care of it: it is not told again. A second time changes nothing.

    Raises InvalidInput for an alert that is resolved.
    """
    alert = _open_alert(known)
    draft = Draft(known, context)
    if alert.state == "acknowledged":
        return draft.decision("acknowledged")
    draft.set_alert(state="acknowledged", acknowledged_at=context.now, acknowledged_by=by)
    draft.note("acknowledged", reason, who=by)
    if alert.acknowledge_by is not None and context.now <= alert.acknowledge_by and alert.rule != GROUP:
        draft.count("acknowledged_in_time")
    if draft.track.told_at is not None:
        draft.say("acknowledged", draft.track.told_to)
    return draft.decision("acknowledged")


def resolve(known: Known, context: Context, by: str, reason: str) -> Decision:
    """Somebody ends it by hand; the next signal that fires opens another. Raises InvalidInput if it is resolved."""
    _open_alert(known)
    draft = Draft(known, context)
    draft.resolve(context.now, reason, who=by)
    return draft.decision("resolved")


def mark_noise(known: Known, context: Context, by: str, reason: str) -> Decision:
    """Somebody says that it should not have fired, once per alert; open or not."""
    draft = Draft(known, context)
    if draft.the_alert().noise:
        return draft.decision("noise")
    draft.set_alert(noise=by)
    draft.note("noise", reason, who=by)
    if draft.the_alert().rule != GROUP:
        draft.count("noise")
    return draft.decision("noise")


def _open_alert(known: Known) -> Alert:
    alert = known.open
    if alert is None:
        raise InvalidInput("alert_id", known.alert.alert_id if known.alert else "", "is resolved already")
    return alert


def _open(draft: Draft, signal: Signal, at: float) -> str:
    config, track = draft.context.config, draft.track
    opens = (*(one for one in track.opens if one > at - 60 * config.flap_minutes), at)
    flapping = len(opens) >= config.flap_count
    draft.alert = Alert(
        fingerprint=signal.fingerprint,
        opened_at=at,
        state="open",
        rule=signal.rule,
        severity=signal.severity,
        title=signal.title,
        source=signal.source,
        updated_at=draft.context.now,
        description=signal.description,
        value=signal.value,
        unit=signal.unit,
        metric=signal.metric,
        environment=signal.environment,
        labels=signal.labels,
        page=signal.page,
        runbook=signal.runbook,
        correlation_id=signal.correlation_id,
        flapping=flapping,
        events=(AlertEvent(at, "opened", signal.title),),
        synthetic=signal.synthetic,
    )
    draft.track = Track(
        version=track.version,
        decided=track.decided,
        unsure=track.unsure,
        seen=track.seen,
        opens=opens[-max(10, config.flap_count) :],
        extra_route=signal.extra_route,
    )
    _lasts(draft, signal)
    if flapping:
        draft.note("flapping", f"Opened {len(opens)} times within {_minutes(60 * config.flap_minutes)}")
    draft.count("fired")
    draft.tell_opening()
    return "opened"


def _repeat(draft: Draft, signal: Signal, at: float) -> str:
    """Counted, not told. A worse severity is told to those that it is for."""
    alert = draft.the_alert()
    if draft.track.hold_until is not None:
        draft.set_track(hold_until=None, resolved_at=None)
        draft.note("flapping", "It fires again before it stayed resolved", at=at)
    rises = worse(signal.severity, alert.severity)
    draft.set_alert(
        fired=alert.fired + 1,
        severity=signal.severity if rises else alert.severity,
        title=signal.title,
        description=signal.description or alert.description,
        value=signal.value if signal.value is not None else alert.value,
        labels=signal.labels or alert.labels,
        unknown_since=None,
    )
    _lasts(draft, signal)
    if rises:
        draft.note("updated", f"{alert.severity} became {signal.severity}", at=at)
        draft.set_alert(state="open", acknowledged_at=None, acknowledged_by="")
        if draft.track.told_at is None:
            draft.tell_opening()
        else:
            draft.tell_worse()
        return "worse"
    draft.show_change()
    return "counted"


def _resolve(draft: Draft, signal: Signal, at: float) -> str:
    if not draft.the_alert().flapping:
        draft.resolve(at, signal.title or "Resolved")
        return "resolved"
    hold = 60 * draft.context.config.flap_hold_minutes
    draft.set_track(hold_until=draft.context.now + hold, resolved_at=at)
    draft.note("flapping", f"Resolved, if it stays so for {_minutes(hold)}", at=at)
    draft.show_change()
    return "held"


def _unknown(draft: Draft, order: Order) -> str:
    if order < draft.track.unsure:
        return "older"
    draft.set_track(unsure=order)
    return "unknown" if draft.known.open and _still_unsure(draft) else "nothing open"


def _still_unsure(draft: Draft) -> bool:
    """Marks an open alert of which nothing is known any more since after it last fired; told once."""
    alert, unsure = draft.alert, draft.track.unsure
    if alert is None or alert.state == "resolved" or unsure < draft.track.decided:
        return False
    if alert.unknown_since is None:
        draft.set_alert(unknown_since=unsure.at)
        draft.note("unknown", "Its source says nothing; it stays open", at=unsure.at)
    if draft.track.told_at is not None and not draft.track.unknown_told and not alert.group:
        draft.set_track(unknown_told=True)
        draft.say("unknown", draft.track.told_to)
    return True


def _renotify(draft: Draft) -> str:
    """Tells an alert again that nobody acknowledged, unless it is to be quiet now."""
    if draft.quiet() is not None:
        # It is looked at again when its time comes next: told at the end of what keeps it quiet.
        return "quiet"
    worse_meanwhile = draft.track.last_told == LONG_AGO
    draft.note("renotified", "Told now, it is no longer kept quiet" if worse_meanwhile else "Nobody acknowledged it")
    draft.tell_again()
    return "renotified"


def _lasts(draft: Draft, signal: Signal) -> None:
    """Sets when the alert ends by itself, counted from when that was heard."""
    lasts = signal.lasts_seconds
    close_at = None if lasts is None else draft.context.now + lasts
    draft.set_track(lasts_seconds=lasts, close_at=close_at)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"
