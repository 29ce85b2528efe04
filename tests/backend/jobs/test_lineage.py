"""OpenLineage as a second door: events of the specification's own client, in any order, become runs."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, nominal_time_run, output_statistics_output_dataset
from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.events.api import build
from backend.events.api_openapi import SCHEMAS
from backend.jobs.lineage import Facts, facts_of, merged, parse_event, run_from
from backend.local.api_server import ApiServer
from tests.backend.jobs.tracking import Tracking, make_tracking
from tests.loggers import fresh_logger
from tests.template_resources import ALERT_TABLES, create_event_tables, create_tables

NOW = 1_795_266_000.0
RUN_ID = "0190f1b0-7a5e-7000-8000-000000000001"
TIMES = {"START": "12:00:00", "RUNNING": "12:00:30", "COMPLETE": "12:01:00", "FAIL": "12:01:00", "ABORT": "12:01:00"}


def event(kind: str, name: str = "load", time: str = "", **more: Any) -> RunEvent:
    """An event of the client's own classes."""
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=7)
    outputs = [OutputDataset("warehouse", "orders", outputFacets={"outputStatistics": statistics})]
    facets = {"nominalTime": nominal_time_run.NominalTimeRunFacet("2026-05-01T00:00:00Z"), **more}
    return RunEvent(
        eventTime=time or f"2026-11-20T{TIMES[kind]}.250Z",
        eventType=RunState[kind],
        run=Run(RUN_ID, facets=facets),
        job=Job("airflow", name),
        producer="https://example.org/scheduler",
        outputs=outputs if kind == "COMPLETE" else [],
    )


def as_json(sent: RunEvent) -> dict[str, Any]:
    return dict(json.loads(Serde.to_json(sent)))


@pytest.fixture(scope="module")
def api_tables(clients: Clients) -> None:
    create_event_tables(clients.dynamodb)
    create_tables(clients.dynamodb, ALERT_TABLES)


@pytest.fixture
def door(clients: Clients, api_tables: None, tmp_path: Path) -> Iterator[tuple[Tracking, str]]:
    """The API on a real port of loopback, and what is recorded behind it."""
    tracking = make_tracking(clients, tmp_path)
    handle = build(tracking.settings, clients, fresh_logger(), lambda: NOW)
    with ApiServer(0, handle) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield tracking, f"http://127.0.0.1:{server.port}"
        server.shutdown()
        thread.join()
    tracking.close()


@pytest.fixture
def sender(door: tuple[Tracking, str]) -> Iterator[OpenLineageClient]:
    transport = HttpTransport(HttpConfig.from_dict({"url": door[1], "endpoint": "lineage", "retry": {"total": 0}}))
    client = OpenLineageClient(transport=transport)
    yield client
    client.close()


def test_runs_of_the_specifications_client_are_recorded(door: tuple[Tracking, str], sender: OpenLineageClient) -> None:
    tracking, _ = door
    sender.emit(event("START"))
    assert tracking.run_of("airflow/load").status == "STARTED"
    for kind in ("RUNNING", "COMPLETE", "START", "COMPLETE"):
        sender.emit(event(kind))
    run = tracking.run_of("airflow/load")
    assert (run.run_id, run.status, run.records, run.dataset) == (RUN_ID, "SUCCESS", 7, "warehouse/orders")
    assert (run.batch, run.ended_at, run.started_at) == ("2026-05-01T00:00:00Z", 1_795_176_060.25, 1_795_176_000.25)
    assert tracking.alerts() == []


def test_a_failure_is_told_once_and_the_next_success_resolves_it(
    door: tuple[Tracking, str], sender: OpenLineageClient
) -> None:
    tracking, _ = door
    said = "org.x.BadDataException: <b>row 5</b>"
    trace = error_message_run.ErrorMessageRunFacet(said, "JAVA", stackTrace="at x\nat y")
    for _ in range(2):
        sender.emit(event("FAIL", "fails", errorMessage=trace))
    failed = tracking.run_of("airflow/fails")
    assert (failed.status, failed.error, failed.error_type) == (
        "FAILED", "org.x.BadDataException: <b>row 5</b>", "BadDataException",
    )  # fmt: skip
    text = tracking.clients.s3.get_object(Bucket=tracking.settings.bucket, Key=failed.error_key)["Body"].read()
    assert text.endswith(b"at x\nat y")
    next_run = event("COMPLETE", "fails", "2026-11-20T13:00:00Z")
    next_run.run.runId = RUN_ID[:-1] + "2"
    sender.emit(next_run)
    assert [(alert["state"], alert["subject"]) for alert in tracking.alerts()] == [
        ("firing", "airflow/fails/2026-05-01T00:00:00Z"), ("resolved", "airflow/fails/2026-05-01T00:00:00Z"),
    ]  # fmt: skip


