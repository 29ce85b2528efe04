"""The guard of all actions: operators from pages of this site act, once, on record; everybody else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.contract.errors import InvalidInput
from backend.contract.replays import DeadLetterFilter
from dashboard.actions import ACTIONS, MAX_BODY
from tests.dashboard.access.alb import NOW, LoadBalancer
from tests.dashboard.guarded import (
    ALB,
    EVENT_ID,
    ORIGIN,
    Acting,
    ActingAlerts,
    ActingPipeline,
    ActingRetries,
    Guarded,
    Log,
    behind_the_load_balancer,
)

REASON = "the release is fixed"
BODIES: dict[str, dict[str, Any]] = {
    "replay": {"selection": {"event_ids": [EVENT_ID]}, "reason": REASON},
    "replay-cancel": {"replay_id": "r-1", "reason": REASON},
    "replay-pause": {"replay_id": "r-1", "reason": REASON},
    "replay-resume": {"replay_id": "r-1", "reason": REASON},
    "redrive": {"queue": "event-processor-dlq", "error_type": "timeout", "reason": REASON},
    "dlq-delete": {"queue": "event-processor-dlq", "message_ids": ["m-1", "m-2"], "reason": REASON},
    "job-retry": {"job_name": "orders-backfill", "batches": ["2026-05", "2026-07"], "reason": REASON},
    "pipeline-run": {"reason": REASON},
    "alert-acknowledge": {"alert_id": "a1b2c3d4e5f6", "reason": REASON},
    "alert-silence": {"alert_id": "a1b2c3d4e5f6", "scope": "rule", "minutes": "60", "reason": REASON},
    "silence-end": {"silence_id": "sil-1", "reason": REASON},
    "alert-noise": {"alert_id": "a1b2c3d4e5f6", "reason": REASON},
    "alert-resolve": {"alert_id": "a1b2c3d4e5f6", "reason": REASON},
    "incident-follow-up": {
        "incident_id": "inc-1",
        "summary": "s",
        "root_cause": "r",
        "prevention": "p",
        "reason": REASON,
    },
}
"""A good body of each action: a new one is not tested, and so not finished, before it has one."""


@pytest.fixture(scope="module")
def _local() -> Iterator[Guarded]:
    guarded = Guarded()
    yield guarded
    guarded.close()


@pytest.fixture(scope="module")
def _behind() -> Iterator[Guarded]:
    with behind_the_load_balancer() as (guarded, _):
        yield guarded


def fresh(guarded: Guarded) -> Guarded:
    guarded.clock.now += 1000
    services: Any = guarded.services
    guarded.acting, guarded.log = Acting(), Log()
    services.replays = services.dead_letters = guarded.acting
    services.alerts = ActingAlerts(guarded.acting)
    services.retries = ActingRetries(guarded.acting)
    services.pipeline = ActingPipeline(guarded.acting)
    services.audit = guarded.log
    return guarded


@pytest.fixture
def local(_local: Guarded) -> Guarded:
    """Mode none: everybody on this machine is an operator."""
    return fresh(_local)


@pytest.fixture
def behind(_behind: Guarded) -> Guarded:
    """Mode proxy: people come with roles."""
    fresh(_behind).clock.now = NOW
    return _behind


def token(client: FlaskClient, **headers: str) -> str:
    answer: Any = client.get("/api/v1/session", headers=headers).json
    return str(answer.get("token", ""))


def act(
    client: FlaskClient, name: str, body: Any = None, *, shown: str | None = None, **headers: str | None
) -> TestResponse:
    """Posts as a page would; ``headers`` (with _ for -) are laid over a page's own, None takes one away."""
    sent: dict[str, str | None] = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    sent["X-Pulseboard-Token"] = token(client) if shown is None else shown
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in sent.items() if value is not None}
    content = BODIES.get(name) if body is None else body
    return client.post(f"/api/v1/actions/{name}", json=content, headers=kept)


def code(answer: TestResponse) -> Any:
    content: Any = answer.json
    return content["error"]["code"]


def test_every_action_has_a_body_here() -> None:
    assert set(BODIES) == set(ACTIONS)


