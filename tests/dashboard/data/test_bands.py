"""Percentile bands of a fleet: from sketches, at the level that lines are read at, history continued by what is hot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.tables import LIVE, MINUTE
from dashboard.data.bands import QUANTILES, Bands, inside, joined
from dashboard.data.hot import HotStore
from dashboard.data.series import SeriesRequest, SeriesService, parse_series_request
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock, every, put, samples
from tests.memory_table import MemoryTable

CATALOGUE = load_catalogue()
HOSTS = 41


class Fleet:
    """Hosts whose CPU is 0, 2.5, 5, ... 100 for a quarter of an hour, merged up to five minutes ago."""

    def __init__(self, hosts: int = HOSTS) -> None:
        self.table = MemoryTable()
        for host in range(hosts):
            put(self.table, samples("cpu_utilization", every(60, -900, value=host * 2.5), host=f"h{host:03d}"))
        self.table.merge(ENVIRONMENT, NOW // 60 * 60 - 960, NOW // 60 * 60 - 300)
        self.hot = HotStore(self.table, 5.0, Clock())
        self.service = SeriesService(self.hot, Clock())

    def request(self, *, settled: bool = True) -> SeriesRequest:
        asked = {"metric": "cpu_utilization", "from": "now-6h"}
        return replace(parse_series_request(asked, CATALOGUE, ENVIRONMENT, NOW), settled=settled)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    fleet = Fleet()
    yield fleet
    fleet.hot.close()


def test_a_fleet_is_drawn_as_percentiles_of_its_hosts(fleet: Fleet) -> None:
    bands = fleet.service.bands(fleet.request())
    assert bands is not None
    assert (bands.groups, bands.level, bands.step_seconds) == (HOSTS, MINUTE, 60)
    assert [line[5][1] for line in bands.lines] == pytest.approx([100 * q for q in QUANTILES], rel=0.02)
    assert len({tuple(t for t, _ in line) for line in bands.lines}) == 1


def test_a_fleets_unmerged_samples_are_left_alone_where_settled_is_enough(fleet: Fleet) -> None:
    asked = len(fleet.table.queries)
    settled, current = (fleet.service.bands(fleet.request(settled=settled)) for settled in (True, False))
    assert settled is not None
    assert current is not None
    assert (settled.as_of, current.as_of) == (NOW // 60 * 60 - 360, NOW // 60 * 60)
    live = [name for name, _, _ in fleet.table.queries[asked:] if f"@{LIVE}" in name]
    assert len(live) == 1


def test_up_to_twenty_hosts_have_lines_and_no_bands() -> None:
    few = Fleet(20)
    try:
        assert few.service.bands(few.request()) is None
        assert len(few.service.answer(few.request()).lines) == 20
    finally:
        few.hot.close()


def test_history_is_continued_by_what_is_hot() -> None:
    older = Bands("1h", 3600, 40, tuple([(0.0, 1.0), (60.0, 1.0)] for _ in QUANTILES))
    newer = Bands(MINUTE, 60, 30, tuple([(60.0, 2.0), (120.0, 2.0)] for _ in QUANTILES))
    both = joined(older, newer, 60.0)
    assert both is not None
    assert (both.level, both.groups, both.as_of) == (MINUTE, 40, 120.0)
    assert both.lines[0] == [(0.0, 1.0), (60.0, 2.0), (120.0, 2.0)]
    assert (joined(None, newer, 60.0), joined(older, None, 120.0)) == (newer, older)
    assert inside(both, 500, 600) is None
