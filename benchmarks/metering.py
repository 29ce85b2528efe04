"""Counts what a piece of code asks of AWS: requests by operation, DynamoDB's units by item size, bytes, CPU time.

DynamoDB's rules (AWS: "DynamoDB read and write capacity", "DynamoDB item sizes and formats"): a write is one unit for
each begun KB of the item, and one for each begun KB of what an index projects; in a transaction the table's part counts
twice. A query is half a unit for each begun 4 KB of all it read, a consistent read a whole one.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from backend.aws import Clients
from backend.local.template import load_template, properties

SERVICES: Final = ("s3", "dynamodb", "sqs", "sns", "cloudwatch")
KB: Final = 1024


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item in DynamoDB's own JSON."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.strip("-").replace(".", "")) / 2) + 1
    if kind == "B":
        return len(content)
    if kind in ("SS", "NS", "BS"):
        return 3 + sum(len(str(entry)) for entry in content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(entry) for entry in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(entry) for name, entry in content.items())
    return 1


def tables() -> dict[str, dict[str, Any]]:
    """The template's tables by name."""
    template = load_template()
    found = [properties(template, name, {}) for name, resource in template["Resources"].items()
             if resource["Type"] == "AWS::DynamoDB::Table"]  # fmt: skip
    return {table["TableName"]: table for table in found}


@dataclass
class Bill:
    """What was asked for. ``calls`` by ``service.Operation``, units of DynamoDB, bytes of objects."""

    calls: Counter[str] = field(default_factory=Counter)
    write_units: float = 0.0
    read_units: float = 0.0
    items: int = 0
    item_bytes: int = 0
    object_bytes: int = 0
    data: int = 0
    """Metrics handed to CloudWatch."""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    messages: list[str] = field(default_factory=list)
    """Bodies of messages sent to queues."""


class Meter:
    """Watches clients; what they do while ``counting`` goes into its bill."""

    def __init__(self, clients: Clients, *more: Any) -> None:
        self._tables = tables()
        self._plain = Clients("us-east-1").dynamodb
        self._bill: Bill | None = None
        for client in (*(getattr(clients, name) for name in SERVICES), *more):
            client.meta.events.register_first("provide-client-params", self._asked)
            client.meta.events.register_last("after-call", self._answered)

    @contextmanager
    def counting(self) -> Iterator[Bill]:
        """A bill for what is done inside."""
        self._bill = bill = Bill()
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield bill
        finally:
            bill.cpu_seconds, bill.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
            self._bill = None

    def _asked(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        # The store takes its items out of the parameters before they are built: a copy keeps them.
        context["metered"] = (model.service_model.service_name, model.name, dict(params))

    def _answered(self, parsed: Any, context: dict[str, Any], **_: Any) -> None:
        bill, asked = self._bill, context.get("metered")
        if bill is None or asked is None:
            return
        service, operation, params = asked
        bill.calls[f"{service}.{operation}"] += 1
        if service == "dynamodb":
            self._dynamodb(bill, operation, params, parsed)
        elif operation == "PutObject":
            body = params.get("Body", b"")
            bill.object_bytes += len(body) if isinstance(body, bytes | str) else 0
        elif operation == "PutMetricData":
            bill.data += len(params["MetricData"])
        elif operation == "SendMessageBatch":
            bill.messages += [entry["MessageBody"] for entry in params["Entries"]]
        elif operation == "SendMessage":
            bill.messages.append(params["MessageBody"])

    def _dynamodb(self, bill: Bill, operation: str, params: Mapping[str, Any], parsed: Any) -> None:
        if operation == "BatchWriteItem":
            for table, requests in params["RequestItems"].items():
                for request in requests:
                    self._written(bill, table, _item_of(request), 1)
        elif operation == "PutItem":
            self._written(bill, params["TableName"], params["Item"], 1)
        elif operation == "UpdateItem":
            self._written(bill, params["TableName"], self._held(params), 1)
        elif operation == "TransactWriteItems":
            for entry in params["TransactItems"]:
                ((kind, write),) = entry.items()
                item = write["Item"] if kind == "Put" else self._held(write)
                if kind == "ConditionCheck":
                    bill.write_units += 2
                else:
                    self._written(bill, write["TableName"], item, 2)
        elif operation in ("Query", "GetItem", "BatchGetItem", "Scan"):
            read = [*parsed.get("Items", ()), *([parsed["Item"]] if "Item" in parsed else [])]
            for found in parsed.get("Responses", {}).values():
                read += found
            size = sum(map(item_bytes, read))
            bill.read_units += max(math.ceil(size / (4 * KB)), 1) * (1.0 if params.get("ConsistentRead") else 0.5)

    def _held(self, write: Mapping[str, Any]) -> Mapping[str, Any]:
        """The item as it is after an update: its size is not in the request."""
        answer = self._plain.get_item(TableName=write["TableName"], Key=write["Key"], ConsistentRead=True)
        return answer.get("Item", write["Key"])

    def _written(self, bill: Bill, table: str, item: Mapping[str, Any], times: int) -> None:
        size = item_bytes(item)
        bill.items += 1
        bill.item_bytes += size
        bill.write_units += times * max(math.ceil(size / KB), 1)
        for index in self._tables[table].get("GlobalSecondaryIndexes", ()):
            if all(key["AttributeName"] in item for key in index["KeySchema"]):
                bill.write_units += max(math.ceil(_projected(item, index, self._tables[table]) / KB), 1)


def _projected(item: Mapping[str, Any], index: Mapping[str, Any], table: Mapping[str, Any]) -> int:
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return item_bytes(item)
    keys = {key["AttributeName"] for key in (*index["KeySchema"], *table["KeySchema"])}
    kept = keys | set(projection.get("NonKeyAttributes", ()))
    return item_bytes({name: value for name, value in item.items() if name in kept})


def _item_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item of a batch's entry; the store's own batches hold the items themselves."""
    if "PutRequest" in request:
        found: Mapping[str, Any] = request["PutRequest"]["Item"]
        return found
    return request["DeleteRequest"]["Key"] if "DeleteRequest" in request else request
