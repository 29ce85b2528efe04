"""The merge as a function: one run, one log line, the counters' increases in CloudWatch."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.processor.core import ObjectPart, process
from backend.processor.merge_handler import Merge
from backend.settings import Limits, Retention
from tests.loggers import fresh_logger


def test_one_run_merges_logs_and_publishes(world: Any, catalogue: Any, samples: Any, body: Any, caplog: Any) -> None:
    now = time.time() // 60 * 60
    world.clock.now = now
    records = [
        samples(timestamp=now - 600 + 30 * n, value=float(n), metric_type="checkpoint_failures_total", hostname="jm")
        for n in range(6)
    ]
    result = process(
        body(records),
        ObjectPart("metrics/a.json"),
        now=now,
        catalogue=catalogue,
        limits=Limits(),
        retention=Retention(),
    )
    world.store.write(result.items)
    merge = Merge(world.settings, world.store, world.clients.cloudwatch, fresh_logger())
    with caplog.at_level("INFO"):
        fields = merge(100.0, "request-1")
    assert fields["status"] == "complete"
    assert fields["minutes"] >= 3
    assert (fields["failed"], fields["cloudwatch_lost"]) == (0, 0)
    answer = world.clients.cloudwatch.get_metric_statistics(
        Namespace="Pulseboard",
        MetricName="CheckpointFailures",
        StartTime=datetime.fromtimestamp(now - 3600, UTC),
        EndTime=datetime.fromtimestamp(now, UTC),
        Period=60,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in answer["Datapoints"]) == pytest.approx(5)
    assert merge(100.0, "request-2")["minutes"] == 0
