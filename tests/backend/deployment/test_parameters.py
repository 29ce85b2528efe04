"""Parameters: given, else as they are, else their defaults; never back to a default by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from backend.contract.errors import InvalidInput
from backend.deployment.parameters import differences, settle, with_retention
from backend.deployment.plan import Plan, load_plan, parse_plan, with_flags
from backend.local.template import load_template

DECLARED: dict[str, Any] = {
    "CodeBucket": {"Type": "String", "Description": "Bucket of the code."},
    "LogLevel": {"Type": "String", "Default": "INFO", "AllowedValues": ["DEBUG", "INFO"]},
    "Concurrency": {"Type": "Number", "Default": 10, "MinValue": 2, "MaxValue": 1000},
}


def test_what_is_not_given_keeps_the_stacks_value() -> None:
    settled = settle(DECLARED, {"Concurrency": "5"}, {"CodeBucket": "code", "LogLevel": "DEBUG"})
    assert settled == [
        {"ParameterKey": "CodeBucket", "UsePreviousValue": True},
        {"ParameterKey": "LogLevel", "UsePreviousValue": True},
        {"ParameterKey": "Concurrency", "ParameterValue": "5"},
    ]


@settings(max_examples=30)
@examples(st.dictionaries(st.sampled_from(sorted(DECLARED)), st.just("10")), st.sets(st.sampled_from(sorted(DECLARED))))
def test_no_parameter_of_the_stack_ever_goes_back_to_its_default(given: dict[str, str], had: set[str]) -> None:
    given.pop("LogLevel", None)
    previous = dict.fromkeys(had | {"CodeBucket"}, "anything")
    settled = {entry["ParameterKey"]: entry for entry in settle(DECLARED, given, previous)}
    for name in previous:
        assert settled[name].get("ParameterValue") == given.get(name)
        assert settled[name].get("UsePreviousValue", False) is (name not in given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "CodeBucket: None is required; Bucket of the code."),
        ({"LogLevl": "INFO"}, "is not in the template; did you mean LogLevel?"),
        ({"LogLevel": "LOUD"}, "parameters.LogLevel: 'LOUD' must be one of DEBUG, INFO"),
        ({"Concurrency": "many"}, "must be a number"),
        ({"Concurrency": "1"}, "must be between 2 and 1000"),
    ],
)
def test_a_wrong_parameter_is_named_before_anything_is_asked_of_aws(given: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        settle(DECLARED, given, {})
    assert text in str(refused.value)


def test_it_says_which_values_change() -> None:
    lines = differences(DECLARED, {"LogLevel": "DEBUG", "Concurrency": "7"}, {"CodeBucket": "a", "LogLevel": "INFO"})
    assert lines == ["LogLevel: INFO -> DEBUG", "Concurrency: new, 7"]


def test_raw_events_are_kept_as_long_as_they_may_be_searched() -> None:
    assert with_retention({}, {}, 90) == {"EventsRetentionDays": "90"}
    assert with_retention({}, {"EventsRetentionDays": "400"}, 90) == {}
    assert with_retention({}, {"EventsRetentionDays": "30"}, 90) == {"EventsRetentionDays": "90"}
    with pytest.raises(InvalidInput, match="found events would be gone"):
        with_retention({"EventsRetentionDays": "30"}, {}, 90)


def test_a_plan_is_read_and_flags_go_before_it(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text('code_bucket = "code"\n[parameters]\nBucketName = "d"\nChecks = true\nSubnets = ["a", "b"]\n')
    plan = with_flags(load_plan(path), ("BucketName=e=f",), stack="other", code_bucket=None)
    assert plan == Plan("other", "code", {"BucketName": "e=f", "Checks": "true", "Subnets": "a,b"})


@pytest.mark.parametrize(
    "data", [{"stak": "a"}, {"stack": 3}, {"parameters": []}, {"parameters": {"a": 1.5}}, {"code_bucket": 3}]
)
def test_a_wrong_plan_is_one_line(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse_plan(data)


def test_a_plan_that_is_not_there_or_not_toml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("stack = ")
    for name in ("none.toml", "bad.toml"):
        with pytest.raises(InvalidInput):
            load_plan(tmp_path / name)


def test_the_example_fits_the_template() -> None:
    example = Path(__file__).parents[3] / "deploy.example.toml"
    plan = load_plan(example)
    assert settle(load_template()["Parameters"], plan.parameters | {"CodeBucket": plan.code_bucket}, {})
