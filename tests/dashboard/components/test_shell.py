from __future__ import annotations

from dataclasses import replace

from dashboard.auth import Identity
from dashboard.components.shell import shell
from dashboard.components.url_state import parse_url_state
from dashboard.data.source import LIVE
from dashboard.html import render
from dashboard.pages import PAGES
from tests.dashboard.fakes import NOW

HEALTH = replace(PAGES[0], filters=("environment",), compares=False)


def drawn(args: dict[str, str], page: object = HEALTH, who: Identity | None = None) -> str:
    state = parse_url_state(args, frozenset(), NOW)
    return render(shell(PAGES, page, state, ("production",), who, LIVE), NOW)  # type: ignore[arg-type]


def test_a_page_that_does_not_compare_says_so_and_keeps_it_for_the_next_page() -> None:
    asked = drawn({"compare": "previous"})
    assert "This page does not compare" in asked
    assert 'href="/errors?compare=previous"' in asked
    assert "does not compare" not in drawn({"compare": "previous"}, replace(HEALTH, compares=True))
    assert "does not compare" not in drawn({})


def test_a_kiosk_says_its_range_and_source_and_offers_nothing_to_press() -> None:
    kiosk = drawn({"kiosk": "", "from": "now-6h"})
    assert "Last 6 hours" in kiosk
    assert "data-source" in kiosk
    for control in ("<button", "<select", "<input", "<details", "<a "):
        assert control not in kiosk


def test_a_display_may_not_stop_what_runs() -> None:
    display = drawn({}, who=Identity("display wall", "display"))
    assert 'data-action="history"' not in display
    assert 'data-action="history"' in drawn({}, who=Identity("ada", "viewer"))
