"""The template says what the product promises: names, limits, retention, least privilege."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file

from backend.aws import Clients
from backend.contract.catalogue import CLOUDWATCH_NAMESPACE
from backend.contract.tables import (
    ERRORS_PREFIX,
    EVENTS_PREFIX,
    EXPIRES_AT,
    METRIC_ID,
    METRIC_TYPE,
    METRIC_TYPE_INDEX,
    METRICS_TABLE,
    REPLAYS_PREFIX,
    TIMESTAMP,
)
from backend.events.api import build
from backend.local.api_server import Context, event_of
from backend.local.template import load_template, properties, template_path
from backend.settings import VARIABLES, Events, Settings

TEMPLATE = load_template()
FUNCTIONS = tuple(name for name, entry in TEMPLATE["Resources"].items() if entry["Type"] == "AWS::Lambda::Function")
ROLES = tuple(name for name, entry in TEMPLATE["Resources"].items() if entry["Type"] == "AWS::IAM::Role")
SOURCES = (
    ("ProcessorSource", "ProcessorFunction", "MetricsQueue"),
    ("EventProcessorSource", "EventProcessorFunction", "EventQueue"),
    ("ReplayRunnerSource", "ReplayRunnerFunction", "ReplayQueue"),
)


def of(resource: str) -> Any:
    return properties(TEMPLATE, resource, {})


def statements(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of(role)["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_it_is_clean_for_cfn_lint() -> None:
    assert lint_file(Path(template_path())) == []


@pytest.mark.parametrize(
    ("resource", "name", "memory", "timeout", "handler"),
    [
        ("CollectorFunction", "data-collector", 128, 60, "backend.collector.handler.handler"),
        ("ProcessorFunction", "log-processor", 256, 120, "backend.processor.handler.handler"),
        ("MergeFunction", "metrics-merge", 256, 120, "backend.processor.merge_handler.handler"),
        ("ApiFunction", "ingest-api", 512, 29, "backend.events.api.handler"),
        ("EventProcessorFunction", "event-processor", 512, 60, "backend.events.processor_handler.handler"),
        ("ReplayRunnerFunction", "replay-runner", 512, 900, "backend.replay.handler.handler"),
        ("CompactorFunction", "history-compactor", 512, 900, "backend.history.handler.handler"),
        ("StepsFunction", "pipeline-steps", 256, 60, "backend.orchestration.handler.handler"),
    ],
)
def test_functions(resource: str, name: str, memory: int, timeout: int, handler: str) -> None:
    function = of(resource)
    assert function["FunctionName"] == name
    assert function["Runtime"] == "python3.12"
    assert (function["MemorySize"], function["Timeout"], function["Handler"]) == (memory, timeout, handler)


def test_the_functions_get_only_variables_that_settings_read() -> None:
    known = set(VARIABLES.values()) | {"POWERTOOLS_SERVICE_NAME", "LOG_LEVEL"}
    for resource in FUNCTIONS:
        assert set(of(resource)["Environment"]["Variables"]) <= known, resource


def test_each_variable_that_settings_read_reaches_a_function() -> None:
    given = {name for resource in FUNCTIONS for name in of(resource)["Environment"]["Variables"]}
    # Display tokens are the dashboard's, and so is who looks at executions.
    assert set(VARIABLES.values()) - given == {"TOKENS_TABLE", "STATE_MACHINE_ARN"}


def test_names_agree_with_the_contract() -> None:
    assert of("DataBucket")["BucketName"] == Settings().bucket
    assert of("MetricsTable")["TableName"] == METRICS_TABLE
    assert of("DeadLetterQueue")["QueueName"] == "log-processor-dlq"
    assert of("CollectorRule")["Name"] == "data-collector-schedule"
    assert of("AlertsTopic")["TopicName"] == "pipeline-alerts"
    assert of("WarningsTopic")["TopicName"] == "pipeline-warnings"


def test_the_table_has_the_contracts_keys_and_index() -> None:
    table = of("MetricsTable")
    keys = [(METRIC_ID, "HASH"), (TIMESTAMP, "RANGE")]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == keys
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == METRIC_TYPE_INDEX
    index_keys = [(METRIC_TYPE, "HASH"), (TIMESTAMP, "RANGE")]
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == index_keys
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": EXPIRES_AT, "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize(("source", "function", "queue"), SOURCES)
def test_messages_outlast_the_function_that_takes_them(source: str, function: str, queue: str) -> None:
    assert of(source)["FunctionName"] == {"Ref": function}
    assert of(source)["EventSourceArn"] == {"Fn::GetAtt": f"{queue}.Arn"}
    assert of(source)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert of(queue)["VisibilityTimeout"] == 6 * of(function)["Timeout"]


@pytest.mark.parametrize(
    ("queue", "letters"), [("MetricsQueue", "DeadLetterQueue"), ("EventQueue", "EventDeadLetterQueue")]
)
def test_messages_die_after_three_receives_and_stay_for_two_weeks(queue: str, letters: str) -> None:
    policy = of(queue)["RedrivePolicy"]
    assert policy == {"deadLetterTargetArn": {"Fn::GetAtt": f"{letters}.Arn"}, "maxReceiveCount": 3}
    assert of(letters)["MessageRetentionPeriod"] == 14 * 86400
    assert "RedrivePolicy" not in of(letters)


def test_an_alerts_message_outlasts_an_outage_of_ten_hours() -> None:
    queue = of("AlertQueue")
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": "AlertDeadLetterQueue.Arn"}
    assert queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"] >= 10 * 3600
    assert of("AlertDeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86400


def test_only_json_objects_under_metrics_are_announced() -> None:
    (queue,) = of("DataBucket")["NotificationConfiguration"]["QueueConfigurations"]
    rules = {rule["Name"]: rule["Value"] for rule in queue["Filter"]["S3Key"]["Rules"]}
    assert queue["Event"] == "s3:ObjectCreated:*"
    assert rules == {"prefix": "metrics/", "suffix": ".json"}


def test_objects_go_after_their_time() -> None:
    rules = {rule["Id"]: rule for rule in of("DataBucket")["LifecycleConfiguration"]["Rules"]}
    assert (rules["metrics"]["Prefix"], rules["metrics"]["ExpirationInDays"]) == ("metrics/", 30)
    assert (rules["quarantine"]["Prefix"], rules["quarantine"]["ExpirationInDays"]) == ("quarantine/", 90)
    for prefix in (EVENTS_PREFIX, REPLAYS_PREFIX, ERRORS_PREFIX):
        (rule,) = (rule for rule in rules.values() if rule.get("Prefix") == prefix)
        assert rule["ExpirationInDays"] >= Events().retention_days, prefix


def test_the_bucket_is_private_and_encrypted() -> None:
    bucket = of("DataBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_the_queue_takes_messages_of_the_bucket_alone() -> None:
    (statement,) = (
        entry for entry in of("MetricsQueuePolicy")["PolicyDocument"]["Statement"] if entry["Effect"] == "Allow"
    )
    assert statement["Action"] == "sqs:SendMessage"
    assert set(statement["Condition"]) == {"ArnEquals", "StringEquals"}
    assert "DataBucket" not in str(statement), "the bucket waits for this policy, so it must not refer to the bucket"


@pytest.mark.parametrize("role", ROLES)
def test_roles_name_every_action(role: str) -> None:
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        assert not [action for action in as_list(statement["Action"]) if "*" in action]


@pytest.mark.parametrize("role", ROLES)
def test_roles_name_resources_wherever_the_service_knows_them(role: str) -> None:
    for statement in statements(role):
        if statement["Resource"] == "*":
            actions = as_list(statement["Action"])
            if role == "StateMachineRole":
                assert {action.partition(":")[0] for action in actions} in ({"logs"}, {"xray"})
                continue
            assert all(action.startswith("cloudwatch:") for action in actions)
            if "cloudwatch:PutMetricData" in actions:
                assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": CLOUDWATCH_NAMESPACE}}


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    assert len({of(resource)["Role"]["Fn::GetAtt"] for resource in FUNCTIONS}) == len(FUNCTIONS) == 10
    for resource in FUNCTIONS:
        logs = of(of(resource)["LoggingConfig"]["LogGroup"]["Ref"])
        assert logs["LogGroupName"] == f"/aws/lambda/{of(resource)['FunctionName']}"
        assert logs["RetentionInDays"]


def test_schedules() -> None:
    assert of("CollectorRule")["ScheduleExpression"] == "rate(5 minutes)"
    assert of("MergeRule")["ScheduleExpression"] == "rate(1 minute)"
    assert of("ReplaySweepRule")["ScheduleExpression"] == "rate(1 minute)"
    assert json.loads(of("ReplaySweepRule")["Targets"][0]["Input"]) == {"sweep": True}
    rules = (
        ("CollectorRule", "CollectorFunction"),
        ("MergeRule", "MergeFunction"),
        ("ReplaySweepRule", "ReplayRunnerFunction"),
    )
    for rule, function in rules:
        assert of(rule)["Targets"][0]["Arn"] == {"Fn::GetAtt": f"{function}.Arn"}


def test_every_parameter_is_described() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        assert name == "CodeBucket" or "Default" in parameter, name


ROUTES = [name for name, entry in TEMPLATE["Resources"].items() if entry["Type"] == "AWS::ApiGatewayV2::Route"]


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_asks_for_a_signature(route: str) -> None:
    assert of(route)["AuthorizationType"] == "AWS_IAM"
    assert of(route)["Target"] == {"Fn::Sub": "integrations/${HttpApiIntegration}"}


def test_the_api_hands_over_events_of_format_2_and_waits_longer_than_the_function_runs() -> None:
    integration = of("HttpApiIntegration")
    assert integration["PayloadFormatVersion"] == "2.0"
    assert integration["IntegrationUri"] == {"Fn::GetAtt": "ApiFunction.Arn"}
    assert of("ApiFunction")["Timeout"] * 1000 < integration["TimeoutInMillis"] <= 30_000


def test_requests_are_throttled_and_logged() -> None:
    stage = of("HttpApiStage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 200, "ThrottlingBurstLimit": 400}
    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"caller", "route", "status"} <= set(line)
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": "HttpApiLogs.Arn"}


def test_a_producer_may_send_events_and_nothing_else() -> None:
    (statement,) = of("ProducerPolicy")["PolicyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"]["Fn::Sub"].endswith("/$default/POST/ingest")


@pytest.mark.parametrize("policy", ["DashboardReadPolicy", "DashboardHistoryPolicy", "DashboardActPolicy"])
def test_the_dashboards_policies_name_actions_and_resources(policy: str) -> None:
    for statement in of(policy)["PolicyDocument"]["Statement"]:
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        assert statement["Resource"] != "*" or all(action.startswith("cloudwatch:Get") for action in actions)


def test_looking_never_deletes_or_sends() -> None:
    statements = of("DashboardReadPolicy")["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in as_list(statement["Action"])}
    assert not [action for action in actions if "Delete" in action or "Send" in action or action == "s3:PutObject"]


def test_the_template_has_the_routes_that_the_function_answers() -> None:
    settings = Settings()
    document = event_of("GET", "/openapi.json", [], b"", 1_795_000_000.0)
    answer = build(settings, Clients(settings.region))(document, Context())
    paths = json.loads(answer["body"])["paths"]
    described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {of(route)["RouteKey"] for route in ROUTES} == described | {"GET /openapi.json"}
