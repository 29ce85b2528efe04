"""The HTTP API: every answer has its status and says what went wrong, with API Gateway's own events."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.events import utc_text
from backend.events.api import Handle, build
from tests.backend.events.calling import AWS_EVENTS, JSON, call, gateway_event
from tests.backend.events.ingest_world import NOW, World, world
from tests.loggers import fresh_logger

__all__ = ["world"]
NDJSON = "application/x-ndjson"
ARN = "arn:aws:iam::1234567890:user/Admin"
GOOD: dict[str, Any] = {
    "source": "shop-web",
    "event_type": "order_placed",
    "entity_id": "order-1",
    "occurred_at": utc_text(NOW - 5),
    "payload": {"amount": 12.5, "card": {"CVV": "123"}},
}


@pytest.fixture
def api(world: World) -> Handle:
    """The API over the world's tables."""
    return api_of(world)


def api_of(world: World, before: Any = None) -> Handle:
    logger = fresh_logger(world.log)
    return build(world.settings, world.clients(before), logger, clock=lambda: world.now)


def test_one_event_is_stored_then_known(api: Handle) -> None:
    first = call(api, "POST", "/ingest", GOOD)
    again = call(api, "POST", "/ingest", GOOD)
    assert (first.status, first.body["status"]) == (201, "stored")
    assert (again.status, again.body) == (200, {"event_id": first.body["event_id"], "status": "duplicate"})
    assert first.headers["Content-Type"] == JSON


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
def test_several_events_get_a_result_each(api: Handle, content_type: str) -> None:
    pieces = [json.dumps(GOOD), "nonsense", json.dumps(GOOD), json.dumps(GOOD | {"source": "a/b"})]
    body = "\n".join(pieces) if content_type == NDJSON else f"[{','.join(pieces)}]"
    answer = call(api, "POST", "/ingest", body.encode(), headers={"content-type": content_type})
    assert answer.status == 207
    results = answer.body["results"]
    assert [result["status"] for result in results] == ["stored", "error", "duplicate", "error"]
    assert [result["error"]["field"] for result in results if "error" in result] == ["[1]", "[3].source"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "field"),
    [
        (b"nonsense", JSON, 400, "invalid_json", "body"),
        (b"", JSON, 400, "invalid", "body"),
        (b"{}", JSON, 400, "missing_field", "source"),
        (b'{"payload":' * 1000, JSON, 400, "too_deep", "body"),
        (b"{}", "text/plain", 415, "unsupported_media_type", "content-type"),
        (b"x" * 10_000_000, JSON, 413, "too_large", "body"),
        (b"\xff", NDJSON, 207, "invalid_json", "[0]"),
        ("\ud800".encode("utf-8", "surrogatepass"), JSON, 400, "invalid_json", "body"),
    ],
)
def test_a_body_that_can_not_be_taken_is_told_why(
    api: Handle, body: bytes, content_type: str, status: int, code: str, field: str
) -> None:
    answer = call(api, "POST", "/ingest", body, headers={"content-type": content_type})
    error = answer.body["results"][0]["error"] if status == 207 else answer.body["error"]
    assert (answer.status, error["code"], error["field"]) == (status, code, field)
    assert error["message"].startswith(f"{field}: ")


def test_a_conflict_of_keys_is_a_409(api: Handle) -> None:
    call(api, "POST", "/ingest", GOOD | {"idempotency_key": "k"})
    answer = call(api, "POST", "/ingest", GOOD | {"idempotency_key": "k", "payload": 1})
    assert (answer.status, answer.body["error"]["code"]) == (409, "idempotency_conflict")


def test_base64_that_is_none_is_told(api: Handle) -> None:
    event = gateway_event("POST", "/ingest", b"x")
    answer = api(event | {"body": "{not base64}", "isBase64Encoded": True}, None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["field"]) == (400, "body")


def test_json_may_arrive_in_base64_as_well(api: Handle) -> None:
    text = base64.b64encode(json.dumps(GOOD).encode()).decode()
    event = gateway_event("POST", "/ingest", b"x") | {"body": text, "isBase64Encoded": True}
    assert api(event, None)["statusCode"] == 201


