"""Time ranges: every form a URL may use, and an error that names the end that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.ranges import LONGEST_SECONDS, OLDEST, level_for, parse_range, parse_time

NOW = 1_795_266_037.0  # 2026-11-21T13:00:37Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW),
        ("now-0s", NOW),
        ("now-90s", NOW - 90),
        ("now-15m", NOW - 900),
        ("now-6h", NOW - 21600),
        ("now-7d", NOW - 7 * 86400),
        ("now-4w", NOW - 28 * 86400),
        ("1795259185", 1_795_259_185),
        ("1795259185.5", 1_795_259_185.5),
        ("1795259185500", 1_795_259_185.5),
        ("  1795259185 ", 1_795_259_185),
        ("2026-11-21T11:06:25Z", 1_795_259_185),
        ("2026-11-21T12:06:25+01:00", 1_795_259_185),
        ("2026-11-21T11:06:25.500+00:00", 1_795_259_185.5),
    ],
)
def test_every_form_of_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_time(text, NOW, "from") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "now+1h",
        "now-",
        "now-1",
        "now-1y",
        "now-1.5h",
        "now-1h-1m",
        "now-1234567s",
        "now-999999w",
        "now-१h",
        "NOW",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "1e309",
        "1e30",
        "0",
        "-1",
        "946684799",
        "99999999999999999999",
        "2026-11-21",
        "2026-11-21T11:06:25",
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-13-01T00:00:00Z",
        "\x00",
        "now-1h\x00",
        "now-1h\n.",
        "x" * 100_000,
        "9" * 100_000,
    ],
)
def test_what_is_no_time_names_the_field(text: str) -> None:
    for field in ("from", "to"):
        with pytest.raises(InvalidInput) as caught:
            parse_time(text, NOW, field)
        assert caught.value.field == field
        assert len(str(caught.value)) < 400


@given(st.text(max_size=40) | st.from_regex(r"now-?[0-9]{0,7}[a-z]?|[0-9T:.+-]{1,30}", fullmatch=True))
def test_any_text_is_a_time_in_reach_or_bad_input(text: str) -> None:
    try:
        seconds = parse_time(text, NOW, "from")
    except InvalidInput:
        return
    assert OLDEST <= seconds <= NOW + 10 * 365 * 86400


@pytest.mark.parametrize(
    ("start", "end", "live"),
    [
        (None, None, True),
        ("", "", True),
        ("now-1h", "now", True),
        ("now-1h", " now", True),
        ("now-2h", "now-1h", True),
        ("1795259185", "1795262785", False),
        ("1795259185", None, True),
    ],
)
def test_a_range_is_live_when_its_end_moves_with_the_clock(start: str | None, end: str | None, live: bool) -> None:
    assert parse_range(start, end, NOW).live is live


def test_nothing_given_is_the_default() -> None:
    found = parse_range(None, None, NOW, "now-6h")
    assert (found.start, found.end, found.seconds) == (NOW - 21600, NOW, 21600)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("now", "now-1h", "from"),
        ("now", "now", "from"),
        (None, "now-2h", "from"),
        ("now-401d", None, "from"),
        ("946684800", "now", "from"),
        ("x", "y", "from"),
        ("now-1h", "y", "to"),
        ("now-1h", "1e309", "to"),
    ],
)
def test_a_range_that_makes_no_sense_names_the_field(start: str | None, end: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_range(start, end, NOW)
    assert caught.value.field == field
    assert "None" not in str(caught.value)


def test_the_longest_range_is_taken() -> None:
    assert parse_range("now-400d", "now", NOW).seconds == LONGEST_SECONDS


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        (60, "live"),
        (3600, "live"),
        (5 * 3600 - 1, "live"),
        (5 * 3600, "1m"),
        (86400, "1m"),
        (12.5 * 86400 - 1, "1m"),
        (12.5 * 86400, "1h"),
        (30 * 86400, "1h"),
    ],
)
def test_the_coarsest_level_with_three_hundred_points_is_read(seconds: float, level: str) -> None:
    assert level_for(seconds) == level
