"""The function ``pipeline-checks``: the name of a check in, its result recorded, measured and told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.checks.registry import REGISTRY, Entry
from backend.checks.signals import Firing, still_firing, told
from backend.checks.world import PARALLEL, SERVICE, World, make_world
from backend.contract.checks import Check, CheckResult
from backend.contract.errors import InvalidInput
from backend.logs import make_logger
from backend.settings import Settings, load_settings

TIMEOUT_SECONDS: Final = 10.0
MOST_REASON: Final = 300


class Checks:
    """Runs checks by name. A check that raises is recorded as unknown, with the reason."""

    def __init__(self, world: World, registry: Mapping[str, Entry] = REGISTRY) -> None:
        self._world = world
        self._registry = registry

    def __call__(self, name: str) -> CheckResult:
        """Runs a check as of now. Raises InvalidInput for a name that is none, and what recording the result raises."""
        entry = self._registry.get(name)
        if entry is None:
            raise InvalidInput("check", name, f"is not known; use one of {', '.join(self._registry)}")
        now, began = self._world.clock(), time.perf_counter()
        result = self._run(entry, now)
        try:
            self._world.results.put(result)
        finally:
            # Whoever has to know is told even where nothing can be recorded.
            self._world.metrics.write(entry.measured(entry.check, result), name, now)
            self._tell(entry.check, result, now)
        seconds = time.perf_counter() - began
        fields = {"check": name, "status": result.status, "value": result.value, "findings": len(result.findings)}
        self._world.logger.info(result.sentence, extra=fields | {"latency_ms": round(1000 * seconds, 1)})
        return result

    def _run(self, entry: Entry, now: float) -> CheckResult:
        """The result, at the beginning of its interval: a second run within it overwrites the first."""
        check = entry.check
        at = window_of(check, now)
        try:
            result = entry.run(self._world, now)
        except Exception as error:
            # Whatever stopped the look: nobody knows.
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:MOST_REASON]
            fields = {"check": check.name, "error_type": type(error).__name__, "error_message": str(error)}
            self._world.logger.exception("check could not look", extra=fields)
            result = CheckResult(check.name, at, "unknown", f"Could not look ({reason})")
        return replace(result, at=at, looked_at=now, environment=self._world.environment)

    def _tell(self, check: Check, result: CheckResult, now: float) -> None:
        """Sends what the result says. Without knowing what fired before, nothing can be resolved or forgotten."""
        before: tuple[Firing, ...] | None = None
        try:
            before = self._world.results.firing(check.name)
        except (ClientError, BotoCoreError) as error:
            self._world.logger.error("firing signals not read", extra={"error_message": str(error)})
        signals = told(check, result, before or ())
        sent = [(signal, signal.send(self._world.publisher, now, result.environment)) for signal in signals]
        if before is not None and (firing := still_firing(before, sent)) != before:
            self._world.results.put_firing(check.name, firing, now)


def window_of(check: Check, now: float) -> float:
    """The beginning of the check's interval that ``now`` lies in, epoch seconds."""
    return now // check.every_seconds * check.every_seconds


def build(settings: Settings, clients: Clients, logger: Logger, clock: Callable[[], float] = time.time) -> Checks:
    """The checks over clients. Raises InvalidInput for plug-ins that can't be loaded."""
    return Checks(make_world(settings, clients, logger, clock))


@cache
def _wired() -> Checks:
    """The checks of this container, wired once from the environment."""
    settings = load_settings(os.environ)
    clients = Clients(settings.region, pool=2 * PARALLEL, timeout=TIMEOUT_SECONDS)
    return build(settings, clients, make_logger(SERVICE))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """The function's entry point; ``event`` is ``{"check": name}``."""
    result = _wired()(str(event.get("check", "")))
    return {"check": result.check, "status": result.status, "sentence": result.sentence}
