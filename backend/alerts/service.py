"""What the pages do with alerts: read them, acknowledge, silence, end, mark, follow up. Actions are audited first."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts import decide, incidents
from backend.alerts.annotations import Annotations
from backend.alerts.draft import MAX_MEMBERS
from backend.alerts.items import key, silence_item, silence_of
from backend.alerts.keeper import Decide, Keeper
from backend.alerts.parsing import WAKE
from backend.alerts.reading import MAX_ANNOTATIONS, AlertReader
from backend.alerts.routing import GROUP, maintenance
from backend.alerts.state import KnownIncident
from backend.alerts.store import DAY_SECONDS, AlertStore
from backend.audit import AuditLog
from backend.contract.alerts import (
    CONFIGURED,
    LONGEST_SILENCE,
    MAX_FOLLOW_UP,
    SEVERITIES,
    Alert,
    AlertEvent,
    Annotation,
    FoundAnnotations,
    Incident,
    RuleWeek,
    Silence,
)
from backend.contract.checks import CheckResult
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text
from backend.contract.tables import EXPIRES_AT, SILENCES
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

MAX_REASON: Final = 500
MAX_TEXT: Final = 300
MOST_MARKED: Final = 500
"""Alerts of a range that become marks, and as many that began before it."""
T = TypeVar("T")


class AlertService:
    """Alerts, silences, incidents, tuning figures, annotations and results of checks. Times are epoch seconds.

    Calls raise botocore's errors when DynamoDB does not answer. ``clock`` gives epoch seconds.
    """

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        sns: SNSClient,
        settings: Settings,
        audit: AuditLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dynamodb = dynamodb
        self._sns = sns
        self._settings = settings
        self._audit = audit
        self._clock = clock
        self._store = AlertStore(dynamodb, settings)
        self._reader = AlertReader(dynamodb, settings.alerts_table, clock)
        # Actions only tell whom an alert was told before, so nobody needs to be connected here.
        self._keeper = Keeper(self._store, settings, frozenset(), clock)

    # ------------------------------------------------------------------------------------------------------ reading
    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """Alerts that are open or acknowledged, newest first; of all environments where none is named."""
        return self._reader.open_alerts(environment)

    def alerts(
        self,
        start: float,
        end: float,
        *,
        environment: str | None = None,
        state: str | None = None,
        severity: str | None = None,
        rule: str | None = None,
        limit: int = 500,
    ) -> tuple[Alert, ...]:
        """The newest ``limit`` alerts that opened in the range, newest first. Raises InvalidInput."""
        return self._reader.alerts(
            start, end, environment=environment, state=state, severity=severity, rule=rule, limit=limit
        )

    def find(self, alert_id: str) -> Alert | None:
        """One alert by its short id; None for an unknown one."""
        found = self._store.where(alert_id)
        return None if found is None else self._store.alert(*found)

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Running and coming ones, those of the configuration too, by their beginning."""
        windows = [window for window in maintenance(self._settings.config.alerts) if window.ends_at > now]
        return tuple(sorted([*windows, *self._store.silences(now)], key=lambda silence: silence.starts_at))

    def incidents(self, limit: int = 50) -> tuple[Incident, ...]:
        """The newest first."""
        return self._reader.incidents(limit)

    def weeks(self, weeks: int = 4) -> tuple[RuleWeek, ...]:
        """How each rule did in this week and those before it, the newest week first."""
        return self._reader.weeks(self._clock(), weeks)

    def incident(self, incident_id: str) -> Incident | None:
        """One incident; None for an unknown one."""
        known = self._store.incident(incident_id)
        return None if known is None else known.incident

    def annotations(self, start: float, end: float, environment: str | None = None) -> FoundAnnotations:
        """Marks of the range: posted ones, alerts that opened in it, and those that opened earlier and are not over.

        Those of ``environment`` and those of all, where one is named.
        """
        posted = self._reader.posted(start, end)
        opened = self._reader.alerts(start, end, environment=environment, limit=MOST_MARKED)
        earlier = [
            self._reader.alerts(0.0, start, environment=environment, state=state, limit=MOST_MARKED)
            for state in ("open", "acknowledged")
        ]
        cut = len(posted) >= MAX_ANNOTATIONS or any(len(read) >= MOST_MARKED for read in (opened, *earlier))
        here = [mark for mark in posted if not environment or mark.environment in ("", environment)]
        found = [*here, *map(annotation_of_alert, chain(opened, *earlier))]
        return FoundAnnotations(tuple(sorted(found, key=lambda annotation: annotation.at)), cut)

    def checks(self, start: float, end: float, check: str | None = None) -> tuple[CheckResult, ...]:
        """Results of the range, oldest first, of all checks where none is named."""
        return self._reader.checks(start, end, check)

    def latest_checks(self) -> dict[str, CheckResult]:
        """The newest result of each check that ever ran, by its name."""
        return self._reader.latest_checks()

    # ------------------------------------------------------------------------------------------------------ actions
    def acknowledge(self, alert_id: str, by: str, reason: str) -> Alert:
        """Somebody takes care of it, so it is not told again. Raises KeyError, and InvalidInput if it is resolved."""
        return self._act("acknowledge_alert", alert_id, by, reason, decide.acknowledge)

    def mark_noise(self, alert_id: str, by: str, reason: str) -> Alert:
        """It should not have fired: counted for its rule, once. Raises KeyError."""
        return self._act("mark_alert_noise", alert_id, by, reason, decide.mark_noise)

    def resolve(self, alert_id: str, by: str, reason: str) -> Alert:
        """Ends it by hand. Raises KeyError, and InvalidInput if it is resolved already."""
        return self._act("resolve_alert", alert_id, by, reason, decide.resolve)

    def silence(self, silence: Silence, by: str, reason: str) -> Silence:
        """Keeps matching alerts quiet from ``starts_at`` to ``ends_at``; id and maker are given here.

        Raises InvalidInput. A silence without any matcher is refused, a maintenance window without one is for all.
        """
        now = self._clock()
        _check_silence(silence, now)
        made = replace(
            silence,
            silence_id=f"{utc_text(silence.ends_at)}-{secrets.token_hex(4)}",
            reason=reason[:MAX_REASON],
            created_by=by,
            created_at=now,
            ended_by="",
        )
        return self._audited("silence_alerts", by, reason, made.silence_id, lambda: self._put_silence(made))

    def end_silence(self, silence_id: str, by: str, reason: str) -> Silence:
        """Ends it now. Raises KeyError, and InvalidInput for one that is over or stands in the configuration."""
        if silence_id.startswith(CONFIGURED):
            raise InvalidInput("silence_id", silence_id, "stands in pulseboard.toml; change it there")
        now = self._clock()
        answer = self._dynamodb.get_item(
            TableName=self._settings.alerts_table, Key=key(SILENCES, silence_id), ConsistentRead=True
        )
        if "Item" not in answer:
            raise KeyError(silence_id)
        silence = silence_of(answer["Item"])
        if silence.ends_at <= now:
            raise InvalidInput("silence_id", silence_id, "is over already")
        ended = replace(silence, ends_at=now, starts_at=min(silence.starts_at, now), ended_by=by)
        return self._audited("end_silence", by, reason, silence_id, lambda: self._put_silence(ended))

    def follow_up(self, incident_id: str, by: str, summary: str, root_cause: str, prevention: str) -> Incident:
        """Fills the form that every incident ends with. Raises KeyError, InvalidInput for texts that are too long."""
        for name, text in (("summary", summary), ("root_cause", root_cause), ("prevention", prevention)):
            if len(text) > MAX_FOLLOW_UP:
                raise InvalidInput(name, text, f"must have at most {MAX_FOLLOW_UP:,} characters")
        if self._store.incident(incident_id) is None:
            raise KeyError(incident_id)

        def filled(known: KnownIncident) -> KnownIncident:
            said = incidents.noted(known, AlertEvent(self._clock(), "note", "Followed up", by))
            form = replace(
                said.incident, summary=summary, root_cause=root_cause, prevention=prevention, followed_up_by=by
            )
            return replace(said, incident=form)

        def fill() -> Incident:
            return self._store.change_incident(incident_id, filled, self._clock())

        return self._audited("follow_up_incident", by, summary[:MAX_REASON], incident_id, fill)

    def annotate(self, annotation: Annotation, by: str) -> None:
        """Puts a mark on every time chart; the same one twice is one. Raises InvalidInput."""
        marks = Annotations(self._dynamodb, self._settings, self._clock)
        said = {"time": annotation.at, "title": annotation.title, "kind": annotation.kind, "link": annotation.link}
        until, severity, environment = annotation.until, annotation.severity, annotation.environment
        checked = replace(marks.parse(said), until=until, severity=severity, environment=environment)
        self._audited("annotate", by, checked.title, checked.kind, lambda: marks.add(checked, by))

    def _act(self, action: str, alert_id: str, by: str, reason: str, act: Callable[..., Any]) -> Alert:
        alert = self.find(alert_id)
        if alert is None:
            raise KeyError(alert_id)
        reason = reason[:MAX_REASON]

        def decided(known: Any, context: Any) -> Any:
            return act(known, context, by, reason)

        return self._audited(action, by, reason, alert_id, lambda: self._acted(alert, decided))

    def _acted(self, alert: Alert, act: Decide) -> Alert:
        """What is done to a group is done to those that it speaks for."""
        members = self._store.members(alert.fingerprint, MAX_MEMBERS) if alert.rule == GROUP else ()
        for member in members:
            if member.state != "resolved":
                # One of them may be resolved meanwhile; the others are not.
                with suppress(InvalidInput):
                    self._keeper.act(member, act)
        after = self.find(alert.alert_id) or alert
        if not (members and after.state == "resolved"):
            self._keeper.act(alert, act)
        if alert.group:
            self._acknowledge_group(alert.group)
        self._wake()
        return self.find(alert.alert_id) or alert

    def _acknowledge_group(self, fingerprint: str) -> None:
        """A group all of whose alerts somebody takes care of is not told again either."""
        group, members = self._store.load(fingerprint).open, self._store.members(fingerprint, MAX_MEMBERS)
        if group is None or group.state != "open" or {member.state for member in members} != {"acknowledged"}:
            return
        by, why = (
            ", ".join(sorted({member.acknowledged_by for member in members})),
            "All of its alerts are acknowledged",
        )
        # Its last alert may be resolved meanwhile, and the group with it.
        with suppress(InvalidInput):
            self._keeper.act(group, lambda known, context: decide.acknowledge(known, context, by, why))

    def _put_silence(self, silence: Silence) -> Silence:
        item: Any = {**silence_item(silence), EXPIRES_AT: self._expires(silence.ends_at)}
        self._dynamodb.put_item(TableName=self._settings.alerts_table, Item=item)
        return silence

    def _expires(self, at: float) -> dict[str, str]:
        return {"N": str(int(max(at, self._clock())) + self._settings.config.alerts.retention_days * DAY_SECONDS)}

    def _audited(self, action: str, by: str, reason: str, subject: str, act: Callable[[], T]) -> T:
        audit_id = self._audit.begin(action, by, reason, subject)
        try:
            done = act()
        except BaseException as error:
            self._audit.finish(audit_id, "failed", {"error": f"{type(error).__name__}: {error}"[:MAX_REASON]})
            raise
        self._audit.finish(audit_id, "succeeded")
        return done

    def _wake(self) -> None:
        """Has the consumer deliver at once what was put into the outbox; else the next minute's sweep does."""
        if topic := self._settings.warnings_topic_arn:
            with suppress(ClientError, BotoCoreError):
                self._sns.publish(TopicArn=topic, Message=json.dumps({WAKE: True}))


