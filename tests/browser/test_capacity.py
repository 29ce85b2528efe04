"""The Capacity page in a browser: the answer, a forecast chosen by its row, and a display that fits its screen."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Face
from tests.dashboard.capacity_desk import FakeForecasts, outlook, services, table


@pytest.fixture
def capacity(face: Face) -> Iterator[Face]:
    """The face's own services, with a table and forecasts in their place."""
    now = time.time() // 60 * 60
    made = services(table(now=now, minutes=10), FakeForecasts(outlook(now=now)), lambda: now)
    kept = {name: getattr(face.services, name) for name in ("hot", "ranged", "forecasts", "series")}
    for name in kept:
        setattr(face.services, name, getattr(made, name))
    yield face
    for name, value in kept.items():
        setattr(face.services, name, value)
    made.close()


def test_a_row_opens_its_forecast_and_a_display_fits_without_scrolling(capacity: Face, tab: Page) -> None:
    tab.goto("/capacity?from=now-15m")
    expect(tab.locator("#react-entry-point #capacity-lead")).to_contain_text("Disk usage of server-1 reaches its limit")
    chart = tab.locator("#react-entry-point #chart-forecast")
    expect(chart.locator(".scatterlayer .trace")).not_to_have_count(0)
    tab.locator("#react-entry-point .limit-link", has_text="Memory usage").click()
    expect(tab.locator("#react-entry-point #title-forecast")).to_have_text("Forecast: Memory usage of server-2")
    assert "resource=memory_usage%2Fserver-2" in tab.url
    expect(tab.locator("#react-entry-point #chart-cpu .scatterlayer .trace")).not_to_have_count(0)
    for width, height in ((1920, 1080), (1280, 720)):
        tab.set_viewport_size({"width": width, "height": height})
        tab.goto("/capacity?kiosk&from=now-15m")
        expect(tab.locator("#react-entry-point #card-costs .cost-rows")).to_be_visible()
        overflow = "node => node.scrollHeight - node.clientHeight"
        assert tab.locator("html").evaluate(overflow) <= 0
        assert tab.locator("#react-entry-point #card-limits").evaluate(overflow) <= 1
        assert tab.locator("#react-entry-point .limit-link").count() == 0 or not tab.locator(
            "#react-entry-point .limit-link"
        ).first.evaluate("node => getComputedStyle(node).pointerEvents !== 'none'")
