"""What the engine makes of the template, and what is made good of what it drops."""

from __future__ import annotations

from typing import Any

import pytest

from backend.local.deploy import STACK, retention_of
from tests.local_stack import LocalStack


@pytest.mark.e2e
def test_each_event_source_has_its_own_concurrency_as_a_number(stack: LocalStack) -> None:
    mappings = stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    found = {mapping["FunctionArn"].rpartition(":")[2]: mapping for mapping in mappings}
    assert {name: mapping["BatchSize"] for name, mapping in found.items()} == {
        "log-processor": 10,
        "event-processor": 10,
        "replay-runner": 1,
        "alert-consumer": 10,
    }
    for mapping in found.values():
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.e2e
def test_the_engine_takes_the_api_with_its_routes(stack: LocalStack) -> None:
    gateway = stack.client("apigatewayv2")
    (api,) = [api for api in gateway.get_apis()["Items"] if api["Name"] == "pulseboard"]
    routes = gateway.get_routes(ApiId=api["ApiId"])["Items"]
    assert {"POST /ingest", "GET /events", "POST /replay"} <= {route["RouteKey"] for route in routes}
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


@pytest.mark.e2e
def test_objects_of_events_expire(stack: LocalStack) -> None:
    rules = stack.client("s3").get_bucket_lifecycle_configuration(Bucket=stack.settings.bucket)["Rules"]
    days: dict[str, Any] = {r["Filter"]["Prefix"]: r["Expiration"]["Days"] for r in rules if "Expiration" in r}
    assert {days[prefix] for prefix in ("events/", "replays/", "errors/")} == {90}


@pytest.mark.e2e
def test_the_sweep_is_scheduled(stack: LocalStack) -> None:
    (target,) = stack.client("events").list_targets_by_rule(Rule="replay-sweep-schedule")["Targets"]
    assert target["Input"] == '{"sweep": true}'
    assert target["Arn"].endswith(":function:replay-runner")


@pytest.mark.e2e
def test_the_outputs_name_policies_that_exist(stack: LocalStack) -> None:
    found = stack.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found}
    for name in ("DashboardReadPolicyArn", "DashboardActPolicyArn", "ProducerPolicyArn"):
        assert stack.client("iam").get_policy(PolicyArn=outputs[name])["Policy"]["DefaultVersionId"]


def test_raw_events_stay_as_long_as_they_may_be_searched() -> None:
    assert retention_of("[events]\nretention_days = 400\n") == {"EventsRetentionDays": "400"}
    assert retention_of(None) == retention_of("[limits]\n") == {}
