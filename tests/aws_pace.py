"""What takes moto and botocore most of their time in tests, taken away without changing what they answer.

Each session of botocore reads the models of its services again. In moto a transaction copies its tables once for each
of its items, which is most of a test's time where a batch has 100; what it writes to is enough. An empty queue makes a
long poll wait by the real clock, though nothing arrives while a test waits for the answer. For each message received
all attributes of its queue are worked out, only to see that it is not older than four days. For each member of each
answer the names that it may have in moto's objects are worked out again, though they follow from its shape; so are the
names of a service's methods for each request, and an expression's parts. And each query sorts the whole table, and
reads both keys as numbers or texts for every comparison.
"""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import botocore.loaders
import botocore.session
import pytest
from moto.core import responses as moto_responses
from moto.core.serialize import AttributePickerContext, BaseJSONSerializer, XFormedAttributePicker
from moto.dynamodb import models as dynamodb_models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes
from moto.sqs.models import SQSBackend


@contextmanager
def quick_aws() -> Iterator[None]:
    """Within it models are read once, a transaction copies what it writes to, empty queues answer at once."""
    transact, receive = DynamoDBBackend.transact_write_items, SQSBackend.receive_message
    thread = threading.local()

    def deepcopy(value: Any, memo: Any = None) -> Any:
        copies: dict[str, Table] | None = getattr(thread, "copies", None)
        if copies is None or not isinstance(value, Table):
            return copy.deepcopy(value, memo)
        if value.name not in copies:
            copies[value.name] = _as_it_was(value, thread.items)
        return copies[value.name]

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        # moto copies all tables before it writes to one, so the first copy is as good as the hundredth.
        thread.copies, thread.items = {}, transact_items
        try:
            transact(self, transact_items)
        finally:
            thread.copies = None

    def receive_message(self: SQSBackend, queue: str, count: int, wait: int, *rest: Any, **named: Any) -> Any:
        return receive(self, queue, count, 0, *rest, **named)

    names = XFormedAttributePicker.get_possible_keys

    def possible_keys(self: XFormedAttributePicker, context: AttributePickerContext) -> Iterable[str]:
        if context.shape is None:
            return names(self, context)
        kept: dict[Any, tuple[str, ...]] = vars(context.shape).setdefault("possible_keys", {})
        member = (type(context.obj), context.key)
        if member not in kept:
            kept[member] = tuple(names(self, context))
        return kept[member]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        patch.setattr(dynamodb_models, "copy", SimpleNamespace(deepcopy=deepcopy, copy=copy.copy))
        patch.setattr(DynamoDBBackend, "transact_write_items", transact_write_items)
        patch.setattr(XFormedAttributePicker, "get_possible_keys", possible_keys)
        responses, parser = cast("Any", moto_responses), cast("Any", dynamodb_models).UpdateExpressionParser
        patch.setattr(responses, "method_names_from_class", cache(responses.method_names_from_class))
        patch.setattr(BaseJSONSerializer, "_serialize_type_structure", _structure)
        patch.setattr(DynamoType, "cast_value", property(_cast_value))
        patch.setattr(DynamoType, "__eq__", _equal)
        patch.setattr(Table, "all_items", _all_items)
        # The validator works on a copy of what was parsed.
        patch.setattr(parser, "make", cache(parser.make))
        patch.setattr(ast_nodes, "isinstance", _is_instance, raising=False)
        patch.setattr(SQSBackend, "receive_message", receive_message)
        patch.setattr(SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True)
        yield


def _as_it_was(table: Table, transaction: list[dict[str, Any]]) -> Table:
    """The table before the transaction. Puts replace an item, updates change it: those written to are copied."""
    if table.stream_shard is not None:
        return copy.deepcopy(table)
    kept = copy.copy(table)
    rows: list[tuple[Any, Any]] = list(table.items.items())
    kept.items = defaultdict(dict, ((key, dict(row) if table.has_range_key else row) for key, row in rows))
    for operation in transaction:
        written = next(iter(operation.values()))
        key = written.get("Key") or written.get("Item") or {}
        names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
        if written.get("TableName") != table.name or not all(key.get(name) for name in names):
            continue
        first, second = DynamoType(key[names[0]]), DynamoType(key[names[1]]) if names[1:] else None
        held, at = (kept.items, first) if second is None else (kept.items[first], second)
        if at in held:
            held[at] = copy.deepcopy(held[at])
    return kept


def _all_items(self: Table) -> list[Any]:
    """The items in the order of their keys; each key is read once, not at each comparison."""
    found: list[Any] = list(self.items.values())
    if self.has_range_key:
        found = [item for held in found for item in held.values()]
        return sorted(found, key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))
    return sorted(found, key=lambda item: item.hash_key.cast_value)


_any_value: Any = vars(DynamoType)["cast_value"].fget
_any_structure: Any = BaseJSONSerializer._serialize_type_structure


def _cast_value(self: DynamoType) -> Any:
    """Most values are a text or a number."""
    if self.type == "S":
        return self.value
    return Decimal(self.value) if self.type == "N" else _any_value(self)


def _equal(self: DynamoType, other: DynamoType) -> bool:
    if self.type != other.type:
        return False
    return bool(self.value == other.value or (self.type != "S" and self.cast_value == other.cast_value))


def _structure(self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """An attribute of DynamoDB has one of ten members; a text or a number is known by its name."""
    if key and shape.name == "AttributeValue" and type(value) is dict and len(value) == 1:
        ((kind, text),) = value.items()
        if kind in ("S", "N") and type(text) is str:
            serialized[self.get_serialized_name(shape, key)] = {kind: text}
            return
    _any_structure(self, serialized, value, shape, key)


@cache
def _is_subclass(kind: Any, kinds: Any) -> bool:
    return issubclass(kind, kinds)


def _is_instance(value: Any, kinds: Any) -> bool:
    """Abstract classes, as the nodes of an expression have, take their time over this question."""
    kind: Any = type(value)
    return _is_subclass(kind, kinds)
