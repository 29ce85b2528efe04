"""Tables and queues exactly as ``infra/template.yaml`` says, made by API: for moto and for a bare engine."""

from __future__ import annotations

import json
from typing import Any

from backend.local.template import load_template, properties

TEMPLATE = load_template()
TABLES = ("GateTable", "EventsTable", "AggregatesTable", "ReplaysTable", "TokensTable")
JOB_TABLES = ("JobRunsTable", "DatasetsTable")
ALERT_TABLES = ("AlertsTable",)


def create_event_tables(dynamodb: Any) -> None:
    """EventGate, PipelineEvents, Aggregates, Replays and AccessTokens."""
    create_tables(dynamodb, TABLES)


def create_tables(dynamodb: Any, resources: tuple[str, ...]) -> None:
    """Tables by their names in the template."""
    for resource in resources:
        table = properties(TEMPLATE, resource, {})
        wanted = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        dynamodb.create_table(**{name: table[name] for name in wanted if name in table})


def create_event_queues(sqs: Any) -> dict[str, str]:
    """The queues of events and replays; settings' field to URL."""
    letters = sqs.create_queue(QueueName="event-processor-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    events = sqs.create_queue(QueueName="event-processor-queue", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    replays = sqs.create_queue(QueueName="replay-runner-queue")["QueueUrl"]
    return {"event_queue_url": events, "event_dead_letter_queue_url": letters, "replay_queue_url": replays}
