"""Forms in a real browser: what is typed is sent once, errors land at their field, success is said and shown."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dash_bootstrap_components as dbc
import pytest
from dash import html
from dash.development.base_component import ComponentRegistry
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from backend.contract.errors import InvalidInput
from backend.contract.replays import DeadLetterFilter
from dashboard.pages import PAGES
from dashboard.pages import base as pages
from tests.browser.conftest import Quiet, as_new, clean_console, opened_page, ready
from tests.dashboard.access.provider import running
from tests.dashboard.access.test_oidc import environment
from tests.dashboard.guarded import Acting, Guarded

# Dash lends every application the libraries that were ever imported; pages of other tests must not load this one.
BOOTSTRAP = "dash_bootstrap_components"
ComponentRegistry.registry.discard(BOOTSTRAP)

FIRST, SECOND = "ab" * 32, "cd" * 32
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module", autouse=True)
def _bootstrap() -> Iterator[None]:
    ComponentRegistry.registry.add(BOOTSTRAP)
    yield
    ComponentRegistry.registry.discard(BOOTSTRAP)


def layout() -> html.Div:
    """One of each: a search, a replay, a redrive with a delete button beside, buttons alone."""
    search = html.Form(
        [html.Label("Entity", htmlFor="entity"), dbc.Input(id="entity", name="entity_id"),
         html.Button("Search", type="submit")],
        id="search", **{"data-url": ""},
    )  # fmt: skip
    replay = html.Form(
        [
            dbc.Input(type="checkbox", id="first", name="selection.event_ids[]", value=FIRST),
            dbc.Input(type="checkbox", id="second", name="selection.event_ids[]", value=SECOND),
            html.Label("Reason", htmlFor="reason"), dbc.Input(id="reason", name="reason"),
            html.Label("At most", htmlFor="most"), dbc.Input(id="most", name="max_events", type="number"),
            html.Label("Target", htmlFor="target"),
            dbc.Select(id="target", name="target", options=["event-processor", "elsewhere"], value="event-processor"),
            html.Button("Dry run", type="submit", **{"data-dry-run": ""}),
            html.Button("Replay", type="submit", className="primary"),
            html.P(role="status", id="replay-status"),
        ],
        id="replay", **{"data-post": "/api/v1/actions/replay", "data-body": '{"selection": {"status": "failed"}}'},
    )  # fmt: skip
    letters = html.Form(
        [
            dbc.Input(type="checkbox", id="letter", name="message_ids[]", value="m-1"),
            html.Label("Why", htmlFor="why"), dbc.Input(id="why", name="reason"),
            html.Button("Redrive", type="submit"),
            html.Button(
                "Delete", type="submit", className="danger",
                **{"data-post": "/api/v1/actions/dlq-delete", "data-confirm": "Delete 1 message for good?"},
            ),
            html.P(role="status", id="letters-status"),
        ],
        id="letters", **{"data-post": "/api/v1/actions/redrive", "data-body": '{"queue": "event-processor-dlq"}'},
    )  # fmt: skip
    steer = html.Button(
        "Cancel", type="button", id="cancel",
        **{"data-post": "/api/v1/actions/replay-cancel", "data-body": '{"replay_id": "r-1"}',
           "data-confirm": "Cancel the replay?", "data-reason": "Why it is cancelled", "data-confirm-label": "End it"},
    )  # fmt: skip
    return html.Div([search, replay, letters, steer], id="page-forms", **{"data-filled": "no"})


def view(_data: Any, now: float) -> pages.View:
    return pages.View({"page-forms": {"data-filled": "yes"}}, as_of=now)


FORMS = pages.Page("forms", "/forms", "Forms", "Forms", layout, lambda *_: None, view, parameters=("entity_id",))


@contextmanager
def listening(server: Flask, port: int = 0) -> Iterator[str]:
    """The server on loopback; gives its URL."""
    serving = make_server("127.0.0.1", port, server, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def _site() -> Iterator[tuple[Guarded, str]]:
    guarded = Guarded(pages=(*PAGES, FORMS), now=time.time)
    with listening(guarded.server) as url:
        yield guarded, url
    guarded.close()


@pytest.fixture
def acting(_site: tuple[Guarded, str]) -> Acting:
    """What the services were asked."""
    guarded, _ = _site
    services: Any = guarded.services
    guarded.acting = services.replays = services.dead_letters = Acting()
    return guarded.acting


@pytest.fixture(scope="module")
def _used_form(chromium: Browser, _site: tuple[Guarded, str]) -> Iterator[Page]:
    with opened_page(chromium, _site[1]) as page:
        yield page


@pytest.fixture
def form_page(_used_form: Page, _site: tuple[Guarded, str], acting: Acting) -> Iterator[Page]:
    """The page of forms, drawn; its console has to stay clean."""
    with as_new(_used_form, _site[1]) as page, clean_console(page):
        page.goto("/forms")
        ready(page, "forms")
        yield page


def test_a_search_sets_the_address_and_keeps_the_rest(form_page: Page) -> None:
    form_page.goto("/forms?from=now-6h&token=old")
    ready(form_page, "forms")
    form_page.fill("#entity", " order 1&2 ")
    form_page.press("#entity", "Enter")
    expect(form_page).to_have_url(re.compile(r"/forms\?from=now-6h&entity_id=order\+1%262$"))
    form_page.fill("#entity", "")
    form_page.click("text=Search")
    expect(form_page).to_have_url(re.compile(r"/forms\?from=now-6h$"))


def test_what_is_ticked_and_typed_is_sent(form_page: Page, acting: Acting) -> None:
    form_page.check("#second")
    form_page.fill("#reason", "the release is fixed")
    form_page.fill("#most", "7")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay-status")).to_contain_text("Replay of 3 events started")
    ((name, wanted, who),) = acting.calls
    assert (name, who) == ("create", "local")
    assert wanted.selection.event_ids == (SECOND,)
    assert (wanted.selection.status, wanted.max_events, wanted.target) == ("failed", 7, "event-processor")


def test_success_empties_the_form_and_leads_to_the_replay(form_page: Page) -> None:
    form_page.check("#first")
    form_page.fill("#reason", "the release is fixed")
    form_page.click("#replay >> text=Replay")
    link = form_page.locator("#replay-status a")
    expect(link).to_have_attribute("href", "/replay?tab=replays&replay=r-1")
    expect(form_page.locator("#reason")).to_have_value("")
    expect(form_page.locator("#first")).not_to_be_checked()
    expect(form_page.locator("#target")).to_have_value("event-processor")


def test_a_dry_run_says_the_count_and_keeps_what_was_typed(form_page: Page, acting: Acting) -> None:
    form_page.check("#first")
    form_page.fill("#most", "9")
    form_page.click("text=Dry run")
    expect(form_page.locator("#replay-status")).to_contain_text("1,234 events match; 1,200 would be sent")
    expect(form_page.locator("#most")).to_have_value("9")
    expect(form_page.locator("#first")).to_be_checked()
    assert [call[0] for call in acting.calls] == ["preview"]


def test_an_error_lands_at_its_field_and_loses_nothing(form_page: Page, acting: Acting) -> None:
    form_page.check("#first")
    form_page.fill("#reason", "x")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay-status")).to_contain_text("reason: 'x' must say why")
    expect(form_page.locator("#reason")).to_have_attribute("aria-invalid", "true")
    expect(form_page.locator("#reason")).to_be_focused()
    expect(form_page.locator("#reason")).to_have_value("x")
    expect(form_page.locator("#first")).to_be_checked()
    form_page.type("#reason", "yz and more")
    expect(form_page.locator("#reason")).not_to_have_attribute("aria-invalid", "true")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay-status")).to_contain_text("started")
    assert len(acting.calls) == 1


def test_the_enter_key_takes_the_first_button_which_only_tries(form_page: Page, acting: Acting) -> None:
    form_page.fill("#reason", "the release is fixed")
    form_page.press("#reason", "Enter")
    expect(form_page.locator("#replay-status")).to_contain_text("Nothing was sent")
    assert [call[0] for call in acting.calls] == ["preview"]


def test_a_list_in_the_selection_is_found_by_its_last_name(form_page: Page, acting: Acting) -> None:
    acting.error = InvalidInput("event_ids", "x", "is not an event id")
    form_page.fill("#reason", "the release is fixed")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#first")).to_have_attribute("aria-invalid", "true")


def test_markup_in_an_answer_is_text(form_page: Page, acting: Acting) -> None:
    acting.error = InvalidInput("target", NASTY, f"is no queue {NASTY}")
    form_page.fill("#reason", "the release is fixed")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay-status")).to_contain_text(f"is no queue {NASTY}")
    assert form_page.locator("#replay-status img").count() == 0


def test_a_form_under_way_can_not_be_sent_twice(form_page: Page, acting: Acting) -> None:
    acting.may_end = threading.Event()
    form_page.fill("#reason", "the release is fixed")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay button.primary")).to_be_disabled()
    expect(form_page.locator("#replay-status")).to_have_text("Working…")
    form_page.press("#reason", "Enter")
    form_page.click("#replay >> text=Replay", force=True)
    acting.may_end.set()
    expect(form_page.locator("#replay-status")).to_contain_text("started")
    expect(form_page.locator("#replay button.primary")).to_be_enabled()
    assert len(acting.calls) == 1


def test_a_server_that_is_away_is_said_honestly(form_page: Page) -> None:
    form_page.route("**/api/v1/actions/**", lambda route: route.abort())
    form_page.fill("#reason", "the release is fixed")
    form_page.click("#replay >> text=Replay")
    expect(form_page.locator("#replay-status")).to_contain_text("It is not known whether it was done")
    expect(form_page.locator("#reason")).to_have_value("the release is fixed")


def test_a_button_asks_first_and_for_a_reason(form_page: Page, acting: Acting) -> None:
    form_page.focus("#cancel")
    form_page.keyboard.press("Enter")
    dialog = form_page.locator("dialog")
    expect(dialog).to_contain_text("Cancel the replay?")
    form_page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(form_page.locator("#cancel")).to_be_focused()
    assert acting.calls == []
    form_page.keyboard.press("Enter")
    expect(dialog.get_by_label("Why it is cancelled")).to_be_focused()
    form_page.keyboard.type("wrong selection")
    form_page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(form_page.locator("#toast")).to_contain_text("The replay is cancelled")
    assert acting.calls == [("cancel", "r-1", "wrong selection", "local")]


def test_a_dialog_stays_open_with_its_error(form_page: Page, acting: Acting) -> None:
    acting.error = InvalidInput("replay", "r-1", "has succeeded and can't be cancelled", "conflict")
    form_page.click("#cancel")
    form_page.get_by_label("Why it is cancelled").fill("wrong selection")
    form_page.click("dialog >> text=End it")
    expect(form_page.locator("dialog [role=status]")).to_contain_text("has succeeded and can't be cancelled")
    expect(form_page.get_by_label("Why it is cancelled")).to_have_value("wrong selection")


def test_a_second_button_of_a_form_does_its_own_thing_after_asking(form_page: Page, acting: Acting) -> None:
    form_page.check("#letter")
    form_page.fill("#why", "known to be broken")
    form_page.click("text=Delete")
    form_page.click("dialog >> text=Go on")
    expect(form_page.locator("#letters-status")).to_have_text("1 message deleted")
    form_page.check("#letter")
    form_page.fill("#why", "known to be mended")
    form_page.click("text=Redrive")
    expect(form_page.locator("#letters-status")).to_contain_text("Redrive of event-processor-dlq started")
    deleted, redriven = acting.calls
    assert deleted == ("delete", "event-processor-dlq", ("m-1",), "known to be broken", "local")
    assert redriven[2] == DeadLetterFilter(message_ids=("m-1",))


def test_an_action_refreshes_the_page_at_once(form_page: Page) -> None:
    form_page.fill("#reason", "the release is fixed")
    with form_page.expect_request(lambda request: "/api/v1/view/forms" in request.url):
        form_page.click("#replay >> text=Replay")


def test_a_kiosk_never_acts(form_page: Page, acting: Acting) -> None:
    form_page.goto("/forms?kiosk")
    ready(form_page, "forms")
    asked: list[str] = []
    form_page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    form_page.evaluate("document.querySelector('#cancel').click()")
    form_page.evaluate("document.querySelector('#reason').value = 'the release is fixed'")
    assert form_page.locator("dialog").count() == 0
    assert acting.calls == []
    assert not [url for url in asked if "/actions/" in url]


@pytest.mark.parametrize("width", [1280, 390])
def test_controls_are_large_enough_to_touch(form_page: Page, width: int) -> None:
    form_page.set_viewport_size({"width": width, "height": 844})
    least = 44 if width == 390 else 36
    for selector in ("#reason", "#target", "#replay button.primary", "#cancel"):
        box = form_page.locator(selector).bounding_box()
        assert box is not None
        assert box["height"] >= least, selector
    assert form_page.evaluate("document.documentElement.scrollWidth") <= width


def test_people_sign_in_act_and_sign_out_in_a_browser(chromium: Browser) -> None:
    with running() as provider:
        provider.person["groups"] = ["operators"]
        guarded = Guarded(environment(provider), pages=(*PAGES, FORMS), now=time.time)
        with listening(guarded.server) as url:
            provider.client.redirect_uris.add(f"{url}/auth/callback")
            with opened_page(chromium, url) as page:
                page.goto("/forms?from=now-6h")
                expect(page).to_have_url(f"{url}/forms?from=now-6h")
                ready(page, "forms")
                expect(page.locator(".session")).to_contain_text("ann@example.com")
                expect(page.locator(".session")).to_contain_text("operator")
                page.fill("#reason", "the release is fixed")
                page.click("#replay >> text=Replay")
                expect(page.locator("#replay-status")).to_contain_text("started")
                assert guarded.acting.calls[0][-1] == "ann@example.com"
                page.click("text=Sign out")
                expect(page).to_have_url(f"{url}/signed-out")
                expect(page.get_by_role("heading")).to_have_text("Signed out")
                assert page.request.get("/api/v1/session").status == 401
        guarded.close()
