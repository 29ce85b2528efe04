"""The template on the embedded engine: the same stack as on AWS, with the engine's known gaps made good by API."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from backend.local.package import code_entries, key_of, write_zip
from backend.local.template import load_template, properties, template_path

STACK: Final = "pulseboard"
CODE_BUCKET: Final = "pulseboard-code"
TEMPLATE_KEY: Final = "pulseboard/template.yaml"
CREATE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05

ENVIRONMENT_OF_OUTPUT: Final = {
    "BucketName": "S3_BUCKET",
    "TableName": "DYNAMODB_TABLE",
    "QueueUrl": "QUEUE_URL",
    "DeadLetterQueueUrl": "DEAD_LETTER_QUEUE_URL",
    "AlertsTopicArn": "ALERTS_TOPIC_ARN",
    "WarningsTopicArn": "WARNINGS_TOPIC_ARN",
    "EventsTableName": "EVENTS_TABLE",
    "GateTableName": "GATE_TABLE",
    "AggregatesTableName": "AGGREGATES_TABLE",
    "ReplaysTableName": "REPLAYS_TABLE",
    "TokensTableName": "TOKENS_TABLE",
    "EventQueueUrl": "EVENT_QUEUE_URL",
    "EventDeadLetterQueueUrl": "EVENT_DEAD_LETTER_QUEUE_URL",
    "AlertQueueUrl": "ALERT_QUEUE_URL",
    "AlertDeadLetterQueueUrl": "ALERT_DEAD_LETTER_QUEUE_URL",
    "ReplayQueueUrl": "REPLAY_QUEUE_URL",
    "JobRunsTableName": "JOB_RUNS_TABLE",
    "DatasetsTableName": "DATASETS_TABLE",
    "AlertsTableName": "ALERTS_TABLE",
    "RetryQueueUrl": "RETRY_QUEUE_URL",
    "EmailTopicArn": "EMAIL_TOPIC_ARN",
    "StateMachineArn": "STATE_MACHINE_ARN",
}
"""Output of the stack to the variable by which ``backend.settings`` reads it."""

_SMALL: Final = {
    "ProcessorConcurrency": "2",
    "EventProcessorConcurrency": "2",
    "ReplayConcurrency": "2",
    # The agent reads its sources every few seconds.
    "LevelAlarmPeriod": "60",
    # Its CloudFormation knows none.
    "CompositeAlarm": "false",
    "LogLevel": "WARNING",
}
"""Parameters that fit one machine."""

MakeClient = Callable[[str], Any]
"""Service name to boto3 client: ``Engine.client``."""


class DeployError(RuntimeError):
    """The stack did not come up; the message names the first resource that failed and why."""


def deploy(
    client: MakeClient, *, config: str | None = None, parameters: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Creates the stack, or updates the one there is, and returns its outputs as environment variables.

    ``config`` is the text of a ``pulseboard.toml`` to bundle with the functions. Raises DeployError.
    """
    given = {**_SMALL, **retention_of(config), **(parameters or {})}
    body = write_zip(code_entries(config))
    s3 = client("s3")
    s3.create_bucket(Bucket=CODE_BUCKET)
    s3.put_object(Bucket=CODE_BUCKET, Key=key_of(body), Body=body)
    given |= {"CodeBucket": CODE_BUCKET, "CodeKey": key_of(body)}
    # CloudFormation takes 51,200 bytes with the request, and a megabyte from a bucket.
    s3.put_object(Bucket=CODE_BUCKET, Key=TEMPLATE_KEY, Body=template_path().read_bytes())
    url = f"{s3.meta.endpoint_url}/{CODE_BUCKET}/{TEMPLATE_KEY}"
    outputs = _apply(client("cloudformation"), url, given)
    _mend(client, given, outputs)
    return {variable: outputs[name] for name, variable in ENVIRONMENT_OF_OUTPUT.items()}


def retention_of(config: str | None) -> dict[str, str]:
    """Raw events stay as long as the configuration says that they may be searched."""
    days = tomllib.loads(config or "").get("events", {}).get("retention_days")
    return {} if days is None else {"EventsRetentionDays": str(days)}


def _apply(cloudformation: Any, template_url: str, parameters: Mapping[str, str]) -> dict[str, str]:
    request = {
        "StackName": STACK,
        "TemplateURL": template_url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        cloudformation.create_stack(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        _update(cloudformation, request)
    deadline = time.monotonic() + CREATE_SECONDS
    while (stack := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"].endswith("PROGRESS"):
        if time.monotonic() > deadline:
            raise DeployError(f"the stack is still {stack['StackStatus']} after {CREATE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployError(_first_failure(cloudformation) or f"the stack ended as {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _update(cloudformation: Any, request: Mapping[str, Any]) -> None:
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates" not in str(error):
            raise


def _first_failure(cloudformation: Any) -> str | None:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED"):
            return f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
    return None


def _mend(client: MakeClient, parameters: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """What the engine's CloudFormation drops (ministack 1.5.33), taken from the template and set by API."""
    template = load_template()
    bucket = properties(template, "DataBucket", parameters)
    dynamodb, functions = client("dynamodb"), client("lambda")
    for resource, entry in template["Resources"].items():
        if entry["Type"] == "AWS::DynamoDB::Table":
            _mend_table(dynamodb, properties(template, resource, parameters))
    client("s3").put_bucket_lifecycle_configuration(
        Bucket=outputs["BucketName"],
        LifecycleConfiguration={"Rules": [_lifecycle_rule(r) for r in bucket["LifecycleConfiguration"]["Rules"]]},
    )
    # It keeps the parameter as text and then can't compare it with a number, which stops every event source.
    scaling = _scaling_of_functions(template, parameters)
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        name = mapping["FunctionArn"].rpartition(":")[2]
        functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling[name])


def _scaling_of_functions(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Name of each function that reads a queue to the ``ScalingConfig`` of its event source."""
    found: dict[str, Any] = {}
    for resource, entry in template["Resources"].items():
        if entry["Type"] == "AWS::Lambda::EventSourceMapping":
            source = properties(template, resource, parameters)
            function = properties(template, source["FunctionName"]["Ref"], parameters)
            found[function["FunctionName"]] = source["ScalingConfig"]
    return found


def _mend_table(dynamodb: Any, table: Mapping[str, Any]) -> None:
    name, expiry = table["TableName"], table.get("TimeToLiveSpecification")
    state = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    if expiry and state == "DISABLED":
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=table["PointInTimeRecoverySpecification"]
    )


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's spelling of a rule to the API's."""
    converted: dict[str, Any] = {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if days := rule.get("ExpirationInDays"):
        converted["Expiration"] = {"Days": days}
    if "AbortIncompleteMultipartUpload" in rule:
        converted["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return converted
