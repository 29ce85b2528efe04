"""What takes moto and botocore most of their time in tests, taken away without changing what they answer.

Each session of botocore reads the models of its services again. In moto a transaction copies its tables once for each
of its items, which is most of a test's time where a batch has 100. An empty queue makes a long poll wait by the real
clock, though nothing arrives while a test waits for the answer. For each message received all attributes of its
queue are worked out, only to see that it is not older than four days. And for each member of each answer the names
that it may have in moto's objects are worked out again, though they follow from its shape.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.dynamodb import models as dynamodb_models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.sqs.models import SQSBackend


@contextmanager
def quick_aws() -> Iterator[None]:
    """Within it models are read once, a transaction copies a table once, empty queues answer at once."""
    transact, receive = DynamoDBBackend.transact_write_items, SQSBackend.receive_message
    thread = threading.local()

    def deepcopy(value: Any, memo: Any = None) -> Any:
        copies: dict[str, Table] | None = getattr(thread, "copies", None)
        if copies is None or not isinstance(value, Table):
            return copy.deepcopy(value, memo)
        if value.name not in copies:
            copies[value.name] = copy.deepcopy(value, memo)
        return copies[value.name]

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        # moto copies all tables before it writes to one, so the first copy is as good as the hundredth.
        thread.copies = {}
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
        patch.setattr(SQSBackend, "receive_message", receive_message)
        patch.setattr(SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True)
        yield
