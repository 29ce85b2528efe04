"""The Errors page in a real browser: two clicks to an event, by mouse and keyboard, whatever the event says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from playwright.sync_api import Page, expect

from backend.contract.events import EventError
from tests.browser.conftest import Face, ready
from tests.dashboard.errors_bench import services
from tests.dashboard.event_fakes import FakeInvestigation, detail, failed, several

pytestmark = pytest.mark.browser

EVIL = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Metrics as of now, made once."""
    built, _ = services([])
    yield built
    built.close()


@pytest.fixture
def source(face: Face, bench: Any) -> Iterator[FakeInvestigation]:
    """The server's investigation: 480 failed events of the last hour."""
    own = face.services
    before = own.events, own.hot, own.series
    answering = FakeInvestigation(several(480, own.now()))
    own.events, own.hot, own.series = answering, bench.hot, bench.series  # type: ignore[assignment]
    yield answering
    own.events, own.hot, own.series = before
    own.acted()


def opened(tab: Page, address: str = "/errors?theme=light") -> Page:
    tab.goto(address)
    ready(tab, "errors")
    return tab


def charts_are_drawn(tab: Page) -> None:
    tab.wait_for_selector("#chart-failed .bars .point path", state="attached")
    tab.wait_for_selector("#chart-types .pielayer .slice path")


def press(tab: Page, shape: str, number: int, down: float = 0.5) -> None:
    """A click of the mouse on an element, ``down`` its height, whatever lies above it to take the pointer."""
    box = tab.locator(shape).nth(number).bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * down)


def test_a_broken_order_is_found_from_a_red_slice_in_two_clicks(tab: Page, source: FakeInvestigation) -> None:
    opened(tab)
    charts_are_drawn(tab)
    press(tab, "#chart-types .slice path.surface", 0, down=0.9)
    expect(tab).to_have_url(re.compile("error_type=parse_error"))
    expect(tab.locator("#card-newest tbody")).not_to_contain_text("validation_error")
    press(tab, "#card-newest tbody tr td:nth-child(3)", 0)
    drawer = tab.locator("#drawer")
    expect(drawer).to_be_visible()
    expect(drawer.locator("#drawer-raw")).to_contain_text('"cust_id": "c-4711"')
    expect(drawer.locator("#drawer-raw")).to_contain_text('"card_number": "[redacted]"')
    expect(drawer.locator(".trace-step")).to_have_count(6)


def test_a_bar_chooses_its_type_and_takes_it_back(tab: Page, source: FakeInvestigation) -> None:
    opened(tab)
    charts_are_drawn(tab)
    press(tab, "#chart-failed .bars .point path", 30)
    expect(tab).to_have_url(re.compile("error_type=parse_error"))
    expect(tab.locator("#errors-chips")).to_contain_text("Error type: parse_error")
    expect(tab.locator("#errors-lead")).to_contain_text(re.compile(r"\d failed events, most at parse-orders"))
    press(tab, "#chart-failed .bars .point path", 30)
    expect(tab).not_to_have_url(re.compile("error_type"))
    expect(tab.locator("#errors-chips li")).to_have_count(0)


def test_the_keyboard_gets_to_an_event_and_back(tab: Page, source: FakeInvestigation) -> None:
    opened(tab)
    slice_link = tab.locator("#body-types a.rank", has_text="timeout")
    slice_link.focus()
    slice_link.press("Enter")
    expect(tab.locator("#errors-chips")).to_contain_text("timeout")
    row = tab.locator("#card-newest a.opener").nth(1)
    event_id = row.get_attribute("data-opens")
    row.focus()
    row.press("Enter")
    expect(tab.locator("#drawer")).to_be_focused()
    expect(tab).to_have_url(re.compile(f"event={event_id}"))
    tab.keyboard.press("Tab")
    expect(tab.locator("#drawer .drawer-close")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.locator("#drawer")).to_be_hidden()
    expect(tab.locator(f'[data-opens="{event_id}"]')).to_be_focused()
    expect(tab).to_have_url(re.compile(r"error_type=timeout"))
    assert "event=" not in tab.url


