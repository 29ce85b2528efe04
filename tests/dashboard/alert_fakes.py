"""Alerts, silences, incidents, tuning figures and check results as a bad morning would have them: no AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backend.contract.alerts import (
    Alert,
    AlertEvent,
    Annotation,
    Delivery,
    FoundAnnotations,
    Incident,
    RuleWeek,
    Silence,
    fingerprint,
)
from backend.contract.checks import CHECKS, CheckResult, Finding, HourCounts

HOUR = 3600.0


def alert(now: float, title: str, **changes: Any) -> Alert:
    """An open CRITICAL alert, opened ten minutes ago."""
    opened = changes.pop("opened_at", now - 600)
    usual: dict[str, Any] = {
        "fingerprint": fingerprint("test", title), "opened_at": opened, "state": "open",
        "rule": "pulseboard-dlq_records", "severity": "CRITICAL", "title": title, "source": "cloudwatch",
        "updated_at": opened, "page": "/errors?error_type=timeout", "runbook": "dlq_records",
    }  # fmt: skip
    return Alert(**usual | changes)


def alerts(now: float) -> list[Alert]:
    """Every severity and state, with every flag that there is."""
    return [
        alert(
            now, "Dead letters rise: 148 a minute", value=148.0, unit="records/min", metric="dlq_records",
            description="More than 100 dead letters a minute for 2 minutes in a row.", incident_id="inc-1",
            correlation_id="checkout-8800", fired=12, labels={"AlarmName": "pulseboard-dlq_records"},
            deliveries=(
                Delivery("slack", "1795270.1", now - 598, 1),
                Delivery("pagerduty", "", None, 4, "PagerDuty answered 503 Service Unavailable; next try in 2 min"),
            ),
            events=(
                AlertEvent(now - 600, "opened", "148 records/min, above 100"),
                AlertEvent(now - 598, "delivered", "Slack #pipeline-alerts"),
                AlertEvent(now - 590, "delivery_failed", "PagerDuty: 503 Service Unavailable"),
                AlertEvent(now - 300, "note", "Ana looks into it", "ana@example.com"),
            ),
        ),
        alert(now, "Checkpoint failed", rule="pulseboard-checkpoint_failures_total", opened_at=now - 240, value=1.0,
              unit="", state="acknowledged", acknowledged_at=now - 200, acknowledged_by="ana@example.com"),
        alert(now, "Consumer lag above 50,000 records", rule="pulseboard-consumer_lag_records", severity="HIGH",
              value=61_200.0, unit="records", opened_at=now - 5_400, flapping=True),
        alert(now, "orders-daily/2026-05: the run failed", rule="jobs:job_failed", severity="HIGH", source="jobs",
              opened_at=now - 8_000, runbook="job_failed", page="/jobs?job=orders-daily", synthetic=True),
        alert(now, "Memory usage above 85 %", rule="pulseboard-memory_usage", severity="HIGH", value=88.0, unit="%",
              opened_at=now - 900, unknown_since=now - 300),
        alert(now, "Lambda duration above 80 % of its time-out", rule="pulseboard-lambda_duration", severity="MEDIUM",
              opened_at=now - 7_200, silenced_by="Maintenance of the processor"),
        alert(now, "Duplicates above 10 a minute", rule="pulseboard-duplicate_records_detected", severity="LOW",
              value=14.2, unit="records/min", opened_at=now - 20_000),
        alert(now, "Disk nearly full", severity="HIGH", environment="staging", rule="pulseboard-disk_usage"),
        *[
            alert(now, f"Latency p99 above 5 s ({number})", rule="pulseboard-latency_ms", severity="HIGH", value=6_420,
                  unit="ms", state="resolved", opened_at=now - 900 - number * 700, resolved_at=now - 600 - number * 690,
                  noise="carl@example.com" if number == 1 else "")
            for number in range(4)
        ],
    ]  # fmt: skip


def silences(now: float) -> list[Silence]:
    """One running, one of the configuration to come, one that was ended early."""
    return [
        Silence("sil-1", "silence", now - 1_800, now + 1_800, "Known, a fix is on its way", "ana@example.com",
                now - 1_800, rule="pulseboard-lambda_duration", environment="production"),
        Silence("configuration-0", "maintenance", now + 7_200, now + 14_400, "Brokers upgrade", "pulseboard.toml",
                now - 90_000, environment="production"),
        Silence("sil-3", "silence", now - 90_000, now - 80_000, "Load test", "carl@example.com", now - 90_000,
                severity="LOW", ended_by="carl@example.com"),
    ]  # fmt: skip


def incidents(now: float) -> list[Incident]:
    """One open, one closed without its follow-up, one followed up."""
    first = alerts(now)[0]
    events = (
        AlertEvent(now - 600, "opened", "Dead letters rise: 148 a minute"),
        AlertEvent(now - 420, "acknowledged", "Looking", "ana@example.com"),
    )
    opened = Incident(
        "inc-1", first.title, now - 600, first.alert_id, first.fingerprint, "production", events=events,
        links={"Slack thread": "https://slack.example.com/archives/C1/p1"}, slack_channel="#inc-1121-dead-letters",
    )  # fmt: skip
    closed = replace(opened, incident_id="inc-0", title="Brokers alive below 3", opened_at=now - 2 * 86_400,
                     closed_at=now - 2 * 86_400 + 2_400, slack_channel="", links={})  # fmt: skip
    done = replace(
        closed, incident_id="inc-00", title="Firehose failed puts", opened_at=now - 9 * 86_400,
        closed_at=now - 9 * 86_400 + 900, summary="Firehose refused puts for 15 minutes.",
        root_cause="A quota was reached.", prevention="The quota is raised, and watched.", followed_up_by="Ana",
    )  # fmt: skip
    return [opened, closed, done]


WEEKS = (
    RuleWeek("pulseboard-latency_ms", "2026-W47", 14, 6, 8),
    RuleWeek("pulseboard-dlq_records", "2026-W47", 2, 2, 0),
    RuleWeek("jobs:job_failed", "2026-W47", 5, 4, 1),
    RuleWeek("pulseboard-latency_ms", "2026-W46", 6, 5, 5),
)


def hours(now: float, number: int = 48) -> list[HourCounts]:
    """The newest two hours are not settled, one lost events, one could not be counted in S3, one is not there."""
    first = now // HOUR * HOUR - (number - 1) * HOUR
    found = []
    for index in range(number):
        events = 1_180 + (index * 37) % 210
        back = number - 1 - index
        counts: dict[str, int | None] = {
            "ingested": events, "stored": events, "indexed": events, "processed": events - 12, "dead_lettered": 12,
        }  # fmt: skip
        match: float | None = 100.0
        if back == 7:
            counts |= {"indexed": events - 40, "processed": events - 52}
            match = 96.9
        if back == 11:
            counts["stored"], match = None, None
        if back == 15:
            continue
        found.append(HourCounts(first + index * HOUR, counts, match, settled=back > 1))
    return found


def check_results(now: float) -> dict[str, CheckResult]:
    """Most have passed; one failed with findings, one could not look, one is overdue, one never ran."""
    said: dict[str, tuple[str, str, float | None, str]] = {
        "reconciliation": ("failed", "One hour is below 99.9 %: 40 events of 07:00 are not indexed.", 96.9, "%"),
        "invariants": ("passed", "All 6 invariants hold.", 0, "violations"),
        "sampling": ("unknown", "S3 did not answer: no event could be compared.", None, ""),
        "quality": ("failed", "26 findings in 3 event types.", 26, "findings"),
        "canary": ("passed", "The canary came through in 1.2 s.", 1_230, "ms"),
        "jobs": ("passed", "No run is hung or missed.", 0, "jobs"),
        "datasets": ("passed", "All 12 datasets are fresh.", 0, "datasets"),
        "ratios": ("passed", "7 ratios published.", None, ""),
    }
    findings = tuple(
        Finding(f"order_placed.field_{number}", "null in 31 % of the events, usually 2 %", "MEDIUM",
                "/errors?event_type=order_placed")
        for number in range(26)
    )  # fmt: skip
    results: dict[str, CheckResult] = {}
    for check in CHECKS:
        if check.name not in said:
            continue
        status, sentence, value, unit = said[check.name]
        at = now - (5 * 300 if check.name == "invariants" else min(check.every_seconds / 2, 900))
        results[check.name] = CheckResult(
            check.name, at, status, sentence, value, unit, at - check.every_seconds, at,  # type: ignore[arg-type]
            findings if check.name == "quality" else (), {},
        )  # fmt: skip
    rows = [asdict(hour) for hour in hours(now)]
    results["reconciliation"] = replace(results["reconciliation"], details={"hours": rows})
    return results


def marks(now: float) -> list[Annotation]:
    """Two alerts, one of them over, and a deploy."""
    return [
        Annotation(now - 2_700, "Latency p99 above 5 s", "alert", severity="HIGH", until=now - 2_100),
        Annotation(now - 600, "Dead letters rise: 148 a minute", "alert", severity="CRITICAL"),
        Annotation(now - 1_500, "checkout 4.12.0", "deploy", "https://ci.example.com/412"),
    ]


@dataclass
class FakeAlerts:
    """Answers from what is stored; ``asked`` are the actions, ``reads`` counts what was read, by name."""

    now: float
    stored: list[Alert] = field(default_factory=list)
    quiet: list[Silence] = field(default_factory=list)
    happened: list[Incident] = field(default_factory=list)
    figures: tuple[RuleWeek, ...] = WEEKS
    marks: list[Annotation] = field(default_factory=list)
    results: dict[str, CheckResult] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    error: Exception | None = None
    marks_cut: bool = False

    @classmethod
    def busy(cls, now: float) -> FakeAlerts:
        """With everything that there is."""
        return cls(now, alerts(now), silences(now), incidents(now), WEEKS, marks(now), check_results(now))

    def _read(self, name: str) -> None:
        self.reads.append(name)
        if self.error:
            raise self.error

    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """As AlertService.open_alerts."""
        self._read("open_alerts")
        return tuple(one for one in self.stored if one.state != "resolved" and environment in (None, one.environment))

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
        """As AlertService.alerts."""
        self._read("alerts")
        wanted: Mapping[str, str | None] = {
            "environment": environment, "state": state, "severity": severity, "rule": rule,
        }  # fmt: skip
        found = [
            one
            for one in self.stored
            if start <= one.opened_at < end and all(v is None or getattr(one, n) == v for n, v in wanted.items())
        ]
        return tuple(sorted(found, key=lambda one: -one.opened_at)[:limit])

    def find(self, alert_id: str) -> Alert | None:
        """As AlertService.find."""
        self._read("find")
        return next((one for one in self.stored if one.alert_id == alert_id), None)

    def acknowledge(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.acknowledge."""
        return self._change("acknowledge", alert_id, by, reason, state="acknowledged", acknowledged_by=by)

    def mark_noise(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.mark_noise."""
        return self._change("mark_noise", alert_id, by, reason, noise=by)

    def resolve(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.resolve."""
        return self._change("resolve", alert_id, by, reason, state="resolved", resolved_at=self.now)

    def _change(self, call: str, alert_id: str, by: str, reason: str, **changes: Any) -> Alert:
        at = next((index for index, one in enumerate(self.stored) if one.alert_id == alert_id), None)
        if at is None:
            raise KeyError(alert_id)
        self.asked.append((call, alert_id, by, reason))
        self.stored[at] = replace(self.stored[at], **changes)
        return self.stored[at]

    def silences(self, now: float) -> tuple[Silence, ...]:
        """As AlertService.silences."""
        self._read("silences")
        return tuple(self.quiet)

    def silence(self, silence: Silence, by: str, reason: str) -> Silence:
        """As AlertService.silence."""
        made = replace(silence, silence_id=f"sil-new-{len(self.quiet)}")
        self.asked.append(("silence", made, by, reason))
        self.quiet.append(made)
        return made

    def end_silence(self, silence_id: str, by: str, reason: str) -> Silence:
        """As AlertService.end_silence."""
        at = next((index for index, one in enumerate(self.quiet) if one.silence_id == silence_id), None)
        if at is None:
            raise KeyError(silence_id)
        self.asked.append(("end_silence", silence_id, by, reason))
        self.quiet[at] = replace(self.quiet[at], ends_at=self.now, ended_by=by)
        return self.quiet[at]

    def incidents(self, limit: int = 50) -> tuple[Incident, ...]:
        """As AlertService.incidents."""
        self._read("incidents")
        return tuple(self.happened[:limit])

    def follow_up(self, incident_id: str, by: str, summary: str, root_cause: str, prevention: str) -> Incident:
        """As AlertService.follow_up."""
        at = next((index for index, one in enumerate(self.happened) if one.incident_id == incident_id), None)
        if at is None:
            raise KeyError(incident_id)
        self.asked.append(("follow_up", incident_id, by, summary, root_cause, prevention))
        self.happened[at] = replace(
            self.happened[at], summary=summary, root_cause=root_cause, prevention=prevention, followed_up_by=by
        )
        return self.happened[at]

    def weeks(self, weeks: int = 4) -> tuple[RuleWeek, ...]:
        """As AlertService.weeks."""
        self._read("weeks")
        return self.figures

    def incident(self, incident_id: str) -> Incident | None:
        """As AlertService.incident."""
        self._read("incident")
        return next((one for one in self.happened if one.incident_id == incident_id), None)

    def annotations(self, start: float, end: float, environment: str | None = None) -> FoundAnnotations:
        """As AlertService.annotations."""
        self._read("annotations")
        here = (mark for mark in self.marks if not environment or mark.environment in ("", environment))
        return FoundAnnotations(tuple(here), self.marks_cut)

    def checks(self, start: float, end: float, check: str | None = None) -> tuple[CheckResult, ...]:
        """As AlertService.checks."""
        self._read("checks")
        return tuple(one for name, one in self.results.items() if check in (None, name) and start <= one.at < end)

    def latest_checks(self) -> dict[str, CheckResult]:
        """As AlertService.latest_checks."""
        self._read("latest_checks")
        return dict(self.results)
