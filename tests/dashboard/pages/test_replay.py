"""The Replay page over fakes: what each tab shows to whom, and what it reads for that."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.errors import InvalidInput
from backend.contract.events import EventPage, Findings, Scanned
from backend.contract.replays import QueueState
from dashboard.data.request import Role
from dashboard.html import render
from dashboard.pages.replay import PAGE
from tests.dashboard.fakes import NOW
from tests.dashboard.replay_desk import Desk, request
from tests.dashboard.replay_fakes import (
    event_id,
)

RUNNING = "4f1c09d2a7be4c13"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --------------------------------------------------------------------------- search
def test_the_newest_hundred_are_shown_and_said_to_be_cut(desk: Desk) -> None:
    page = desk.html()
    assert page.count('id="row-') == 100
    assert "Newest 100, there are more" in page
    assert "Looked at 480 items received from" in page
    assert "Next page" in page
    last = desk.html(token="100")
    assert last.count('id="row-') == len(desk.events.search(desk.events.calls[-1], 1000).events) - 100
    assert "First page" in last
    assert "Next page" not in last


def test_events_of_a_synthetic_source_are_labelled() -> None:
    desk = Desk()
    data = desk.services.load(request("viewer"))
    shown = data.search.page.events[0].source
    for sources, labelled in (((shown,), True), (("elsewhere",), False), ((), False)):
        view = PAGE.view(replace(data, synthetic_sources=sources), NOW)
        assert ("Synthetic events" in render(view.props["replay-note"]["children"], NOW)) is labelled


def test_all_filters_of_the_address_reach_the_search(desk: Desk) -> None:
    desk.html(
        entity_id="order-10399", event_type="order_paid", source="shop", status="failed", error_type="timeout",
        operator="event-processor", correlation_id="checkout-1", time="occurred", from_="now-6h",
    )  # fmt: skip
    query = desk.events.calls[-1]
    assert (query.entity_id, query.event_type, query.source, query.status) == (
        "order-10399", "order_paid", "shop", "failed",
    )  # fmt: skip
    assert (query.error_type, query.operator, query.correlation_id, query.time) == (
        "timeout", "event-processor", "checkout-1", "occurred",
    )  # fmt: skip
    assert query.start <= NOW - 6 * 3600 < query.start + 15
    assert query.end - 15 < NOW <= query.end


@pytest.mark.parametrize(("name", "value"), [("status", "broken"), ("time", "soon"), ("tab", "everything")])
def test_a_value_that_can_not_be_used_is_named(desk: Desk, name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name}: '{value}'"):
        desk.view(**{name: value})


def test_gaps_late_arrivals_and_repeats_are_counted_and_lead_to_their_events(desk: Desk) -> None:
    found = render(desk.view().props["replay-findings"]["children"], NOW)
    assert "2 gaps" in found
    assert "source shop" in found
    assert "75 times as long" in found
    assert "2 events sent again" in found
    assert f"event={event_id(3)}" in found
    assert "Among the events shown on this page" in found


def test_nothing_odd_is_never_called_healthy(desk: Desk) -> None:
    desk.events.odd = Findings()
    found = render(desk.view().props["replay-findings"]["children"], NOW)
    assert "No gaps seen" in found
    assert "healthy" not in found


def test_no_match_says_what_to_try_and_an_unfinished_search_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = desk.html(entity_id="order-1")
    assert "No event matches" in nothing
    assert "Search the last 7 days" in nothing
    unfinished = EventPage((), Scanned(NOW - 3600, NOW, 5000), True, "later")
    monkeypatch.setattr(desk.events, "search", lambda *_: unfinished)
    part = desk.html(entity_id="order-2")
    assert "None so far" in part
    assert "token=later" in part
    assert "No event matches" not in part


def test_an_operators_form_sends_what_was_searched_to_the_one_action(desk: Desk) -> None:
    form = desk.view(error_type="parse_error", source="shop").props["replay-form"]
    query = desk.events.calls[-1]
    assert form["data-post"] == "/api/v1/actions/replay"
    assert json.loads(form["data-body"]) == {
        "selection": {
            "error_type": "parse_error", "source": "shop",
            "from": str(round(query.start * 1000)), "to": str(round(query.end * 1000)),
        }
    }  # fmt: skip
    page = desk.html(error_type="parse_error")
    assert 'name="selection.event_ids[]"' in page
    assert "data-dry-run" in page


def test_where_nothing_matches_only_what_was_ticked_before_can_be_replayed(desk: Desk) -> None:
    panel = render(desk.view(entity_id="order-1").props["replay-panel"]["children"], NOW)
    assert "order-idle" in panel
    assert "order-idle" not in render(desk.view().props["replay-panel"]["children"], NOW)


def test_what_is_being_typed_does_not_depend_on_what_was_found(desk: Desk) -> None:
    before = desk.view().props["replay-panel"]["children"]
    desk.events.stored = desk.events.stored[5:]
    desk.clock[0] += 60
    after = desk.view().props["replay-panel"]["children"]
    assert render(before, NOW) == render(after, NOW)


def test_another_environment_is_said_not_to_filter(desk: Desk) -> None:
    assert "not filtered by environment" in desk.html(environment="staging")
    assert "not filtered by environment" not in desk.html()


# -------------------------------------------------------------------------- replays
def test_the_list_says_who_why_and_how_far(desk: Desk) -> None:
    page = desk.html(tab="replays")
    for words in ("Running", "Paused", "Succeeded", "Done with failures", "Failed"):
        assert f">{words}<" in page
    assert "customer_id is read from cust_id since 14:02" in page
    assert "ana@example.com" in page
    assert "8,156 of 12,480 events dealt with" in page
    assert "From event-processor-dlq: all messages of error type timeout" in page


def test_a_running_replay_is_watched_each_second_and_a_finished_one_is_not(desk: Desk) -> None:
    assert desk.view(tab="replays", replay=RUNNING).refresh_seconds == 1
    assert desk.view(tab="replays", replay="c17d55e0b3f24e9b").refresh_seconds is None
    assert desk.view(tab="replays", replay="9b02e1d8c4417aa0").refresh_seconds is None
    assert desk.view().refresh_seconds is None


def test_a_replay_shows_its_rate_time_left_and_selection(desk: Desk) -> None:
    page = desk.html(tab="replays", replay=RUNNING)
    assert "8,156 of 12,480 events, 99 a second (limit 100), 43 s left" in page
    assert 'aria-valuenow="8156"' in page
    assert "all events of type order_placed, error type parse_error, received" in page
    assert "100 shown, there are more" in page
    assert "was replayed 5 times, the cap of replay.max_replays" in page


def test_what_can_be_done_to_a_replay_depends_on_how_it_stands(desk: Desk) -> None:
    def offered(replay_id: str, role: Role = "operator") -> list[str]:
        page = desk.html(role, tab="replays", replay=replay_id)
        return [name for name in ("pause", "resume", "cancel") if f"/actions/replay-{name}" in page]

    assert offered(RUNNING) == ["pause", "cancel"]
    assert offered("9b02e1d8c4417aa0") == ["resume", "cancel"]
    assert offered("c17d55e0b3f24e9b") == []
    assert offered(RUNNING, "viewer") == []
    desk.replays.stored[0] = replace(desk.replays.stored[0], cancel_requested=True, pause_requested=True)
    assert offered(RUNNING) == []
    assert "Cancelling" in desk.html(tab="replays", replay=RUNNING)


def test_a_replay_that_is_not_there_is_said_beside_the_list(desk: Desk) -> None:
    page = desk.html(tab="replays", replay="nope")
    assert "There is no replay nope" in page
    assert page.count('id="run-') == 5


# --------------------------------------------------------------------- dead letters
def test_a_queue_is_looked_into_only_when_it_is_chosen_and_once_for_every_filter(desk: Desk) -> None:
    desk.html(tab="dead-letters")
    assert desk.letters.listed == []
    everything = desk.html(tab="dead-letters", queue="event-processor-dlq")
    assert "47 of about 1,200" in everything
    assert "this is a sample" in everything
    desk.html("viewer", tab="dead-letters", queue="event-processor-dlq")
    some = desk.html(tab="dead-letters", queue="event-processor-dlq", error_type="timeout")
    assert desk.letters.listed == ["event-processor-dlq"]
    assert 0 < some.count('id="message-') < everything.count('id="message-') == 47
    assert "of them match the filter" in some
    desk.clock[0] = NOW + 60
    desk.html(tab="dead-letters", queue="event-processor-dlq")
    assert len(desk.letters.listed) == 2


def test_a_redrive_takes_what_the_filter_takes_and_deleting_asks_first(desk: Desk) -> None:
    view = desk.view(tab="dead-letters", queue="event-processor-dlq", error_type="timeout", text="order")
    assert view.props["replay-form"]["data-post"] == "/api/v1/actions/redrive"
    assert json.loads(view.props["replay-form"]["data-body"]) == {
        "queue": "event-processor-dlq", "error_type": "timeout", "text": "order",
    }  # fmt: skip
    page = desk.html(tab="dead-letters", queue="event-processor-dlq")
    assert 'data-post="/api/v1/actions/dlq-delete"' in page
    assert "data-confirm=" in page
    assert 'name="message_ids[]"' in page


def test_bodies_are_for_operators_and_redacted(desk: Desk) -> None:
    page = desk.html(tab="dead-letters", queue="event-processor-dlq")
    assert "&quot;raw_key&quot;" in page or '"raw_key"' in page
    assert "t-1" not in page
    assert "not json" not in page
    seen = desk.html("viewer", tab="dead-letters", queue="event-processor-dlq", text="t-1")
    assert "raw_key" not in seen
    assert seen.count('id="message-') == 47


def test_a_queue_that_can_not_be_read_is_unknown_not_empty(desk: Desk) -> None:
    desk.letters.states = (QueueState("event-processor-dlq", None, None, None, "event-queue", "AccessDenied"),)
    page = desk.html(tab="dead-letters")
    assert "AccessDenied" in page
    assert "Unknown" in page
    assert "Empty" not in page


def test_an_age_that_nobody_knows_is_not_left_blank_beside_waiting_messages(desk: Desk) -> None:
    words = "not known until the queue is looked into"
    for depth, hidden, shown in ((3, 0, True), (0, 2, True), (0, 0, False)):
        desk.letters.states = (QueueState("event-processor-dlq", depth, hidden, None, "event-queue"),)
        desk.services.acted()
        assert (words in desk.html(tab="dead-letters")) == shown


def test_a_sample_that_can_not_be_taken_now_leaves_the_page_standing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (InvalidInput("queue", "event-processor-dlq", "is being looked at; wait", "busy"),
                  EndpointConnectionError(endpoint_url="http://sqs")):  # fmt: skip
        monkeypatch.setattr(desk.letters, "listing", _raising(error))
        page = desk.html(tab="dead-letters", queue="event-processor-dlq")
        assert "No sample now" in page
        assert "1,200" in page
        assert "http://sqs" not in page
    assert "There is no queue other" in desk.html(tab="dead-letters", queue="other")


def _raising(error: Exception) -> Any:
    def fail(*_: Any) -> Any:
        raise error

    return fail


# ---------------------------------------------------------------------------- audit
def test_the_log_says_who_did_what_when_why_and_with_what_result(desk: Desk) -> None:
    page = desk.html(tab="audit")
    for words in ("carl@example.com", "dead_letters.delete", "please", "Refused", "Started", "database was full"):
        assert words in page
    assert "6 entries" in page
    only = desk.html(tab="audit", outcome="refused", who="carl@example.com")
    assert "1 entry" in only
    assert "format=csv" in only
    assert "who=carl%40example.com" in only


def test_what_somebody_cancelled_is_not_called_failed(desk: Desk) -> None:
    desk.audit.stored = [replace(desk.audit.stored[0], outcome="cancelled")]
    page = desk.html(tab="audit")
    assert re.search(r'data-state="cancelled"[^>]*>.*?<span class="badge-word">Cancelled', page)
    assert "1 entry" in desk.html(tab="audit", outcome="cancelled")


def test_a_long_log_is_said_to_be_cut(desk: Desk) -> None:
    desk.audit.stored = [replace(desk.audit.stored[0], audit_id=f"a-{n}") for n in range(250)]
    page = desk.html(tab="audit")
    assert page.count('id="entry-') == 200
    assert "newest 200, there are more" in page
