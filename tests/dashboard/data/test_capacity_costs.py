"""Amounts of a month from metrics: at their pace over the time they were counted in, what is not there left out."""

from __future__ import annotations

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.costs import FUNCTION_GB, ITEMS
from backend.contract.ranges import TimeRange
from dashboard.data.capacity_costs import amounts, cost_requests
from dashboard.data.points import Points
from dashboard.data.series import ALL, SeriesAnswer
from tests.dashboard.data.feeding import ENVIRONMENT, NOW

CATALOGUE = load_catalogue()
DAY = 86400.0
RANGE = TimeRange(NOW - 30 * DAY, NOW, live=False)


def answers(**lines: dict[str, Points]) -> tuple[list[SeriesAnswer], frozenset[str]]:
    connected = frozenset(lines)
    requests = cost_requests(CATALOGUE, connected, ENVIRONMENT, RANGE)
    return [
        SeriesAnswer(request, "1h", 3600, tuple(lines[request.metric.key].items()), NOW) for request in requests
    ], connected


def test_a_day_that_was_counted_makes_a_month_of_thirty() -> None:
    day: Points = [(NOW - DAY, 100.0), (NOW - DAY / 2, 188.0)]
    given, connected = answers(files_processed={ALL: day}, successful_writes={ALL: day})
    found = amounts(given, CATALOGUE, connected, NOW)
    assert found.monthly["objects_put"] == found.monthly["objects_read"] == 288 * 30
    assert found.monthly["write_units"] == 2 * 288 * 30
    assert set(found.counted_seconds.values()) == {DAY}
    assert "bucket_bytes" not in found.monthly


def test_the_hour_that_is_still_filling_has_no_time_and_is_not_counted() -> None:
    hours: Points = [(NOW - 7200, 2.0), (NOW - 3600, 2.0)]
    given, connected = answers(
        alerts_delivered={ALL: [*hours, (NOW, 500.0)]}, files_processed={ALL: [(NOW - DAY, 9.0)]},
        successful_writes={ALL: [(NOW, 5.0)]},
    )  # fmt: skip
    found = amounts(given, CATALOGUE, connected, NOW)
    assert found.monthly["alert_messages"] == 2 * 24 * 30
    assert "write_units" not in found.monthly
    assert found.counted_seconds == {"alert_messages": 7200, "objects_put": DAY, "objects_read": DAY}


def test_what_aws_counted_itself_goes_before_what_we_reckon() -> None:
    day: Points = [(NOW - DAY, 100.0)]
    functions = {"a": [(NOW - DAY, 10.0)], "b": [(NOW - DAY, 5.0)]}
    given, connected = answers(
        successful_writes={ALL: day}, dynamodb_consumed_write_capacity={ALL: [(NOW - DAY, 70.0)]},
        lambda_invocations=functions, lambda_duration_ms={"a": [(NOW - DAY, 2000.0)], "b": [(NOW - DAY, 4000.0)]},
        s3_bucket_bytes={ALL: [(NOW - DAY, 1e9), (NOW - 1, 2e9)]},
    )  # fmt: skip
    monthly = amounts(given, CATALOGUE, connected, NOW).monthly
    assert (monthly["write_units"], monthly["lambda_requests"], monthly["bucket_bytes"]) == (2100, 450, 2e9)
    assert monthly["lambda_gb_seconds"] == pytest.approx((10 * 2 + 5 * 4) * FUNCTION_GB * 30)


def test_compute_at_most_takes_the_longest_of_each_hour() -> None:
    asked = cost_requests(CATALOGUE, frozenset({"lambda_duration_ms"}), ENVIRONMENT, RANGE)
    assert [request.stat for request in asked] == ["max"]


def test_every_line_of_the_estimate_has_something_that_measures_it() -> None:
    every = {name: {ALL: [(NOW - DAY, 1.0)]} for name in CATALOGUE}
    given, connected = answers(**every)
    assert amounts(given, CATALOGUE, connected, NOW).monthly.keys() == {item.key for item in ITEMS}


def test_nothing_connected_costs_nothing_known() -> None:
    found = amounts([], CATALOGUE, frozenset(), NOW)
    assert (found.monthly, found.counted_seconds) == ({}, {})
