"""A guarded server over fakes: what acts and what was put on record can be looked at afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from backend.contract.alerts import Alert, Silence
from backend.contract.events import EventDetail, EventError, EventPage, EventQuery, EventRecord, Scanned, TraceStep
from backend.contract.executions import Execution
from backend.contract.jobs import BatchState, RetryPreview
from backend.contract.replays import AuditEntry, DeadLetterFilter, Preview, Replay, ReplayRequest
from dashboard.access.settings import load_access
from dashboard.app import assemble
from dashboard.pages import PAGES
from dashboard.pages.base import Page
from dashboard.services import Services
from tests.dashboard import fakes
from tests.dashboard.access.alb import ISSUER, KID, KeyServer, LoadBalancer, key_server
from tests.dashboard.access.test_settings import SIGNER
from tests.dashboard.alert_fakes import alert
from tests.dashboard.data.feeding import Clock

ALB = LoadBalancer()
"""The load balancer in front of ``behind_the_load_balancer``: it makes people's tokens."""
ORIGIN = "http://localhost"
EVENT_ID = "ab" * 32
RAW = '{"event_id":"x","payload":{"order":7,"Card_Number":"4111","nested":[{"token":"t"}]}}'


def record(**changes: Any) -> EventRecord:
    """A failed event."""
    error = EventError("parse_error", "order-4711 has no customer_id", "parser", fakes.NOW)
    whole = EventRecord(
        EVENT_ID, "order-4711", "order_placed", "shop", "failed", fakes.NOW - 60, fakes.NOW - 59, "corr-order-4711",
        "events/x.json", "cd" * 32, 120, error=error,
    )  # fmt: skip
    return replace(whole, **changes)


