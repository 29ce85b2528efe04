"""Navigation, URL state, kiosk and phone, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.app import SHELL_STYLES, STYLES, assets_folder
from dashboard.pages import PAGES
from dashboard.pages import base as pages
from tests.browser.conftest import Face, ready
from tests.dashboard import fakes
from tests.dashboard.alert_fakes import FakeAlerts
from tests.dashboard.job_desk import checks, connect, full_reader
from tests.dashboard.job_fakes import FakeRetries

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_opens_with_a_clean_console(tab: Page, theme: str) -> None:
    tab.goto(f"/?theme={theme}")
    ready(tab)
    expect(tab.locator("html")).to_have_attribute("data-bs-theme", theme)
    for page in PAGES[1:]:
        tab.get_by_role("link", name=page.title, exact=True).click()
        expect(tab.locator(f"#page-{page.name}")).to_be_visible()
        expect(tab.locator(f"#page-{page.name}")).to_contain_text(re.compile("not connected", re.IGNORECASE))
        expect(tab).to_have_title(f"{page.title} · Pulseboard")


COUNTED = """sheets => sheets.flatMap(([name, text]) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  const flat = (rules) => [...rules].flatMap((rule) => (rule.selectorText ? [rule] : flat(rule.cssRules || [])));
  const plain = (selector) => selector.replace(/::[\\w-]+/g, ":is(*)");
  const all = flat(sheet.cssRules).map((rule) => rule.selectorText);
  return all.filter((selector) => document.querySelector(plain(selector))).map((selector) => `${name}: ${selector}`);
})"""


@pytest.fixture
def filled(face: Face) -> Iterator[Face]:
    """With runs, batches, datasets and a bad morning of alerts."""
    services: Any = face.services
    held, now = full_reader(time.time()), time.time()
    connect(services, held, checks(now), FakeRetries(held.known))
    services.alerts = FakeAlerts.busy(services.now())
    services.acted()
    yield face
    services.runs = services.jobs = services.retries = services.alerts = None
    services.acted()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_first_paint_has_every_style_that_counts_in_it(chromium: Browser, filled: Face, page: pages.Page) -> None:
    inside = {*SHELL_STYLES, *page.styles}
    others = [(name, (assets_folder() / name).read_text("utf-8")) for name in STYLES if name not in inside]
    context = chromium.new_context(java_script_enabled=False, base_url=filled.url)
    still = context.new_page()
    for query in ("", "?kiosk"):
        still.goto(page.path + query)
        assert still.evaluate(COUNTED, others) == []
    context.close()


def test_navigation_keeps_the_query_and_back_shows_the_full_page_again(tab: Page) -> None:
    query = r"\?from=now-6h&environment=staging&host=server-001&theme=dark"
    tab.goto("/?from=now-6h&environment=staging&host=server-001&resource=capacity-s-own&theme=dark")
    ready(tab)
    tab.evaluate("window.sameDocument = true")
    tab.get_by_role("link", name="Errors", exact=True).click()
    expect(tab.locator("#page-errors")).to_be_visible()
    expect(tab).to_have_url(re.compile(f"/errors{query}$"))
    tab.go_back()
    expect(tab.locator("#page-health")).to_have_attribute("data-filled", "yes")
    expect(tab.locator("#verdict")).to_contain_text("staging")
    expect(tab.get_by_role("link", name="Health", exact=True)).to_have_attribute("aria-current", "page")
    assert tab.evaluate("window.sameDocument")


def test_controls_change_the_url_and_fetch_without_leaving_the_page(tab: Page, face: Face) -> None:
    tab.goto("/?theme=dark")
    ready(tab)
    tab.locator("#environment").select_option("staging")
    expect(tab.locator("#verdict")).to_contain_text("staging")
    tab.locator("#range summary").click()
    tab.get_by_role("link", name="Last 6 hours").click()
    expect(tab).to_have_url(re.compile("from=now-6h"))
    expect(tab.locator("#range-label")).to_have_text("Last 6 hours")
    tab.get_by_role("button", name="Light theme").click()
    expect(tab.locator("html")).to_have_attribute("data-bs-theme", "light")
    tab.get_by_role("button", name="UTC").click()
    expect(tab.locator(".verdict-stamp")).not_to_contain_text("UTC")
    expect(tab).to_have_url(re.compile(r"\?from=now-6h&environment=staging|environment=staging&from=now-6h"))
    assert face.fake.calls[-1].start == "now-6h"


def test_a_frozen_link_holds_absolute_times(tab: Page, face: Face) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto("/?from=now-15m&theme=dark")
    ready(tab)
    tab.get_by_role("button", name="Copy link").click()
    expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    link = tab.evaluate("navigator.clipboard.readText()")
    ends = {name: int(re.search(rf"{name}=(\d+)", link)[1]) for name in ("from", "to")}  # type: ignore[index]
    assert ends["to"] - ends["from"] == 15 * 60 * 1000
    assert abs(ends["to"] / 1000 - face.services.now()) < 60


def test_values_that_can_not_be_used_are_named_and_the_page_stands(tab: Page) -> None:
    tab.goto("/?from=yesterday&refresh=never&theme=pink")
    notice = tab.locator("#notice")
    for word in ("yesterday", "never", "pink"):
        expect(notice).to_contain_text(word)
    expect(tab.get_by_role("link", name="Errors", exact=True)).to_be_visible()
    notice.get_by_role("link").click()
    ready(tab)
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
@pytest.mark.parametrize("fixture", ["healthy", "critical", "partly"])
def test_a_kiosk_shows_everything_without_scrolling_and_offers_nothing_to_press(
    tab: Page, face: Face, size: tuple[int, int], fixture: str
) -> None:
    face.fake.make = fakes.FIXTURES[fixture]
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    tab.goto("/?kiosk&theme=dark")
    ready(tab)
    assert tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == list(size)
    cut = "[...document.querySelectorAll('.card')].filter(c => c.scrollHeight > c.clientHeight + 1).map(c => c.id)"
    assert tab.evaluate(cut) == []
    last = tab.locator("#card-incidents").bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= size[1]
    assert tab.locator("button, select, input, nav, main a, header a").count() == 0
    assert tab.evaluate("getComputedStyle(document.body).cursor") == "none"


def test_a_kiosk_rotates_and_leaves_no_history(own_tab: Page) -> None:
    own_tab.clock.install()
    own_tab.goto("/?kiosk&rotate=health,replay&every=30")
    ready(own_tab)
    before = own_tab.evaluate("history.length")
    own_tab.clock.run_for(31_000)
    expect(own_tab.locator("#page-replay")).to_be_visible()
    own_tab.clock.run_for(30_000)
    expect(own_tab.locator("#page-health")).to_have_attribute("data-filled", "yes")
    assert own_tab.evaluate("history.length") == before
    assert own_tab.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--shift-x')") != ""


@pytest.mark.parametrize("fixture", ["healthy", "critical", "partly", "unknown"])
def test_a_phone_never_scrolls_sideways_and_reaches_every_page(tab: Page, face: Face, fixture: str) -> None:
    face.fake.make = fakes.FIXTURES[fixture]
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto("/?theme=light")
    ready(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    for page in PAGES:
        assert tab.get_by_role("link", name=page.title, exact=True).bounding_box()["x"] >= 0  # type: ignore[index]
        expect(tab.get_by_role("link", name=page.title, exact=True)).to_be_in_viewport()
    verdict = tab.locator("#verdict").bounding_box()
    assert verdict is not None
    assert verdict["y"] + verdict["height"] < 844
