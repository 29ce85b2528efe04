"""What a call of an AWS API has to be allowed: the actions and resources of IAM that stand for it.

From AWS's Service Authorization Reference (docs.aws.amazon.com/service-authorization), for the services that the
product calls. Most operations are an action of the same name on the resource that the request names; batches and
transactions are allowed by what they consist of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.contract import tables

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
"""Those of the embedded engine, which functions' packages lack the module of."""
UNKNOWN: Final = "?"
"""Resource of a call that this module does not know; no policy allows it."""
PREFIXES: Final = (
    "errors/jobs/",
    tables.ERRORS_PREFIX,
    tables.METRICS_PREFIX,
    tables.QUARANTINE_PREFIX,
    tables.EVENTS_PREFIX,
    tables.REPLAYS_PREFIX,
    "history/",
    "monitoring/",
    "athena-results/",
)
"""Folders that policies tell apart; the first that fits stands for a key."""
NO_PERMISSION: Final = {("sts", "GetCallerIdentity")}
"""AWS answers these to everybody."""

_S3_ACTIONS: Final = {
    "HeadObject": "s3:GetObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "DeleteObjects": "s3:DeleteObject",
}
_S3_OBJECTS: Final = {
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
}  # fmt: skip
_TRANSACTION: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_PARTITION_KEYS: Final = {tables.ALERTS_TABLE: "fingerprint"}
"""Tables of which a policy may name single partitions (condition key ``dynamodb:LeadingKeys``)."""


@dataclass(frozen=True, order=True, slots=True)
class Call:
    """One action on one resource; ``context`` are the condition keys that policies ask about."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """As it stands in the file of recorded calls."""
        return " ".join([self.action, self.resource, *(f"{key}={value}" for key, value in self.context)])

    @classmethod
    def parse(cls, text: str) -> Call:
        """The call that was written as ``text``."""
        action, resource, *context = text.split(" ")
        pairs = [entry.partition("=") for entry in context]
        return cls(action, resource, tuple((key, value) for key, _, value in pairs))


def arn(service: str, resource: str) -> str:
    """A resource of the account that the embedded engine stands in for."""
    where = ":" if service == "s3" else f"{REGION}:{ACCOUNT}"
    return f"arn:aws:{service}:{where}:{resource}"


def calls_of(service: str, operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    """What a request of boto3 has to be allowed. An operation that is not known gives a call on ``UNKNOWN``."""
    if (service, operation) in NO_PERMISSION:
        return
    known = {
        "dynamodb": _dynamodb,
        "s3": _s3,
        "sqs": _sqs,
        "sns": _sns,
        "cloudwatch": _cloudwatch,
        "athena": _athena,
        "secretsmanager": _secrets,
        "stepfunctions": _states,
    }
    if service in known:
        yield from known[service](operation, request)
    else:
        yield Call(f"{service}:{operation}", UNKNOWN)


def _dynamodb(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    if operation in ("BatchGetItem", "BatchWriteItem"):
        yield from (_on_table(operation, name, {}) for name in request["RequestItems"])
    elif operation in ("TransactWriteItems", "TransactGetItems"):
        for item in request["TransactItems"]:
            ((kind, part),) = item.items()
            yield _on_table("GetItem" if kind == "Get" else _TRANSACTION[kind], part["TableName"], part)
    elif index := request.get("IndexName"):
        yield Call(f"dynamodb:{operation}", arn("dynamodb", f"table/{request['TableName']}/index/{index}"))
    elif name := request.get("TableName"):
        yield _on_table(operation, name, request)
    else:
        yield Call(f"dynamodb:{operation}", UNKNOWN)


def _on_table(operation: str, table: str, request: Mapping[str, Any]) -> Call:
    key = _partition(request, _PARTITION_KEYS.get(table, ""))
    context: tuple[tuple[str, str], ...] = ()
    if key is not None:
        # The partitions of bookkeeping have names; the others are as many as there are alerts.
        head, mark, _ = key.partition("#")
        context = (("dynamodb:LeadingKeys", f"{head}{mark and '#*'}" if key.startswith("@") else "*"),)
    return Call(f"dynamodb:{operation}", arn("dynamodb", f"table/{table}"), context)


def _partition(request: Mapping[str, Any], attribute: str) -> str | None:
    """The value of the partition key that an item or a query names; None where it names none."""
    if attribute in (key := request.get("Key") or request.get("Item") or {}):
        return str(key[attribute]["S"])
    names = request.get("ExpressionAttributeNames", {})
    for name, value in re.findall(r"(#?\w+) *= *(:\w+)", request.get("KeyConditionExpression", "")):
        if names.get(name, name) == attribute:
            return str(request["ExpressionAttributeValues"][value]["S"])
    return None


def _s3(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    bucket = request["Bucket"]
    if operation == "CopyObject":
        source = request["CopySource"]
        path = source if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
        from_bucket, _, from_key = path.lstrip("/").partition("/")
        yield Call("s3:GetObject", _object(from_bucket, from_key))
        yield Call("s3:PutObject", _object(bucket, request["Key"]))
        return
    action = _S3_ACTIONS.get(operation, f"s3:{operation}")
    if operation == "DeleteObjects":
        for entry in request["Delete"]["Objects"]:
            yield Call(action, _object(bucket, entry["Key"]))
    elif action in _S3_OBJECTS:
        yield Call(action, _object(bucket, request["Key"]))
    else:
        yield Call(action, arn("s3", bucket))


def _object(bucket: str, key: str) -> str:
    folder = next((prefix for prefix in PREFIXES if key.startswith(prefix)), key)
    return arn("s3", f"{bucket}/{folder}")


def _sqs(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    url = request.get("QueueUrl", UNKNOWN)
    yield Call(f"sqs:{operation.removesuffix('Batch')}", arn("sqs", url.rpartition("/")[2]))


def _sns(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    yield Call(f"sns:{operation.removesuffix('Batch')}", request.get("TopicArn", UNKNOWN))


def _cloudwatch(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    context: tuple[tuple[str, str], ...] = ()
    if operation == "PutMetricData":
        context = (("cloudwatch:namespace", request["Namespace"]),)
    yield Call(f"cloudwatch:{operation}", "*", context)


def _athena(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    """Executions belong to the workgroup they were started in; the product has one."""
    yield Call(f"athena:{operation}", arn("athena", f"workgroup/{request.get('WorkGroup', 'pulseboard')}"))


def _secrets(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    # Secrets Manager puts six characters of its own behind a name.
    yield Call(f"secretsmanager:{operation}", re.sub(r"-\w{6}$", "-AbCdEf", request["SecretId"]))


def _states(operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    if execution := request.get("executionArn"):
        yield Call(f"states:{operation}", f"{execution.rpartition(':')[0]}:*")
    else:
        yield Call(f"states:{operation}", request.get("stateMachineArn", UNKNOWN))
