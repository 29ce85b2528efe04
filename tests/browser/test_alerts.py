"""The Alerts page in a real browser: from the list to the alert to its acknowledgement; the strip; displays; phones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Face, ready
from tests.dashboard.alert_fakes import FakeAlerts, alert

pytestmark = pytest.mark.browser


@pytest.fixture
def service(face: Face) -> Iterator[FakeAlerts]:
    """A bad morning, as of now."""
    face.services.alerts = service = FakeAlerts.busy(face.services.now())
    face.services.acted()
    yield service
    face.services.alerts = None
    face.services.acted()


def test_an_alert_is_opened_and_acknowledged_with_a_reason(tab: Page, service: FakeAlerts) -> None:
    wanted = service.stored[0].alert_id
    tab.goto("/alerts")
    ready(tab, "alerts")
    row = tab.locator(f"#alert-{wanted}")
    row.locator(".opener").focus()
    tab.keyboard.press("Enter")
    drawer = tab.locator("#drawer")
    expect(drawer).to_be_visible()
    expect(tab).to_have_url(re.compile(f"alert={wanted}"))
    drawer.get_by_role("button", name="Acknowledge").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("I look into it")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(drawer.locator(".drawer-sub")).to_contain_text("Acknowledged")
    assert service.asked == [("acknowledge", wanted, "local", "I look into it")]
    expect(row).to_contain_text("by local")
    expect(drawer.get_by_role("button", name="Acknowledge")).to_have_count(0)
    drawer.get_by_label("Silence", exact=True).select_option("rule")
    drawer.get_by_label("For").select_option("240")
    drawer.get_by_role("button", name="Silence").click()
    dialog.get_by_label("Reason").fill("A fix is on its way")
    dialog.get_by_role("button", name="Silence").click()
    expect(drawer.locator(".silence-form [role=status]")).to_contain_text("Silenced for 4 h")
    assert service.asked[-1][1].rule == service.stored[0].rule
    tab.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(row.locator(".opener")).to_be_focused()
    tab.get_by_role("link", name="Checks").click()
    expect(tab.locator("#chart-reconciliation .bars .point path")).to_have_count(24 * 6)
    expect(tab.locator("#card-reconciliation")).to_be_visible()


def test_a_saved_follow_up_is_said_though_its_form_is_drawn_anew(tab: Page, service: FakeAlerts) -> None:
    tab.goto("/alerts?tab=incidents&incident=inc-1")
    ready(tab, "alerts")
    form = tab.locator("form[data-post$=incident-follow-up]")
    before = form.get_attribute("id")
    for label in ("Summary", "Root cause", "Prevention"):
        form.get_by_label(label).fill("One quota was reached.")
    form.get_by_role("button", name="Save").click()
    expect(tab.locator("#toast")).to_have_text("The follow-up is saved")
    assert service.asked[-1][0] == "follow_up"
    assert form.get_attribute("id") != before


def test_a_display_shows_all_that_is_open_on_one_screen(tab: Page, face: Face, service: FakeAlerts) -> None:
    now = face.services.now()
    service.stored += [
        alert(now, f"One more of many alerts {'with a long title ' * 8}{number}") for number in range(20)
    ]
    face.services.acted()
    tab.goto("/alerts?kiosk")
    ready(tab, "alerts")
    for width, height in ((1280, 720), (1920, 1080)):
        tab.set_viewport_size({"width": width, "height": height})
        last = tab.locator(".wall-more").bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= height
    words = tab.locator(".wall-words").last
    assert words.evaluate("node => [node.scrollWidth > node.clientWidth, getComputedStyle(node).textOverflow]") == [
        True,
        "ellipsis",
    ]
    expect(tab.locator("main a:visible, main button:visible")).to_have_count(0)
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto("/alerts")
    ready(tab, "alerts")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
