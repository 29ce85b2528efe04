"""The function ``replay-runner``: messages of the replay queue and the scheduled sweep."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from backend.audit import AuditLog
from backend.aws import Clients
from backend.events.investigation import Investigation
from backend.events.plugins import replay_message
from backend.invoked import check_sqs
from backend.jobs.reader import JobReader
from backend.logs import make_logger
from backend.replay.lease import LEASE_SECONDS, ReplayLeases
from backend.replay.queue_lease import QueueLeases
from backend.replay.recording import Recorder
from backend.replay.run import Tools
from backend.replay.runner import Runner
from backend.replay.selection import Selections
from backend.replay.sending import PARALLEL
from backend.replay.store import ReplayStore
from backend.settings import Settings, load_settings

SPARE_SECONDS: Final = 60.0
"""Kept of the function's time for the last part, its records and its end."""


class RunnerFunction:
    """Takes up the replays that messages name, one after another, or sweeps."""

    def __init__(self, runner: Runner, slice_seconds: float, logger: Logger) -> None:
        self._runner = runner
        self._slice = slice_seconds
        self._logger = logger

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Handles an SQS event, or ``{"sweep": true}``. What a run raises fails the invocation.

        A message that is no replay's is logged and dropped: no attempt would help.
        """
        if event.get("sweep"):
            return {"started": self._runner.sweep()}
        check_sqs(event)
        for record in event["Records"]:
            replay_id = _replay_id(record["body"])
            if replay_id is None:
                self._logger.error("message not understood", extra={"error_message": str(record["body"])[:200]})
                continue
            seconds = min(self._slice, context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
            with self._logger.append_context_keys(correlation_id=replay_id):
                ran = self._runner.run(replay_id, time.time() + seconds)
                self._logger.info("replay run", extra={"status": ran})
        return {"batchItemFailures": []}


def build(
    settings: Settings, clients: Clients, logger: Logger, *, lease_seconds: float = LEASE_SECONDS
) -> RunnerFunction:
    """The function over these clients."""
    investigation = Investigation(clients.dynamodb, clients.s3, settings)
    tools = Tools(
        sqs=clients.sqs,
        leases=ReplayLeases(clients.dynamodb, settings.replays_table, lease_seconds),
        selections=Selections(clients.s3, settings.bucket),
        recorder=Recorder(clients.dynamodb, settings),
        message=replay_message(settings),
        max_replays=settings.config.replay.max_replays,
    )
    runner = Runner(
        clients.sqs,
        ReplayStore(clients.dynamodb, settings.replays_table),
        tools,
        QueueLeases(clients.dynamodb, settings.replays_table),
        investigation,
        JobReader(clients.dynamodb, settings),
        AuditLog(clients.dynamodb, settings),
        settings,
        logger,
    )
    return RunnerFunction(runner, settings.config.replay.slice_seconds, logger)


def _replay_id(body: str) -> str | None:
    try:
        replay_id = json.loads(body)["replay_id"]
    except (ValueError, TypeError, KeyError):
        return None
    return replay_id if isinstance(replay_id, str) else None


@cache
def _wired() -> RunnerFunction:
    """The function of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    return build(settings, Clients(settings.region, pool=2 * PARALLEL), make_logger("replay-runner"))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The function's entry point."""
    return _wired()(event, context)
