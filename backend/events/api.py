"""The function ``ingest-api``: the HTTP API of events, replays, alerts and annotations behind API Gateway."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from botocore.exceptions import BotoCoreError, ClientError

from backend.alerts.alertmanager import SOURCE as ALERTMANAGER
from backend.alerts.annotations import Annotations
from backend.alerts.publish import Publisher
from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.events.api_alert_routes import add_alert_routes
from backend.events.api_answers import error, invalid, not_valid
from backend.events.api_lineage_routes import add_lineage_routes
from backend.events.api_openapi import PATH, document
from backend.events.api_routes import Services, add_routes
from backend.events.delivery import caller_of
from backend.events.ingest import HOSTNAME, WORKERS, Ingest
from backend.events.investigation import Investigation
from backend.events.outcome import UNAVAILABLE
from backend.invoked import check_api_gateway
from backend.jobs.lineage_store import Lineage
from backend.jobs.signals import JobSignals
from backend.logs import make_logger
from backend.replay.service import ReplayService
from backend.settings import Settings, load_settings

Handle = Callable[[dict[str, Any], Any], dict[str, Any]]
TIMEOUT_SECONDS: Final = 5.0
"""Of one call to AWS: the caller gets an answer within 29 seconds, three tries included."""


class Resolver(APIGatewayHttpResolver):
    """A resolver that keeps the event it works on to itself; Powertools keeps it in the class, for all threads."""

    def __init__(self, services: Services, logger: Logger) -> None:
        super().__init__(enable_validation=True)
        self._event = APIGatewayProxyEventV2({})
        self._log = logger
        add_routes(self, services)
        add_alert_routes(self, services)
        add_lineage_routes(self, services)
        self._add_document()
        self._add_errors()

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one event."""
        self._event = APIGatewayProxyEventV2(dict(event))
        return super().resolve(event, context)

    @property
    def current_event(self) -> APIGatewayProxyEventV2:  # type: ignore[override]
        """The event that is being answered."""
        return self._event

    def _add_document(self) -> None:
        @self.get(PATH, include_in_schema=False)
        def openapi() -> Response[str]:
            return document(self)

    def _add_errors(self) -> None:
        """Every way to fail has its answer; the last one is for what nobody foresaw."""
        self.exception_handler(InvalidInput)(invalid)
        self.exception_handler(RequestValidationError)(not_valid)
        self.exception_handler([ClientError, BotoCoreError])(self._unavailable)
        self.exception_handler(Exception)(self._unforeseen)

        @self.not_found
        def not_found(_: NotFoundError) -> Response[str]:
            where = f"{self.current_event.http_method} {self.current_event.path}"
            return error(404, "not_found", f"{where[:200]} is not part of this API; see {PATH}")

    def _unavailable(self, problem: Exception) -> Response[str]:
        self._log.error("request failed", extra=self._fields(problem))
        return error(503, UNAVAILABLE, "a service that this needs did not answer; try again")

    def _unforeseen(self, problem: Exception) -> Response[str]:
        self._log.exception("request failed", extra=self._fields(problem))
        return error(500, "internal", "this went wrong here; the log has it under the request's id")

    def _fields(self, problem: Exception) -> dict[str, Any]:
        event = self.current_event
        return {
            "path": event.path,
            "method": event.http_method,
            "by": caller_of(event.raw_event),
            "status": "error",
            "request_id": event.request_context.request_id,
            "error_type": type(problem).__name__,
            "error_message": str(problem),
        }


class Api:
    """Answers events of API Gateway v2; thread-safe. A resolver works on one event at a time and is used again."""

    def __init__(self, services: Services, logger: Logger) -> None:
        self._services = services
        self._logger = logger
        self._idle: deque[Resolver] = deque()

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one event. Raises InvalidInput for one that is not API Gateway's."""
        check_api_gateway(event)
        try:
            resolver = self._idle.pop()
        except IndexError:
            resolver = Resolver(self._services, self._logger)
        try:
            return resolver.resolve(event, context)
        finally:
            self._idle.append(resolver)


def build(
    settings: Settings, clients: Clients, logger: Logger | None = None, clock: Callable[[], float] = time.time
) -> Handle:
    """The API: takes an API Gateway v2 event and a Lambda context, gives the answer for API Gateway. Thread-safe.

    Raises InvalidInput for a plug-in that can't be loaded.
    """
    logger = logger or make_logger(HOSTNAME)
    investigation = Investigation(clients.dynamodb, clients.s3, settings, clock)
    audit = AuditLog(clients.dynamodb, settings, clock)
    replays = ReplayService(clients.dynamodb, clients.sqs, clients.s3, investigation, audit, settings, clock)
    ingest = Ingest(settings, clients, logger, clock=clock)
    alerts = Publisher(clients.sns, settings, logger, ALERTMANAGER, clock)
    annotations = Annotations(clients.dynamodb, settings, clock)
    lineage = Lineage(clients.dynamodb, settings, JobSignals(clients, settings, logger), clock)
    return Api(Services(settings, ingest, investigation, replays, alerts, annotations, lineage, clock), logger)


@cache
def _wired() -> Handle:
    """The API of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    return build(settings, Clients(settings.region, pool=2 * WORKERS, timeout=TIMEOUT_SECONDS))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The function's entry point."""
    return _wired()(event, context)