@dataclass
class Acting:
    """Stands for all services that pages act through; ``calls`` is what they were asked, ``error`` what they raise."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None
    deleted: int | None = None
    may_end: threading.Event | None = None
    """Where set, each call waits for it."""

    def did(self, *call: Any) -> Replay:
        """Puts the call on record."""
        if self.error:
            raise self.error
        self.calls.append(call)
        if self.may_end is not None:
            assert self.may_end.wait(10)
        return Replay("r-1", "replay", "pending", str(call[-1]), "why", "event-processor", {}, fakes.NOW, matched=3)

    def preview(self, request: ReplayRequest) -> Preview:
        """As ReplayService.preview."""
        self.did("preview", request)
        return Preview(1234, 1200, 34, False, (record(),), request.selection.start, request.selection.end)

    def create(self, request: ReplayRequest, by: str) -> Replay:
        """As ReplayService.create."""
        return self.did("create", request, by)

    def cancel(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """As ReplayService.cancel."""
        return replace(self.did("cancel", replay_id, reason, by), status="cancelled")

    def pause(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """As ReplayService.pause."""
        return self.did("pause", replay_id, reason, by)

    def resume(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """As ReplayService.resume."""
        return self.did("resume", replay_id, reason, by)

    def redrive(
        self, name: str, wanted: DeadLetterFilter, by: str, reason: str, rate_per_second: float | None = None
    ) -> Replay:
        """As DeadLetters.redrive."""
        return replace(self.did("redrive", name, wanted, reason, rate_per_second, by), kind="redrive")

    def delete(self, name: str, message_ids: list[str], by: str, reason: str) -> int:
        """As DeadLetters.delete."""
        self.did("delete", name, tuple(message_ids), reason, by)
        return len(message_ids) if self.deleted is None else self.deleted


@dataclass
class ActingRetries:
    """Stands for the service that runs batches again: what it is asked for is a call of ``acting``."""

    acting: Acting

    def preview(self, job_name: str, batches: Sequence[str] | None = None) -> RetryPreview:
        """The first runs now, the others would run."""
        first, *others = batches or ("2026-01",)
        states = tuple(BatchState(batch, "failed", 1) for batch in others)
        return RetryPreview(job_name, states, {first: "is running now"}, "job-retries-queue")

    def retry(
        self, job_name: str, batches: Sequence[str] | None, by: str, reason: str, *, confirm: int | None = None
    ) -> Replay:
        """As Retries.retry."""
        return replace(self.acting.did("retry", job_name, batches, confirm, reason, by), kind="retry")


@dataclass
class ActingPipeline:
    """Stands for the state machine in the same way."""

    acting: Acting
    used = True

    def recent(self, limit: int = 10) -> tuple[Execution, ...]:
        """None: the Jobs page asks for them."""
        return ()

    def start(self, by: str, reason: str, at: float | None = None) -> Execution:
        """As Pipeline.start."""
        self.acting.did("start", at, reason, by)
        return Execution("run-1", "arn:run-1", "RUNNING", fakes.NOW)


@dataclass
class ActingAlerts:
    """Stands for the alert service in the same way: its actions are calls of ``acting``."""

    acting: Acting

    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """None: Health asks for them."""
        return ()

    def find(self, alert_id: str) -> Alert:
        """As AlertService.find."""
        return alert(fakes.NOW, "Dead letters rise")

    def acknowledge(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.acknowledge."""
        self.acting.did("acknowledge", alert_id, reason, by)
        return self.find(alert_id)

    def mark_noise(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.mark_noise."""
        self.acting.did("mark_noise", alert_id, reason, by)
        return self.find(alert_id)

    def resolve(self, alert_id: str, by: str, reason: str) -> Alert:
        """As AlertService.resolve."""
        self.acting.did("resolve", alert_id, reason, by)
        return self.find(alert_id)

    def silence(self, silence: Silence, by: str, reason: str) -> Silence:
        """As AlertService.silence."""
        self.acting.did("silence", silence, reason, by)
        return silence

    def end_silence(self, silence_id: str, by: str, reason: str) -> None:
        """As AlertService.end_silence."""
        self.acting.did("end_silence", silence_id, reason, by)

    def follow_up(self, incident_id: str, by: str, summary: str, root_cause: str, prevention: str) -> None:
        """As AlertService.follow_up."""
        self.acting.did("follow_up", incident_id, summary, root_cause, prevention, by)


@dataclass
class Log:
    """An audit log in a list; ``error`` is raised when set."""

    written: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    shown: tuple[AuditEntry, ...] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)

    def begin(
        self, action: str, who: str, reason: str, subject: str = "", details: Mapping[str, Any] | None = None
    ) -> str:
        """As AuditLog.begin."""
        if self.error:
            raise self.error
        self.written.append({"action": action, "who": who, "outcome": "started", **(details or {})})
        return str(len(self.written) - 1)

    def finish(self, audit_id: str, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """As AuditLog.finish."""
        self.written[int(audit_id)] |= {"outcome": outcome, **(details or {})}

    def entries(self, start: float, end: float, **filters: Any) -> tuple[AuditEntry, ...]:
        """As AuditLog.entries."""
        self.asked.append({"start": start, "end": end, **filters})
        return self.shown[: filters["limit"]]


@dataclass
class Found:
    """An investigation that always finds one failed event."""

    raw: str | None = RAW
    asked: list[tuple[EventQuery, int, str | None]] = field(default_factory=list)

    def search(self, query: EventQuery, limit: int = 100, token: str | None = None) -> EventPage:
        """As Investigation.search."""
        self.asked.append((query, limit, token))
        return EventPage((record(),), Scanned(query.start, query.end, 7), True, "next-order-4711")

    def detail(self, event_id: str) -> EventDetail | None:
        """As Investigation.detail."""
        if event_id != EVENT_ID:
            return None
        step = TraceStep(fakes.NOW, "failed", EVENT_ID, "order-4711 has no customer_id", entity_id="order-4711")
        return EventDetail(record(), self.raw, True, "", {"user-agent": "shop/1"}, (step,))


class Displays:
    """Display tokens without a table: the token ``pbd_good`` is the lobby's until it is revoked."""

    def __init__(self) -> None:
        self.good = {"pbd_good": "lobby"}
        self.error: Exception | None = None

    def name_of(self, token: str) -> str | None:
        """As DisplayTokens.name_of."""
        if self.error:
            raise self.error
        return self.good.get(token)


class Guarded:
    """A server with everything that acts replaced; ``clock`` stands still, unless told to go by ``now``."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        pages: tuple[Page, ...] = PAGES,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.clock = Clock(fakes.NOW)
        self.services: Services = fakes.services(now=now or self.clock, pages=pages)
        self.acting, self.log, self.found, self.displays = Acting(), Log(), Found(), Displays()
        services: Any = self.services
        services.replays = services.dead_letters = self.acting
        services.alerts = ActingAlerts(self.acting)
        services.retries = ActingRetries(self.acting)
        services.pipeline = ActingPipeline(self.acting)
        services.audit, services.events, services.tokens = self.log, self.found, self.displays
        self.server: Flask = assemble(self.services, load_access(environ or {}))

    def client(self, *, display: bool = False) -> FlaskClient:
        """A browser; one with a display's cookie where asked for."""
        client = self.server.test_client()
        if display:
            client.set_cookie("pulseboard_display", "pbd_good")
        return client

    def close(self) -> None:
        """Ends worker threads."""
        self.services.views.close()
        self.services.answers.close()


@contextmanager
def behind_the_load_balancer(**environ: str) -> Iterator[tuple[Guarded, KeyServer]]:
    """A server in mode proxy where the group ``operators`` acts, and what serves the keys of ``ALB``."""
    with key_server({f"/{KID}": (200, ALB.pem)}) as keys:
        guarded = Guarded(
            {
                "PULSEBOARD_AUTH": "proxy",
                "PULSEBOARD_PROXY_SIGNER": SIGNER,
                "PULSEBOARD_PROXY_ISSUER": ISSUER,
                "PULSEBOARD_PROXY_CLIENT_ID": "client-1",
                "PULSEBOARD_PROXY_KEYS_URL": keys.url,
                "PULSEBOARD_OPERATOR_CLAIM": "groups=operators",
                **environ,
            }
        )
        yield guarded, keys
        guarded.close()
