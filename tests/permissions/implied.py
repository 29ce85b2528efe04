"""Calls that AWS's services make with a role's rights, or that an answer depends on: no client of ours makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from tests.permissions.calls import PREFIXES, Call, arn
from tests.permissions.policies import Policies

_POLLS: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, "Configuring execution role permissions"."""
_LOGS: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
"""docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html; the group itself is the template's."""
_CATALOG: Final = ("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions")
_RESULTS: Final = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_BUCKET: Final = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
"""AWS's managed policy AmazonAthenaFullAccess, docs.aws.amazon.com/athena/latest/ug/managed-policies.html: Athena reads
the catalog and the objects, and writes its results, with the caller's rights."""
_METRICS: Final = "infra_monitoring_db"
_MONITORING: Final = "monitoring"


def implied(policies: Policies, principal: str, recorded: set[Call], bucket: str) -> set[Call]:
    """What a principal needs besides what was recorded of it."""
    found: set[Call] = set()
    if principal in policies.functions():
        group = arn("logs", f"log-group:/aws/lambda/{principal}:*")
        found |= {Call(action, group) for action in _LOGS}
        found |= {Call(action, queue) for queue in policies.queues_of(principal) for action in _POLLS}
    if any(call.action == "s3:GetObject" for call in recorded):
        # Without it S3 answers 403 for an object that is gone, which would look like lost access.
        found.add(Call("s3:ListBucket", arn("s3", bucket)))
    if any(call.action == "athena:StartQueryExecution" for call in recorded):
        found |= set(_athena(principal, bucket))
    return found


def _athena(principal: str, bucket: str) -> Iterator[Call]:
    """By what the statements of the principal read and write (``backend/history/sql``)."""
    yield from (Call(action, arn("s3", bucket)) for action in _BUCKET)
    yield from (Call(action, arn("s3", f"{bucket}/athena-results/")) for action in _RESULTS)
    read = ["metrics/", "history/"]
    databases = ["default", _METRICS]
    if principal == "history-compactor":
        for action in ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"):
            yield Call(action, arn("s3", f"{bucket}/history/"))
        for resource in ("catalog", f"database/{_METRICS}", f"table/{_METRICS}/metrics_parquet"):
            for action in ("glue:CreatePartition", "glue:BatchCreatePartition", "glue:UpdatePartition"):
                yield Call(action, arn("glue", resource))
        for resource in ("catalog", f"database/{_METRICS}", f"table/{_METRICS}/samples"):
            for action in ("glue:CreateTable", "glue:UpdateTable"):
                yield Call(action, arn("glue", resource))
    else:
        # The gallery asks for events, job runs and datasets too.
        read += ["events/", "monitoring/"]
        databases.append(_MONITORING)
    yield from (Call("s3:GetObject", arn("s3", f"{bucket}/{folder}")) for folder in read if folder in PREFIXES)
    resources = ["catalog", *(f"database/{name}" for name in databases)]
    resources += [f"table/{name}/*" for name in databases if name != "default"]
    yield from (Call(action, arn("glue", resource)) for action in _CATALOG for resource in resources)


def of_state_machine(policies: Policies) -> set[Call]:
    """What the state machine's tasks ask for: each function they invoke, each topic they tell."""
    found: set[Call] = set()
    for entry in policies.template["Resources"].values():
        if entry["Type"] != "AWS::StepFunctions::StateMachine":
            continue
        given: Mapping[str, Any] = policies.resolve(entry["Properties"]["DefinitionSubstitutions"])
        text = str(entry["Properties"]["DefinitionString"])
        for name, value in given.items():
            if not isinstance(value, str) or f"${{{name}}}" not in text:
                continue
            if fnmatchcase(value, "arn:aws:lambda:*"):
                found.add(Call("lambda:InvokeFunction", value))
            elif fnmatchcase(value, "arn:aws:sns:*"):
                found.add(Call("sns:Publish", value))
    return found