@pytest.mark.parametrize("name", ["apiGatewayProxyV2Event.json", "apiGatewayProxyV2IamEvent.json"])
def test_recorded_events_of_api_gateway_are_understood(api: Handle, name: str) -> None:
    recorded = json.loads((AWS_EVENTS / name).read_text("utf-8"))
    assert api(recorded, None)["statusCode"] == 404
    assert call(api, "POST", "/ingest", GOOD, template=name).status == 201


def test_a_stage_in_the_path_is_left_out(api: Handle) -> None:
    event = gateway_event("GET", "/live/replay")
    event["requestContext"]["stage"] = "live"
    assert api(event, None)["statusCode"] == 200


def test_events_are_found_by_what_they_are(api: Handle, world: World) -> None:
    entities = ("a,b", "c d&e", "Ünï")
    for entity in entities:
        call(api, "POST", "/ingest", GOOD | {"entity_id": entity})
    world.now += 1
    for query in ("entity_id=a%2Cb", "entity_id=c+d%26e", "entity_id=%C3%9Cn%C3%AF"):
        answer = call(api, "GET", "/events", query=query)
        (found,) = answer.body["events"]
        assert found["entity_id"] == entities[["a%2C", "c+d%", "%C3%"].index(query[10:14])]
        assert answer.body["truncated"] is False
        assert set(answer.body["scanned"]) == {"from", "to", "items"}


def test_where_nothing_ever_arrived_nothing_is_found(api: Handle) -> None:
    answer = call(api, "GET", "/events")
    assert (answer.status, answer.body["events"], answer.body["truncated"]) == (200, [], False)


def test_pages_of_a_search_go_on_by_token(api: Handle, world: World) -> None:
    for number in range(3):
        call(api, "POST", "/ingest", GOOD | {"payload": number})
        world.now += 1
    seen, query = list[str](), "entity_id=order-1&limit=2"
    page = call(api, "GET", "/events", query=query).body
    assert page["truncated"] is True
    seen += [event["event_id"] for event in page["events"]]
    rest = call(api, "GET", "/events", query=f"{query}&token={page['next_token']}").body
    seen += [event["event_id"] for event in rest["events"]]
    assert (len(seen), len(set(seen)), rest["truncated"]) == (3, 3, False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=1001", "limit"),
        ("status=broken", "status"),
        ("from=yesterday", "from"),
        ("event_ids=xyz", "event_ids"),
        ("time=later", "time"),
        ("token=%00", "token"),
        ("entityid=order-1", "entityid"),
        ("source=a&source=b", "source"),
        ("entity_id=" + "x" * 300, "entity_id"),
    ],
)
def test_a_wrong_parameter_is_named(api: Handle, query: str, field: str) -> None:
    answer = call(api, "GET", "/events", query=query)
    assert (answer.status, answer.body["error"]["field"]) == (400, field)


def test_one_event_comes_with_its_payload_redacted_and_its_trace(api: Handle) -> None:
    stored = call(api, "POST", "/ingest", GOOD, headers={"user-agent": "till/2"}).body
    answer = call(api, "GET", f"/events/{stored['event_id']}")
    assert answer.status == 200
    assert answer.body["payload"] == {"amount": 12.5, "card": {"CVV": "[redacted]"}}
    assert answer.body["headers"]["user-agent"] == "till/2"
    assert (answer.body["intact"], answer.body["status"]) == (True, "received")
    assert [step["stage"] for step in answer.body["trace"]] == ["ingested"]


@pytest.mark.parametrize("event_id", ["0" * 64, "..", "xyz", "%00", "A" * 64])
def test_an_event_that_is_not_there_is_a_404(api: Handle, event_id: str) -> None:
    answer = call(api, "GET", f"/events/{event_id}")
    assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")


def test_what_is_no_route_is_a_404_in_json(api: Handle) -> None:
    for method, path in (("GET", "/"), ("PUT", "/ingest"), ("GET", "/ingest"), ("POST", "/replay/a/b/c")):
        answer = call(api, method, path)
        assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")


