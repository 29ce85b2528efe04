"""Old minutes are joined without losing what they add up to."""

from __future__ import annotations

from collections.abc import Iterable

import boto3
import pytest
from moto import mock_aws

from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import Merged, Stats
from backend.local.thin import imported, joined, thin
from backend.processor.items import Item, Row, merged_item, seen_item
from backend.processor.store import MetricsStore
from backend.settings import load_settings
from tests.metrics_table import create_table

NAME = "records_in@1m#production"
METRIC = load_catalogue()["records_in"]
START = 1_795_259_100 // 300 * 300


def rows(minutes: Iterable[int]) -> list[Row]:
    found = []
    for minute in minutes:
        stats = Stats(count=6, average=10.0, low=0.0, high=20.0, last=20.0, increase=60.0, span=60.0)
        merged = Merged(groups={"parse": stats}, total=stats, group_count=1)
        found.append(Row(START + 60 * minute, merged.encode(), START + 9000 + minute, START + 600, f"id-{minute}"))
    return found


def test_five_minutes_become_one_with_their_sums() -> None:
    (item,), surplus = joined(METRIC, NAME, rows(range(5)))
    merged = Merged.decode(item["data"]["S"])
    assert int(item["timestamp"]["N"]) == START
    assert (merged.total.count, merged.total.increase, merged.total.span) == (30, 300.0, 300.0)
    assert [row.timestamp for row in surplus] == [START + 60 * minute for minute in range(1, 5)]
    assert int(item["expires_at"]["N"]) == START + 9000


def test_minutes_that_stand_alone_are_left_as_they_are() -> None:
    assert joined(METRIC, NAME, rows([0, 5, 10])) == ([], [])


@pytest.mark.parametrize("minutes", [[3, 4], [0, 4]])
def test_what_is_joined_stays_in_its_five_minutes(minutes: list[int]) -> None:
    (item,), surplus = joined(METRIC, NAME, rows([*minutes, 5]))
    assert int(item["timestamp"]["N"]) == START
    assert START + 300 not in [row.timestamp for row in surplus]


def test_an_import_is_kept_and_a_minute_that_grew_old_is_not() -> None:
    retention = 7 * 86400
    seeded = Row(START, "", START + 86400 + retention, 0, "seeded")
    imported_later = Row(START, "", START + 14 * 86400 + retention, 0, "import")
    assert not imported(seeded, retention)
    assert imported(imported_later, retention)


def test_a_table_is_thinned_through_the_client_that_also_writes_items() -> None:
    """The store takes the encoding of its own batches over; deletes on the same client must stay what they are."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client)
        settings = load_settings({})
        now = START + 30 * 3600
        store = MetricsStore(client, settings.table, clock=lambda: now)
        store.write([seen_item("production", METRIC.key, now), *(stored(row) for row in rows(range(5)))])
        thin(client, settings, now)
        assert list(store.query(NAME, 0, now)) == []


def stored(row: Row) -> Item:
    return merged_item(NAME, row.timestamp, row.data, row.timestamp + 86400 * 30, row.kept_until)
