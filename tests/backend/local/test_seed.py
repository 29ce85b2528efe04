"""The seeded day: what it covers, and that it is what the product itself would have made of the same samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.rollup import Merged
from backend.contract.tables import EXPIRES_AT, METRIC_TYPE, METRICS_PREFIX, TIMESTAMP
from backend.local.seed import history, instants, items_of, without_notifications
from backend.settings import Retention, Settings

NOW = 1_795_259_185.0


def test_the_day_is_covered_without_a_gap_and_the_last_hour_finely() -> None:
    points = list(instants(NOW))
    times = [at for at, _ in points]
    assert all(later - earlier == spacing for earlier, (later, spacing) in zip(times, points[1:], strict=False))
    assert times[0] <= NOW - 24 * 3600 + 300
    assert NOW - 60 < times[-1] <= NOW
    assert Counter(spacing for at, spacing in points if at > NOW - 3600).keys() == {60}
    assert len([at for at in times if at <= NOW - 3600 - 300]) == pytest.approx(276, abs=2)


def test_items_are_those_of_processor_and_merge() -> None:
    settings = Settings()
    settings = replace(settings, config=replace(settings.config, retention=Retention(600, 600)))
    source = SyntheticSource(settings.catalogue, demo_started_at=NOW)
    objects = [entry for entry in history(source, NOW) if entry.at > NOW - 2 * 3600]
    assert all(entry.packed.key.startswith(METRICS_PREFIX) for entry in objects)
    items, samples = items_of(objects, settings, NOW)
    assert samples == sum(entry.packed.body.count(b"\n") for entry in objects)
    assert all(float(item[EXPIRES_AT]["N"]) > NOW for item in items if EXPIRES_AT in item)
    minutes = {
        int(item[TIMESTAMP]["N"]): Merged.decode(item["data"]["S"])
        for item in items
        if item[METRIC_TYPE]["S"] == "cpu_utilization@1m#production"
    }
    merged_until = int(NOW - 120) // 60 * 60
    assert sorted(minutes) == [entry.at for entry in objects if entry.at < merged_until]
    assert {len(merged.groups) for merged in minutes.values()} == {10}
    oldest_live = min(int(item[TIMESTAMP]["N"]) for item in items if "@live#" in item[METRIC_TYPE]["S"])
    assert oldest_live >= NOW - 600 - 60


class Bucket:
    """A bucket's notification configuration, as boto3's client gives and takes it."""

    def __init__(self) -> None:
        self.configuration: dict[str, Any] = {"QueueConfigurations": [{"Id": "metrics"}]}

    def get_bucket_notification_configuration(self, **_: Any) -> dict[str, Any]:
        return {"ResponseMetadata": {}, **self.configuration}

    def put_bucket_notification_configuration(self, **request: Any) -> None:
        self.configuration = request["NotificationConfiguration"]


def test_notifications_come_back_even_after_a_failure() -> None:
    bucket = Bucket()
    before = bucket.configuration
    during: list[dict[str, Any]] = []

    def interrupted() -> None:
        with without_notifications(bucket, "any"):
            during.append(bucket.configuration)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert during == [{}]
    assert bucket.configuration == before