def test_a_replay_is_tried_created_and_steered_by_who_asks(api: Handle, world: World) -> None:
    call(api, "POST", "/ingest", GOOD)
    world.now += 1
    wanted = {"selection": {"entity_id": "order-1"}, "reason": "the fix is out"}
    tried = call(api, "POST", "/replay", wanted | {"dry_run": True})
    assert (tried.status, tried.body["matched"], len(tried.body["sample"])) == (200, 1, 1)
    assert call(api, "GET", "/replay").body == {"replays": []}
    created = call(api, "POST", "/replay", wanted)
    assert (created.status, created.body["matched"]) == (202, 1)
    path = f"/replay/{created.body['replay_id']}"
    assert call(api, "GET", path).body["requested_by"] == ARN
    assert call(api, "POST", f"{path}/pause").body["status"] == "paused"
    assert call(api, "POST", f"{path}/resume", {"reason": "go on"}).body["status"] == "pending"
    assert call(api, "POST", f"{path}/cancel").body["status"] == "cancelled"
    refused = call(api, "POST", f"{path}/resume")
    assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    assert [replay["replay_id"] for replay in call(api, "GET", "/replay", query="limit=5").body["replays"]] == [
        created.body["replay_id"]
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "selection"),
        ({"selection": {}, "reason": "because"}, "selection"),
        ({"selection": {"event_ids": []}, "reason": "because"}, "selection.event_ids"),
        ({"selection": {"entity_id": None}, "reason": "because"}, "selection.entity_id"),
        ({"selection": {"source": "shop"}}, "reason"),
        ({"selection": {"entity": "x"}, "reason": "because"}, "selection.entity"),
        ({"selection": {"source": "shop"}, "reason": "because", "target": "https://elsewhere"}, "target"),
        ({"selection": {"source": "shop"}, "reason": "because", "rate_per_second": -1}, "rate_per_second"),
        ([], "body"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused_by_field(api: Handle, body: Any, field: str) -> None:
    answer = call(api, "POST", "/replay", body)
    assert (answer.status, answer.body["error"]["field"]) == (400, field)


@pytest.mark.parametrize("body", [{"reason": 5}, {"reason": "x" * 501}, {"why": "x"}, []])
def test_a_reason_that_is_none_is_refused(api: Handle, body: Any) -> None:
    assert call(api, "POST", f"/replay/{'0' * 32}/cancel", body).status == 400


def test_an_unknown_replay_is_a_404(api: Handle) -> None:
    for method, path in (("GET", "/replay/x"), ("POST", "/replay/x/cancel"), ("POST", "/replay/..%2f/pause")):
        assert call(api, method, path).status == 404


def test_services_that_do_not_answer_are_a_503_that_says_try_again(world: World) -> None:
    def failing(name: str) -> None:
        if name in ("dynamodb.Query", "dynamodb.GetItem", "sqs.SendMessageBatch"):
            response: Any = {"Error": {"Code": "Throttling", "Message": "secret"}, "ResponseMetadata": {}}
            raise ClientError(response, name)

    api = api_of(world, failing)
    for answer in (
        call(api, "POST", "/ingest", GOOD),
        call(api, "GET", "/events", query="entity_id=a"),
        call(api, "GET", f"/events/{'0' * 64}"),
    ):
        assert (answer.status, answer.body["error"]["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert "secret" not in json.dumps(answer.body)
    assert call(api_of(world), "POST", "/ingest", GOOD).status == 201


def test_what_nobody_foresaw_is_logged_and_tells_nothing(world: World) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("secret")

    answer = call(api_of(world, broken), "GET", "/events", query="entity_id=a")
    assert (answer.status, answer.body["error"]["code"]) == (500, "internal")
    assert "secret" not in json.dumps(answer.body)
    assert [line["error_message"] for line in world.logged()] == ["secret"]


def test_requests_at_once_do_not_mix(api: Handle) -> None:
    bodies = [GOOD | {"entity_id": f"order-{number}"} for number in range(40)]
    with ThreadPoolExecutor(16) as pool:
        stored = list(pool.map(lambda body: call(api, "POST", "/ingest", body), bodies))
        ids = [answer.body["event_id"] for answer in stored]
        found = list(pool.map(lambda identity: call(api, "GET", f"/events/{identity}"), ids))
    assert {answer.status for answer in stored} == {201}
    assert [answer.body["entity_id"] for answer in found] == [body["entity_id"] for body in bodies]
