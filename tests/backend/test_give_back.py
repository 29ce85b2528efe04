"""What failed comes back soon; what failed often waits as long as its queue says."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.give_back import give_back
from tests.loggers import fresh_logger


class Queue:
    """Keeps what it is asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._error = error

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        if self._error:
            raise self._error
        self.asked.append(request)
        return {"Successful": []}


def event(*receives: int) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{n}", "receiptHandle": f"r{n}", "attributes": {"ApproximateReceiveCount": str(count)}}
            for n, count in enumerate(receives)
        ]
    }


@pytest.fixture
def logger() -> Any:
    return fresh_logger(logging.StreamHandler())


def test_a_failed_message_comes_back_by_how_often_it_failed(logger: Any) -> None:
    queue: Any = Queue()
    give_back(queue, "url", event(1, 2, 3, 1), {"m0", "m1", "m2"}, (5, 20), logger)
    (asked,) = queue.asked
    entries = [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in asked["Entries"]]
    assert entries == [("r0", 5), ("r1", 20)]


def test_where_nothing_failed_nobody_is_asked(logger: Any) -> None:
    queue: Any = Queue()
    give_back(queue, "url", event(1, 1), set(), (5,), logger)
    assert queue.asked == []


def test_more_than_ten_are_asked_for_in_parts(logger: Any) -> None:
    queue: Any = Queue()
    give_back(queue, "url", event(*[1] * 12), {f"m{n}" for n in range(12)}, (5,), logger)
    assert [len(asked["Entries"]) for asked in queue.asked] == [10, 2]


def test_a_queue_that_does_not_answer_holds_up_nothing(logger: Any) -> None:
    queue: Any = Queue(EndpointConnectionError(endpoint_url="url"))
    give_back(queue, "url", event(1), {"m0"}, (5,), logger)
