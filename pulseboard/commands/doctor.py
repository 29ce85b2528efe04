"""`pulseboard doctor`: is everything set up, reachable and allowed? A line each, with the remedy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from backend.aws import Clients
from backend.collector.build import make_source
from backend.contract.catalogue import CLOUDWATCH_NAMESPACE
from backend.contract.errors import InvalidInput
from backend.contract.tables import EXPIRES_AT, METRIC_TYPE, METRIC_TYPE_INDEX, METRICS_PREFIX, TIMESTAMP
from backend.settings import CONFIG_NAME, Settings, load_settings
from pulseboard.event_checks import event_checks
from pulseboard.findings import Finding, messages, waiting_messages

_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "403", "AuthorizationError", "UnauthorizedOperation"}
)
_MISSING: Final = frozenset(
    {
        "404",
        "NoSuchBucket",
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help=f"Check this file instead of ./{CONFIG_NAME}.")
def command(config: Path | None) -> None:
    """Check configuration, reachability and permissions; exit code 1 when something needs mending."""
    findings = 0
    for finding in diagnose(os.environ, config):
        click.echo(finding.line())
        findings += finding.state == "problem"
    if findings:
        click.echo(f"{findings} problem{'s' if findings > 1 else ''} found", err=True)
        sys.exit(1)


def _sources(settings: Settings, clients: Clients) -> Iterator[Finding]:
    """A problem for each ``[[collect]]`` that no source can be made of; nothing where all is well."""
    for index, spec in enumerate(settings.config.collect):
        try:
            make_source(spec, settings, clients)
        except InvalidInput as error:
            yield Finding("problem", f"collect[{index}] {spec.source}", str(error))


def diagnose(environ: Mapping[str, str], config: Path | None = None) -> Iterator[Finding]:
    """Every check in order; without valid settings nothing else is looked at."""
    try:
        settings = load_settings(environ, config)
    except InvalidInput as error:
        yield Finding("problem", "configuration", str(error))
        return
    place = environ.get("AWS_ENDPOINT_URL") or f"AWS, region {settings.region}"
    yield Finding("ok", "configuration", f"{len(settings.catalogue)} metrics; looking at {place}")
    clients = Clients(settings.region, timeout=5.0, attempts=1)
    yield from _sources(settings, clients)
    checks: list[tuple[str, Callable[[Settings, Clients], Finding]]] = [
        (f"bucket {settings.bucket}", _bucket),
        ("bucket notification", _notification),
        (f"table {settings.table}", _table),
        ("table's time to live", _time_to_live),
        ("queue", _queue),
        ("dead-letter queue", _dead_letters),
        ("topic of alerts", _alerts),
        ("topic of warnings", _warnings),
        ("CloudWatch", _cloudwatch),
        *event_checks(settings),
    ]
    for subject, check in checks:
        try:
            yield check(settings, clients)
        except NoCredentialsError:
            yield Finding(
                "problem", "credentials", 'none found; set AWS_PROFILE, or for the demo: eval "$(pulseboard env)"'
            )
            return
        except ClientError as error:
            yield Finding("problem", subject, _remedy(error))
        except (BotoCoreError, ValueError) as error:
            yield Finding("problem", subject, f"can't be reached ({error}); check region, endpoint and network")


def _bucket(settings: Settings, clients: Clients) -> Finding:
    clients.s3.list_objects_v2(Bucket=settings.bucket, Prefix=METRICS_PREFIX, MaxKeys=1)
    return Finding("ok", f"bucket {settings.bucket}", "can be listed")


def _notification(settings: Settings, clients: Clients) -> Finding:
    subject = "bucket notification"
    answer = clients.s3.get_bucket_notification_configuration(Bucket=settings.bucket)
    queues = [entry["QueueArn"].rpartition(":")[2] for entry in answer.get("QueueConfigurations", [])]
    if queues:
        return Finding("ok", subject, f"goes to {', '.join(queues)}")
    return Finding("problem", subject, "objects are announced to no queue; deploy infra/template.yaml again")


def _table(settings: Settings, clients: Clients) -> Finding:
    subject = f"table {settings.table}"
    table = clients.dynamodb.describe_table(TableName=settings.table)["Table"]
    keys = [METRIC_TYPE, TIMESTAMP]
    for index in table.get("GlobalSecondaryIndexes", []):
        if index["IndexName"] == METRIC_TYPE_INDEX:
            if [key["AttributeName"] for key in index["KeySchema"]] != keys:
                return Finding("problem", subject, f"{METRIC_TYPE_INDEX} has other keys than {', '.join(keys)}")
            clients.dynamodb.query(
                TableName=settings.table,
                IndexName=METRIC_TYPE_INDEX,
                KeyConditionExpression=f"{METRIC_TYPE} = :key",
                ExpressionAttributeValues={":key": {"S": "doctor"}},
                Limit=1,
            )
            return Finding("ok", subject, f"{table['TableStatus']}, and its index answers")
    return Finding("problem", subject, f"has no index {METRIC_TYPE_INDEX}; deploy infra/template.yaml again")


def _time_to_live(settings: Settings, clients: Clients) -> Finding:
    subject = "table's time to live"
    answer = clients.dynamodb.describe_time_to_live(TableName=settings.table)["TimeToLiveDescription"]
    if answer.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") and answer.get("AttributeName") == EXPIRES_AT:
        return Finding("ok", subject, f"on, by {EXPIRES_AT}")
    return Finding("problem", subject, f"is not on for {EXPIRES_AT}, so nothing is ever deleted; switch it on")


def _queue(settings: Settings, clients: Clients) -> Finding:
    if not settings.queue_url:
        return Finding("skipped", "queue", "QUEUE_URL is not set; only the processor needs it")
    return Finding("ok", "queue", f"answers; {messages(waiting_messages(clients, settings.queue_url))} waiting")


def _dead_letters(settings: Settings, clients: Clients) -> Finding:
    subject = "dead-letter queue"
    if not settings.dead_letter_queue_url:
        return Finding("skipped", subject, "DEAD_LETTER_QUEUE_URL is not set; only the processor needs it")
    if waiting := waiting_messages(clients, settings.dead_letter_queue_url):
        return Finding("problem", subject, f"holds {waiting}; the log group /aws/lambda/log-processor says why")
    return Finding("ok", subject, "is empty")


def _alerts(settings: Settings, clients: Clients) -> Finding:
    return _topic("topic of alerts", "ALERTS_TOPIC_ARN", settings.alerts_topic_arn, clients)


def _warnings(settings: Settings, clients: Clients) -> Finding:
    return _topic("topic of warnings", "WARNINGS_TOPIC_ARN", settings.warnings_topic_arn, clients)


def _topic(subject: str, variable: str, arn: str, clients: Clients) -> Finding:
    if not arn:
        return Finding("skipped", subject, f"{variable} is not set; only the functions need it")
    attributes = clients.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    return Finding("ok", subject, f"exists, with {attributes.get('SubscriptionsConfirmed', '0')} subscriptions")


def _cloudwatch(_settings: Settings, clients: Clients) -> Finding:
    metrics = clients.cloudwatch.list_metrics(Namespace=CLOUDWATCH_NAMESPACE)["Metrics"]
    return Finding("ok", "CloudWatch", f"{len(metrics)} metrics in namespace {CLOUDWATCH_NAMESPACE}")


def _remedy(error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    operation = error.operation_name
    if code in _DENIED:
        return f"{operation} is not allowed; add it to the role or user these credentials belong to"
    if code in _MISSING:
        return "does not exist in this account and region; deploy infra/template.yaml, or correct its variable"
    if code in ("InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "SignatureDoesNotMatch"):
        return f"the credentials are not valid ({code}); renew them"
    return f"{operation} failed ({code}: {error.response['Error'].get('Message', '')})"
