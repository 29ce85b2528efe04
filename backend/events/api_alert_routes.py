"""Routes for what other systems say: Alertmanager's alerts, and annotations for the charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from backend.alerts.alertmanager import Incoming, incoming
from backend.alerts.publish import Publisher
from backend.contract.errors import InvalidInput
from backend.events.api_answers import answer, error
from backend.events.api_routes import Services, body_of
from backend.events.delivery import caller_of, lower_headers
from backend.events.outcome import UNAVAILABLE
from backend.events.reading import read_object


def add_alert_routes(app: APIGatewayHttpResolver, services: Services) -> None:
    """Adds ``POST /alerts`` and ``POST /annotations``."""

    @app.post("/alerts")
    def alerts() -> Response[str]:
        event: Mapping[str, Any] = app.current_event.raw_event
        # A group of alerts is as large as a batch of events may be.
        most = services.settings.config.events.body_bytes
        found = incoming(read_object(body_of(event), _content_type(event), services.bounds, most))
        refused: list[InvalidInput] = []
        for told, alert in enumerate(found):
            try:
                sent = _publish(services.alerts, alert)
            except InvalidInput as problem:
                # Sent again it would be refused again, for ever: the others go their way.
                refused.append(problem)
                continue
            if not sent:
                # Alertmanager tries again, with all of them: who was told before is not told twice.
                done = told - len(refused)
                message = f"{done} of {len(found)} alerts were published, the others could not be; send them again"
                return error(503, UNAVAILABLE, message)
        if refused:
            raise refused[0]
        return answer(202, {"published": len(found)})

    @app.post("/annotations")
    def annotations() -> Response[str]:
        event: Mapping[str, Any] = app.current_event.raw_event
        annotation = services.annotations.parse(read_object(body_of(event), _content_type(event), services.bounds))
        return answer(201, {"annotation_id": services.annotations.add(annotation, caller_of(event))})


def _publish(alerts: Publisher, alert: Incoming) -> bool:
    """Whether it was sent. Raises InvalidInput for one that is never taken."""
    return alerts.send(
        alert.severity,
        alert.kind,
        alert.title,
        state=alert.state,
        subject=alert.subject,
        at=alert.at,
        description=alert.description,
        environment=alert.environment,
        lasts_seconds=alert.lasts_seconds,
        details=alert.details,
        strict=True,
    )


def _content_type(event: Mapping[str, Any]) -> str:
    return lower_headers(event).get("content-type", "")
