"""The signs of life of the alert consumer: a call to an address outside, a metric, and a sample of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import requests
from aws_lambda_powertools import Logger

from backend.events.own_metrics import Measured, OwnMetrics
from backend.processor.cloudwatch import counts, put_data
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

HEARTBEAT: Final = "alert_consumer_heartbeat"
DELIVERED: Final = "alerts_delivered"
FAILED: Final = "alert_deliveries_failed"
PING_SECONDS: Final = 2.0


class Watchdog:
    """Says each minute that alerts are told. What can't be said is logged: that it is missing is the alarm."""

    def __init__(self, cloudwatch: CloudWatchClient, metrics: OwnMetrics, settings: Settings, logger: Logger) -> None:
        self._cloudwatch = cloudwatch
        self._metrics = metrics
        self._settings = settings
        self._logger = logger

    def beat(self, origin: str, now: float) -> None:
        """One heartbeat: the outside address, CloudWatch, and the table that the Health page reads."""
        self._ping()
        name = self._settings.catalogue[HEARTBEAT].cloudwatch
        put_data(self._cloudwatch, counts({name: 1}, now) if name else [], self._logger)
        self._metrics.write([Measured(HEARTBEAT, 1, {})], origin, now)

    def count(self, counted: Counter[tuple[str, str]], origin: str, now: float) -> None:
        """Writes how many messages each transport (first) ``delivered`` or ``failed`` (second)."""
        names = {"delivered": DELIVERED, "failed": FAILED}
        measured = [Measured(names[how], number, {"transport": one}) for (one, how), number in sorted(counted.items())]
        if measured:
            self._metrics.write(measured, origin, now)

    def _ping(self) -> None:
        url = self._settings.watchdog_url
        if not url:
            return
        try:
            requests.get(url, timeout=PING_SECONDS).raise_for_status()
        except requests.RequestException as error:
            self._logger.warning("watchdog not reached", extra={"status": "failed", "error_type": type(error).__name__})