def annotation_of_alert(alert: Alert) -> Annotation:
    """An alert as a mark on charts."""
    return Annotation(
        at=alert.opened_at,
        title=alert.title,
        kind="alert",
        link=f"/alerts?{urlencode({'alert': alert.alert_id})}",
        severity=alert.severity,
        until=alert.resolved_at,
        environment=alert.environment,
    )


def _check_silence(silence: Silence, now: float) -> None:
    if silence.kind not in ("silence", "maintenance"):
        raise InvalidInput("kind", silence.kind, "must be silence or maintenance")
    if silence.ends_at <= max(silence.starts_at, now):
        raise InvalidInput("ends_at", silence.ends_at, "must lie after starts_at and in the future")
    if silence.ends_at - silence.starts_at > LONGEST_SILENCE:
        raise InvalidInput("ends_at", silence.ends_at, "must lie at most 90 days after starts_at")
    if silence.severity and silence.severity not in SEVERITIES:
        raise InvalidInput("severity", silence.severity, f"must be one of {', '.join(SEVERITIES)}")
    matchers = (silence.rule, silence.fingerprint, silence.environment, silence.severity)
    if silence.kind == "silence" and not any(matchers):
        raise InvalidInput("rule", "", "or fingerprint, environment or severity must say what is silenced")
    for text in matchers:
        if len(text) > MAX_TEXT:
            raise InvalidInput("rule", text, f"must have at most {MAX_TEXT} characters")