def test_the_address_alone_opens_the_same_and_back_closes_it(tab: Page, source: FakeInvestigation) -> None:
    record = source.records[7]
    opened(tab)
    tab.locator(f'[data-opens="{record.event_id}"]').click()
    expect(tab.locator("#drawer-title")).to_contain_text(record.entity_id)
    tab.go_back()
    expect(tab.locator("#drawer")).to_be_hidden()
    opened(tab, f"/errors?event={record.event_id}")
    expect(tab.locator("#drawer-title")).to_contain_text(record.entity_id)
    tab.locator("#drawer .drawer-close").click()
    expect(tab.locator("#drawer")).to_be_hidden()
    tab.locator(f'[data-opens="{record.event_id}"]').click()
    expect(tab.locator("#drawer")).to_be_visible()


def test_a_refresh_leaves_what_is_typed_and_unfolded(tab: Page, source: FakeInvestigation) -> None:
    record = source.records[2]
    opened(tab, f"/errors?theme=light&refresh=1s&event={record.event_id}")
    tab.locator("#drawer-reason").fill("schema is fixed")
    tab.locator("#query-latency summary").evaluate("summary => summary.click()")
    told = detail(record)
    source.details = {record.event_id: replace(told, trace=told.trace[:2])}
    expect(tab.locator(".trace-step")).to_have_count(2)
    expect(tab.locator("#drawer-reason")).to_have_value("schema is fixed")
    assert tab.locator("#query-latency").evaluate("query => query.open")


def test_a_query_is_copied_and_leads_into_aws(tab: Page, source: FakeInvestigation) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(tab, "/errors?error_type=timeout")
    query = tab.locator("#query-slow-operators")
    query.locator("summary").click()
    query.get_by_role("button", name="Copy").click()
    expect(query.get_by_role("button", name="Copied")).to_be_visible()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('filter error_type = "timeout" and ispresent(latency_ms)\n| stats')
    link = query.get_by_role("link", name="Open in AWS")
    expect(link).to_have_attribute("href", re.compile(r"^https://us-east-1\.console\.aws\.amazon\.com/cloudwatch/"))
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_whatever_an_event_says_is_shown_as_text(tab: Page, face: Face, source: FakeInvestigation) -> None:
    now = face.services.now()
    record = replace(
        failed(1, now), entity_id=EVIL, event_type=EVIL, source=EVIL, correlation_id=EVIL, raw_key=EVIL,
        sha256=EVIL, error=EventError(EVIL, EVIL, EVIL, now - 5),
    )  # fmt: skip
    told = detail(record, {EVIL: [EVIL]}, headers={EVIL: EVIL})
    steps = tuple(replace(step, detail=EVIL, stage=EVIL, operator=EVIL, error_type=EVIL) for step in told.trace)
    source.records = [record]
    source.details = {record.event_id: replace(told, trace=steps)}
    opened(tab, f"/errors?event={record.event_id}")
    for part in ("#card-newest", "#card-entities", "#card-sources", "#drawer-raw", "#drawer-trace", "#drawer-error"):
        expect(tab.locator(part)).to_contain_text(EVIL)
    charts_are_drawn(tab)
    tab.locator("#drawer .drawer-close").click()
    press(tab, "#chart-types .slice path.surface", 0, down=0.9)
    expect(tab).to_have_url(re.compile("error_type="))
    tab.locator("#card-entities a.rank").first.click()
    expect(tab.locator("#errors-chips")).to_contain_text(EVIL)
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("main img, main script").count() == 0


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
def test_a_kiosk_fits_masks_and_offers_nothing(tab: Page, source: FakeInvestigation, size: tuple[int, int]) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    opened(tab, f"/errors?kiosk&theme=dark&event={source.records[0].event_id}")
    charts_are_drawn(tab)
    assert tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == list(size)
    cut = (
        "[...document.querySelectorAll('.card')].filter(c => c.offsetParent && c.scrollHeight > c.clientHeight + 1)"
        ".map(c => c.id)"
    )
    assert tab.evaluate(cut) == []
    pressable = ("button", "select", "input", "form", "nav", "main a", "header a")
    assert [kind for kind in pressable if tab.locator(f"{kind}:visible").count()] == []
    expect(tab.locator("#drawer")).to_be_hidden()
    assert source.records[0].entity_id not in tab.locator("main").inner_text()
    press(tab, "#chart-failed .bars .point path", 30)
    assert "error_type" not in tab.url


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
def test_no_row_of_a_kiosk_is_cut_through(tab: Page, source: FakeInvestigation, size: tuple[int, int]) -> None:
    source.records = [
        replace(record, error=EventError("timeout", "slow", f"operator-{number % 12:02}", record.received_at))
        for number, record in enumerate(source.records)
    ]
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    opened(tab, "/errors?kiosk&theme=dark")
    charts_are_drawn(tab)
    expect(tab.locator("#card-operators tbody tr")).to_have_count(6)
    for rows in ("#card-operators tbody tr", "#card-newest tbody tr", "#card-entities li"):
        last, card = tab.locator(rows).last, tab.locator(rows.split(" ", maxsplit=1)[0])
        row, around = last.bounding_box(), card.bounding_box()
        assert row is not None
        assert around is not None
        assert row["y"] + row["height"] <= around["y"] + around["height"] - 2, rows


