"""Plug-ins: the built-in ones, loading others by name, and the documented examples at work."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.event_items import parse_message
from backend.contract.events import EventQuery
from backend.events import plugins
from backend.events.aggregates import FIELDS, SAMPLE_IDS, HourlyTotals, Version, hash_of, next_version
from backend.events.failures import EventFailure
from backend.events.investigation import Investigation
from backend.events.layout import DayShards
from backend.events.raw import RawEvent
from backend.events.schema import ConfiguredSchema
from backend.settings import Config, Events, EventType, Plugins, Settings
from tests.backend.events.index_world import NOW, record
from tests.backend.events.ingest_world import World, event, world
from tests.backend.events.processor_world import Pipeline, configured

__all__ = ["world"]
EXAMPLES = Plugins(
    "examples.plugins:order_schema", "examples.plugins:busy_type_layout", "examples.plugins:payload_pointer",
    "examples.plugins:revenue_per_day",
)  # fmt: skip


def settings_with(**values: Any) -> Settings:
    return Settings(config=Config(events=Events(**values)))


def raw(payload: Any, event_type: str = "order_placed") -> RawEvent:
    return RawEvent("0" * 64, "shop-web", event_type, "order-1", NOW, NOW + 1, "c-1", payload)


def checked(payload: Any, **configured_type: Any) -> Any:
    return ConfiguredSchema(settings_with(types={"order_placed": EventType(**configured_type)})).check(raw(payload))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", "a", 1),
        ("number", 1.5, "1.5"),
        ("number", 2, True),
        ("integer", 2, 2.5),
        ("integer", 0, False),
        ("boolean", True, 1),
        ("object", {}, []),
        ("array", [], {}),
        ("string", "", None),
    ],
)
def test_a_field_has_the_configured_type(kind: str, good: Any, bad: Any) -> None:
    assert checked({"x": good}, fields={"x": kind}) == {"x": good}
    with pytest.raises(EventFailure, match=f"must be of type {kind}") as caught:
        checked({"x": bad}, fields={"x": kind})
    assert caught.value.error_type == "validation_error"


def test_a_missing_field_names_what_there_is_instead() -> None:
    with pytest.raises(
        EventFailure, match=r"payload.customer_id: is missing in order_placed; it has cust_id"
    ) as caught:
        checked({"cust_id": "c-7"}, fields={"customer_id": "string"})
    assert caught.value.error_type == "parse_error"


def test_a_field_is_found_under_its_alias_and_its_own_name_comes_first() -> None:
    wanted: dict[str, Any] = {"fields": {"customer_id": "string"}, "aliases": {"customer_id": ["cust_id", "customer"]}}
    assert checked({"cust_id": "c-7"}, **wanted) == {"customer_id": "c-7"}
    assert checked({"customer": "c-8"}, **wanted) == {"customer_id": "c-8"}
    assert checked({"customer_id": "c-9", "cust_id": "c-7"}, **wanted) == {"customer_id": "c-9", "cust_id": "c-7"}


def test_a_configured_type_needs_an_object_and_others_pass() -> None:
    with pytest.raises(EventFailure, match="must be an object"):
        checked([1], fields={"x": "string"})
    assert ConfiguredSchema(settings_with()).check(raw([1])) == {"value": [1]}


def test_a_field_with_a_huge_value_is_named_in_one_short_line() -> None:
    with pytest.raises(EventFailure) as caught:
        checked({"x": "<script>" * 10_000}, fields={"x": "number"})
    assert len(caught.value.message) < 200


def test_raw_objects_lie_by_source_and_day_received() -> None:
    key = DayShards(8).raw_key("shop-web", 1_795_305_599.999, "ab" * 32)
    assert key == f"events/source=shop-web/year=2026/month=11/day=21/{'ab' * 32}.json"


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(1, 16))
def test_a_partition_is_among_those_that_a_search_reads(event_id: str, shards: int) -> None:
    layout = DayShards(shards)
    for name in ("order_placed", ""):
        assert layout.partition(name, "2026-11-21", event_id) in layout.partitions(name, "2026-11-21")


NUMBERS = st.dictionaries(st.sampled_from("abc"), st.integers(-1000, 1000))


@given(st.lists(NUMBERS, max_size=12), st.data())
def test_totals_and_hash_are_the_same_in_any_order_and_in_any_parts(payloads: list[Any], data: st.DataObject) -> None:
    totals = HourlyTotals()
    events = [(f"{n:064x}", totals.normalise(raw(payload), payload)) for n, payload in enumerate(payloads)]

    def fold(order: list[Any], size: int) -> Version | None:
        latest = None
        for index in range(0, len(order), size):
            part = order[index : index + size]
            state = totals.add(latest.state if latest else None, [normal for _, normal in part])
            latest = next_version(latest, [event_id for event_id, _ in part], state)
        return latest

    one, other = fold(events, 100), fold(data.draw(st.permutations(events)), data.draw(st.integers(1, 5)))
    assert (one is None) == (other is None)
    if one and other:
        assert replace(one, number=0) == replace(other, number=0)


def test_a_thousand_fields_are_cut_to_the_same_ones_in_any_order() -> None:
    totals, names = HourlyTotals(), [f"field-{n:04}" for n in range(1000)]
    events = [totals.normalise(raw({}), dict.fromkeys(names[n::7], 1)) for n in range(7)]
    forwards, backwards = totals.add(None, events), totals.add(totals.add(None, events[3:][::-1]), events[:3])
    assert forwards == backwards
    assert len(forwards["numbers"]) == FIELDS


def test_what_is_no_finite_number_is_not_added_up() -> None:
    fields = {"a": True, "b": "1", "c": float("inf"), "d": None, "e": 2}
    assert HourlyTotals().normalise(raw(fields), fields) == {"numbers": {"e": 2}}


def test_a_version_names_a_few_of_its_events() -> None:
    version = next_version(None, [f"{n:064x}" for n in range(100)], {})
    assert version.sample_ids == tuple(f"{n:064x}" for n in range(SAMPLE_IDS))
    assert hash_of([]) == "0" * 64


@pytest.mark.parametrize("kind", ["event_schema", "key_layout", "replay_message", "aggregate"])
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("no.such.module:thing", "can't be loaded"),
        ("examples.plugins:nothing", "can't be loaded"),
        ("examples.plugins", "can't be loaded"),
        ("", "built in"),
        ("math:sqrt", "can't be called with the settings"),
        ("builtins:str", "gives no"),
    ],
)
def test_a_wrong_plugin_is_named_with_its_setting(kind: str, path: str, problem: str) -> None:
    settings = settings_with(plugins=Plugins(**{kind: path}))
    load = getattr(plugins, kind)
    if not path:
        load(settings)
        return
    with pytest.raises(InvalidInput, match=f"events.plugins.{kind}: '{path}' {problem}"):
        load(settings)


def test_the_built_in_message_is_what_the_processor_reads() -> None:
    body = plugins.replay_message(settings_with()).body(record(0), "r-1", 2)
    message = parse_message(body)
    assert (message.event_id, message.replay_id, message.replay_count) == (record(0).event_id, "r-1", 2)


def test_the_examples_work_together(world: World) -> None:
    pipeline = Pipeline(world)
    world.settings = configured(world.settings, {}, EXAMPLES)
    old = event(payload={"customer_id": "c-7", "amount": 12.5})
    new = event(entity_id="order-2", payload={"customer": {"id": "c-8"}, "amount": 0.1})
    bad = event(entity_id="order-3", payload={"customer_id": "c-9", "amount": -1})
    view = event(event_type="page_view", entity_id="order-4", payload={"customer_id": "c-7"})
    ids = pipeline.take(old, new, bad, view)
    pipeline.run()
    ((window, versions),) = pipeline.versions().items()
    assert window == "revenue shop-web#2026-11-21"
    assert versions[-1].state == {"orders": 3, "cents": 1260}
    assert [pipeline.record(name).status for name in ids] == ["processed", "processed", "failed", "processed"]
    service = Investigation(pipeline.plain.dynamodb, pipeline.plain.s3, world.settings, lambda: world.now)
    found = service.search(EventQuery(world.now - 60, world.now + 60, event_type="page_view"))
    assert [entry.event_id for entry in found.events] == [ids[3]]
    assert found.scanned.queries == 4 * world.settings.config.events.shards
    body = plugins.replay_message(world.settings).body(pipeline.record(ids[0]), "r-1", 1)
    assert parse_message(body).event_id == ids[0]
    assert json.loads(body)["url"].startswith(f"s3://{world.settings.bucket}/events/source=shop-web/")


def test_the_page_shows_each_example_as_it_is() -> None:
    root = Path(__file__).parents[3]
    code = (root / "examples/plugins.py").read_text("utf-8")
    shown = re.findall(
        r"^```python\n(.*?)^```", (root / "docs/plugins.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(shown) == 4
    assert [piece for piece in shown if piece.strip() not in code] == []
