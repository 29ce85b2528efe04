"""Checks that run each hour or day, run every few minutes in the demo: nobody watches it for an hour."""

from __future__ import annotations

import json
from typing import Any, Final

from backend.contract.checks import CHECKS

FUNCTION: Final = "pipeline-checks"
EVERY_SECONDS: Final = 300.0
SLOW: Final = tuple(check.name for check in CHECKS if check.every_seconds > EVERY_SECONDS)


def run_slow_checks(functions: Any) -> None:
    """Invokes the checks' function as their schedules do, without waiting for it. ``functions`` is Lambda's client."""
    for name in SLOW:
        functions.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps({"check": name}).encode())