# --------------------------------------------------------------------------- who may
@pytest.mark.parametrize("name", ACTIONS)
def test_an_operator_acts_and_the_pages_are_made_anew(local: Guarded, name: str) -> None:
    before = local.services.actions
    answer = act(local.client(), name)
    assert answer.status_code == 200, answer.text
    assert answer.json["message"]  # type: ignore[index]
    assert len(local.acting.calls) == 1
    assert local.acting.calls[0][-1] == "local"
    assert local.services.actions == before + 1


@pytest.mark.parametrize("name", ACTIONS)
def test_a_viewer_is_refused_and_it_is_on_record(behind: Guarded, name: str) -> None:
    answer = act(behind.client(), name, shown="x", x_amzn_oidc_data=ALB.token())
    assert (answer.status_code, code(answer)) == (403, "not_operator")
    assert behind.acting.calls == []
    assert behind.log.written == [
        {
            "action": ACTIONS[name].recorded_as,
            "who": "ann@example.com",
            "outcome": "refused",
            "refused": "not_operator",
            "message": "Only operators can do this; ann@example.com is a viewer",
        }
    ]


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("mode", ["local", "behind"])
def test_a_display_is_refused_and_it_is_on_record(name: str, mode: str, request: pytest.FixtureRequest) -> None:
    guarded: Guarded = request.getfixturevalue(mode)
    answer = act(guarded.client(display=True), name, shown="x")
    assert (answer.status_code, code(answer)) == (403, "not_operator")
    assert guarded.acting.calls == []
    assert [entry["who"] for entry in guarded.log.written] == ["display lobby"]


@pytest.mark.parametrize("name", ACTIONS)
def test_a_stranger_is_refused_without_a_record(behind: Guarded, name: str) -> None:
    for header in (
        None,
        LoadBalancer().token(groups=["operators"]),
        ALB.token({"exp": NOW - 60}, groups=["operators"]),
    ):
        answer = act(behind.client(), name, shown="x", x_amzn_oidc_data=header)
        assert (answer.status_code, code(answer)) == (401, "signed_out")
    assert (behind.acting.calls, behind.log.written) == ([], [])


@pytest.mark.parametrize("name", ACTIONS)
def test_an_operator_behind_the_load_balancer_acts_under_their_name(behind: Guarded, name: str) -> None:
    client, signed = behind.client(), ALB.token(groups=["operators"])
    shown = token(client, **{"x-amzn-oidc-data": signed})
    assert act(client, name, shown=shown, x_amzn_oidc_data=signed).status_code == 200
    assert behind.acting.calls[0][-1] == "ann@example.com"


# ----------------------------------------------------------------------- where from
FOREIGN: list[dict[str, str | None]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8050"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": None},
    {"Origin": None, "Referer": "https://evil.example/localhost"},
    {"Origin": "https://evil.example", "Referer": "http://localhost/replay"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "none"},
]


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_is_refused(local: Guarded, name: str, headers: dict[str, str | None]) -> None:
    answer = act(local.client(), name, **headers)  # type: ignore[arg-type]
    assert (answer.status_code, code(answer)) == (403, "cross_site")
    assert local.acting.calls == []


def test_older_browsers_send_no_fetch_metadata_and_some_only_a_referer(local: Guarded) -> None:
    client = local.client()
    assert act(client, "replay", Sec_Fetch_Site=None).status_code == 200
    assert act(client, "replay", Origin=None, Referer="http://localhost/replay?tab=search").status_code == 200


@pytest.mark.parametrize("name", ACTIONS)
def test_without_the_token_of_this_person_nothing_is_done(local: Guarded, behind: Guarded, name: str) -> None:
    others = token(behind.client(), **{"x-amzn-oidc-data": ALB.token(groups=["operators"])})
    for shown in ("", "0" * 64, others, "é"):
        answer = act(local.client(), name, shown=shown)
        assert (answer.status_code, code(answer)) == (403, "bad_token")
    assert local.acting.calls == []


