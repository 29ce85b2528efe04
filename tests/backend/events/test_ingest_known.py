"""Types and sources that ever arrived: known to every container, and never more than a list holds."""

from __future__ import annotations

from dataclasses import replace

from tests.backend.events.ingest_world import World, event, world

__all__ = ["world"]


def test_another_container_knows_the_types_without_being_told(world: World) -> None:
    world.ingest().take(event(), world.delivery())
    world.ingest().take_all([event(event_type="order_paid"), event(source="till")], world.delivery())
    assert world.known() == {"types": {"order_placed", "order_paid"}, "sources": {"shop-web", "till"}}
    assert replace(event(), source="till").content_hash() != event().content_hash()


def fill_known(world: World, types: int, sources: int = 1) -> None:
    """Types and sources that arrived in earlier times."""
    world.clients().dynamodb.put_item(
        TableName=world.settings.gate_table,
        Item={
            "event_id": {"S": "@known"},
            "types": {"SS": [f"type-{number:04}" for number in range(types)]},
            "sources": {"SS": [f"source-{number:04}" for number in range(sources)]},
        },
    )


def test_the_thousand_and_first_type_is_refused_by_name_and_the_others_are_taken(world: World) -> None:
    fill_known(world, 999)
    calls: list[str] = []
    ingest = world.ingest(calls.append)
    kinds = ("type-0007", "new-a", "new-b")
    outcomes = ingest.take_all([event(event_type=kind, source="source-0000") for kind in kinds], world.delivery())
    assert [outcome.status for outcome in outcomes] == ["stored", "stored", "error"]
    assert outcomes[2].error == {
        "code": "limit_reached",
        "message": "[2].event_type: 'new-b' would be the 1,001st type; what varies belongs in the payload",
        "field": "[2].event_type",
    }
    assert len(world.known()["types"]) == 1_000
    assert len(world.gates()) == len(world.objects()) == 2
    assert ingest.take(event(event_type="new-c", source="source-0000"), world.delivery()).status == "error"
    del calls[:]
    assert ingest.take(event(event_type="new-d", source="source-0000"), world.delivery()).status == "error"
    assert calls == []
    assert len(world.gates()) == 2


def test_a_full_list_of_sources_refuses_new_sources_only(world: World) -> None:
    fill_known(world, 5, 1_000)
    ingest = world.ingest()
    assert ingest.take(event(event_type="type-0001", source="source-0999"), world.delivery()).status == "stored"
    refused = ingest.take(event(source="till"), world.delivery())
    assert (refused.error or {})["field"] == "source"
    assert ingest.take(event(source="source-0001"), world.delivery()).status == "stored"


def test_a_list_that_was_made_shorter_has_room_again(world: World) -> None:
    fill_known(world, 1_000)
    ingest = world.ingest()
    assert ingest.take(event(source="source-0000"), world.delivery()).status == "error"
    fill_known(world, 900)
    assert ingest.take(event(source="source-0000"), world.delivery()).status == "error"
    world.now += 61
    assert ingest.take(event(source="source-0000"), world.delivery()).status == "stored"


def test_what_is_known_costs_no_call(world: World) -> None:
    calls: list[str] = []
    ingest = world.ingest(calls.append)
    ingest.take(event(), world.delivery())
    first = len([call for call in calls if call == "dynamodb.UpdateItem"])
    del calls[:]
    ingest.take(event(entity_id="order-2"), world.delivery())
    assert len([call for call in calls if call == "dynamodb.UpdateItem"]) == first - 1
