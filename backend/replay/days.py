"""Items of the table ``Replays`` by the time they were made, newest first, across the days of its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from backend.contract.events import utc_text
from backend.contract.tables import CREATED_AT, DAY, DAY_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
DAY_SECONDS: Final = 86_400
DAYS_AT_ONCE: Final = 8
PAGE: Final = 200
_DAY_CHARACTERS: Final = len("2026-11-21")


def day_of(kind: str, at: float) -> str:
    """The index partition of an item of ``kind`` made at ``at``: ``replay#2026-11-21``."""
    return f"{kind}#{utc_text(at)[:_DAY_CHARACTERS]}"


def newest_first(
    dynamodb: DynamoDBClient,
    table: str,
    kind: str,
    start: float,
    end: float,
    equal: Mapping[str, str] | None = None,
) -> Iterator[Item]:
    """Items of ``kind`` made from ``start`` up to ``end`` (epoch s, exclusive), the newest first.

    ``equal`` names texts that attributes must have. Days are read a few at a time, as far as the caller iterates.
    """
    first, last = int(start // DAY_SECONDS), int(end // DAY_SECONDS)
    days = [day_of(kind, day * DAY_SECONDS) for day in range(last, first - 1, -1)]
    wanted = {name: text for name, text in (equal or {}).items() if text}

    def page(day: str, after: Item | None = None) -> tuple[list[Item], Item | None]:
        # BETWEEN is inclusive; the last instant before ``end`` in the texts' own resolution is a millisecond earlier.
        query: dict[str, Any] = {
            "TableName": table,
            "IndexName": DAY_INDEX,
            "KeyConditionExpression": "#day = :day AND #at BETWEEN :start AND :end",
            "ExpressionAttributeNames": {"#day": DAY, "#at": CREATED_AT} | {f"#{name}": name for name in wanted},
            "ExpressionAttributeValues": {
                ":day": {"S": day},
                ":start": {"S": utc_text(start)},
                ":end": {"S": utc_text(end - 0.001)},
            }
            | {f":{name}": {"S": text} for name, text in wanted.items()},
            "ScanIndexForward": False,
            "Limit": PAGE,
        }
        if wanted:
            query["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
        if after is not None:
            query["ExclusiveStartKey"] = after
        answer = dynamodb.query(**query)
        return answer["Items"], answer.get("LastEvaluatedKey")

    with ThreadPoolExecutor(DAYS_AT_ONCE, thread_name_prefix="days") as pool:
        for index in range(0, len(days), DAYS_AT_ONCE):
            group = days[index : index + DAYS_AT_ONCE]
            for day, (items, after) in zip(group, pool.map(page, group), strict=True):
                yield from items
                following = after
                while following is not None:
                    more, following = page(day, following)
                    yield from more
