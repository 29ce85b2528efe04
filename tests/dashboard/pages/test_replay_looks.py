"""The Replay page for those who may not act, and when there is nothing to show."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.replays import DeadLetter
from dashboard.data.request import Role
from dashboard.html import fill, render
from dashboard.pages.replay import PAGE
from tests.dashboard import fakes
from tests.dashboard.fakes import NOW
from tests.dashboard.replay_desk import Desk, request
from tests.dashboard.replay_fakes import (
    event_id,
)

HOSTILE = "<img src=x onerror=alert(1)>"
RUNNING = "4f1c09d2a7be4c13"


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ------------------------------------------------------------------------- who looks
@pytest.mark.parametrize("role", ["viewer", "display"])
@pytest.mark.parametrize(
    "query",
    [{}, {"tab": "replays", "replay": RUNNING}, {"tab": "dead-letters", "queue": "event-processor-dlq"},
     {"tab": "audit"}, {"event": event_id(2)}],
    ids=lambda query: query.get("tab", "search"),
)  # fmt: skip
def test_viewers_and_displays_are_offered_no_action(desk: Desk, role: Role, query: dict[str, str]) -> None:
    view = desk.view(role, **query)
    assert view.props["replay-panel"]["children"] == []
    assert view.props["replay-form"] == {"data-post": None, "data-body": None}
    page = desk.html(role, **query)
    assert "data-post" not in page
    assert "/api/v1/actions" not in page
    assert 'type="checkbox"' not in page


def test_a_viewer_sees_no_audit_log_and_reads_none(desk: Desk) -> None:
    page = desk.html("viewer", tab="audit")
    assert "operators only" in page
    assert "carl@example.com" not in page


def test_a_display_sees_queues_and_replays_without_links_names_or_ids(desk: Desk) -> None:
    page = desk.html("display", tab="audit", event=event_id(2))
    assert "event-processor-dlq" in page
    assert "Running" in page
    for hidden in ("<a ", "<button", "<input", "ana@example.com", "order-10377", "carl@example.com"):
        assert hidden not in page
    assert "or…77" in page


def test_a_display_shows_what_fits(desk: Desk) -> None:
    desk.replays.stored = [replace(desk.replays.stored[2], replay_id=f"r-{n}") for n in range(30)]
    assert desk.html("display").count('id="run-') == 8


# --------------------------------------------------------------------------- looks
@pytest.mark.parametrize("query", [{}, {"tab": "replays"}, {"tab": "dead-letters"}, {"tab": "audit"}])
def test_what_is_not_connected_says_so_and_shows_no_number(query: dict[str, str]) -> None:
    services = fakes.services(pages=(PAGE,), now=lambda: NOW)
    view = PAGE.view(services.load(request(**query)), NOW)
    page = render(fill(PAGE.layout(), view.props), NOW)
    assert "Not connected yet" in page
    assert ">0<" not in page


def test_empty_lists_are_empty_not_zero(desk: Desk) -> None:
    desk.replays.stored, desk.audit.stored = [], []
    desk.letters.stored, desk.letters.about = [], 0
    assert "Nothing has been replayed, redriven or retried" in desk.html(tab="replays")
    assert "Nobody did anything in this range" in desk.html(tab="audit")
    assert "No message was found in this queue" in desk.html(tab="dead-letters", queue="event-processor-dlq")


def test_a_retry_speaks_of_batches(desk: Desk) -> None:
    named = [f"2026-{month:02d}" for month in range(5, 11)]
    desk.replays.stored[0] = replace(
        desk.replays.stored[0], kind="retry", matched=6, sent=1, failed=0, skipped=0,
        selection={"job_name": "backfill", "batches": named},
    )  # fmt: skip

    page = desk.html(tab="replays", replay=RUNNING)
    assert "6 batches of backfill: 2026-05, 2026-06, 2026-07, 2026-08, 2026-09, ..." in page
    assert "1 of 6 batches" in page
    assert "Results by batch" in page
    assert 'data-confirm-label="Pause the retry"' in page
    assert f"event={event_id(0)}" not in page


def test_a_search_that_fails_is_an_error_not_an_empty_list(desk: Desk) -> None:
    desk.events.error = EndpointConnectionError(endpoint_url="http://dynamodb")
    with pytest.raises(EndpointConnectionError):
        desk.view()


def test_only_the_open_tab_is_read(desk: Desk) -> None:
    desk.view(tab="replays")
    desk.view(tab="audit")
    assert desk.events.calls == []
    assert desk.letters.listed == []


def test_names_from_outside_are_text(desk: Desk) -> None:
    record = replace(desk.events.stored[0], entity_id=HOSTILE, event_type=HOSTILE, source=HOSTILE)
    desk.events.stored = [record]
    desk.replays.stored = [
        replace(desk.replays.stored[0], reason=HOSTILE, requested_by=HOSTILE, selection={"entity_id": HOSTILE})
    ]
    desk.letters.stored = [DeadLetter("m-1", NOW, 1, json.dumps({"a": HOSTILE}), entity_id=HOSTILE, error_type=HOSTILE)]
    desk.audit.stored = [replace(desk.audit.stored[0], who=HOSTILE, reason=HOSTILE, details={HOSTILE: HOSTILE})]
    for query in ({}, {"tab": "replays", "replay": RUNNING}, {"tab": "audit"},
                  {"tab": "dead-letters", "queue": "event-processor-dlq"}):  # fmt: skip
        page = desk.html(**query)
        assert "&lt;img" in page
        assert "<img" not in page


def test_the_view_is_pure(desk: Desk) -> None:
    data = desk.services.load(request())
    first, second = (render(fill(PAGE.layout(), PAGE.view(data, NOW).props), NOW) for _ in range(2))
    assert first == second
