"""How the Replay page's rows look: told apart by their ends, one line on a desk, two on a phone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_replay import Desk, desk, opened
from tests.dashboard.replay_fakes import event_id

__all__ = ["desk"]
pytestmark = pytest.mark.browser

LINE = 32


def long_ids(desk: Desk) -> None:
    desk.events.stored = [
        replace(record, entity_id=f"ORD-1795281-eu-central-{number:06}")
        for number, record in enumerate(desk.events.stored)
    ]


def test_an_entity_takes_one_line_and_keeps_its_end(tab: Page, desk: Desk) -> None:
    long_ids(desk)
    tab.set_viewport_size({"width": 1920, "height": 1080})
    opened(tab, "&status=processed")
    cell = tab.locator("#replay-rows td.entity").first
    box = cell.bounding_box()
    assert box is not None
    assert box["height"] < 1.6 * LINE
    expect(cell).to_have_css("white-space", "nowrap")
    link = cell.locator("a").bounding_box()
    assert link is not None
    # What does not fit sticks out at the front: the end of the id is inside of the cell.
    assert link["x"] + link["width"] <= box["x"] + box["width"] + 0.5
    expect(cell).to_have_attribute("title", re.compile("^ORD-1795281-eu-central-"))


def test_a_phone_shows_an_event_in_two_lines_that_open_it(tab: Page, desk: Desk) -> None:
    long_ids(desk)
    tab.set_viewport_size({"width": 390, "height": 844})
    opened(tab)
    rows = tab.locator("#replay-rows tbody tr")
    heights = rows.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert len(heights) == 100
    assert max(heights) <= 72
    assert tab.evaluate("document.documentElement.scrollHeight") < 9_000
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    inside = """row => [...row.querySelectorAll("td:not([data-label=Event])")].filter(c => c.offsetParent)
        .map(c => c.getBoundingClientRect()).every((a, i, all) => all.every((b, j) => i === j ||
            a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1))"""
    number = next(number for number, record in enumerate(desk.events.stored) if record.status == "failed")
    for row in (rows.first, rows.nth(number)):
        assert row.evaluate(inside), "cells lie on each other"
    tick = rows.nth(2).locator(".tick").bounding_box()
    assert tick is not None
    assert tick["height"] >= 44
    tab.locator("#row-" + event_id(2)).scroll_into_view_if_needed()
    when = rows.nth(2).locator(".when").bounding_box()
    assert when is not None
    tab.mouse.click(when["x"] + 5, when["y"] + 5)
    expect(tab.locator("#drawer")).to_be_visible()
    expect(tab).to_have_url(re.compile(f"event={event_id(2)}"))
