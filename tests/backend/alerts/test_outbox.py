"""Deliveries in their order: what stands for what, and who may send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from backend.alerts.outbox import Entry, Lane, Outbox, next_of, outbox_items
from backend.alerts.state import Outgoing
from backend.contract.alerts import Delivery
from tests.backend.alerts.world import START, World

LANE = Lane("f" * 32, "slack")
KINDS = ("opened", "updated", "renotified", "acknowledged", "unknown", "resolved", "group", "incident")


def entries(*kinds: Any) -> list[Entry]:
    return [Entry(LANE, f"outbox#slack#{number:012d}#0", kind, START, START) for number, kind in enumerate(kinds)]


def sent(waiting: list[Entry]) -> list[str]:
    """The kinds that are sent of what waits."""
    kinds = []
    while waiting:
        entry, needless = next_of(waiting)
        kinds.append(entry.kind)
        waiting = [one for one in waiting if one not in (entry, *needless)]
    return kinds


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        (("opened", "updated", "renotified", "updated", "resolved"), ["opened", "resolved"]),
        (("updated", "updated", "acknowledged", "updated"), ["updated", "acknowledged", "updated"]),
        (("group",) * 200 + ("resolved",), ["group", "group", "group", "resolved"]),
        (("opened", "resolved", "opened"), ["opened", "resolved", "opened"]),
    ],
)
def test_one_of_a_kind_stands_for_all(waiting: tuple[str, ...], told: list[str]) -> None:
    assert sent(entries(*waiting)) == told


@pytest.mark.parametrize("kind", ["group", "updated", "renotified"])
def test_one_that_was_tried_is_sent_again_for_those_after_it(kind: str) -> None:
    waiting = entries(kind, kind)
    tried = replace(waiting[0], attempts=1, next_at=START + 10, unsure=True)
    assert next_of([tried, waiting[1]]) == (tried, (waiting[1],))


@given(st.lists(st.sampled_from(KINDS), max_size=12))
def test_openings_acknowledgements_and_ends_are_never_left_out_and_keep_their_order(kinds: list[str]) -> None:
    always = ("opened", "acknowledged", "resolved", "incident")
    told = sent(entries(*kinds))
    assert [kind for kind in told if kind in always] == [kind for kind in kinds if kind in always]


def test_one_worker_has_a_lane_until_it_gives_it_back_or_its_lease_runs_out(world: World) -> None:
    outbox = Outbox(world.clients.dynamodb, world.settings, lease_seconds=60)
    owner = outbox.take(LANE, START)
    assert owner
    assert outbox.take(LANE, START + 59) is None
    second = outbox.take(LANE, START + 61)
    assert second
    outbox.give_back(LANE, owner)
    assert outbox.take(LANE, START + 62) is None
    outbox.give_back(LANE, second)
    assert outbox.take(LANE, START + 62)


def test_a_record_that_meets_a_decision_is_written_after_it(make_world: Callable[..., World]) -> None:
    world = make_world(transports=("slack",))
    outbox, dynamodb = Outbox(world.clients.dynamodb, world.settings), world.clients.dynamodb
    (item,) = outbox_items([Outgoing("opened", ("slack",), "f" * 32, START, START)], {"f" * 32: 1}, START)
    dynamodb.put_item(TableName=world.settings.alerts_table, Item=item)
    dynamodb.put_item(
        TableName=world.settings.alerts_table,
        Item={"fingerprint": {"S": "f" * 32}, "opened_at": {"S": "2026-11-21T12:00:00.000Z"}},
    )
    call, refusals = dynamodb._make_api_call, iter(range(2))

    def refuse_at_first(operation: str, arguments: Any) -> Any:
        if operation == "TransactWriteItems" and next(refusals, None) is not None:
            refused: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": "conflict"},
                "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
            }
            raise ClientError(refused, operation)
        return call(operation, arguments)

    dynamodb._make_api_call = refuse_at_first  # type: ignore[method-assign]
    (entry,) = outbox.waiting(LANE)
    assert outbox.begin(entry)
    outbox.end([entry], Delivery("slack", "ts-1", START, 1))
    assert outbox.waiting(LANE) == []
    assert not outbox.begin(entry)
