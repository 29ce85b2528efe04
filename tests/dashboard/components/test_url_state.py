from __future__ import annotations

import pytest

from dashboard.components.url_state import parse_url_state
from tests.dashboard.fakes import NOW

PAGES = frozenset({"health", "performance"})


def test_it_keeps_good_values_and_names_bad_ones() -> None:
    state = parse_url_state({"from": "now-6h", "theme": "pink", "tz": "browser", "other": "x"}, PAGES, NOW)
    assert dict(state.values) == {"from": "now-6h", "tz": "browser"}
    assert len(state.problems) == 1
    assert state.problems[0].startswith("theme: 'pink'")


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "now-1h", "to": "now-2h"}, "from"),
        ({"refresh": "0"}, "refresh"),
        ({"refresh": "99999m"}, "refresh"),
        ({"rotate": "health,nowhere"}, "rotate"),
        ({"every": "1"}, "every"),
        ({"every": "²"}, "every"),
        ({"tz": "mars"}, "tz"),
        ({"environment": "a\x00b"}, "environment"),
        ({"host": "a" * 300}, "host"),
    ],
)
def test_each_bad_value_is_one_sentence_that_names_its_field(args: dict[str, str], word: str) -> None:
    state = parse_url_state(args, PAGES, NOW)
    assert [problem.split(":")[0] for problem in state.problems] == [word]
    assert word not in state.values


@pytest.mark.parametrize("value", ["5s", "1m", "30", "off"])
def test_refresh_takes_seconds_minutes_and_off(value: str) -> None:
    assert parse_url_state({"refresh": value}, PAGES, NOW).get("refresh") == value


@pytest.mark.parametrize(("value", "kiosk"), [("", True), ("1", True), ("yes", True), ("0", False), ("false", False)])
def test_kiosk_is_on_by_its_name_alone(value: str, kiosk: bool) -> None:
    assert parse_url_state({"kiosk": value}, PAGES, NOW).kiosk is kiosk


def test_queries_keep_their_order_and_a_bare_kiosk() -> None:
    state = parse_url_state({"kiosk": "", "environment": "a b", "from": "now-1h"}, PAGES, NOW)
    assert state.query() == "?from=now-1h&environment=a+b&kiosk"
    assert state.query(**{"from": None, "environment": None}) == "?kiosk"
    assert parse_url_state({}, PAGES, NOW).query() == ""


def test_the_range_says_what_it_is() -> None:
    assert parse_url_state({}, PAGES, NOW).range_label == "Last hour"
    assert parse_url_state({"from": "now-7d"}, PAGES, NOW).range_label == "Last 7 days"
    assert parse_url_state({"from": "now-10m"}, PAGES, NOW).range_label == "Last 10 minutes"
    assert parse_url_state({"from": "now-1w"}, PAGES, NOW).range_label == "Last week"
    fixed = {"from": str(int(NOW - 900) * 1000), "to": str(int(NOW) * 1000)}
    assert parse_url_state(fixed, PAGES, NOW).range_label == "Fixed range"
