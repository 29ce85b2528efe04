"""What an operator may start from the Replay page: ticked and all are never the same button."""

from __future__ import annotations

import re
from html import unescape

import pytest

from dashboard.html import render
from tests.dashboard.fakes import NOW
from tests.dashboard.pages.test_replay import Desk
from tests.dashboard.replay_fakes import event_id

LETTERS = {"tab": "dead-letters", "queue": "event-processor-dlq"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def buttons_of(panel: str) -> dict[str, str]:
    """The buttons of a rendered panel in the keyboard's order: words to attributes."""
    found = re.findall(r"<button([^>]*)>(.*?)</button>", panel)
    return {re.sub(r"<[^>]*>", "", words): unescape(attributes) for attributes, words in found}


def test_ticked_and_all_are_two_buttons_and_the_first_one_only_tries(desk: Desk) -> None:
    panel = render(desk.view(status="failed").props["replay-panel"]["children"], NOW)
    buttons = buttons_of(panel)
    assert list(buttons) == ["Clear ticks", "Dry run", "Replay ticked (0)", "Replay all matching…"]
    assert 'type="button"' in buttons["Clear ticks"]
    assert "data-dry-run" in buttons["Dry run"]
    ticked, every = buttons["Replay ticked (0)"], buttons["Replay all matching…"]
    assert " disabled" in ticked
    assert 'data-body="{"selection": {}}"' in ticked
    assert 'data-takes="ticked"' in ticked
    assert 'data-takes="all"' in every
    assert 'data-counts="0"' in every
    assert 'data-type-above="1000"' in every
    assert "data-confirm=" in every
    assert "data-body" not in every


def test_ticks_end_with_the_search_and_not_with_its_next_page_or_an_open_event(desk: Desk) -> None:
    def searched(**parameters: str) -> str:
        panel = render(desk.view(**parameters).props["replay-panel"]["children"], NOW)
        found = re.search(r'data-ticks-of="([^"]*)"', panel)
        assert found is not None
        return found[1]

    usual = searched()
    assert searched(token="100") == searched(event=event_id(2)) == usual
    desk.clock[0] += 3600
    assert searched() == usual
    others = [searched(status="failed"), searched(entity_id="order-10399"), searched(time="occurred")]
    queue = [searched(tab="dead-letters", queue="event-processor-dlq", error_type=kind) for kind in ("", "timeout")]
    assert len({usual, *others, *queue}) == 6


def test_a_redrive_of_all_asks_first_and_the_enter_key_can_only_take_what_is_ticked(desk: Desk) -> None:
    panel = render(desk.view(**LETTERS).props["replay-panel"]["children"], NOW)
    buttons = buttons_of(panel)
    assert list(buttons) == ["Clear ticks", "Redrive ticked (0)", "Redrive all matching…", "Delete ticked (0)"]
    for words in ("Redrive ticked (0)", "Delete ticked (0)"):
        assert " disabled" in buttons[words]
        assert 'data-takes="ticked"' in buttons[words]
        assert 'data-body="{"queue": "event-processor-dlq"}"' in buttons[words]
    assert "holds about 1,200 messages." in buttons["Redrive all matching…"]
    filtered = render(desk.view(**LETTERS, error_type="timeout").props["replay-panel"]["children"], NOW)
    asked = buttons_of(filtered)["Redrive all matching…"]
    assert "that match the filter? event-processor-dlq holds about 1,200 messages; " in asked
    assert re.search(r"; \d+ of the 47 looked at do\.", asked)


def test_a_filter_that_matches_nothing_in_the_sample_leaves_the_redrive(desk: Desk) -> None:
    view = desk.view(**LETTERS, entity_id="order-0")
    panel = render(view.props["replay-panel"]["children"], NOW)
    assert "0 of the 47 looked at do." in unescape(panel)
    assert view.props["replay-form"]["data-post"] == "/api/v1/actions/redrive"


def test_without_a_listing_there_is_nothing_to_redrive(desk: Desk) -> None:
    assert desk.view(tab="dead-letters").props["replay-panel"]["children"] == []
