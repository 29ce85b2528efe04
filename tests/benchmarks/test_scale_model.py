"""The scale model: what breaks first, what moves it, and how a surge is worked off."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from backend.contract.units import load_units
from backend.settings_prices import Prices
from benchmarks import scale_page
from benchmarks.scale_model import (
    PARTITION_WRITES,
    REFERENCE,
    TARGET,
    TUNED,
    Load,
    Settings,
    breaking_point,
    demands,
    dollars,
    simulate,
)

UNITS = load_units()
ROOT = Path(__file__).parents[2]


def test_the_reference_load_is_far_from_every_limit_and_the_target_only_fits_when_tuned() -> None:
    assert demands(REFERENCE, Settings(), UNITS)[0].share < 0.2
    assert demands(TARGET, Settings(hosts_an_object=1), UNITS)[0].share > 1
    assert demands(TARGET, TUNED, UNITS)[0].share < 1


def test_what_breaks_first_is_at_its_limit_and_below_it_nothing_breaks() -> None:
    load = Load(hosts=10, spacing=10)
    factor, first = breaking_point(load, Settings(hosts_an_object=1), UNITS)
    assert first.share == pytest.approx(1, rel=0.05)
    assert demands(load.times(factor * 0.9), Settings(hosts_an_object=1), UNITS)[0].share < 1


def test_the_setting_that_a_limit_names_moves_it() -> None:
    load = Load(hosts=10, spacing=10)
    before, first = breaking_point(load, Settings(hosts_an_object=1), UNITS)
    assert "ProcessorConcurrency" in first.moved_by
    assert breaking_point(load, Settings(hosts_an_object=1, processor_concurrency=100), UNITS)[0] > before


def test_events_of_one_type_meet_the_limit_of_their_aggregate() -> None:
    wide = replace(TUNED, windows=1)
    _, first = breaking_point(Load(hosts=0.001, events=1, types=1), wide, UNITS)
    assert first.what == "an aggregate's versions"


def test_a_surge_waits_and_is_worked_off_where_there_is_room_and_never_where_there_is_none() -> None:
    roomy = simulate(100, 4, 300, (100, 10.0, 0.1))
    assert roomy.most_waiting > 0
    assert math.isfinite(roomy.done_after)
    assert simulate(100, 4, 300, (9, 10.0, 0.1)).done_after == math.inf
    assert simulate(100, 1, 300, (100, 1000.0, 0.1)).most_waiting == 0


def test_a_hot_key_bears_a_surge_from_what_it_saved_and_then_no_more_than_a_partition() -> None:
    heavy = (1000.0, 1000.0, 2.0)
    short, long = (simulate(300, 3, seconds, heavy) for seconds in (60, 1200))
    assert short.most_waiting < long.most_waiting
    assert 300 * 3 * heavy[2] > PARTITION_WRITES


def test_more_hosts_in_an_object_cost_less() -> None:
    def month(hosts: float) -> float:
        load = replace(TARGET, events=0)
        return sum(cost for _, cost in dollars(load, replace(TUNED, hosts_an_object=hosts), UNITS, Prices()))

    assert month(100) < month(10) < month(1)


def test_the_page_of_scale_is_current() -> None:
    text = (ROOT / scale_page.DOCUMENT).read_text("utf-8")
    rendered = scale_page.page(text, scale_page.render(UNITS, Prices()))
    assert text == rendered, "run `python -m benchmarks.scale_page --write`"