def test_entities_that_differ_at_their_ends_can_be_told_apart(tab: Page, source: FakeInvestigation) -> None:
    source.records = [
        replace(record, entity_id=f"ORD-1795281-eu-central-{number:06}") for number, record in enumerate(source.records)
    ]
    tab.set_viewport_size({"width": 1920, "height": 1080})
    opened(tab)
    cell = tab.locator("#card-newest td.failed-entity").first
    text, box = cell.locator("a").bounding_box(), cell.bounding_box()
    assert text is not None
    assert box is not None
    assert text["x"] + text["width"] <= box["x"] + box["width"] + 0.5
    assert box["width"] >= 180


@pytest.mark.parametrize("drawer", [False, True])
def test_a_phone_never_scrolls_sideways(tab: Page, source: FakeInvestigation, drawer: bool) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    event = f"&event={source.records[0].event_id}" if drawer else ""
    opened(tab, f"/errors?theme=light&error_type=parse_error{event}")
    charts_are_drawn(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    box = tab.locator("#drawer" if drawer else "#card-newest").bounding_box()
    assert box is not None
    assert box["width"] <= 390


def test_events_that_can_not_be_read_again_stay_and_are_said_to_be_old(
    tab: Page, face: Face, source: FakeInvestigation
) -> None:
    opened(tab, "/errors?refresh=1s")
    expect(tab.locator("#errors-lead")).to_contain_text("480 failed events")
    source.error = EndpointConnectionError(endpoint_url="http://dynamodb")
    face.services.acted()
    face.services.readings.clear()
    expect(tab.locator("#banner")).to_contain_text("The data can't be read now")
    expect(tab.locator("#errors-lead")).to_contain_text("480 failed events")
    source.error = None
    expect(tab.locator("#banner")).to_be_hidden()


def test_a_first_look_without_an_answer_is_an_error_not_an_empty_page(tab: Page, source: FakeInvestigation) -> None:
    source.error = EndpointConnectionError(endpoint_url="http://dynamodb")
    tab.goto("/errors?from=now-6h")
    expect(tab.locator("html")).to_have_attribute("data-live", "error")
    expect(tab.locator("main")).not_to_contain_text("No failed event")


def test_the_frame_does_not_repeat_the_pages_own_filters(tab: Page, source: FakeInvestigation) -> None:
    opened(tab, "/errors?operator=parse-orders&host=server-001")
    expect(tab.locator("#errors-chips")).to_contain_text("Operator: parse-orders")
    expect(tab.locator("#chips")).to_contain_text("This page is not filtered by host")
    expect(tab.locator("#chips li", has_text="operator")).to_be_hidden()


def test_a_quiet_hour_and_a_missing_store_look_different(tab: Page, face: Face, source: FakeInvestigation) -> None:
    source.records = []
    opened(tab)
    expect(tab.locator("#body-failed .note-empty")).to_contain_text("No failed event")
    expect(tab.locator("#plot-failed")).to_be_hidden()
    face.services.events = None
    opened(tab)
    expect(tab.locator("#body-failed .note-not-connected")).to_be_visible()


def test_events_of_two_thousand_and_more_say_that_they_were_cut(
    tab: Page, face: Face, source: FakeInvestigation
) -> None:
    source.records = several(2400, face.services.now())
    opened(tab, "/errors?from=now-6h")
    expect(tab.locator("#errors-lead")).to_contain_text("Only the newest 2,000 failed events were read")
    charts_are_drawn(tab)
    assert tab.locator("#chart-failed .trace.bars").count() == 6
