from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from dashboard.components.event_drawer import frame, props, replay_address
from dashboard.data.open_event import OpenEvent, open_event
from dashboard.data.request import Role, ViewRequest
from dashboard.html import fill, render
from tests.dashboard.event_fakes import FakeInvestigation, detail, failed
from tests.dashboard.fakes import NOW

RECORD = failed(1)
CAP = 5


def request(role: Role = "operator", page: str = "errors") -> ViewRequest:
    return ViewRequest(page, "production", role=role, parameters=(("event", RECORD.event_id),))


def drawn(role: Role = "operator", page: str = "errors", **details: Any) -> str:
    source = FakeInvestigation([RECORD], {RECORD.event_id: detail(RECORD, **details)})
    wanted = request(role, page)
    opened = open_event(source, RECORD.event_id, role, ["card_number"])
    return render(fill(frame(), props(opened, wanted, CAP)), NOW)


def test_without_an_event_the_drawer_is_hidden_and_empty() -> None:
    text = render(fill(frame(), props(None, ViewRequest("errors", "production"), CAP)), NOW)
    assert '<aside id="drawer" class="drawer" hidden' in text.replace(' tabindex="-1"', "")
    assert "<h2" not in text


def test_it_tells_the_error_the_facts_and_the_trace() -> None:
    text = drawn()
    assert RECORD.error is not None
    for words in (RECORD.entity_id, RECORD.error.error_type, RECORD.correlation_id, RECORD.sha256, RECORD.raw_key):
        assert words in text
    assert "Intact" in text
    assert "Received 3 times and dead-lettered" in text
    assert text.count('class="trace-step"') == 6
    assert "+2.600 s" in text


def test_another_event_of_the_trace_is_a_link_to_its_own_drawer() -> None:
    assert f"&quot;event&quot;: &quot;{'f' * 64}&quot;" in drawn()


@pytest.mark.parametrize(("intact", "word"), [(True, "Intact"), (False, "Tampered with"), (None, "Not checked")])
def test_the_hash_is_judged_in_a_word(intact: bool | None, word: str) -> None:
    assert word in drawn(intact=intact)


def test_only_operators_see_payload_and_form() -> None:
    operator, viewer = drawn(), drawn("viewer")
    assert "cust_id&quot;" in operator or '"cust_id"' in operator
    assert 'data-post="/api/v1/actions/replay"' in operator
    assert "c-4711" not in viewer.replace("customer c-4711", "")
    assert "data-post" not in viewer
    assert "operators only" in viewer


def test_an_event_at_the_cap_of_replays_has_no_form() -> None:
    source = FakeInvestigation([replace(RECORD, replay_count=CAP)])
    opened = open_event(source, RECORD.event_id, "operator", [])
    text = render(fill(frame(), props(opened, request(), CAP)), NOW)
    assert "data-post" not in text
    assert "the cap" in text


def test_the_link_to_replay_names_the_event_and_is_not_shown_there() -> None:
    address = replay_address(RECORD, request())
    assert (
        address
        == f"/replay?from=now-1h&to=now&environment=production&entity_id={RECORD.entity_id}&event={RECORD.event_id}"
    )
    assert "Open in Replay" in drawn()
    assert "Open in Replay" not in drawn(page="replay")


def test_a_problem_takes_the_place_of_the_event() -> None:
    opened = OpenEvent("0" * 64, problem="There is no such event; it may have expired.")
    text = render(fill(frame(), props(opened, request(), CAP)), NOW)
    assert "There is no such event" in text
    assert "note-error" in text


def test_a_cut_trace_and_a_cut_payload_say_so() -> None:
    assert "there are more" in drawn(trace_cut=True)
    assert "characters; the object in S3 has all" in drawn(payload={"text": "x" * 100_000})


def test_everything_an_event_says_is_text() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    assert RECORD.error is not None
    record = replace(
        RECORD, entity_id=evil, event_type=evil, source=evil, correlation_id=evil, raw_key=evil,
        error=replace(RECORD.error, message=evil, operator=evil, error_type=evil),
    )  # fmt: skip
    told = detail(record, payload={evil: evil}, headers={evil: evil})
    opened = open_event(FakeInvestigation([], {RECORD.event_id: told}), RECORD.event_id, "operator", [])
    text = render(fill(frame(), props(opened, request(), CAP)), NOW)
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;") > 8


def test_the_view_of_any_event_can_be_encoded() -> None:
    opened = open_event(FakeInvestigation([RECORD]), RECORD.event_id, "operator", [])
    parts = props(opened, request(), CAP)
    assert orjson.dumps(parts, default=lambda component: component.to_plotly_json())
