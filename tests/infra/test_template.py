"""The template says what the product promises: names, limits, retention, least privilege."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file

from backend.contract.tables import EXPIRES_AT, METRIC_ID, METRIC_TYPE, METRIC_TYPE_INDEX, METRICS_TABLE, TIMESTAMP
from backend.local.template import load_template, properties, template_path
from backend.settings import CLOUDWATCH_NAMESPACE, Settings

TEMPLATE = load_template()
FUNCTIONS = ("CollectorFunction", "ProcessorFunction", "MergeFunction")
ROLES = ("CollectorRole", "ProcessorRole", "MergeRole")


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
    ],
)
def test_functions(resource: str, name: str, memory: int, timeout: int, handler: str) -> None:
    function = of(resource)
    assert function["FunctionName"] == name
    assert function["Runtime"] == "python3.12"
    assert (function["MemorySize"], function["Timeout"], function["Handler"]) == (memory, timeout, handler)


def test_the_functions_get_the_variables_that_settings_read() -> None:
    known = {"S3_BUCKET", "DYNAMODB_TABLE", "REGION", "QUEUE_URL", "DEAD_LETTER_QUEUE_URL"}
    known |= {"ALERTS_TOPIC_ARN", "WARNINGS_TOPIC_ARN", "POWERTOOLS_SERVICE_NAME", "LOG_LEVEL"}
    for resource in FUNCTIONS:
        assert set(of(resource)["Environment"]["Variables"]) <= known
    assert set(of("ProcessorFunction")["Environment"]["Variables"]) == known


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


def test_messages_outlast_the_processor_and_die_after_three_receives() -> None:
    queue = of("MetricsQueue")
    assert queue["VisibilityTimeout"] == 6 * of("ProcessorFunction")["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert of("DeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86400
    assert of("ProcessorSource")["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_only_json_objects_under_metrics_are_announced() -> None:
    (queue,) = of("DataBucket")["NotificationConfiguration"]["QueueConfigurations"]
    rules = {rule["Name"]: rule["Value"] for rule in queue["Filter"]["S3Key"]["Rules"]}
    assert queue["Event"] == "s3:ObjectCreated:*"
    assert rules == {"prefix": "metrics/", "suffix": ".json"}


def test_objects_go_after_their_time() -> None:
    rules = {rule["Id"]: rule for rule in of("DataBucket")["LifecycleConfiguration"]["Rules"]}
    assert (rules["metrics"]["Prefix"], rules["metrics"]["ExpirationInDays"]) == ("metrics/", 30)
    assert (rules["quarantine"]["Prefix"], rules["quarantine"]["ExpirationInDays"]) == ("quarantine/", 90)


def test_the_bucket_is_private_and_encrypted() -> None:
    bucket = of("DataBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (statement,) = of("DataBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": False}})


def test_the_queue_takes_messages_of_the_bucket_alone() -> None:
    (statement,) = of("MetricsQueuePolicy")["PolicyDocument"]["Statement"]
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
            assert all(action.startswith("cloudwatch:") for action in actions)
            if "cloudwatch:PutMetricData" in actions:
                assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": CLOUDWATCH_NAMESPACE}}


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    assert len({of(resource)["Role"]["Fn::GetAtt"] for resource in FUNCTIONS}) == 3
    for resource in FUNCTIONS:
        logs = of(of(resource)["LoggingConfig"]["LogGroup"]["Ref"])
        assert logs["LogGroupName"] == f"/aws/lambda/{of(resource)['FunctionName']}"
        assert logs["RetentionInDays"]


def test_schedules() -> None:
    assert of("CollectorRule")["ScheduleExpression"] == "rate(5 minutes)"
    assert of("MergeRule")["ScheduleExpression"] == "rate(1 minute)"
    for rule, function in (("CollectorRule", "CollectorFunction"), ("MergeRule", "MergeFunction")):
        assert of(rule)["Targets"][0]["Arn"] == {"Fn::GetAtt": f"{function}.Arn"}


def test_every_parameter_is_described() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        assert name == "CodeBucket" or "Default" in parameter, name
