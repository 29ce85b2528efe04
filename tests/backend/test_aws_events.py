"""Real events of AWS through every function: handled, or one clear line that says what is wrong."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from backend.alerts import handler as alert_consumer
from backend.alerts.service import AlertService
from backend.audit import AuditLog
from backend.aws import Clients
from backend.checks import handler as checks
from backend.collector.handler import schedule_time
from backend.contract.errors import InvalidInput
from backend.events import api, processor_handler
from backend.local.api_server import Context
from backend.processor.handler import Processor
from backend.processor.store import MetricsStore
from backend.replay import handler as replay_runner
from backend.settings import Settings
from tests.loggers import fresh_logger
from tests.metrics_table import create_table
from tests.template_resources import ALERT_TABLES, JOB_TABLES, create_event_queues, create_event_tables, create_tables

EVENTS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in (Path(__file__).parents[1] / "data" / "aws-events").glob("*.json")
}
FROM_SQS = ("s3SqsEvent", "snsSqsEvent", "sqsDlqTriggerEvent", "sqsEvent")
FROM_API_GATEWAY = ("apiGatewayProxyV2Event", "apiGatewayProxyV2IamEvent")
BY_QUEUE = ("log-processor", "event-processor", "replay-runner", "alert-consumer")
BUCKET = "infra-monitoring-pipeline-data"
Handle = Callable[[dict[str, Any], Any], Any]


@dataclass
class World:
    """The functions over moto's AWS."""

    functions: dict[str, Handle]
    alerts: AlertService
    log: io.StringIO

    def lines(self) -> list[dict[str, Any]]:
        """What was logged since the last look."""
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        self.log.seek(0)
        self.log.truncate()
        return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        clients, log = Clients("us-east-1", attempts=1), io.StringIO()
        clients.s3.create_bucket(Bucket=BUCKET)
        create_event_tables(clients.dynamodb)
        create_tables(clients.dynamodb, ALERT_TABLES + JOB_TABLES)
        create_table(clients.dynamodb)
        queues = {name: clients.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("queue_url",)}
        topics = {
            name: clients.sns.create_topic(Name=name)["TopicArn"] for name in ("alerts_topic_arn", "warnings_topic_arn")
        }
        settings = Settings(bucket=BUCKET, **create_event_queues(clients.sqs), **queues, **topics)
        logger = fresh_logger(log)
        run_check = checks.build(settings, clients, logger)
        functions: dict[str, Handle] = {
            "log-processor": Processor(settings, clients, MetricsStore(clients.dynamodb, settings.table), logger),
            "event-processor": processor_handler.build(settings, clients, logger),
            "replay-runner": replay_runner.build(settings, clients, logger),
            "alert-consumer": alert_consumer.build(settings, clients, logger, {}),
            "ingest-api": api.build(settings, clients, logger),
            "pipeline-checks": lambda event, _: run_check(str(event.get("check", ""))),
        }
        audit = AuditLog(clients.dynamodb, settings)
        yield World(functions, AlertService(clients.dynamodb, clients.sns, settings, audit), log)


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    """An event that came to the function's queue as a message's body."""
    record = EVENTS["sqsEvent"]["Records"][1]
    return {"Records": [record | {"body": json.dumps(event)}]}


@pytest.mark.parametrize("name", sorted(EVENTS))
@pytest.mark.parametrize("function", [*BY_QUEUE, "ingest-api", "pipeline-checks"])
def test_every_event_is_handled_or_refused_in_one_line(function: str, name: str, world: World) -> None:
    meant = name in (FROM_SQS if function in BY_QUEUE else FROM_API_GATEWAY if function == "ingest-api" else ())
    handle = world.functions[function]
    if not meant:
        with pytest.raises(InvalidInput) as raised:
            handle(EVENTS[name], Context())
        assert raised.value.field == ("check" if function == "pipeline-checks" else "event")
        assert "\n" not in str(raised.value)
        return
    answer = handle(EVENTS[name], Context())
    assert "batchItemFailures" in answer or answer["statusCode"] == 404
    assert not [line for line in world.lines() if "exception" in line], "a stack trace is not a clear line"


@pytest.mark.parametrize("name", sorted(set(EVENTS) - set(FROM_SQS)))
@pytest.mark.parametrize("function", BY_QUEUE)
def test_a_foreign_message_in_a_queue_is_one_clear_line(function: str, name: str, world: World) -> None:
    world.lines()
    answer = world.functions[function](wrapped(EVENTS[name]), Context())
    failed = [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]
    about = [line for line in world.lines() if line["level"] in ("ERROR", "WARNING", "INFO")]
    assert not [line for line in about if "exception" in line]
    assert len([line for line in about if line["level"] == "ERROR"]) <= 1
    # Given back, so that it ends among the dead letters, or taken and said.
    assert failed == [EVENTS["sqsEvent"]["Records"][1]["messageId"]] or about


def test_an_alarm_by_sns_and_sqs_opens_its_alert_and_what_is_none_says_so(world: World) -> None:
    consumer = world.functions["alert-consumer"]
    consumer(wrapped(EVENTS["cloudWatchAlarmEventSingleMetric"]), Context())
    consumer(EVENTS["snsSqsEvent"], Context())
    alerts = {alert.title: alert for alert in world.alerts.open_alerts()}
    alarm = alerts["Test alert"]
    assert (alarm.source, alarm.value, alarm.labels["region"]) == ("cloudwatch", 1.0, "eu-west-1")
    assert "This is description **here**" in alarm.description
    assert "A message to the alert consumer was not understood" in alerts


def test_a_schedules_time_is_the_samples(world: World) -> None:
    assert schedule_time(EVENTS["eventBridgeEvent"], 0.0) == 1_513_968_228.0
    with pytest.raises(InvalidInput, match="time"):
        schedule_time({"time": "soon"}, 0.0)
