"""Every page for people who see, hear or point differently: axe-core, keyboards, screen readers, zoom.

Contrast as painted in both themes, and all other looks (loading, stale, displays, drawers, dialogs and more), are in
``python -m benchmarks.accessibility``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.pages import PAGES
from tests.browser import axe
from tests.browser.conftest import SIZE, Face, ready
from tests.dashboard import fakes
from tests.dashboard.full_desk import full

pytestmark = pytest.mark.browser

DEAR = ("color-contrast",)
"""Takes axe longer than all other rules together: colours are checked by calculation (test_colours.py), and as they are
painted, in both themes, by the benchmark."""
CHARTS = """() => [...document.querySelectorAll("#react-entry-point .plot:not(.plot-empty)")].map((plot) => ({
  id: plot.id, role: plot.getAttribute("role"), name: plot.getAttribute("aria-label"),
  words: document.getElementById(plot.getAttribute("aria-describedby"))?.textContent || "",
  hidden: [...plot.querySelectorAll("svg.main-svg")].every((picture) => picture.ariaHidden === "true")}))"""
DRAWN = """() => [...document.querySelectorAll("#react-entry-point .plot:not(.plot-empty)")]
  .every((plot) => plot.querySelector("svg.main-svg[aria-hidden=true]"))"""
FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at), after = getComputedStyle(at, "::after");
  const seen = (one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) >= 2;
  return {tag: at.localName, what: [at.id, at.title, at.textContent.trim().slice(0, 40)].join(" "),
          seen: seen(style) || seen(after) || at.matches(".ag-root-wrapper *")};
}"""

COUNTED = """() => {
  window.changes = 0;
  const counter = new MutationObserver(() => { window.changes += 1; });
  counter.observe(document.getElementById("said"), {childList: true, characterData: true, subtree: true});
}"""
WIDE = """() => [...document.querySelectorAll("main .card")]
  .filter((card) => card.getBoundingClientRect().right > innerWidth + 1).map((card) => card.id)"""


@pytest.fixture
def everything(face: Face) -> Iterator[Face]:
    """The server with every page full."""
    with full(face.services):
        yield face


def test_every_page_is_clean_to_axe_says_what_charts_show_and_fits_when_twice_as_large(
    tab: Page, everything: Face
) -> None:
    """One visit for all: opening a page is what takes the time."""
    tab.goto("/?theme=dark")
    ready(tab)
    found: dict[str, list[str]] = {}
    wide: dict[str, object] = {}
    charts = 0
    for page in PAGES:
        tab.get_by_role("link", name=page.title, exact=True).click()
        ready(tab, page.name)
        tab.wait_for_function(DRAWN)
        found[page.name] = [str(finding) for finding in axe.look(tab, without=DEAR).violations]
        for drawn in tab.evaluate(CHARTS):
            charts += 1
            assert drawn["role"] == "figure", drawn
            assert drawn["name"], drawn
            assert re.search(r"\d", drawn["words"]), drawn
            assert drawn["hidden"], drawn
        tab.set_viewport_size({"width": 640, "height": 400})
        tab.wait_for_function("() => document.documentElement.scrollWidth === 640")
        wide[page.name] = tab.evaluate(WIDE)
        tab.set_viewport_size(SIZE)
    assert found == {page.name: [] for page in PAGES}
    assert wide == {page.name: [] for page in PAGES}
    assert charts > 15


def test_a_page_is_worked_with_keys_alone(tab: Page, everything: Face) -> None:
    tab.goto("/alerts?theme=dark")
    ready(tab, "alerts")
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()

    reached = []
    for _ in range(200):
        tab.keyboard.press("Tab")
        at = tab.evaluate(FOCUS)
        if at["tag"] == "body":  # the browser's own controls come next: nothing holds the focus
            break
        assert at["seen"], f"no outline on {at}"
        reached.append(at["what"])
    else:
        pytest.fail(f"the focus never leaves the page: {reached[-5:]}")
    for wanted in ("Health", "environment", "Half a range earlier", "refresh", "Copy link"):
        assert any(wanted in what for what in reached), f"{wanted} can't be reached"

    tab.locator("#range summary").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("link", name="Last 6 hours")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#range summary")).to_be_focused()
    expect(tab.get_by_role("link", name="Last 6 hours")).to_be_hidden()

    opener = tab.locator("#alerts-rows .opener").first
    opener.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#drawer")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_verdict_is_said_when_it_changes_and_not_with_each_refresh(tab: Page, face: Face) -> None:
    said, refresh = tab.locator("#said"), "document.dispatchEvent(new CustomEvent('pulseboard:acted'))"
    tab.goto("/?theme=dark")
    ready(tab)
    expect(said).to_be_empty()
    face.fake.make = fakes.FIXTURES["critical"]
    tab.evaluate(refresh)
    expect(said).to_have_text("production is critical: Consumer lag, DLQ rate, Latency p99")
    tab.evaluate(COUNTED)
    face.fake.make = lambda now: fakes.health(now, fakes.CRITICAL | {"consumer_lag_records": 99_000.0})
    tab.evaluate(refresh)
    expect(tab.locator("#verdict")).to_contain_text("99,000")
    tab.get_by_role("link", name="Errors", exact=True).click()
    expect(said).to_contain_text("Errors")
    assert tab.evaluate("window.changes") == 1
