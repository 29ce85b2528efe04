"""Old minutes are joined without losing what they add up to."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import Merged, Stats
from backend.local.thin import joined
from backend.processor.items import Row

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
