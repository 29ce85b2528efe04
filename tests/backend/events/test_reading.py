"""Bodies to events: every bad entry is named with its place and costs no good one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.events import Event, event_id
from backend.events.reading import JSON, NDJSON, Body, Bounds, read_body, read_object
from backend.events.values import decode
from backend.settings import Events, Limits

NOW = 1_795_259_223.25
BOUNDS = Bounds(Events(), Limits(), NOW)
GOOD: dict[str, Any] = {
    "source": "shop-web",
    "event_type": "order_placed",
    "entity_id": "order-1",
    "occurred_at": "2026-11-21T11:06:58.250Z",
    "payload": {"amount": 12.5},
}


def line(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def read(body: bytes, content_type: str = JSON) -> Body:
    return read_body(body, content_type, BOUNDS)


def problem(body: bytes, content_type: str = JSON) -> InvalidInput:
    """What is wrong with a body, or with the only entry of it that can't be taken."""
    try:
        (found,) = [entry for entry in read(body, content_type).entries if isinstance(entry, InvalidInput)]
    except InvalidInput as error:
        return error
    return found


def raw_payload(text: str) -> bytes:
    return line(payload="HERE").replace(b'"HERE"', text.encode("utf-8", "surrogatepass"))


def nested(levels: int) -> str:
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


@pytest.mark.parametrize("text", ["0.12345678901234567890123", "1e-400", "123456789.123456789123"])
def test_a_number_that_would_lose_digits_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(InvalidInput, match="more digits than a JSON number keeps") as caught:
        decode(f'{{"a": [1, {text}]}}'.encode(), "body", 8)
    assert caught.value.field == "a[1]"


@pytest.mark.parametrize("text", ["24.90", "1e3", "0.1", "0.30000000000000004", "1.7976931348623157e308", "5e-324"])
def test_a_number_that_a_double_keeps_is_taken(text: str) -> None:
    assert decode(f'{{"a": {text}}}'.encode(), "body", 8) == {"a": float(text)}


def test_an_event_by_itself() -> None:
    body = read(line(correlation_id="c", idempotency_key=None))
    assert body.single
    assert body.entries == (
        Event("shop-web", "order_placed", "order-1", NOW - 5, {"amount": 12.5}, correlation_id="c"),
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[" + line() + b" ,\n" + line(entity_id="b") + b"]", JSON),
        (b"\xef\xbb\xbf \n[" + line() + b"," + line(entity_id="b") + b"] ", "application/json; charset=UTF-8"),
        (line() + b"\r\n\n  " + line(entity_id="b"), "Application/X-NDJSON"),
    ],
)
def test_several_events(body: bytes, content_type: str) -> None:
    found = read(body, content_type)
    assert not found.single
    assert [entry.entity_id for entry in found.entries if isinstance(entry, Event)] == ["order-1", "b"]


def test_one_line_is_a_batch_of_one() -> None:
    assert not read(line(), NDJSON).single


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
def test_good_events_of_a_bad_body_are_kept(content_type: str) -> None:
    pieces = [line(), b'{"source": }', line(entity_id="b"), b"nonsense", line(source="")]
    body = b"[" + b",".join(pieces) + b"]" if content_type == JSON else b"\n".join(pieces)
    entries = read(body, content_type).entries
    assert [isinstance(entry, Event) for entry in entries] == [True, False, True, False, False]
    assert [entry.field for entry in entries if isinstance(entry, InvalidInput)] == ["[1]", "[3]", "[4].source"]


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (b"[" + line() + b"," + line(entity_id="b"), "ends before its array does"),
        (b"[" + line() + b"," + line(entity_id="b") + b"] {}", "goes on after its array"),
    ],
)  # fmt: skip
def test_an_array_without_its_end_or_with_more_after_it_keeps_what_came(body: bytes, remedy: str) -> None:
    first, second, last = read(body).entries
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert isinstance(last, InvalidInput)
    assert last.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b"", "body", "invalid"),
        (b" \n", "body", "invalid"),
        (b"[]", "body", "invalid"),
        (b"nonsense", "body", "invalid_json"),
        (b'"text"', "body", "invalid"),
        (b"\xff\xfe{", "body", "invalid_json"),
        (line() + line(), "body", "invalid_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "body", "invalid_json"),
        (b"[" * 100_000, "[0]", "too_deep"),
        (b'{"a":' * 40_000, "body", "too_deep"),
        (b"x" * 10_000_000, "body", "too_large"),
        (b"[" + b",".join([b"{}"] * 1001) + b"]", "body", "too_large"),
        (line(payload="x" * 262_144), "body", "too_large"),
        (b"[" + line(payload="x" * 262_144) + b"]", "[0]", "too_large"),
    ],
)
def test_bodies_that_can_not_be_read(body: bytes, field: str, code: str) -> None:
    try:
        first = read(body).entries[0]
    except InvalidInput as error:
        first = error
    assert isinstance(first, InvalidInput)
    assert (first.field, first.code) == (field, code)
    assert len(str(first)) < 400


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    found = problem(line(), content_type)
    assert (found.field, found.code) == ("content-type", "unsupported_media_type")
    with pytest.raises(InvalidInput, match="content-type"):
        read_object(b"{}", content_type or "x", BOUNDS)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "payload.b.c", "twice"),
        ('{"a": [1, {"b": NaN}]}', "payload.a[1].b", "not JSON"),
        ('{"a": -Infinity}', "payload.a", "not JSON"),
        ('{"a": 1e999}', "payload.a", "larger"),
        ('{"a": 9007199254740992}', "payload.a", "2^53"),
        ('{"a": -9007199254740992}', "payload.a", "2^53"),
        ('{"a": "\\ud800"}', "payload.a", "surrogate"),
        ('{"\\udfff": 1}', "payload.?", "surrogate"),
        (nested(33), "payload" + ".a" * 32, "deeply"),
        (nested(900), "payload" + ".a" * 32, "deeply"),
    ],
)
def test_what_readers_would_understand_differently_is_named_with_its_place(text: str, field: str, words: str) -> None:
    found = problem(raw_payload(text))
    assert found.field == field
    assert words in str(found)
    batch = problem(line() + b"\n" + raw_payload(text), NDJSON)
    assert batch.field == f"[1].{field}"


