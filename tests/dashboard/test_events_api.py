"""Events and the audit log over HTTP: who sees what, and that a part is never shown as the whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.replays import AuditEntry
from dashboard.events_api import COLUMNS
from tests.dashboard import fakes
from tests.dashboard.access.alb import NOW
from tests.dashboard.guarded import ALB, EVENT_ID, RAW, Found, Guarded, behind_the_load_balancer


@pytest.fixture(scope="module")
def _guarded() -> Iterator[Guarded]:
    with behind_the_load_balancer() as (guarded, _):
        yield guarded


@pytest.fixture
def guarded(_guarded: Guarded) -> Guarded:
    services: Any = _guarded.services
    _guarded.clock.now = NOW
    _guarded.found = services.events = Found()
    services.audit = _guarded.log
    _guarded.log.shown, _guarded.log.asked = (), []
    return _guarded


def get(guarded: Guarded, path: str, role: str) -> Any:
    """The answer for a role: operator, viewer or display."""
    if role == "display":
        return guarded.client(display=True).get(path)
    token = ALB.token(groups=["operators"] if role == "operator" else [])
    return guarded.client().get(path, headers={"x-amzn-oidc-data": token})


# ----------------------------------------------------------------------------- search
def test_a_search_says_what_was_scanned_and_whether_it_was_cut(guarded: Guarded) -> None:
    path = "/api/v1/events?entity_id=order-4711&from=now-6h&limit=50&token=abc"
    answer = get(guarded, path, "viewer").json
    assert [event["event_id"] for event in answer["events"]] == [EVENT_ID]
    assert answer["events"][0]["entity_id"] == "order-4711"
    assert answer["scanned"] == {"from": "2026-11-21T08:15:00.000Z", "to": "2026-11-21T14:15:00.000Z", "items": 7}
    assert (answer["truncated"], answer["next_token"]) == (True, "next-order-4711")
    query, limit, token = guarded.found.asked[0]
    assert (query.entity_id, limit, token) == ("order-4711", 50, "abc")


@pytest.mark.parametrize(("path", "field"), [
    ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?limit=x", "limit"), ("?limit=-1", "limit"),
    ("?status=lost", "status"), ("?from=yesterday", "from"), ("?event_ids=1,2", "event_ids"), ("?time=never", "time"),
    ("?limit=²", "limit"), ("?entity_id=%00", "entity_id"),
])  # fmt: skip
def test_a_wrong_parameter_is_named(guarded: Guarded, path: str, field: str) -> None:
    answer = get(guarded, f"/api/v1/events{path}", "viewer")
    assert (answer.status_code, answer.json["error"]["field"]) == (400, field)


@pytest.mark.parametrize("path", ["/api/v1/events?token=abc", f"/api/v1/events/{EVENT_ID}"])
def test_a_display_learns_no_entity(guarded: Guarded, path: str) -> None:
    answer = get(guarded, path, "display")
    assert answer.status_code == 200
    assert "order-4711" not in answer.text
    assert "or…11" in answer.json.get("entity_id", answer.json.get("events", [{}])[0].get("entity_id"))
    assert all(token is None for _, _, token in guarded.found.asked)


def test_an_operators_kiosk_learns_no_entity_either(guarded: Guarded) -> None:
    answer = get(guarded, f"/api/v1/events/{EVENT_ID}?kiosk", "operator")
    assert "order-4711" not in answer.text
    assert "raw" not in answer.json


# ------------------------------------------------------------------------------ event
def test_an_operator_sees_the_raw_object_without_its_secrets(guarded: Guarded) -> None:
    answer = get(guarded, f"/api/v1/events/{EVENT_ID}", "operator").json
    assert answer["raw"]["payload"] == {
        "order": 7, "Card_Number": "[redacted]", "nested": [{"token": "[redacted]"}],
    }  # fmt: skip
    assert answer["headers"] == {"user-agent": "shop/1"}
    assert answer["trace"][0]["stage"] == "failed"
    assert answer["intact"] is True


@pytest.mark.parametrize("role", ["viewer", "display"])
def test_nobody_else_sees_the_raw_object(guarded: Guarded, role: str) -> None:
    answer = get(guarded, f"/api/v1/events/{EVENT_ID}", role)
    assert "raw" not in answer.json
    assert "4111" not in answer.text


def test_a_raw_object_that_is_no_json_is_not_shown(guarded: Guarded) -> None:
    guarded.found.raw = RAW + "}"
    answer = get(guarded, f"/api/v1/events/{EVENT_ID}", "operator")
    assert answer.json["raw"] is None
    assert "not JSON" in answer.json["problem"]
    assert "4111" not in answer.text


def test_an_unknown_event_is_not_found(guarded: Guarded) -> None:
    for ident in ("cd" * 32, "nonsense", "<script>"):
        answer = get(guarded, f"/api/v1/events/{ident}", "viewer")
        assert (answer.status_code, answer.json["error"]["field"]) == (404, "event_id")


@pytest.mark.parametrize("path", ["/api/v1/events", f"/api/v1/events/{EVENT_ID}", "/api/v1/audit"])
def test_what_is_not_connected_is_not_shown_as_empty(guarded: Guarded, path: str) -> None:
    services: Any = guarded.services
    services.events = services.audit = None
    answer = get(guarded, path, "operator")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "not_connected")


def test_aws_that_does_not_answer_is_said(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    monkeypatch.setattr(guarded.found, "search", away)
    assert get(guarded, "/api/v1/events", "viewer").status_code == 503


# ------------------------------------------------------------------------------ audit
def entry(number: int, **changes: Any) -> AuditEntry:
    values = {"action": "replay.create", "who": "ann@example.com", "reason": "the release is fixed"} | changes
    return AuditEntry(f"audit-{number}", fakes.NOW - number, outcome="succeeded", **values)


@pytest.mark.parametrize("role", ["viewer", "display"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_only_operators_read_the_audit_log(guarded: Guarded, role: str, form: str) -> None:
    answer = get(guarded, f"/api/v1/audit?format={form}", role)
    assert (answer.status_code, guarded.log.asked) == (403, [])


def test_the_audit_log_comes_as_json(guarded: Guarded) -> None:
    guarded.log.shown = (entry(1, details={"matched": 3}), entry(2))
    path = "/api/v1/audit?from=now-7d&action=replay.create&who=ann@example.com&outcome=succeeded"
    answer = get(guarded, path, "operator").json
    assert [line["audit_id"] for line in answer["entries"]] == ["audit-1", "audit-2"]
    assert answer["entries"][0]["details"] == {"matched": 3}
    assert answer["truncated"] is False
    asked = guarded.log.asked[0]
    assert asked["start"] == NOW - 7 * 86400
    assert (asked["action"], asked["who"], asked["outcome"]) == ("replay.create", "ann@example.com", "succeeded")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_run_by_a_spreadsheet(guarded: Guarded, text: str) -> None:
    guarded.log.shown = (entry(1, who=text, reason=text, subject=text),)
    answer = get(guarded, "/api/v1/audit?format=csv", "operator")
    lines = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert lines[0] == list(COLUMNS)
    row = dict(zip(COLUMNS, lines[1], strict=True))
    assert {row["who"], row["reason"], row["subject"]} == {f"'{text}"}


def test_cells_keep_commas_quotes_and_other_letters(guarded: Guarded) -> None:
    guarded.log.shown = (entry(1, reason='a, "b"\nü', details={"x": "ü"}),)
    answer = get(guarded, "/api/v1/audit?format=csv", "operator")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    row = list(csv.reader(io.StringIO(answer.text, newline="")))[1]
    assert 'a, "b"\nü' in row
    assert '{"x": "ü"}' in row


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_cut_log_says_so(guarded: Guarded, form: str) -> None:
    guarded.log.shown = tuple(entry(number) for number in range(5))
    answer = get(guarded, f"/api/v1/audit?format={form}&limit=3", "operator")
    if form == "json":
        assert (len(answer.json["entries"]), answer.json["truncated"]) == (3, True)
    else:
        lines = answer.text.strip().splitlines()
        assert len(lines) == 5
        assert "newest 3 entries" in lines[-1]


@pytest.mark.parametrize(("path", "field"), [("?format=xml", "format"), ("?from=then", "from"), ("?who=%00", "who")])
def test_a_wrong_filter_is_named(guarded: Guarded, path: str, field: str) -> None:
    answer = get(guarded, f"/api/v1/audit{path}", "operator")
    assert (answer.status_code, answer.json["error"]["field"]) == (400, field)
