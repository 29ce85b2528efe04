"""What the checks read from the tables and the bucket: events as the ingest writes them, with one thing broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.checks import canary, daily, invariants, quality, ratios, reconciliation, sampling
from backend.checks.counting import day_prefix
from backend.checks.signals import told
from backend.contract.checks import CANARY_SOURCE, CHECKS
from backend.contract.errors import InvalidInput
from backend.contract.tables import ENTITY_ID, RECEIVED_KEY
from backend.events.layout import DayShards
from backend.settings import Checks, Config, Events, EventType, Settings
from tests.backend.checks.checks_world import Desk, desk
from tests.backend.events.ingest_world import BUCKET, NOW, event

HOUR = NOW // 3600 * 3600
LATER = HOUR + 3600 + 600
"""When the hour of the events is settled."""
COUNTS = "tests.backend.checks.test_reading:outside"


def outside(start: float, end: float, environment: str) -> int:
    """An outside counter: six events in the hour of NOW, and an error for the hour after it."""
    if start == HOUR + 3600:
        raise ConnectionError("the counter is away")
    return 6 if (start, end) == (HOUR, HOUR + 3600) and environment == "production" else 0


def orders(count: int = 5, **changes: Any) -> list[Any]:
    return [
        event(entity_id=f"order-{n}", payload={"order_id": f"order-{n}", "amount": n}, **changes) for n in range(count)
    ]


@pytest.fixture
def at_desk() -> Iterator[Desk]:
    config = Config(
        events=Events(types={"order_placed": EventType(fields={"amount": "number"})}),
        checks=Checks(external_count=COUNTS),
    )
    with desk(Settings(config=config)) as made:
        made.take(*orders())
        made.process()
        made.take(event(source=CANARY_SOURCE, event_type="canary", entity_id="canary"))
        made.set(LATER)
        yield made


def drop_from_index(at: Desk, **changes: Any) -> dict[str, Any]:
    item = next(item for item in at.ingest.index() if item["entity_id"]["S"] == "order-0")
    key = {name: item[name] for name in (ENTITY_ID, RECEIVED_KEY)}
    at.world.clients.dynamodb.delete_item(TableName=at.world.settings.events_table, Key=key)
    return item | changes


def test_a_whole_hour_matches_without_the_canary(at_desk: Desk) -> None:
    result = reconciliation.run(at_desk.world, LATER)
    assert (result.status, result.value) == ("passed", 100)
    (hour,) = (row for row in result.details["hours"] if row["hour"] == HOUR)
    assert hour["counts"] == {"ingested": 5, "stored": 5, "indexed": 5, "processed": 5, "dead_lettered": 0}


def test_an_event_that_the_index_lost_is_found_by_its_object(at_desk: Desk) -> None:
    drop_from_index(at_desk)
    result = reconciliation.run(at_desk.world, LATER)
    assert (result.status, result.value) == ("failed", 80)
    assert "1 in S3 but not indexed" in result.findings[0].sentence
    # Once the hour is out of reach, nobody has seen that its event was found.
    check = next(check for check in CHECKS if check.name == "reconciliation")
    before = [signal.firing for signal in told(check, result, ())]
    later = reconciliation.run(at_desk.world, LATER + 49 * 3600)
    assert [(entry.subject, HOUR in [hour["hour"] for hour in later.details["hours"]]) for entry in before] == [
        ("2026-11-21 11:00", False)
    ]
    assert [signal.state for signal in told(check, replace(later, status="passed"), before)] == ["unknown"]


def test_an_object_that_is_gone_is_found_by_index_and_sample(at_desk: Desk) -> None:
    key = next(key for key in at_desk.ingest.objects() if CANARY_SOURCE not in key)
    at_desk.world.clients.s3.delete_object(Bucket=BUCKET, Key=key)
    assert "1 indexed but not in S3" in reconciliation.run(at_desk.world, LATER).findings[0].sentence
    sampled = sampling.run(at_desk.world, LATER)
    assert (sampled.status, sampled.value) == ("failed", 1)
    assert "its raw object is gone" in sampled.sentence


def test_without_any_event_there_is_nothing_to_compare(at_desk: Desk) -> None:
    result = reconciliation.run(at_desk.world, LATER + 10 * 86400)
    assert (result.status, result.value) == ("unknown", None)
    assert sampling.run(at_desk.world, LATER + 7200).status == "unknown"


def test_a_sample_that_equals_its_objects_passes_and_one_that_was_changed_does_not(at_desk: Desk) -> None:
    assert sampling.run(at_desk.world, LATER).status == "passed"
    item = drop_from_index(at_desk, source={"S": "somebody-else"})
    at_desk.world.clients.dynamodb.put_item(TableName=at_desk.world.settings.events_table, Item=item)
    assert "source differ between index and raw object" in sampling.run(at_desk.world, LATER).sentence


def test_a_processed_event_without_its_required_field_is_a_mismatch(at_desk: Desk) -> None:
    at_desk.take(event(entity_id="order-9", payload={"order_id": "order-9"}))
    at_desk.process()
    at_desk.set(LATER + 3600)
    sampled = sampling.run(at_desk.world, LATER + 3600)
    assert "processed although payload.amount: is missing" in sampled.sentence


def test_yesterday_is_held_to_an_outside_count_which_may_fail(at_desk: Desk) -> None:
    result = daily.run(at_desk.world, HOUR // 86400 * 86400 + 86400 + 10800)
    assert result.status == "failed"
    # Of the hour that the counter could not say, nobody knows that there was to be nothing.
    assert [finding.subject for finding in result.findings] == ["2026-11-21 11:00", "2026-11-21 12:00"]
    assert "the outside count is 6" in result.findings[0].sentence
    assert "the outside count failed for 1 hours (2026-11-21 12:00: the counter is away)" in result.sentence


def test_the_day_that_is_checked_is_settled_as_a_whole(at_desk: Desk) -> None:
    config = at_desk.world.settings.config
    patient = replace(config, events=replace(config.events, late_seconds=6 * 3600.0))
    world = replace(at_desk.world, settings=replace(at_desk.world.settings, config=patient))
    midnight = HOUR // 86400 * 86400 + 86400
    at_three, at_six = (daily.run(world, midnight + 3600 * hour) for hour in (3, 6))
    assert (at_three.window_end, at_six.window_end) == (midnight - 86400, midnight)
    assert all(hour["settled"] for result in (at_three, at_six) for hour in result.details["hours"])


def test_an_outside_count_that_can_not_be_loaded_names_the_setting() -> None:
    for path in ("nonsense", "no.such:thing", "json:__doc__"):
        with pytest.raises(InvalidInput, match=r"checks\.external_count"):
            daily.external_count(path)


def test_only_layouts_with_a_folder_a_day_can_be_listed() -> None:
    prefix = "events/source=shop/year=2026/month=11/day=21/"
    assert day_prefix(DayShards(1), "shop", HOUR // 86400 * 86400) == prefix

    class Flat(DayShards):
        def raw_key(self, source: str, received_at: float, event_id: str) -> str:
            return f"events/{event_id[:2]}/{event_id}.json"

    assert day_prefix(Flat(1), "shop", HOUR // 86400 * 86400) is None


def test_quality_learns_from_hour_to_hour_through_what_is_kept(at_desk: Desk) -> None:
    first = quality.run(at_desk.world, LATER)
    assert first.status == "unknown"
    at_desk.world.results.put(first)
    again = quality.run(at_desk.world, LATER + 3600)
    assert again.details[quality.BASELINE]["order_placed"]["events"] == 5


def test_invariants_without_counters_hold_for_events_alone(at_desk: Desk) -> None:
    result = invariants.run(at_desk.world, NOW + 310)
    assert (result.status, result.value) == ("passed", 0)
    assert "no consumer offset was measured twice" in result.sentence
    assert "watermark lag (not measured)" in result.sentence


def test_ratios_of_a_silent_stack_are_unknown(at_desk: Desk) -> None:
    result = ratios.run(at_desk.world, LATER)
    assert (result.status, result.value) == ("unknown", None)


def test_the_error_rate_of_functions_is_read_and_published(at_desk: Desk) -> None:
    cloudwatch = at_desk.world.clients.cloudwatch
    for name, value in (("Invocations", 50.0), ("Errors", 5.0)):
        datum: Any = {
            "MetricName": name,
            "Dimensions": [{"Name": "FunctionName", "Value": "ingest-api"}],
            "Timestamp": LATER - 120,
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[datum])
    assert ratios.run(at_desk.world, LATER).value == 10
    names = {metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="Pulseboard")["Metrics"]}
    assert names == {"LambdaErrorRate"}


def test_the_canary_is_unknown_where_it_is_switched_off_or_has_nowhere_to_go(at_desk: Desk) -> None:
    assert "PULSEBOARD_API_URL is not set" in canary.run(at_desk.world, LATER).sentence
    off = replace(at_desk.world.settings, config=replace(at_desk.world.settings.config, checks=Checks(canary=False)))
    assert canary.run(replace(at_desk.world, settings=off), LATER).status == "unknown"


def test_a_canary_that_the_api_did_not_take_is_recorded_and_the_earlier_ones_are_looked_for(at_desk: Desk) -> None:
    world = replace(at_desk.world, settings=replace(at_desk.world.settings, api_url="http://127.0.0.1:1"))
    first = canary.run(world, LATER)
    assert (first.status, first.findings[0].subject) == ("failed", "ingest")
    at_desk.world.results.put(replace(first, details={canary.WAITING: [{"event_id": "e", "sent_at": LATER}]}))
    second = canary.run(world, LATER + 60)
    assert second.findings[0].subject == "e"
