"""Samples: ids that repeat, bad fields by name, and the line each sample belongs to."""

from __future__ import annotations

import json
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.contract.records import (
    MAX_LABELS,
    MAX_TEXT,
    Sample,
    derived_id,
    group_and_series,
    make_sample,
    metric_id,
    parse_sample,
)

GOOD: dict[str, Any] = {
    "metric_id": "id-1",
    "timestamp": 1_795_259_185,
    "metric_type": "cpu_utilization",
    "value": 42.5,
    "unit": "%",
    "hostname": "server-001",
    "region": "eu-west-1",
    "environment": "staging",
    "labels": {"az": "a"},
}
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
labels = st.dictionaries(words, words, max_size=4)
times = st.integers(946_684_800_000, 4_000_000_000_000).map(lambda ms: ms / 1000)
values = st.floats(-1e30, 1e30, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-100)


def test_a_good_record_is_taken_as_it_is() -> None:
    assert parse_sample(GOOD).as_json() == GOOD


def test_region_environment_and_unit_have_defaults() -> None:
    required = {name: GOOD[name] for name in ("metric_id", "timestamp", "metric_type", "value", "hostname")}
    sample = parse_sample(required)
    assert (sample.region, sample.environment, sample.unit, sample.labels) == ("us-east-1", "production", "", {})