def test_the_token_is_another_ones_for_another_person(behind: Guarded) -> None:
    client = behind.client()
    ann, bob = ALB.token(groups=["operators"]), ALB.token(groups=["operators"], email="bob@example.com", sub="u-2")
    hers = token(client, **{"x-amzn-oidc-data": ann})
    assert act(client, "replay", shown=hers, x_amzn_oidc_data=bob).status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_plain_form_could_send_is_refused(local: Guarded, kind: str) -> None:
    client = local.client()
    headers = {"Origin": ORIGIN, "X-Pulseboard-Token": token(client)}
    answer = client.post("/api/v1/actions/replay", data=b'{"reason":"x"}', headers=headers, content_type=kind)
    assert (answer.status_code, code(answer)) == (415, "not_json")


def test_the_same_refusal_does_not_fill_the_log(local: Guarded) -> None:
    client = local.client()
    for _ in range(50):
        act(client, "redrive", Origin="https://evil.example")
    assert len(local.log.written) <= 1


def test_a_refusal_stands_when_the_log_is_away(behind: Guarded) -> None:
    behind.log.error = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    answer = act(behind.client(), "dlq-delete", shown="x", x_amzn_oidc_data=ALB.token(email="eve@example.com"))
    assert answer.status_code == 403


# ---------------------------------------------------------------------------- bodies
@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("reason", [None, "", "  ", "ab", "x" * 501, "a\nb", 7, ["because"]], ids=repr)
def test_without_a_reason_nothing_is_done(local: Guarded, name: str, reason: Any) -> None:
    answer = act(local.client(), name, {**BODIES[name], "reason": reason})
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == "reason"  # type: ignore[index]
    assert local.acting.calls == []


@pytest.mark.parametrize(("content", "status"), [
    (b"", 400), (b"nonsense", 400), (b"[]", 400), (b'"x"', 400), (b'{"a":NaN}', 400), (b'{"a":"\\ud800"}', 400),
    (b"[" * 100_000, 400), (b'{"a":' * 500 + b"1" + b"}" * 500, 400), (b'{"a":[[[[[[[1]]]]]]]}', 400),
    (b'{"reason":"' + b"x" * MAX_BODY + b'"}', 413),
])  # fmt: skip
@pytest.mark.parametrize("name", ACTIONS)
def test_a_body_that_is_no_request_is_named(local: Guarded, name: str, content: bytes, status: int) -> None:
    client = local.client()
    headers = {"Origin": ORIGIN, "X-Pulseboard-Token": token(client), "Content-Type": "application/json"}
    answer = client.post(f"/api/v1/actions/{name}", data=content, headers=headers)
    assert answer.status_code == status
    assert "body" in answer.json["error"]["message"]  # type: ignore[index]
    assert local.acting.calls == []


@pytest.mark.parametrize(("name", "changes", "field"), [
    ("replay", {"selection": None}, "selection"),
    ("replay", {"selection": {"event_ids": ["../x"]}}, "event_ids"),
    ("replay", {"selection": {"entityid": "x"}}, "selection.entityid"),
    ("replay", {"target": "elsewhere"}, "target"),
    ("replay", {"rate_per_second": "fast"}, "rate_per_second"),
    ("replay", {"dry_run": "maybe"}, "dry_run"),
    ("replay-cancel", {"replay_id": None}, "replay_id"),
    ("replay-pause", {"replay_id": ["r-1"]}, "replay_id"),
    ("replay-resume", {"replay_id": "r\n1"}, "replay_id"),
    ("redrive", {"queue": ""}, "queue"),
    ("redrive", {"error_typ": "timeout"}, "error_typ"),
    ("redrive", {"message_ids": []}, "message_ids"),
    ("redrive", {"message_ids": "m-1"}, "message_ids"),
    ("redrive", {"message_ids": [1]}, "message_ids"),
    ("redrive", {"rate_per_second": -1}, "rate_per_second"),
    ("redrive", {"rate_per_second": True}, "rate_per_second"),
    ("redrive", {"rate_per_second": 0.01}, "rate_per_second"),
    ("dlq-delete", {"message_ids": []}, "message_ids"),
    ("dlq-delete", {"message_ids": None}, "message_ids"),
    ("dlq-delete", {"queue": {"a": 1}}, "queue"),
])  # fmt: skip
def test_a_wrong_field_is_named(local: Guarded, name: str, changes: dict[str, Any], field: str) -> None:
    answer = act(local.client(), name, {**BODIES[name], **changes})
    assert (answer.status_code, answer.json["error"]["field"]) == (400, field)  # type: ignore[index]
    assert local.acting.calls == []


