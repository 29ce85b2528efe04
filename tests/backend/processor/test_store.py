"""Writes against a table that refuses, and reads that skip what has expired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from backend.contract.tables import LATE, METRICS_TABLE
from backend.processor.store import MetricsStore, WriteThrottled

NOW = 1_795_259_220.0


def item(number: int, kind: str = "cpu_utilization", expires: int = 2**40) -> dict[str, Any]:
    return {
        "metric_id": {"S": f"id-{number}"},
        "timestamp": {"N": str(int(NOW) + number)},
        "metric_type": {"S": kind},
        "data": {"S": f"data-{number}"},
        "expires_at": {"N": str(expires)},
    }


class Table:
    """Answers a real client's BatchWriteItem from a script instead of HTTP, and keeps what it was asked to put."""

    def __init__(self, *answers: Callable[[list[dict[str, Any]]], AWSResponse]) -> None:
        self.answers = list(answers)
        self.asked: list[list[dict[str, Any]]] = []
        config = Config(retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.client = boto3.client("dynamodb", "us-east-1", config=config, **keys)
        self.client.meta.events.register("before-send.dynamodb.BatchWriteItem", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        assert request.headers["Authorization"]
        (requests,) = json.loads(request.body)["RequestItems"].values()
        self.asked.append([request["PutRequest"]["Item"] for request in requests])
        return self.answers.pop(0)(requests) if self.answers else unprocessed([])


class Raw:
    """An HTTP body."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.data = json.dumps(record).encode()

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.data


def unprocessed(requests: list[dict[str, Any]]) -> AWSResponse:
    left = {METRICS_TABLE: requests} if requests else {}
    return AWSResponse("https://dynamodb", 200, {}, Raw({"UnprocessedItems": left}))


def throttle(_: Any) -> AWSResponse:
    error = {"__type": "com.amazonaws#ProvisionedThroughputExceededException", "message": "slow down"}
    return AWSResponse("https://dynamodb", 400, {}, Raw(error))


def store(table: Table, slept: list[float]) -> MetricsStore:
    return MetricsStore(table.client, METRICS_TABLE, sleep=slept.append, clock=lambda: NOW, jitter=lambda: 1.0)


def test_it_writes_batches_of_25_with_each_key_once() -> None:
    table, slept = Table(), list[float]()
    assert store(table, slept).write([item(n % 60) for n in range(80)]) == 60
    assert [len(batch) for batch in table.asked] == [25, 25, 10]
    assert slept == []


def test_only_unprocessed_items_are_repeated() -> None:
    table, slept = (
        Table(lambda requests: unprocessed(requests[20:]), lambda requests: unprocessed(requests[:1])),
        list[float](),
    )
    assert store(table, slept).write([item(n) for n in range(25)]) == 25
    assert [len(batch) for batch in table.asked] == [25, 5, 1]
    assert table.asked[2] == [item(20)]
    assert slept == [0.75, 1.5]


def test_a_table_that_goes_on_refusing_is_given_up_with_what_is_unwritten() -> None:
    table, slept = Table(*[throttle] * 8), list[float]()
    with pytest.raises(WriteThrottled, match="30 items could not be written") as given_up:
        store(table, slept).write([item(n) for n in range(30)])
    assert given_up.value.unwritten == 30
    assert slept == [0.75, 1.5, 3.0]
    assert len(table.asked) == 8


def test_a_connection_that_breaks_is_repeated() -> None:
    def broken(_: Any) -> AWSResponse:
        raise ReadTimeoutError(endpoint_url="http://dynamodb")

    table, slept = Table(broken), list[float]()
    assert store(table, slept).write([item(1)]) == 1
    assert slept == [0.75]


def test_what_repeating_cannot_mend_is_raised_at_once() -> None:
    def invalid(_: Any) -> AWSResponse:
        return AWSResponse(
            "https://dynamodb", 400, {}, Raw({"__type": "a#ValidationException", "message": "no such key"})
        )

    slept: list[float] = []
    with pytest.raises(ClientError, match="no such key"):
        store(Table(invalid), slept).write([item(1)])
    assert slept == []


def test_one_client_may_serve_two_stores() -> None:
    table = Table()
    for _ in range(2):
        store(table, []).write([item(1)])
    assert table.asked == [[item(1)], [item(1)]]


def test_what_announces_late_samples_is_written_after_them() -> None:
    table = Table(lambda requests: unprocessed(requests[:1]))
    store(table, []).write([item(99, LATE), *[item(n) for n in range(3)]])
    assert table.asked == [[item(0), item(1), item(2)], [item(0)], [item(99, LATE)]]


def test_what_was_seen_within_the_hour_is_not_written_again() -> None:
    table = Table()
    metrics = store(table, [])
    assert [metrics.write([item(1, "@seen"), item(2)]) for _ in range(2)] == [2, 1]


def test_what_could_not_be_written_as_seen_is_written_next_time() -> None:
    table = Table(*[throttle] * 4)
    metrics = store(table, [])
    with pytest.raises(WriteThrottled):
        metrics.write([item(1, "@seen")])
    assert metrics.write([item(1, "@seen")]) == 1


def test_reading_follows_pages_in_order_and_skips_the_expired(world: Any) -> None:
    world.store.write(
        [item(n, expires=int(NOW) - 1 if n == 5 else 2**40) | {"data": {"S": "x" * 200_000}} for n in range(12)]
    )
    rows = list(world.store.query("cpu_utilization", NOW + 1, NOW + 10))
    assert [row.timestamp - int(NOW) for row in rows] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert rows[0].metric_id == "id-1"
    assert rows[0].expires_at == 2**40
