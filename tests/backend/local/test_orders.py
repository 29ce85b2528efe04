"""The order stream is believable, repeatable, and says what is wrong with it in the payloads themselves."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from backend.local.api_server import ApiServer
from backend.local.engine import HOST, free_port
from backend.local.orders import APP, LATE_SECONDS, PAID, PLACED, SHIPPED, Sender, Sending, Shop, stream

STARTED = 1_795_000_000.0
SHOP = Shop(seed=7, started=STARTED)
MINUTE = 60.0


def identity(sending: Sending) -> str:
    return json.dumps(sending.event, sort_keys=True)


def lag(sending: Sending) -> float:
    return sending.at - datetime.fromisoformat(sending.event["occurred_at"]).timestamp()


def renamed(sending: Sending) -> bool:
    return "cust_id" in sending.event["payload"]


def no_number(sending: Sending) -> bool:
    return isinstance(sending.event["payload"].get("amount"), str)


def test_any_cut_of_time_gives_the_same_stream() -> None:
    whole = SHOP.between(STARTED, STARTED + 600)
    parts = [sending for start in range(0, 600, 7) for sending in SHOP.between(STARTED + start, STARTED + start + 7)]
    assert [sending for sending in parts if sending.at < STARTED + 600] == whole
    assert Shop(seed=8, started=STARTED).between(STARTED, STARTED + 600) != whole


def test_history_is_a_part_of_the_same_stream() -> None:
    begin = STARTED - 3600
    history = SHOP.history(begin, STARTED, every=12)
    assert 300 < len(history) < 600
    assert {identity(sending) for sending in history} <= {identity(s) for s in SHOP.between(begin, STARTED)}


def test_an_order_is_placed_paid_and_shipped_under_one_correlation_id() -> None:
    orders: dict[str, list[Sending]] = {}
    for sending in SHOP.between(STARTED - 3600, STARTED - 600):
        orders.setdefault(sending.event["entity_id"], []).append(sending)
    complete = [sent for sent in orders.values() if {s.event["event_type"] for s in sent} == {PLACED, PAID, SHIPPED}]
    assert len(complete) > 0.8 * len(orders)
    for sent in complete:
        assert len({sending.event["correlation_id"] for sending in sent}) == 1
        times = {s.event["event_type"]: s.event["occurred_at"] for s in sent}
        assert times[PLACED] < times[PAID] < times[SHIPPED]


def test_calm_times_have_about_one_and_a_half_events_a_second_some_twice_some_late_few_wrong() -> None:
    calm = SHOP.between(STARTED - 7200, STARTED)
    again = len(calm) - len({identity(sending) for sending in calm})
    assert 1.2 < len(calm) / 7200 < 1.8
    assert 0.01 < again / len(calm) < 0.03
    assert 0.02 < sum(lag(sending) > LATE_SECONDS for sending in calm) / len(calm) < 0.04
    assert 0.0002 < sum(map(no_number, calm)) / len(calm) < 0.004
    assert not any(map(renamed, calm))


@pytest.mark.parametrize("incident", [0, 1, 5])
def test_the_release_makes_most_of_the_trouble_and_ends(incident: int) -> None:
    begun = STARTED + 2 * MINUTE + incident * 20 * MINUTE
    during = SHOP.between(begun + MINUTE, begun + 4 * MINUTE)
    parse, validation = sum(map(renamed, during)), sum(map(no_number, during))
    assert parse / 3 > 100, "the rate of dead letters is to be critical"
    assert 0.75 < parse / (parse + validation) < 0.86
    assert {s.event["source"] for s in during if renamed(s)} == {APP}
    assert {s.event["event_type"] for s in during if renamed(s)} == {PLACED}
    assert not any("customer_id" in s.event["payload"] for s in during if renamed(s))
    after = SHOP.between(begun + 10 * MINUTE, begun + 19 * MINUTE)
    assert not any(map(renamed, after))


def test_an_order_that_is_not_confirmed_is_sent_again_as_another_event() -> None:
    during = [s for s in SHOP.between(STARTED + 3 * MINUTE, STARTED + 5 * MINUTE) if renamed(s)]
    events = {identity(sending): sending.event["entity_id"] for sending in during}
    assert Counter(Counter(events.values()).values())[3] > 20


def test_every_payload_says_that_it_is_synthetic() -> None:
    assert all(s.event["payload"]["synthetic"] is True for s in SHOP.between(STARTED, STARTED + 400))


# ---------------------------------------------------------------------------------------------------- sending
class Api:
    """Takes what it is sent, or answers with ``status``."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.status = 201
        self.item_error: dict[str, str] | None = None

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        body = json.loads(event["body"])
        assert "synthetic" in event["headers"]["user-agent"]
        self.bodies.append(body)
        entries = body if isinstance(body, list) else [body]
        results = [{"event_id": "x", "status": "stored"} for _ in entries]
        if self.item_error:
            results[-1] = {"status": "error", "error": self.item_error}  # type: ignore[dict-item]
        answer = {"results": results} if isinstance(body, list) else results[0]
        return {"statusCode": self.status, "headers": {}, "body": json.dumps(answer)}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with ApiServer(0, api) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://{HOST}:{server.port}"
        server.shutdown()
        thread.join()


def test_one_event_is_sent_as_it_is_and_several_as_arrays(api: Api, url: str) -> None:
    sender = Sender(url)
    assert sender.post([{"n": 1}]) == 1
    assert sender.post([{"n": n} for n in range(150)]) == 150
    sender.close()
    assert api.bodies[0] == {"n": 1}
    assert [len(body) for body in api.bodies[1:]] == [100, 50]


def test_what_the_api_refuses_for_good_is_not_sent_again(api: Api, url: str) -> None:
    api.item_error = {"code": "invalid", "message": "payload.amount: is wrong"}
    sender = Sender(url)
    assert sender.post([{"n": 1}, {"n": 2}]) == 1
    sender.close()


@pytest.mark.parametrize("trouble", ["status", "item"])
def test_what_the_api_can_not_take_now_is_an_error_to_wait_for(api: Api, url: str, trouble: str) -> None:
    if trouble == "status":
        api.status = 503
    else:
        api.item_error = {"code": "unavailable", "message": "send it again"}
    sender = Sender(url)
    with pytest.raises(OSError, match="the API"):
        sender.post([{"n": 1}, {"n": 2}])
    sender.close()


def test_an_api_that_is_away_is_an_error_to_wait_for() -> None:
    with pytest.raises(OSError, match="does not answer"):
        Sender(f"http://{HOST}:{free_port()}").post([{"n": 1}])


def test_the_stream_sends_what_it_could_not_send_before() -> None:
    now = [STARTED]
    sent: list[dict[str, Any]] = []
    said: list[str] = []
    answers = iter([True, False, False, True, True])

    def post(events: Sequence[dict[str, Any]]) -> int:
        if not next(answers):
            raise OSError("away")
        sent.extend(events)
        return len(events)

    def wait(_: float) -> None:
        if now[0] >= STARTED + 50:
            raise KeyboardInterrupt
        now[0] += 10

    with pytest.raises(KeyboardInterrupt):
        stream(SHOP, post, said.append, clock=lambda: now[0], wait=wait)
    assert sent == [sending.event for sending in SHOP.between(STARTED, STARTED + 50)]
    assert said == ["orders wait: away", "orders are sent again"]
