"""``InfraMetrics`` in DynamoDB: writes in batches, retries what was refused, reads an index partition as a stream."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.exceptions import ClientError, HTTPClientError

from backend.contract.tables import (
    DATA,
    ENVIRONMENT,
    EXPIRES_AT,
    LATE,
    METRIC_ID,
    METRIC_TYPE,
    METRIC_TYPE_INDEX,
    SEEN,
    TIMESTAMP,
)
from backend.processor.items import KEPT_UNTIL, METRIC, Item, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH: Final = 25
DELAYS_SECONDS: Final = (0.5, 1.0, 2.0)
"""Waited before the first, second and third repetition, each with up to half of it more at random."""
SEEN_AGAIN_SECONDS: Final = 3600
_TRANSIENT: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
    }
)


class WriteThrottled(Exception):  # noqa: N818 - what happened, as DynamoDB calls it
    """Items that DynamoDB did not take although they were offered again; what was taken stays written."""

    def __init__(self, unwritten: int, cause: str) -> None:
        super().__init__(f"{unwritten} items could not be written ({cause}); the message is delivered again")
        self.unwritten = unwritten


class MetricsStore:
    """Reads and writes ``InfraMetrics``. ``sleep``, ``clock`` and ``jitter`` are replaced in tests.

    The client should be made without retries of its own (one attempt): repeating is this class's matter.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table = table
        encode_batches_here(client)
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._seen: dict[str, float] = {}

    def write(self, items: Iterable[Item], *, attempts: int = len(DELAYS_SECONDS)) -> int:
        """Writes the items, each key once (the last wins); returns how many were written.

        What DynamoDB refuses is offered again up to ``attempts`` times, only that. LATE items are written after all
        others: whoever reads one must find the samples it announces. SEEN items that this store wrote within the hour
        are left out.

        Raises WriteThrottled with the number of unwritten items, ClientError for what repeating can't mend.
        """
        now = self._clock()
        first: dict[tuple[str, str], Item] = {}
        last: dict[tuple[str, str], Item] = {}
        seen: list[str] = []
        for item in items:
            identity, kind = item[METRIC_ID]["S"], item[METRIC_TYPE]["S"]
            if kind == SEEN:
                if now - self._seen.get(identity, 0.0) < SEEN_AGAIN_SECONDS:
                    continue
                seen.append(identity)
            (last if kind == LATE else first)[identity, item[TIMESTAMP]["N"]] = item
        self._write_all(list(first.values()), attempts)
        self._write_all(list(last.values()), attempts)
        self._seen.update(dict.fromkeys(seen, now))
        return len(first) + len(last)

    def query(self, partition: str, start: float, end: float) -> Iterator[Row]:
        """The items of an index partition with start <= timestamp <= end, ascending, a page in memory at a time.

        Expired items are left out: DynamoDB deletes them hours later.
        """
        now = int(self._clock())
        for item in self._items(partition, start, end, (DATA, KEPT_UNTIL)):
            expires_at = int(item[EXPIRES_AT]["N"]) if EXPIRES_AT in item else 0
            if not expires_at or expires_at > now:
                yield Row(
                    int(float(item[TIMESTAMP]["N"])),
                    item.get(DATA, {}).get("S", ""),
                    expires_at,
                    int(item.get(KEPT_UNTIL, {}).get("N", 0)),
                    item[METRIC_ID]["S"],
                )

    def seen(self) -> list[tuple[str, str]]:
        """Every (environment, metric_type) that ever arrived, sorted."""
        items = self._items(SEEN, 0, 0, (ENVIRONMENT, METRIC))
        return sorted((item[ENVIRONMENT]["S"], item[METRIC]["S"]) for item in items)

    def _items(self, partition: str, start: float, end: float, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
        names = {f"#{index}": name for index, name in enumerate((METRIC_ID, TIMESTAMP, EXPIRES_AT, *wanted))}
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": METRIC_TYPE_INDEX,
            "KeyConditionExpression": "#p = :p AND #1 BETWEEN :a AND :b",
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": {"#p": METRIC_TYPE, **names},
            "ExpressionAttributeValues": {":p": {"S": partition}, ":a": {"N": repr(start)}, ":b": {"N": repr(end)}},
        }
        while True:
            answer = self._client.query(**request)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write_all(self, items: list[Item], attempts: int) -> None:
        cause = "throttled"
        for delay in (0.0, *DELAYS_SECONDS[:attempts]):
            if delay:
                self._sleep(delay * (1 + self._jitter() / 2))
            refused: list[Item] = []
            for index in range(0, len(items), BATCH):
                batch = items[index : index + BATCH]
                try:
                    refused += self._write_batch(batch)
                except (ClientError, HTTPClientError) as error:
                    cause = _transient(error)
                    refused += batch
            if not refused:
                return
            items = refused
        raise WriteThrottled(len(items), cause)

    def _write_batch(self, batch: list[Item]) -> list[Item]:
        """Writes at most 25 items; returns those that DynamoDB left unprocessed."""
        answer = self._client.batch_write_item(RequestItems=Puts({self._table: batch}))
        left = answer["UnprocessedItems"]
        return [entry["PutRequest"]["Item"] for entry in left.get(self._table, ())]  # type: ignore[misc]


class Puts(dict[str, Any]):
    """``RequestItems`` of a batch that is nothing but puts: ``{table: [item, ...]}``. Other batches stay botocore's."""


def encode_batches_here(client: DynamoDBClient) -> None:
    """Makes the client send ``Puts`` as they are.

    The items are DynamoDB's JSON already. botocore's serialiser would walk through every attribute of every item once
    more, which costs more CPU than all the rest of the processor together. So the batch leaves the parameters before
    they are built, and its encoded form replaces the body before the call is signed; both events are botocore's public
    ones. Calling it again for the same client changes nothing.
    """
    events = client.meta.events
    events.register("before-parameter-build.dynamodb.BatchWriteItem", _set_aside, unique_id="pulseboard-set-aside")
    events.register("before-call.dynamodb.BatchWriteItem", _put_body, unique_id="pulseboard-put-body")


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Leaves parameters that are valid, small and thrown away."""
    if isinstance(params["RequestItems"], Puts):
        context["pulseboard-batch"] = params["RequestItems"]
        params["RequestItems"] = {table: [{}] for table in params["RequestItems"]}


def _put_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    batch = context.pop("pulseboard-batch", None)
    if batch is None:
        return
    requests = {table: [{"PutRequest": {"Item": item}} for item in items] for table, items in batch.items()}
    params["body"] = orjson.dumps({"RequestItems": requests})


def _transient(error: ClientError | HTTPClientError) -> str:
    """What went wrong, if repeating may mend it; raises the error otherwise."""
    if isinstance(error, HTTPClientError):
        return type(error).__name__
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code not in _TRANSIENT and status < 500:
        raise error
    return code
