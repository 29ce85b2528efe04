from __future__ import annotations

import json

from dashboard.components.range_control import compare_switch, range_control, source_line
from dashboard.components.url_state import RANGES, parse_url_state
from dashboard.data.source import Source
from dashboard.html import render
from tests.dashboard.fakes import NOW

NONE: frozenset[str] = frozenset()


def test_every_range_is_a_link_that_keeps_the_rest_and_takes_fixed_ends_out() -> None:
    state = parse_url_state({"from": "1795183200000", "to": "1795251600000", "host": "h"}, NONE, NOW)
    drawn = render(range_control(state), NOW)
    for start in RANGES:
        assert f'href="?from={start}&amp;host=h"' in drawn
    assert "20 Nov 14:00 – 21 Nov 09:00 UTC" in drawn
    assert "aria-current" not in drawn


def test_the_chosen_range_is_marked() -> None:
    drawn = render(range_control(parse_url_state({"from": "now-90d"}, NONE, NOW)), NOW)
    assert drawn.count("aria-current") == 1
    assert '<a href="?from=now-90d" aria-current="true" data-from="now-90d">Last 90 days' in drawn


def test_comparing_is_offered_where_the_page_can_and_says_whether_it_is_on() -> None:
    state = parse_url_state({"compare": "previous"}, NONE, NOW)
    assert compare_switch(state, offered=False).hidden
    shown = render(compare_switch(state, offered=True), NOW)
    assert 'aria-pressed="true"' in shown
    assert " hidden" not in shown


def test_the_source_travels_as_data_and_who_only_looks_gets_no_button() -> None:
    hostile = Source(kind="history", state="failed", error='</script><img src=x onerror="1">', key="k")
    drawn = render(source_line(hostile, acts=True), NOW)
    assert "<img" not in drawn
    assert "<button" in drawn
    assert "<button" not in render(source_line(hostile, acts=False), NOW)
    assert json.loads(source_line(hostile, acts=True).to_plotly_json()["props"]["data-source"])["key"] == "k"


def test_an_unknown_source_keeps_its_place_and_claims_nothing() -> None:
    assert "data-source" not in render(source_line(None, acts=True), NOW)
