"""A tracker on moto: jobs that are recorded, what is read of them, and the alerts they raise."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from backend.aws import Clients
from backend.contract.jobs import JobRun
from backend.jobs.clock import ServerClock
from backend.jobs.journal import Journal
from backend.jobs.reader import JobReader
from backend.jobs.tracker import Tracker
from backend.settings import Settings, load_settings
from tests.loggers import fresh_logger

REGION: Final = "us-east-1"


class Wound(ServerClock):
    """A shared clock that tests set: DynamoDB's own time is what it says."""

    def __init__(self, now: float) -> None:
        super().__init__(lambda: self.at)
        self.at = now

    def heard(self, answer: Any) -> None:
        """Answers tell nothing here."""


@dataclass
class Tracking:
    """One worker. ``other`` makes another one on the same tables."""

    tracker: Tracker
    clients: Clients
    settings: Settings
    journal: Journal
    reader: JobReader
    queue: str
    log: io.StringIO
    others: list[Tracker] = field(default_factory=list)

    def run_of(self, name: str) -> JobRun:
        """The job's only run."""
        (run,) = self.runs(name)
        return run

    def runs(self, name: str) -> list[JobRun]:
        """The job's runs, the oldest first."""
        items = self.clients.dynamodb.query(
            TableName=self.settings.job_runs_table,
            KeyConditionExpression="job_name = :name",
            ExpressionAttributeValues={":name": {"S": name}},
            ConsistentRead=True,
        )["Items"]
        return self.reader.get_many([(name, item["run_key"]["S"]) for item in items])

    def alerts(self) -> list[dict[str, Any]]:
        """The signals that were sent since the last look."""
        found = self.clients.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.clients.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in found]

    def other(self, **named: Any) -> Tracker:
        """Another worker on the same tables, with no journal of its own yet."""
        return self.again(Journal(self.journal.folder / "other"), **named)

    def again(self, journal: Journal | None = None, **named: Any) -> Tracker:
        """A new process of the same worker."""
        made = tracker_of(self.clients, self.settings, journal or self.journal, self.log, **named)
        self.others.append(made)
        return made

    def change_batch(self, name: str, batch: str, expression: str, **values: Any) -> None:
        """Changes a batch's item, as time or another worker would."""
        self.clients.dynamodb.update_item(
            TableName=self.settings.job_runs_table,
            Key={"job_name": {"S": f"@batches#{name}"}, "run_key": {"S": batch}},
            UpdateExpression=expression,
            ExpressionAttributeValues={f":{key}": value for key, value in values.items()},
        )

    def close(self) -> None:
        """Ends the heartbeats."""
        for tracker in (self.tracker, *self.others):
            tracker.close()


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until the condition holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.005)


def tracker_of(clients: Clients, settings: Settings, journal: Journal, log: io.StringIO, **named: Any) -> Tracker:
    """A tracker that logs into ``log``."""
    return Tracker(clients, settings, journal, logger=fresh_logger(log), **named)


def make_tracking(clients: Clients, folder: Path, **named: Any) -> Tracking:
    """A worker on the tables that are there, with a topic, a queue behind it and a bucket."""
    name = f"alerts-{uuid.uuid4().hex}"
    topic = clients.sns.create_topic(Name=name)["TopicArn"]
    queue = clients.sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    settings = replace(load_settings({}), alerts_topic_arn=topic)
    clients.s3.create_bucket(Bucket=settings.bucket)
    journal, log = Journal(folder / "journal"), io.StringIO()
    tracker = tracker_of(clients, settings, journal, log, **named)
    return Tracking(tracker, clients, settings, journal, JobReader(clients.dynamodb, settings), queue, log)
