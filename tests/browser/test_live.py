"""What keeps the picture on the screen true, in a real browser."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Face, ready
from tests.dashboard import fakes

pytestmark = pytest.mark.browser


def test_the_verdict_is_there_without_javascript_and_does_not_move_when_dash_takes_over(
    chromium: Browser, tab: Page, face: Face
) -> None:
    still = chromium.new_context(java_script_enabled=False, base_url=face.url, viewport={"width": 1280, "height": 800})
    bare = still.new_page()
    bare.goto("/?theme=light")
    expect(bare.locator("#verdict")).to_have_attribute("data-status", "healthy")
    expect(bare.locator("#verdict")).to_contain_text("within their limits")
    shape = bare.locator("#verdict .verdict-shape").bounding_box()
    assert shape is not None
    assert shape["height"] > 40, "the verdict can be told from across the room"
    places = [bare.locator(f"#card-{name}").bounding_box() for name in ("latency_ms", "slos", "incidents")]
    still.close()

    tab.goto("/?theme=light")
    ready(tab)
    assert [tab.locator(f"#card-{name}").bounding_box() for name in ("latency_ms", "slos", "incidents")] == places
    assert tab.locator("[id=verdict]").count() == 1


def test_a_refresh_brings_the_new_verdict_and_its_age(tab: Page, face: Face) -> None:
    tab.goto("/?refresh=1s")
    ready(tab)
    face.fake.make = fakes.critical
    expect(tab.locator("#verdict")).to_have_attribute("data-status", "critical")
    expect(tab.locator("#card-latency_ms")).to_contain_text("6.42")
    expect(tab.locator("#data-age")).to_contain_text("Data 1")


def test_an_unchanged_view_is_answered_with_304_and_touches_nothing(tab: Page, face: Face) -> None:
    fixed = fakes.health(face.services.now())
    face.fake.make = lambda now: fixed
    started = face.services.now()
    # Ages would otherwise make every view differ from the last by a second.
    clock, face.services.now = face.services.now, lambda: started
    try:
        tab.goto("/?refresh=1s")
        ready(tab)
        tab.evaluate(
            """() => { window.touched = []; new MutationObserver(changes => changes.forEach(change => {
              const node = change.target.parentElement;
              if (!change.target.closest?.("time") && !node?.closest("time")) window.touched.push(change.target.id);
            })).observe(document.getElementById("page-health"), {subtree: true, childList: true, attributes: true}) }"""
        )
        for _ in range(2):
            with tab.expect_response(lambda response: response.status == 304):
                pass
        assert tab.evaluate("window.touched") == []
        expect(tab.locator("#verdict")).to_have_attribute("data-status", "healthy")
    finally:
        face.services.now = clock


def test_zoom_survives_a_refresh_and_the_chart_library_is_the_cartesian_one(own_tab: Page, face: Face) -> None:
    with own_tab.expect_response("**/plotly.min.js") as plotly:
        own_tab.goto("/chart?refresh=1s")
    own_tab.wait_for_function("() => document.querySelector('#chart-load .js-plotly-plot')?.data?.length === 1")
    assert len(plotly.value.body()) < 2_000_000
    own_tab.evaluate("Plotly.relayout(document.querySelector('#chart-load .js-plotly-plot'), {'xaxis.range': [1, 3]})")
    before = own_tab.evaluate("document.querySelector('#chart-load .js-plotly-plot').data[0].y[0]")
    own_tab.wait_for_function(
        "before => document.querySelector('#chart-load .js-plotly-plot').data[0].y[0] !== before", arg=before
    )
    assert own_tab.evaluate("document.querySelector('#chart-load .js-plotly-plot').layout.xaxis.range") == [1, 3]


def test_it_says_when_the_server_is_gone_keeps_the_picture_and_recovers_by_itself(tab: Page, face: Face) -> None:
    tab.goto("/?refresh=1s")
    ready(tab)
    face.stop()
    banner = tab.locator("#banner")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("can't be reached")
    expect(banner).to_contain_text("The picture is from")
    expect(tab.locator("#verdict")).to_have_attribute("data-status", "healthy")
    face.fake.make = fakes.degraded
    face.start()
    expect(banner).to_be_hidden()
    expect(tab.locator("#verdict")).to_have_attribute("data-status", "degraded")


def test_old_data_is_banner_news_even_while_the_server_answers(tab: Page, face: Face) -> None:
    face.fake.make = fakes.FIXTURES["stale"]
    tab.goto("/")
    ready(tab)
    expect(tab.locator("#banner")).to_contain_text("This data is 11 min old")
    expect(tab.locator("html")).to_have_attribute("data-live", "stale")


def test_last_good_data_stays_with_a_word_about_the_store(tab: Page, face: Face) -> None:
    tab.goto("/?refresh=1s")
    ready(tab)
    face.fake.error = TimeoutError("no answer")
    expect(tab.locator("#data-age")).to_contain_text("data store does not answer")
    expect(tab.locator("#verdict")).to_have_attribute("data-status", "healthy")
    face.fake.error = None
    expect(tab.locator("#data-age")).not_to_contain_text("data store")


def test_a_first_load_without_data_says_so_and_fills_itself_later(tab: Page, face: Face) -> None:
    face.fake.error = TimeoutError("no answer")
    tab.goto("/?environment=never-seen&refresh=1s")
    expect(tab.locator("#banner")).to_contain_text("can't be read now")
    expect(tab.locator("#verdict")).to_have_count(1)
    face.fake.error = None
    ready(tab)
    expect(tab.locator("#verdict")).to_have_attribute("data-status", "healthy")
    expect(tab.locator("#banner")).to_be_hidden()


def test_an_address_that_can_not_be_used_says_what_to_do_instead(tab: Page, face: Face) -> None:
    tab.goto("/errors?from=never")
    expect(tab.locator("html")).to_have_attribute("data-trouble", "address")
    page = tab.locator("#react-entry-point #page-errors")
    expect(page).to_be_visible()
    words = page.evaluate("page => getComputedStyle(page, '::before').content")
    assert "Correct the value named above" in words
    assert "as soon as it can" not in words
    tab.evaluate("window.pulseboard.change({ from: null })")
    expect(tab.locator("html")).not_to_have_attribute("data-trouble", "address")


def test_ranges_of_any_length_are_said_in_words(tab: Page, face: Face) -> None:
    tab.goto("/?from=now-10m")
    ready(tab)
    expect(tab.locator("#range-label")).to_have_text("Last 10 minutes")


def test_a_new_build_is_announced_and_a_kiosk_takes_it_at_once(tab: Page, face: Face) -> None:
    tab.goto("/?refresh=1s")
    ready(tab)
    face.services.build_id = "build-2"
    expect(tab.locator("#notice")).to_contain_text("new version")
    tab.locator("#notice button").click()
    expect(tab.locator("html")).to_have_attribute("data-build", "build-2")
    tab.goto("/?kiosk&refresh=1s")
    ready(tab)
    face.services.build_id = "build-3"
    expect(tab.locator("html")).to_have_attribute("data-build", "build-3")


def test_what_did_not_change_is_not_drawn_again(tab: Page, face: Face) -> None:
    verdict = fakes.health(face.services.now()).verdict
    face.fake.make = lambda now: replace(fakes.health(now), verdict=verdict)
    tab.goto("/?refresh=1s")
    ready(tab)
    tab.evaluate("window.word = document.querySelector('.verdict-word')")
    before = tab.locator("#card-latency_ms time").get_attribute("data-t")
    expect(tab.locator("#card-latency_ms time")).not_to_have_attribute("data-t", before or "")
    assert tab.evaluate("window.word.isConnected")


def test_a_rotating_display_says_that_the_server_is_gone_and_keeps_its_page(own_tab: Page, face: Face) -> None:
    own_tab.clock.install()
    own_tab.goto(f"{face.url}/?kiosk&rotate=health,performance&every=10&refresh=1s")
    expect(own_tab.locator("#react-entry-point #verdict")).to_be_visible()
    face.stop()
    expect(own_tab.locator("#banner")).to_be_visible(timeout=20_000)
    shown = own_tab.evaluate("location.pathname")
    own_tab.clock.fast_forward(11_000)  # longer than a turn of the page
    expect(own_tab.locator("#banner")).to_be_visible()
    assert own_tab.evaluate("location.pathname") == shown
    face.start()
    expect(own_tab.locator("#banner")).to_be_hidden(timeout=20_000)
    own_tab.clock.fast_forward(11_000)
    own_tab.wait_for_function("shown => location.pathname !== shown", arg=shown)


def test_a_lost_script_is_fetched_again_with_the_page(chromium: Browser, face: Face) -> None:
    """On a page of its own: the scripts that come after the lost one complain in the console, as they should."""
    lost: list[str] = []

    def lose_once(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    context = chromium.new_context(base_url=face.url)
    page = context.new_page()
    page.route("**/dash_renderer*", lose_once)
    page.goto("/")
    expect(page.locator("#react-entry-point #page-health[data-filled=yes]")).to_be_attached(timeout=20_000)
    assert lost
    context.close()