def test_an_unknown_action_is_named(local: Guarded) -> None:
    assert act(local.client(), "shutdown", {}).status_code == 404


def test_actions_are_never_done_by_looking(local: Guarded) -> None:
    for name in ACTIONS:
        for method in ("GET", "HEAD"):
            local.client().open(f"/api/v1/actions/{name}", method=method)
    assert local.acting.calls == []


# --------------------------------------------------------------------------- answers
def test_a_dry_run_needs_no_reason_and_does_nothing(local: Guarded) -> None:
    before = local.services.actions
    answer: Any = act(local.client(), "replay", {"selection": {"source": "shop"}, "dry_run": True}).json
    assert (answer["matched"], answer["would_send"], answer["skipped"]) == (1234, 1200, 34)
    assert answer["message"] == (
        "1,234 events match; 1,200 would be sent, 34 left out at the cap of 5 replays each. Nothing was sent"
    )
    assert [call[0] for call in local.acting.calls] == ["preview"]
    assert (local.services.actions, local.log.written) == (before, [])


def test_a_started_replay_is_shown(local: Guarded) -> None:
    answer: Any = act(local.client(), "replay").json
    assert answer["message"] == "Replay of 3 events started"
    assert (answer["at"], answer["go"]["tab"], answer["go"]["replay"]) == ("/replay", "replays", "r-1")


def test_a_redrive_takes_the_filter_and_the_rate(local: Guarded) -> None:
    client, body = local.client(), BODIES["redrive"]
    for rate, meant in ((None, 100.0), ("", 100.0), (0, None), (25, 25)):
        assert (
            act(client, "redrive", {**body, "message_ids": ["m-1", "m-1"], "rate_per_second": rate}).status_code == 200
        )
        _, queue, wanted, reason, measured, _ = local.acting.calls[-1]
        assert (queue, reason, measured) == ("event-processor-dlq", REASON, meant)
        assert wanted == DeadLetterFilter(error_type="timeout", message_ids=("m-1",))


def test_what_could_not_be_deleted_is_said(local: Guarded) -> None:
    local.acting.deleted = 1
    answer: Any = act(local.client(), "dlq-delete").json
    assert answer["message"] == "1 message deleted of 2; the others were not found, look again"


@pytest.mark.parametrize(("error", "status", "kind"), [
    (InvalidInput("confirm", 3, "must be the number of events", "confirmation_needed"), 400, "confirmation_needed"),
    (InvalidInput("replay", "r-1", "has succeeded and can't be cancelled", "conflict"), 409, "conflict"),
    (InvalidInput("queue", "q", "is being looked at", "busy"), 409, "busy"),
    (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), 503, "unavailable"),
    (ClientError({"Error": {"Code": "Throttled"}}, "PutItem"), 503, "unavailable"),
])  # fmt: skip
@pytest.mark.parametrize("name", ACTIONS)
def test_what_goes_wrong_has_its_answer(local: Guarded, name: str, error: Exception, status: int, kind: str) -> None:
    before = local.services.actions
    local.acting.error = error
    answer = act(local.client(), name)
    assert (answer.status_code, code(answer)) == (status, kind)
    assert local.services.actions == before


@pytest.mark.parametrize("name", ["replay-cancel", "replay-pause", "replay-resume"])
def test_a_replay_that_does_not_exist_is_named(local: Guarded, name: str) -> None:
    local.acting.error = KeyError("r-1")
    assert act(local.client(), name).status_code == 404


@pytest.mark.parametrize("name", ACTIONS)
def test_a_dashboard_without_these_services_says_so(local: Guarded, name: str) -> None:
    local.services.replays = local.services.dead_letters = local.services.alerts = local.services.retries = None
    local.services.pipeline = None
    answer = act(local.client(), name)
    assert (answer.status_code, code(answer)) == (503, "not_connected")
