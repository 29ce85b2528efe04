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
        ({"compare": "yesterday"}, "compare"),
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


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (None, None, "Last hour"),
        ("now-7d", "now", "Last 7 days"),
        ("now-10m", None, "Last 10 minutes"),
        ("now-1w", None, "Last week"),
        ("now-2d", "now-1d", "2 days ago – 1 day ago"),
        ("1795183200000", "1795251600000", "20 Nov 14:00 – 21 Nov 09:00 UTC"),
        ("1795183200", "1795186800", "20 Nov 14:00 – 15:00 UTC"),
        ("1795183205000", "1795183265000", "20 Nov 14:00:05 – 14:01:05 UTC"),
        ("2025-12-31T23:30:00+01:00", "2026-01-01T01:00:00Z", "31 Dec 2025 22:30 – 1 Jan 01:00 UTC"),
        ("1795183200000", "now", "20 Nov 14:00 UTC – now"),
    ],
)
def test_the_range_says_what_it_is(start: str | None, end: str | None, words: str) -> None:
    args = {name: value for name, value in (("from", start), ("to", end)) if value}
    assert parse_url_state(args, PAGES, NOW).range_label == words
