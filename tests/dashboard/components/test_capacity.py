"""Words and traces of the Capacity page's parts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dashboard.components.capacity import _rest, quantity, shown_rows, state_of, within
from dashboard.components.capacity_charts import ahead_days, bands, forecast
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.capacity_panels import _band_lines, shares, top_of
from dashboard.data.forecast import DAY, Reach
from dashboard.data.limits import LimitRow, Prospect, limit_rows
from tests.dashboard.capacity_desk import CATALOGUE, DISK, growing
from tests.dashboard.data.feeding import NOW


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Reach(12.2, 15.0, 19.4, 90), "in 12 to 19 days"),
        (Reach(14.6, 15.0, 15.4, 90), "in about 15 days"),
        (Reach(0.5, 0.5, 4.0, 90), "in 1 to 4 days"),
        (Reach(0.2, 0.4, 0.9, 3), "in 5 to 22 hours"),
        (Reach(1.5, 2.0, 2.6, 3), "in 36 hours to 3 days"),
        (Reach(12.0, 40.0, None, 90), "in 12 days or later, most likely 40 days"),
        (Reach(40.0, None, None, 90), "in 40 days at the earliest"),
        (Reach(None, None, None, 3), "not within 3 days"),
    ],
)
def test_days_until_a_limit_are_a_range_in_words(found: Reach, words: str) -> None:
    assert within(found) == words


def test_bytes_are_written_as_people_do() -> None:
    assert (quantity(5e9, "bytes"), quantity(3.84e9, "bytes"), quantity(0, "bytes")) == ("5 GB", "3.84 GB", "0 bytes")


def rows(*prospects: Prospect) -> tuple[LimitRow, ...]:
    return limit_rows(CATALOGUE, frozenset(), prospects, {}, NOW, pending=False)


def test_what_is_far_away_in_many_hosts_is_said_once_and_each_metric_has_its_row() -> None:
    calm = [Prospect(DISK, f"calm-{number}", (NOW, 40.0), growing(40, 0)) for number in range(5)]
    soon = [Prospect(DISK, f"soon-{number}", (NOW, 60.0), growing(60, 40 / (40 - 4 * number))) for number in range(9)]
    shown = shown_rows(rows(*calm, *soon), 10)
    assert [row.group for row in shown[:4]] == ["soon-8", "soon-7", "soon-6", "soon-5"]
    assert len({row.metric.key for row in shown}) == 7
    assert [row.group for row in shown_rows(rows(*calm), 10) if row.metric is DISK] == ["calm-0"]


def test_what_is_left_out_and_reached_already_is_not_called_out_of_sight() -> None:
    full = rows(Prospect(DISK, "full", (NOW, 100.0), None))
    assert _rest(full[:1]) == "And 1 more, the first of them reached already."
    assert _rest(full[1:3]) == "And 2 more, none of them in sight."


def test_the_sooner_a_limit_is_met_the_worse_it_looks() -> None:
    looks = [state_of(rows(Prospect(DISK, "a", (NOW, 60.0), growing(60, rate)))[0]) for rate in (8, 1, 0)]
    assert looks == ["critical", "degraded", "healthy"]


def test_a_forecast_is_drawn_until_well_after_its_limit_and_never_above_what_a_share_can_be() -> None:
    row = rows(Prospect(DISK, "a", (NOW, 60.0), growing(60, 2)))[0]
    assert 25 < ahead_days(row) < 35
    traces = {trace["name"]: trace for trace in forecast(row, NOW)}
    assert len(traces["expected"]["y"]) == pytest.approx(ahead_days(row), abs=1)
    assert max(traces["80% range"]["y"]) == 100
    assert traces["each day's peak"]["y"][-1] == 60
    assert all(traces[name].get("showlegend", True) for name in ("80% range", "each day's peak", "expected"))
    assert traces["now"]["x"] == [NOW * 1000] * 2
    assert forecast(None, NOW) == []


def test_the_edges_of_bands_with_fewer_points_never_cross() -> None:
    lines = tuple([(i * 60.0, q * 100 + (i * 37 % 11) - 5) for i in range(2000)] for q in QUANTILES)
    drawn = _band_lines(Bands("1m", 60, 30, lines), 0, 2000 * 60)
    assert all(len(line.values) <= 501 for line in drawn)
    for lower, upper in pairwise(drawn):
        pairs = zip(lower.values, upper.values, strict=True)
        assert all(low <= high for low, high in pairs if low is not None and high is not None)
    assert len(bands(drawn, (), "%")) == 5


def test_shares_come_to_the_average_and_top_hosts_are_those_that_stay() -> None:
    lines = [("a", [(0.0, 30.0)]), ("b", [(0.0, 50.0)])]
    assert sum(points[0][1] for _, points in shares(lines, 60)) == 40
    later = [("a", [(0.0, 30.0), (600.0, 30.0)]), ("b", [(60.0, 50.0)])]
    parts = dict(shares(later, 60))
    assert (parts["a"], parts["b"]) == ([(0.0, 15.0), (600.0, 30.0)], [(60.0, 25.0)]), "who is absent counts for nobody"
    day = [(i * DAY, 50.0) for i in range(10)]
    given = [("steady", day), ("seldom", [(0.0, 99.0)]), ("other", day), ("low", [(t, 10.0) for t, _ in day])]
    assert [name for name, _ in top_of(given)] == ["steady", "low"]