@pytest.mark.parametrize("name", ["metric_id", "timestamp", "metric_type", "value", "hostname"])
def test_a_missing_required_field_is_named(name: str) -> None:
    record = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(InvalidInput, match="is required") as caught:
        parse_sample(record)
    assert (caught.value.field, caught.value.code) == (name, "missing_field")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("metric_id", 5, "wrong_type"),
        ("metric_id", "", "wrong_type"),
        ("metric_id", "x" * (MAX_TEXT + 1), "wrong_type"),
        ("metric_type", None, "wrong_type"),
        ("metric_type", ["cpu"], "wrong_type"),
        ("hostname", {"name": "x"}, "wrong_type"),
        ("hostname", "", "wrong_type"),
        ("timestamp", "1795259185", "wrong_type"),
        ("timestamp", True, "wrong_type"),
        ("timestamp", None, "wrong_type"),
        ("timestamp", float("nan"), "wrong_type"),
        ("timestamp", float("inf"), "wrong_type"),
        ("timestamp", 10**400, "wrong_type"),
        ("value", "42", "wrong_type"),
        ("value", False, "wrong_type"),
        ("value", None, "wrong_type"),
        ("value", [1], "wrong_type"),
        ("value", float("nan"), "out_of_range"),
        ("value", float("inf"), "out_of_range"),
        ("value", -float("inf"), "out_of_range"),
        ("value", 1e38, "out_of_range"),
        ("value", -(10**400), "out_of_range"),
        ("value", 1e-200, "out_of_range"),
        ("unit", 5, "wrong_type"),
        ("region", ["eu"], "wrong_type"),
        ("environment", "x" * (MAX_TEXT + 1), "wrong_type"),
        ("labels", "az=a", "wrong_type"),
        ("labels", ["az"], "wrong_type"),
        ("labels", {str(i): "x" for i in range(MAX_LABELS + 1)}, "wrong_type"),
        ("observations", 5, "wrong_type"),
        ("observations", [5], "wrong_type"),
        ("observations", [[1]], "wrong_type"),
        ("observations", [[1, -1]], "wrong_type"),
        ("observations", [[-1, 1]], "wrong_type"),
        ("observations", [[1, True]], "wrong_type"),
        ("observations", [[float("nan"), 1]], "wrong_type"),
        ("observations", [[1e38, 1]], "wrong_type"),
    ],
)
def test_a_bad_field_is_named(name: str, value: object, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sample({**GOOD, name: value})
    assert (caught.value.field, caught.value.code) == (name, code)


@pytest.mark.parametrize("value", [None, {"a": "b"}, ["a"], "x" * (MAX_TEXT + 1)])
def test_a_bad_label_is_named(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sample({**GOOD, "labels": {"az": value}})
    assert caught.value.field == "labels.az"


@pytest.mark.parametrize("record", [None, 5, "line", [GOOD]])
def test_what_is_no_object_is_refused(record: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sample(record)
    assert caught.value.code == "not_an_object"


def test_a_long_bad_value_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sample({**GOOD, "hostname": "x" * 100_000})
    assert len(str(caught.value)) < 300


def test_numbers_as_labels_become_texts() -> None:
    assert parse_sample({**GOOD, "labels": {"partition": 3}}).labels == {"partition": "3"}


@given(host=words, metric=words, names=labels, t=times)
def test_an_id_is_the_same_for_the_same_identity(host: str, metric: str, names: dict[str, str], t: float) -> None:
    first = metric_id(host, metric, names, t)
    backwards = dict(reversed(names.items()))
    assert metric_id(host, metric, backwards, t) == first
    assert uuid.UUID(first).version == 5
    if t == int(t):
        assert metric_id(host, metric, names, int(t)) == first


@given(whole=st.integers(946_684_800, 4_000_000_000))
def test_a_whole_second_has_one_id_as_integer_and_as_float(whole: int) -> None:
    assert metric_id("h", "m", {}, whole) == metric_id("h", "m", {}, float(whole))
    assert make_sample(timestamp=float(whole), metric_type="m", value=1, hostname="h") == make_sample(
        timestamp=whole, metric_type="m", value=1, hostname="h"
    )


@given(first=st.tuples(words, words, labels, times), second=st.tuples(words, words, labels, times))
def test_different_identities_have_different_ids(
    first: tuple[str, str, dict[str, str], float], second: tuple[str, str, dict[str, str], float]
) -> None:
    assert (first == second) == (metric_id(*first) == metric_id(*second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ab", "c", {}), ("a", "bc", {})),
        (("h", "m", {"a": "b,c=d"}), ("h", "m", {"a": "b", "c": "d"})),
        (("h", "m", {"a": ""}), ("h", "m", {})),
    ],
)
def test_ids_do_not_run_parts_together(first: Any, second: Any) -> None:
    assert metric_id(*first, 1) != metric_id(*second, 1)


def test_derived_ids_are_equal_for_equal_parts_only() -> None:
    assert derived_id("a", 1) == derived_id("a", 1)
    assert len({derived_id("a", 1), derived_id("a1"), derived_id("a", 2), derived_id(1, "a")}) == 4


@given(host=words, t=times, value=values, names=labels)
def test_a_sample_survives_json(host: str, t: float, value: float, names: dict[str, str]) -> None:
    sample = make_sample(
        timestamp=t, metric_type="latency_ms", value=value, hostname=host, labels=names, observations=[[1.5, 2]]
    )
    assert parse_sample(orjson.loads(orjson.dumps(sample.as_json()))) == sample
    assert parse_sample(json.loads(json.dumps(sample.as_json()))) == sample


def sample_of(**names: str) -> Sample:
    return make_sample(timestamp=1, metric_type="m", value=1, hostname="host-1", labels=names)


@pytest.mark.parametrize(
    ("names", "group_by", "group"),
    [
        ({}, None, ""),
        ({}, "hostname", "host-1"),
        ({"az": "a"}, "hostname", "host-1"),
        ({"operator": "map"}, "operator", "map"),
        ({"operator": "map", "subtask": "1"}, "operator", "map"),
        ({"subtask": "1"}, "operator", ""),
        ({}, "region", "us-east-1"),
        ({"region": "eu-west-1"}, "region", "eu-west-1"),
    ],
)
def test_the_group_is_the_value_of_the_group_by_label(names: dict[str, str], group_by: str | None, group: str) -> None:
    assert group_and_series(sample_of(**names), group_by)[0] == group


@pytest.mark.parametrize("group_by", [None, "hostname", "operator"])
def test_subtasks_of_one_line_are_series_of_their_own(group_by: str | None) -> None:
    first = group_and_series(sample_of(operator="map", subtask="1"), group_by)
    second = group_and_series(sample_of(operator="map", subtask="2"), group_by)
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_label_order_does_not_make_another_series() -> None:
    assert group_and_series(sample_of(a="1", b="2"), None) == group_and_series(sample_of(b="2", a="1"), None)


def test_hosts_of_one_group_are_series_of_their_own() -> None:
    other = make_sample(timestamp=1, metric_type="m", value=1, hostname="host-2", labels={"operator": "map"})
    assert group_and_series(other, "operator") != group_and_series(sample_of(operator="map"), "operator")
