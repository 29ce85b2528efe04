"""What the Jobs page shows of the state machine: its newest executions, or why there are none to show."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.executions import Execution
from dashboard.data.replay_sources import Shared

logger = logging.getLogger(__name__)

SHOWN: Final = 10
EVERY_SECONDS: Final = 5.0
"""Step Functions lists five times a second for all who ask; one dashboard needs far less."""
_NOT_USED: Final = {
    "StateMachineDoesNotExist": "The state machine of STATE_MACHINE_ARN does not exist any more.",
    "AccessDeniedException": "The dashboard's role may not list executions; DashboardReadPolicy has that permission.",
    "InvalidArn": "STATE_MACHINE_ARN is not the ARN of a state machine.",
}
"""Codes of Step Functions for a state machine that is not there for this dashboard."""


class Pipeline(Protocol):
    """What pages ask of the state machine (``backend.orchestration.pipeline.Pipeline``)."""

    @property
    def used(self) -> bool:
        """Whether the environment names one."""

    def recent(self, limit: int = 10) -> tuple[Execution, ...]:
        """The newest executions, the newest first."""

    def start(self, by: str, reason: str, at: float | None = None) -> Execution:
        """Starts one and puts that on record. Raises InvalidInput."""


@dataclass(frozen=True, slots=True)
class Executions:
    """``found`` is None where nothing can be shown: ``unused`` says why there is none, ``problem`` what went wrong."""

    found: tuple[Execution, ...] | None = None
    unused: str = ""
    problem: str = ""


def read_executions(pipeline: Pipeline | None, shared: Shared) -> Executions:
    """The newest executions; a page stands without them."""
    if pipeline is None or not pipeline.used:
        return Executions(unused="Set STATE_MACHINE_ARN to show the executions of InfraMonitoringPipeline here.")
    try:
        return Executions(shared("executions", lambda: pipeline.recent(SHOWN), EVERY_SECONDS))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _NOT_USED:
            return Executions(unused=_NOT_USED[code])
        return _unread(error)
    except (BotoCoreError, TimeoutError) as error:
        return _unread(error)


def _unread(error: Exception) -> Executions:
    logger.warning("executions can't be read", exc_info=True)
    return Executions(problem=f"They can't be read now ({type(error).__name__}).")
