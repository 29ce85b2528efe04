"""From a red p99 on Health to the operator and the cause, in a real browser over the synthetic pipeline's slowdown."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Face, ready
from tests.dashboard.performance_desk import EVERY, services, table

pytestmark = pytest.mark.browser

FITS = """
() => [...document.querySelectorAll("#page-performance > *")].filter((part) => part.offsetParent).every((part) =>
  part.getBoundingClientRect().bottom <= innerHeight + 1
  && part.scrollHeight <= part.clientHeight + 1 && part.scrollWidth <= part.clientWidth + 1)
"""
"""Nothing of the page lies below the screen, and nothing of a part outside of it."""


@pytest.fixture
def incident(face: Face) -> Iterator[float]:
    """The server reads the pipeline at the height of its slowdown; gives the moment where it stands."""
    now = time.time() // EVERY * EVERY
    own, built = face.services, services(table(now), lambda: now)
    names = ("reader", "hot", "health", "series", "ranged", "anomalies", "now")
    before = {name: getattr(own, name) for name in names}
    for name in names:
        setattr(own, name, getattr(built, name))
    own.acted()
    yield now
    for name, value in before.items():
        setattr(own, name, value)
    own.acted()
    built.close()


def test_from_a_red_p99_to_the_operator_and_the_cause(tab: Page, face: Face, incident: float) -> None:
    tab.goto("/?theme=dark&from=now-15m")
    ready(tab, "health")
    card = tab.locator("#card-latency_ms")
    expect(card).to_have_attribute("data-state", "critical")
    card.locator("a").click()

    ready(tab, "performance")
    assert "from=now-15m" in tab.url
    expect(tab.locator("#performance-lead .lead")).to_have_text(
        re.compile("Latency p99 is .* s, usually .* promised 5 s")
    )
    cause = tab.locator("#card-cause .cause-line")
    expect(cause).to_have_text(
        re.compile("Cache hit rate fell to .*; enrichment latency rose to .*; felt most at enrich")
    )
    tab.wait_for_selector("#chart-latency .scatterlayer .trace path.js-line", state="attached")
    assert tab.locator("#card-op-latency").is_hidden()

    cause.get_by_role("link", name="Look into enrich").click()
    expect(tab.locator("#drill-head")).to_contain_text(re.compile("^enrich.*latency .* ms, usually .* busy"))
    expect(tab.locator("#card-op-latency")).to_be_visible()
    tab.wait_for_selector("#chart-op-latency .scatterlayer .trace path.js-line", state="attached")
    assert {"operator=enrich", "from=now-15m"} <= set(tab.url.partition("?")[2].split("&"))
    expect(tab.locator("#card-operators tr[data-here=yes] th")).to_have_text("enrich")

    tab.locator("#drill-head a").click()
    expect(tab.locator("#card-op-latency")).to_be_hidden()
    expect(tab.locator("#page-performance")).to_have_attribute("data-filled", "yes")


def test_a_display_shows_the_cause_without_scrolling(tab: Page, face: Face, incident: float) -> None:
    tab.set_viewport_size({"width": 1920, "height": 1080})
    tab.goto("/performance?kiosk&theme=dark")
    ready(tab, "performance")
    expect(tab.locator("#card-cause .cause-line")).to_contain_text("Cache hit rate fell")
    tab.wait_for_selector("#chart-lag .scatterlayer .trace path.js-line", state="attached")
    assert tab.evaluate(FITS)
    tab.set_viewport_size({"width": 1280, "height": 720})
    tab.wait_for_function(FITS)