@pytest.mark.parametrize(
    "text",
    [nested(32), "9007199254740991", '"\\u0000"', '"\\ud83d\\ude00"', "null", "[]", '"<script>alert(1)</script>"'],
)
def test_any_other_json_is_taken_as_it_is(text: str) -> None:
    (entry,) = read(raw_payload(text)).entries
    assert isinstance(entry, Event)
    assert entry.payload == json.loads(text)


@pytest.mark.parametrize("name", ["source", "event_type", "entity_id", "occurred_at", "payload"])
def test_a_missing_field_is_named(name: str) -> None:
    found = problem(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode())
    assert (found.field, found.code) == (name, "missing_field")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": "../../etc/passwd"}, "source"),
        ({"source": ".hidden"}, "source"),
        ({"source": "a" * 65}, "source"),
        ({"source": "a\n"}, "source"),
        ({"event_type": "a/b"}, "event_type"),
        ({"event_type": 5}, "event_type"),
        ({"entity_id": ""}, "entity_id"),
        ({"entity_id": "@trace#1"}, "entity_id"),
        ({"entity_id": "a\u0000b"}, "entity_id"),
        ({"entity_id": "a" * 257}, "entity_id"),
        ({"entity_id": 7}, "entity_id"),
        ({"correlation_id": "\u202e"}, "correlation_id"),
        ({"correlation_id": ""}, "correlation_id"),
        ({"idempotency_key": ["a"]}, "idempotency_key"),
        ({"corelation_id": "a"}, "corelation_id"),
        ({"occurred_at": "2026-11-21T11:06:58"}, "occurred_at"),
        ({"occurred_at": "1970-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "2026-11-21T11:12:04Z"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 1795259223}, "occurred_at"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert problem(line(**changes)).field == field


@pytest.mark.parametrize("entity_id", ["../../etc/passwd", "C:\\x", "<script>alert(1)</script>", "a,b", "Ünïcode 😀"])
def test_an_entity_may_be_called_anything_that_can_be_read(entity_id: str) -> None:
    (entry,) = read(line(entity_id=entity_id)).entries
    assert isinstance(entry, Event)
    assert entry.entity_id == entity_id


def test_a_clock_a_little_ahead_is_believed() -> None:
    assert isinstance(read(line(occurred_at="2026-11-21T11:12:03Z")).entries[0], Event)


def test_an_object_that_is_no_event_is_held_to_the_same_rules() -> None:
    assert read_object(b'{"reason": "x"}', JSON, BOUNDS) == {"reason": "x"}
    for bad in (b"[]", b'{"a":1,"a":2}', b"{", b"", b'{"a":' * 50 + b"1" + b"}" * 50):
        with pytest.raises(InvalidInput):
            read_object(bad, JSON, BOUNDS)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def turned(value: Any) -> Any:
    """The same value with the keys of all objects in reverse."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


@given(values)
def test_the_id_depends_on_what_is_said_and_not_on_how(payload: Any) -> None:
    first = json.dumps(GOOD | {"payload": payload}, ensure_ascii=False).encode()
    second = json.dumps(
        turned(GOOD | {"payload": payload, "occurred_at": "2026-11-21T12:06:58.25+01:00", "correlation_id": "x"}),
        indent=2,
    ).encode()
    ids = set()
    for text in (first, second):
        (event,) = read(text).entries
        assert isinstance(event, Event)
        assert event.payload == payload
        ids.add(event_id(event, event.content_hash()))
    assert len(ids) == 1


@given(st.sampled_from(sorted(GOOD)), values)
def test_other_content_is_another_event_or_refused(name: str, value: Any) -> None:
    (first,) = read(line()).entries
    (second,) = read(json.dumps(GOOD | {name: value}).encode()).entries
    assert isinstance(first, Event)
    if isinstance(second, Event):
        assert (second.content() == first.content()) is (second.content_hash() == first.content_hash())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_events_or_one_clear_line(body: bytes) -> None:
    for content_type in (JSON, NDJSON):
        try:
            entries = read(body, content_type).entries
        except InvalidInput as error:
            entries = (error,)
        for entry in entries:
            assert isinstance(entry, InvalidInput)
            assert "\n" not in str(entry)
            entry.field.encode()
