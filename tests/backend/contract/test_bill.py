"""A month reckoned before it runs: the target, what parts cost, what is free, what counts follow from."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from backend.bill_docs import stack_of
from backend.contract.bill import ASSUMED, CORE, MINUTES, TARGET, Load, bill, billed_ms, parts
from backend.contract.costs import ALLOWANCES, EVERY_ITEM, charge
from backend.contract.units import load_units
from backend.local.template import load_template
from backend.settings_prices import Prices

PRICES: dict[str, Any] = {name: value for name, value in asdict(Prices()).items() if name != "as_of"}
UNITS = load_units()
STACK = stack_of(load_template())


def amounts(key: str, load: Load | None = None) -> dict[str, float]:
    (part,) = [part for part in parts(STACK, UNITS, load or Load()) if part.key == key]
    assert len(dict(part.amounts)) == len(part.amounts), "an item stands twice"
    return dict(part.amounts)


def test_the_reference_load_stays_below_its_target() -> None:
    core = [part for part in parts(STACK, UNITS) if part.key == CORE]
    found = bill(core, PRICES, free=True)
    assert found.total < TARGET
    assert amounts(CORE)["custom_metrics"] <= 10
    assert amounts(CORE)["alarms"] <= 10
    assert bill(core, PRICES, free=False).total > found.total


def test_a_queue_that_nobody_writes_to_is_polled_five_times_every_twenty_seconds() -> None:
    assert amounts("idle")["queue_requests"] == 2 * 648_000
    assert amounts(CORE)["queue_requests"] == 648_000 + 3 * 8640


def test_allowances_are_used_up_once_and_in_the_order_of_the_parts() -> None:
    left = dict(ALLOWANCES)
    first, second = charge([("lambda_requests", 900_000), ("lambda_requests", 200_000)], PRICES, left)
    assert (first.dollars, second.dollars) == (0, pytest.approx(0.1 * PRICES["lambda_million_requests"]))
    assert left["lambda_requests"] == 0
    (listed,) = charge([("lambda_requests", 900_000)], PRICES)
    assert listed.dollars == pytest.approx(0.18)


def test_a_shorter_interval_costs_more_and_more_events_cost_in_proportion() -> None:
    assert amounts(CORE, Load(interval_seconds=60))["puts"] == 5 * amounts(CORE)["puts"]
    one, two = (amounts("events", Load(events=number))["write_units"] for number in (1000, 2000))
    assert two == 2 * one > 0
    assert set(amounts("events").values()) == {0.0}


def test_a_function_with_less_memory_takes_longer_but_never_less_than_it_waits() -> None:
    assert billed_ms(UNITS, "merging", 128) > billed_ms(UNITS, "merging", 256)
    assert billed_ms(UNITS, "merging", 1e6) >= UNITS.of("merging", "requests") * ASSUMED["REQUEST_MS"][0]


def test_every_item_of_every_part_has_a_price_and_every_part_a_parameter_that_exists() -> None:
    parameters = load_template()["Parameters"]
    for part in parts(STACK, UNITS, Load(events=1, pages=1)):
        assert {EVERY_ITEM[key].price for key, _ in part.amounts} <= PRICES.keys()
        assert {name.strip() for name in part.switch.split(",") if name} <= parameters.keys()
    assert ALLOWANCES.keys() <= EVERY_ITEM.keys()


def test_the_stack_is_the_templates() -> None:
    assert STACK.canaries == MINUTES
    assert STACK.memory["metrics-merge"] == 256
    assert STACK.checks > 3 * MINUTES
    fewer = replace(STACK, alarms=4)
    assert dict(parts(fewer, UNITS)[2].amounts)["alarms"] == 0
