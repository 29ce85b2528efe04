"""The monthly estimate: amounts times prices, the sum of its lines, and what is left out by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from backend.contract.costs import FUNCTION_GB, ITEMS, MONTH_SECONDS, a_month, estimate, gb_seconds
from backend.local.template import load_template
from backend.settings_prices import Prices

PRICES: dict[str, Any] = {name: value for name, value in asdict(Prices()).items() if name != "as_of"}


def test_the_reference_load_costs_what_the_deployment_guide_says() -> None:
    amounts = {
        "write_units": 1_287_360.0,
        "lambda_requests": 60_480.0,
        "lambda_gb_seconds": 14_040.0,
        "objects_put": 8_640.0,
        "objects_read": 8_640.0,
        "custom_metrics": 9.0,
    }
    found = estimate(amounts, PRICES, "2026-11-01")
    dollars = {line.item.key: round(line.dollars, 2) for line in found.lines}
    assert dollars == {
        "custom_metrics": 2.70, "write_units": 0.80, "lambda_gb_seconds": 0.23, "objects_put": 0.04,
        "lambda_requests": 0.01, "objects_read": 0.0,
    }  # fmt: skip
    assert [line.item.key for line in found.lines][:2] == ["custom_metrics", "write_units"]
    assert found.total == pytest.approx(sum(line.dollars for line in found.lines))


def test_what_is_not_measured_is_named_and_not_taken_for_nothing() -> None:
    found = estimate({"objects_put": 0.0, "bucket_bytes": None}, PRICES, "2026-11-01")
    assert [(line.item.key, line.dollars) for line in found.lines] == [("objects_put", 0.0)]
    assert {"S3: storage", "DynamoDB: writes", "Step Functions' transitions"} <= set(found.missing)


def test_a_month_is_measured_time_at_the_same_pace() -> None:
    assert a_month(100, 86400) == 3000
    with pytest.raises(ValueError, match="time"):
        a_month(1, 0)


def test_compute_is_known_only_where_every_invocation_has_a_duration() -> None:
    invocations = {"a": {0.0: 10.0, 300.0: 0.0}, "b": {0.0: 5.0}}
    durations = {"a": {0.0: 2000.0}, "b": {0.0: 4000.0}, "c": {0.0: 1.0}}
    assert gb_seconds(invocations, durations) == pytest.approx((10 * 2 + 5 * 4) * FUNCTION_GB)
    assert gb_seconds(invocations, {"a": durations["a"]}) is None
    assert gb_seconds({}, durations) is None


def test_every_item_has_a_price_in_the_list() -> None:
    assert {item.price for item in ITEMS} <= PRICES.keys()
    assert MONTH_SECONDS == 2_592_000


def test_no_function_has_more_memory_than_compute_is_reckoned_with() -> None:
    functions = [r for r in load_template()["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    assert max(function["Properties"]["MemorySize"] for function in functions) <= 1000 * FUNCTION_GB
