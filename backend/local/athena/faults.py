"""How the endpoint misbehaves when a test asks it to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final, Literal, get_args

from backend.contract.errors import InvalidInput
from backend.local.athena.errors import CANCELLED, SYSTEM, CancelError, QueryError, RequestError

Mode = Literal["ok", "throttle", "fail", "slow"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
DELAY_SECONDS: Final = 30.0
"""How much longer a slow query takes by default."""


class Faults:
    """One mode at a time, until the next. Thread-safe.

    ``throttle`` refuses every request as AWS does above its rate, ``fail`` lets queries fail by the service's own
    fault, ``slow`` holds each one ``seconds`` before it begins.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mode: Mode = "ok"
        self._seconds = DELAY_SECONDS

    def set(self, record: object) -> None:
        """What the control request says: ``{"mode": "slow", "seconds": 5}``. Raises InvalidInput."""
        if not isinstance(record, Mapping) or record.get("mode") not in MODES:
            found = record.get("mode") if isinstance(record, Mapping) else record
            raise InvalidInput("mode", found, f"must be one of {', '.join(MODES)}")
        seconds = record.get("seconds", DELAY_SECONDS)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise InvalidInput("seconds", seconds, "must be a number from 0")
        with self._lock:
            self._mode, self._seconds = record["mode"], float(seconds)

    def meet_request(self) -> None:
        """Raises RequestError while requests are throttled."""
        if self._mode == "throttle":
            raise RequestError("Rate exceeded", "ThrottlingException")

    def meet_query(self, stopped: threading.Event) -> None:
        """Waits or raises QueryError, before a query begins."""
        with self._lock:
            mode, seconds = self._mode, self._seconds
        if mode == "fail":
            text = "GENERIC_INTERNAL_ERROR: the local Athena endpoint was told to fail"
            raise QueryError(text, category=SYSTEM, kind=233, retryable=True)
        end = time.monotonic() + seconds
        while mode == "slow" and time.monotonic() < end and self._mode == "slow":
            if stopped.wait(0.05):
                raise CancelError(CANCELLED)
