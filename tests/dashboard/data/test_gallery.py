"""What the address asks of history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from dashboard.data.gallery import PARAMETERS, asked_of, load
from dashboard.data.request import parse_view_request
from tests.dashboard.gallery_fakes import FakeGallery

NOW = 1_795_270_507.3
"""2026-11-21 14:15:07 UTC."""


def asked(**args: str) -> object:
    values = {name.rstrip("_"): value for name, value in args.items()}
    return asked_of(parse_view_request("capacity", values, "production", NOW, PARAMETERS), NOW)


def test_a_question_s_range_stands_still_from_when_it_was_asked() -> None:
    first = asked(ask="cpu_by_host", asked="1795270500", from_="now-1h")

    assert (first.start, first.end) == (1_795_266_900, 1_795_270_500)  # type: ignore[attr-defined]
    assert asked(from_="now-1h") is None


def test_a_download_by_fixed_ends_asks_the_same() -> None:
    shown = asked(ask="cpu_by_host", asked="1795270500", from_="now-100s", host="a")
    ends = {"from_": str(int(shown.start * 1000)), "to": str(int(shown.end * 1000))}  # type: ignore[attr-defined]

    assert asked(ask="cpu_by_host", host="a", **ends) == shown


def test_an_address_written_by_hand_asks_once_an_hour() -> None:
    hour = asked(ask="cpu_by_host", from_="now-2h")

    assert (hour.start, hour.end) == (1_795_262_400, 1_795_269_600)  # type: ignore[attr-defined]


def test_an_address_that_begins_in_this_hour_asks_up_to_its_end() -> None:
    asked_ = asked(ask="cpu_by_host", from_="2026-11-21T14:05:00Z")

    assert (asked_.start, asked_.end) == (1_795_269_900, 1_795_273_200)  # type: ignore[attr-defined]


def test_quick_choices_never_lead_to_an_address_that_is_refused() -> None:
    services: Any = SimpleNamespace(gallery=FakeGallery())
    at = "1795270500"
    for _ in range(9):
        values = {"ask": "cpu_by_host", "asked": at}
        data = load(services, parse_view_request("capacity", values, "production", NOW, PARAMETERS), NOW)
        assert (data.asked_at, data.again_at >= int(at)) == (1_795_270_500, True)
        at = str(data.again_at)


@pytest.mark.parametrize(
    ("field", "args"),
    [
        ("ask", {"ask": "drop_table"}),
        ("ask", {"ask": "cpu_by_host'; --"}),
        ("asked", {"ask": "cpu_by_host", "asked": "soon"}),
        ("asked", {"ask": "cpu_by_host", "asked": "9999999999"}),
        ("asked", {"ask": "cpu_by_host", "asked": "1"}),
        ("from", {"ask": "cpu_by_host", "from_": "now-3650d"}),
        ("from", {"ask": "cpu_by_host", "from_": "now-1h", "to": "now-2h"}),
    ],
)
def test_what_can_not_be_asked_is_named(field: str, args: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(**args)

    assert refused.value.field == field
