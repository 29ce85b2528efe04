"""The processor's receipts in ``InfraMetrics``, by the key of the object that each is for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from backend.contract.tables import DATA, METRIC_ID
from backend.orchestration.document import Receipt
from backend.processor.items import receipt_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH: Final = 100
"""Keys that one BatchGetItem takes."""
TRIES: Final = 3
"""What DynamoDB leaves unread is asked for so often; what is still missing then counts as not processed yet."""


class Receipts:
    """Reads receipts. Its calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def of(self, keys: Sequence[str]) -> list[Receipt]:
        """The receipts of these objects that there are, read consistently."""
        wanted = {key: receipt_key(key) for key in keys}
        names = {identity[METRIC_ID]["S"]: key for key, identity in wanted.items()}
        identities = list(wanted.values())
        parts = [identities[index : index + BATCH] for index in range(0, len(identities), BATCH)]
        return [_receipt(names[item[METRIC_ID]["S"]], item[DATA]["S"]) for part in parts for item in self._read(part)]

    def _read(self, identities: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        request: Any = {self._table: {"Keys": identities, "ConsistentRead": True}}
        for _ in range(TRIES):
            answer = self._dynamodb.batch_get_item(RequestItems=request)
            yield from answer["Responses"].get(self._table, ())
            request = answer["UnprocessedKeys"]
            if not request:
                return


def _receipt(key: str, data: str) -> Receipt:
    record = json.loads(data)
    counts = {name: int(record[name]) for name in ("samples", "stored", "merged", "quarantined")}
    return Receipt(key, metrics=tuple(record["metrics"]), **counts)