def test_an_end_before_its_start_finds_its_place(door: tuple[Tracking, str], sender: OpenLineageClient) -> None:
    tracking, _ = door
    for kind in ("COMPLETE", "START"):
        sender.emit(event(kind, "reversed"))
    run = tracking.run_of("airflow/reversed")
    assert (run.status, run.started_at) == ("SUCCESS", 1_795_176_000.25)


def test_a_failure_that_nobody_could_be_told_of_is_asked_for_again(door: tuple[Tracking, str]) -> None:
    tracking, url = door
    body = as_json(event("FAIL", "untold"))
    topic = tracking.settings.alerts_topic_arn
    tracking.clients.sns.delete_topic(TopicArn=topic)
    assert requests.post(f"{url}/lineage", json=body, timeout=10).status_code == 503
    made = tracking.clients.sns.create_topic(Name=topic.rsplit(":", 1)[1])["TopicArn"]
    queue = tracking.clients.sqs.get_queue_attributes(QueueUrl=tracking.queue, AttributeNames=["QueueArn"])
    tracking.clients.sns.subscribe(TopicArn=made, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])
    for _ in range(2):
        assert requests.post(f"{url}/lineage", json=body, timeout=10).status_code == 201
    assert [alert["state"] for alert in tracking.alerts()] == ["firing"]


def test_what_the_client_sends_is_what_the_api_describes() -> None:
    schema = {**SCHEMAS["LineageEvent"], "components": {"schemas": SCHEMAS}}
    checker = jsonschema.FormatChecker()
    for kind in TIMES:
        jsonschema.validate(as_json(event(kind)), schema, jsonschema.Draft202012Validator, format_checker=checker)
    with pytest.raises(jsonschema.ValidationError, match="'runId' is a required property"):
        jsonschema.validate({**as_json(event("START")), "run": {}}, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"eventType": "STOP"}, "eventType"),
        ({"eventType": ""}, "eventType"),
        ({"eventTime": "2026-11-20T12:00:00"}, "eventTime"),
        ({"eventTime": "2027-11-20T12:00:00Z"}, "eventTime"),
        ({"eventTime": "1999-11-20T12:00:00Z"}, "eventTime"),
        ({"run": {"runId": "5"}}, "run.runId"),
        ({"run": None}, "run"),
        ({"job": {"namespace": "a", "name": ""}}, "job.name"),
        ({"job": {"namespace": "@batches#x", "name": "b"}}, "job.namespace"),
        ({"producer": None}, "producer"),
        ({"outputs": "orders"}, "outputs"),
        ({"outputs": [{"namespace": "a", "name": "b", "outputFacets": {"outputStatistics": {"rowCount": -1}}}]},
         "outputs[0].outputFacets.outputStatistics.rowCount"),
    ],
)  # fmt: skip
def test_a_bad_event_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_event({**as_json(event("START")), **change}, NOW, 300)
    assert refused.value.field == field


def test_long_names_stay_apart() -> None:
    names = {parse_event(as_json(event("START", "x" * 300 + end)), NOW, 300).job_name for end in "ab"}
    assert len(names) == 2
    assert all(len(name) == 200 for name in names)


MESSAGE = error_message_run.ErrorMessageRunFacet("ValueError: x", "PYTHON")
EVENTS = [
    parse_event(as_json(sent), NOW, 300)
    for sent in (
        event("START"), event("START", time="2026-11-20T11:59:00Z"), event("RUNNING"), event("COMPLETE"),
        event("FAIL", errorMessage=MESSAGE), event("ABORT"),
    )
]  # fmt: skip


SOME = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8)


@given(SOME.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
@settings(max_examples=50)
def test_events_in_any_order_and_repeated_end_in_the_same_facts(orders: tuple[list[Any], list[Any]]) -> None:
    ends: list[Facts] = []
    for order in orders:
        facts = None
        for one in itertools.chain(order, order):
            facts = merged(facts, one)
        assert facts is not None
        ends.append(facts)
    assert ends[0] == ends[1] == facts_of(ends[0].job_name, ends[0].run_id, ends[0].text())
    run = run_from(ends[0], "production")
    assert run.ended_at is None or run.ended_at >= run.started_at
