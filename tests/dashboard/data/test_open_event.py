from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from dashboard.data.open_event import MOST_CHARACTERS, OpenEvent, open_event, payload_text
from dashboard.data.request import Role
from tests.dashboard.event_fakes import FakeInvestigation, detail, failed

RECORD = failed(1)


def opened(role: Role = "operator", event_id: str = RECORD.event_id, **details: Any) -> OpenEvent | None:
    source = FakeInvestigation([RECORD], {RECORD.event_id: detail(RECORD, **details)})
    return open_event(source, event_id, role, ["card_number"])


def test_an_operator_sees_the_payload_indented_and_redacted() -> None:
    shown = opened()
    assert shown is not None
    assert json.loads(shown.payload)["card_number"] == "[redacted]"
    assert '\n  "cust_id": "c-4711"' in shown.payload
    assert "4111" not in repr(shown)


def test_nobody_else_gets_any_raw_text() -> None:
    shown = opened("viewer")
    assert shown is not None
    assert shown.payload == ""
    assert "4711" not in repr(shown).replace("customer c-4711 is not in the directory", "")
    assert opened("display") is None


def test_no_event_in_the_address_opens_nothing() -> None:
    assert open_event(FakeInvestigation(), None, "operator", []) is None
    assert open_event(FakeInvestigation(), "", "operator", []) is None


@pytest.mark.parametrize("event_id", ["../etc/passwd", "ABC", "g" * 64, "<script>"])
def test_an_id_that_is_none_is_said_without_asking(event_id: str) -> None:
    source = FakeInvestigation(error=AssertionError("asked"))
    shown = open_event(source, event_id, "viewer", [])
    assert shown is not None
    assert "not an event id" in shown.problem


def test_an_event_that_is_gone_or_unreadable_says_so() -> None:
    gone = opened(event_id="0" * 64)
    assert gone is not None
    assert "no such event" in gone.problem
    failing = FakeInvestigation(error=EndpointConnectionError(endpoint_url="http://s3"))
    unreadable = open_event(failing, RECORD.event_id, "operator", [])
    assert unreadable is not None
    assert "EndpointConnectionError" in unreadable.problem


def test_an_object_that_is_not_json_any_more_is_not_shown() -> None:
    shown = opened(raw='{"payload": {"card_number": "4111', intact=False)
    assert shown is not None
    assert shown.payload == ""
    assert "not JSON" in shown.payload_problem
    assert "4111" not in repr(replace(shown, detail=None))


def test_a_deep_object_is_refused_rather_than_followed() -> None:
    assert payload_text("[" * 100_000 + "]" * 100_000, [])[1] != ""


def test_a_long_payload_is_cut_and_its_size_kept() -> None:
    shown = opened(payload={"text": "x" * 200_000})
    assert shown is not None
    assert len(shown.payload) == MOST_CHARACTERS
    assert shown.payload_size > 200_000


def test_an_object_that_can_not_be_read_says_why() -> None:
    shown = opened(raw=None, intact=None, problem="The object is gone.")
    assert shown is not None
    assert shown.payload_problem == "The object is gone."


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_payload_is_text_that_can_be_sent_and_means_the_same(payload: Any) -> None:
    text, problem = payload_text(json.dumps({"payload": payload}), ["secret"])
    assert problem == ""
    text.encode()
    if "secret" not in text.casefold():
        assert json.loads(text) == json.loads(json.dumps(payload))


def test_what_can_not_be_seen_is_written_out() -> None:
    text, _ = payload_text(json.dumps({"payload": "a\u202eb\ud800\x7f"}), [])
    assert text == r'"a\u202eb\ud800\u007f"'
