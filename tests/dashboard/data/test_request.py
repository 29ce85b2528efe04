"""A page's URL: checked by name, and one key for all who see the same thing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.ranges import LONGEST_SECONDS
from dashboard.components.url_state import parse_url_state
from dashboard.data.request import MAX_NAME, ViewRequest, parse_view_request
from tests.dashboard.data.feeding import NOW


def parse(args: Mapping[str, str]) -> ViewRequest:
    return parse_view_request("health", args, "production", NOW)


def test_nothing_given_is_the_last_hour_of_the_default_environment() -> None:
    request = parse({})
    assert request == ViewRequest("health", "production", "now-1h", "now")
    assert request.range(NOW).seconds == 3600
    assert parse({"from": "", "to": "", "environment": "", "host": "", "operator": ""}) == request


def test_what_does_not_change_the_page_does_not_change_its_key() -> None:
    shared = {"theme": "dark", "kiosk": "", "tz": "UTC", "refresh": "30", "rotate": "health", "unknown": "x"}
    assert parse(shared).key == parse({}).key


@pytest.mark.parametrize(
    "args", [{"environment": "staging"}, {"from": "now-6h"}, {"host": "a"}, {"operator": "a"}, {"to": "now-5m"}]
)
def test_what_changes_the_page_changes_its_key(args: dict[str, str]) -> None:
    assert parse(args).key != parse({}).key


def test_values_can_not_run_into_other_fields_of_the_key() -> None:
    assert parse({"host": "a&operator=b"}).key != parse({"host": "a", "operator": "b"}).key


def test_absolute_ends_are_widened_to_a_grid_of_time() -> None:
    first = parse({"from": f"{NOW - 3599.5}", "to": f"{NOW - 1}"})
    assert first == parse({"from": f"{int((NOW - 3590) * 1000)}", "to": f"{NOW - 14}"})
    assert first == parse({"from": "2026-11-21T12:00:03Z", "to": "2026-11-21T12:59:58.123456Z"})
    found = first.range(NOW)
    assert (found.start, found.end) == (NOW - 3600, NOW)


def test_what_the_grid_makes_longer_than_the_longest_is_refused_by_view_and_shell_alike() -> None:
    begin = NOW - LONGEST_SECONDS
    beside = {"from": f"{begin + 1}", "to": f"{NOW + 1}"}
    with pytest.raises(InvalidInput, match="400 days"):
        parse(beside)
    shell = parse_url_state(beside, frozenset(), NOW)
    assert "400 days" in shell.problems[0]
    assert not shell.values

    whole = {"from": f"{begin}", "to": f"{NOW}"}
    assert parse(whole).range(NOW).seconds == LONGEST_SECONDS
    assert not parse_url_state(whole, frozenset(), NOW).problems


@given(start=st.integers(0, 10**6), length=st.floats(0.001, 100))
def test_a_short_range_stays_a_range(start: int, length: float) -> None:
    begin = NOW - 2_000_000 + start
    request = parse({"from": str(begin), "to": str(begin + length)})
    found = request.range(NOW)
    assert found.start <= begin < begin + length <= found.end


def test_the_query_leads_back_to_the_same_request() -> None:
    from urllib.parse import parse_qsl

    request = parse({"from": str(NOW - 7200), "to": "now-1h", "environment": "staging", "host": "a b&c"})
    assert parse(dict(parse_qsl(request.query()))) == request


def test_names_that_producers_choose_are_taken() -> None:
    name = "Source: orders[1] -> Calc[2], größe = 'x'"
    assert parse({"operator": name}).operator == name


@pytest.mark.parametrize("field", ["environment", "host", "operator"])
@pytest.mark.parametrize("value", ["\x00", "a\nb", "\x7f", "\u202egnp", "a" * (MAX_NAME + 1), "x" * 1_000_000])
def test_a_hostile_name_is_refused_by_field(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse({field: value})
    assert caught.value.field == field
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("value", ["nan", "1e309", "-1", "now-99999999s", "[1]", "\x00", "9" * 5000])
def test_a_hostile_time_is_refused_by_field(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse({field: value})
    assert caught.value.field == field
