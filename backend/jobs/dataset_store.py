"""Writes of ``DatasetStatus``; ``JobReader`` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.contract.job_items import dataset_item
from backend.contract.jobs import DatasetStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DatasetStore:
    """The table's statuses, one an item. Its calls raise botocore's errors when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, status: DatasetStatus) -> None:
        """Writes how a dataset was found; the one before is overwritten."""
        self._dynamodb.put_item(TableName=self._table, Item=dataset_item(status))
