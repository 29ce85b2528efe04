"""Objects of samples that came after their day was closed, as the processor records them in ``InfraMetrics``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from backend.contract.tables import CLOSED_DAY, DATA, EXPIRES_AT, METRIC_TYPE, METRIC_TYPE_INDEX, RECORDED_AT, TIMESTAMP
from backend.history.days import day_of, day_start
from backend.history.ledger import Recorded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_READ: Final = 2_000
"""Items of one look; of the days behind them all objects are read."""


class LateRecords(NamedTuple):
    """What was recorded, by day; from ``unread_from`` on there may be more, None where this is all."""

    recorded: tuple[Recorded, ...]
    unread_from: date | None = None


def late_objects(
    dynamodb: DynamoDBClient, table: str, first: date, last: date, now: float, most: int = MOST_READ
) -> LateRecords:
    """What was recorded of the UTC days ``first`` to ``last``; at most ``most`` items are read.

    ``ledger.late_of`` says which of them are not in Parquet. Raises ClientError as it comes.
    """
    names = {"#p": METRIC_TYPE, "#t": TIMESTAMP, "#d": DATA, "#r": RECORDED_AT, "#e": EXPIRES_AT}
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": METRIC_TYPE_INDEX,
        "KeyConditionExpression": "#p = :p AND #t BETWEEN :a AND :b",
        "ProjectionExpression": "#t, #d, #r, #e",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            ":p": {"S": CLOSED_DAY},
            ":a": {"N": str(day_start(first))},
            ":b": {"N": str(day_start(last))},
        },
    }
    items: list[dict[str, Any]] = []
    while True:
        answer = dynamodb.query(**request, Limit=most - len(items))
        items += answer["Items"]
        following = answer.get("LastEvaluatedKey")
        if not following:
            break
        if len(items) >= most:
            return LateRecords(_recorded(items, now), _day(items[-1]))
        request["ExclusiveStartKey"] = following
    return LateRecords(_recorded(items, now))


def _recorded(items: list[dict[str, Any]], now: float) -> tuple[Recorded, ...]:
    """DynamoDB deletes what has expired hours later."""
    kept = (item for item in items if int(item[EXPIRES_AT]["N"]) > now)
    return tuple(Recorded(_day(item), item[DATA]["S"], float(item[RECORDED_AT]["N"])) for item in kept)


def _day(item: dict[str, Any]) -> date:
    return day_of(float(item[TIMESTAMP]["N"]))
