"""The function ``pipeline-steps``: the deciding states of ``InfraMonitoringPipeline``, and the record of its ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from backend.alerts.publish import Publisher
from backend.aws import Clients
from backend.checks.store import CheckStore
from backend.contract.errors import InvalidInput
from backend.contract.executions import SOURCE
from backend.logs import make_logger
from backend.orchestration import watching
from backend.orchestration.document import (
    Document,
    checked_processing,
    checked_quality,
    generated_of,
    required_metrics,
)
from backend.orchestration.ending import Recorder
from backend.orchestration.receipts import Receipts
from backend.processor.store import MetricsStore
from backend.settings import Settings, load_settings

SERVICE: Final = "pipeline-steps"
TIMEOUT_SECONDS: Final = 10.0

Step = Callable[[Mapping[str, Any], Document], dict[str, Any]]
"""An event and the execution's document to the state's answer."""


class Steps:
    """Runs the step that an event names. ``clock`` gives epoch seconds."""

    def __init__(
        self, settings: Settings, clients: Clients, logger: Logger, clock: Callable[[], float] = time.time
    ) -> None:
        config = settings.config
        self._settings = settings
        self._cloudwatch = clients.cloudwatch
        self._receipts = Receipts(clients.dynamodb, settings.table)
        self._metrics = MetricsStore(clients.dynamodb, settings.table)
        self._results = CheckStore(clients.dynamodb, settings)
        self._recorder = Recorder(self._metrics, Publisher(clients.sns, settings, logger, SOURCE), settings)
        self._required = required_metrics(config.collect, settings.catalogue, config.environment)
        self._logger = logger
        self._clock = clock
        self.steps: Mapping[str, Step] = {
            "processing": self._processing,
            "quality": self._quality,
            "freshness": self._freshness,
            "alarms": self._alarms,
            "checks": self._watchers,
        }

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The step's answer; an event of EventBridge is recorded. Raises InvalidInput for a step that there is not."""
        if "detail-type" in event:
            return self._recorder.record(event, self._clock())
        name, document = event.get("step"), event.get("document")
        step = self.steps.get(str(name))
        if step is None:
            raise InvalidInput("step", name, f"is not known; use one of {', '.join(self.steps)}")
        if not isinstance(document, Mapping):
            raise InvalidInput("document", document, "must be the execution's document, a JSON object")
        answer = step(event, document)
        self._logger.info("step taken", extra={"step": name, "status": _status(answer)})
        return answer

    def _processing(self, event: Mapping[str, Any], document: Document) -> dict[str, Any]:
        within = event.get("within_seconds")
        if isinstance(within, bool) or not isinstance(within, int | float) or within <= 0:
            raise InvalidInput("within_seconds", within, "must be a number of seconds above 0")
        receipts = self._receipts.of(generated_of(document).objects)
        return checked_processing(document, receipts, self._clock(), within)

    def _quality(self, _event: Mapping[str, Any], document: Document) -> dict[str, Any]:
        return checked_quality(document, self._required, self._settings.config.limits.failure_alert_percent)

    def _freshness(self, _event: Mapping[str, Any], document: Document) -> dict[str, Any]:
        environment, query = self._settings.config.environment, self._metrics.query
        return watching.freshness(document, self._required, environment, query, self._clock())

    def _alarms(self, _event: Mapping[str, Any], _document: Document) -> dict[str, Any]:
        return watching.alarms(self._cloudwatch)

    def _watchers(self, event: Mapping[str, Any], _document: Document) -> dict[str, Any]:
        now = self._clock()
        return watching.watchers(str(event.get("expected")), lambda check: self._results.latest(check.name, now), now)


def _status(answer: Mapping[str, Any]) -> Any:
    parts = [answer.get(name) for name in ("quality", "processing")]
    return next((part["status"] for part in parts if isinstance(part, Mapping)), answer.get("status"))


@cache
def _wired() -> Steps:
    """The steps of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    return Steps(settings, Clients(settings.region, timeout=TIMEOUT_SECONDS), make_logger(SERVICE))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """A state's payload, or EventBridge's event of an execution, in; the state's part of the document out."""
    return _wired()(event)
