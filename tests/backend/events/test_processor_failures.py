"""What fails says why, tells people where they must know, comes back soon, and ends in the dead letters once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from backend.contract.tables import ERROR_DAY
from backend.events.failures import EventFailure, failure_of
from backend.events.plugins import Aggregate
from backend.events.received import BACK_OFF_SECONDS, DETAIL_BYTES, MESSAGE_CHARACTERS, MOST_RECEIVES, received_of
from backend.local.template import load_template, properties
from backend.settings import Plugins
from tests.backend.events.ingest_world import BUCKET, NOW, World, event, world
from tests.backend.events.processor_world import Pipeline, configured

__all__ = ["world"]


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


def renamed(number: int) -> Any:
    return event(entity_id=f"order-{number}", payload={"cust_id": "c-7", "amount": 10 + number})


def visibility(pipeline: Pipeline) -> list[int]:
    """Watches the seconds after which messages come back; filled as they are given back."""
    seen: list[int] = []

    def before(params: dict[str, Any], **_: Any) -> None:
        seen.extend(entry["VisibilityTimeout"] for entry in params["Entries"])

    pipeline.plain.sqs.meta.events.register("before-parameter-build.sqs.ChangeMessageVisibilityBatch", before)
    return seen


def refuse(pipeline: Pipeline, operation: str, code: str, status: int) -> list[bool]:
    """Makes one operation answer with an error until the list is emptied."""
    refusing = [True]

    def answer(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        if not refusing:
            return None
        error = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return type("Answer", (), {"status_code": status})(), error

    for client in (pipeline.plain.s3, pipeline.plain.dynamodb, pipeline.plain.sqs):
        client.meta.events.register(f"before-call.*.{operation}", answer)
    return refusing


def cloudwatch(pipeline: Pipeline) -> float:
    start, end = (datetime.fromtimestamp(NOW + offset, UTC) for offset in (-3600, 3600))
    answer = pipeline.plain.cloudwatch.get_metric_statistics(
        Namespace="Pulseboard", MetricName="DLQRecordCount", StartTime=start, EndTime=end, Period=60, Statistics=["Sum"]
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_the_template_dead_letters_after_as_many_receives() -> None:
    queue = properties(load_template(), "EventQueue", {})
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MOST_RECEIVES == len(BACK_OFF_SECONDS) + 1


def test_a_renamed_field_is_a_parse_error_and_after_three_receives_a_dead_letter(pipeline: Pipeline) -> None:
    seen = visibility(pipeline)
    (event_id,) = pipeline.take(renamed(1))
    assert len(pipeline.run()) == MOST_RECEIVES
    assert seen == [0, 0, 0]
    (body,) = pipeline.dead_letters()
    assert json.loads(body)["event_id"] == event_id
    record, error = pipeline.record(event_id), pipeline.record(event_id).error
    assert error is not None
    assert (record.status, error.error_type, error.operator) == ("failed", "parse_error", "billing")
    assert (error.receive_count, error.dead_lettered) == (3, True)
    assert error.message == "payload.customer_id: is missing in order_placed; it has cust_id, which may be its new name"
    assert pipeline.item(event_id)[ERROR_DAY] == {"S": f"2026-11-21#{int(event_id[:8], 16) % 8}"}
    assert pipeline.versions() == {}


def test_dead_letters_are_counted_once_by_error_type_and_as_failed_events(pipeline: Pipeline) -> None:
    pipeline.take(renamed(1), renamed(2), event(payload={"customer_id": 7, "amount": 1}))
    pipeline.run()
    for metric in ("dlq_records", "events_failed"):
        counted = pipeline.world.measured(metric)
        assert {kind: value for kind, value in counted.items() if value} == {"parse_error": 2, "validation_error": 1}
    assert cloudwatch(pipeline) == 3


def test_no_dead_letters_is_a_sample_of_zero(pipeline: Pipeline) -> None:
    pipeline.take(event())
    pipeline.run()
    assert set(pipeline.world.measured("dlq_records").values()) == {0}
    assert cloudwatch(pipeline) == 0


def test_a_changed_raw_object_is_refused_and_someone_is_told(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(event())
    record = pipeline.record(event_id)
    pipeline.plain.s3.put_object(Bucket=BUCKET, Key=record.raw_key, Body=b'{"amount": 1}')
    assert len(pipeline.run()) == MOST_RECEIVES
    error = pipeline.record(event_id).error
    assert error is not None
    assert error.error_type == "poison"
    assert "the raw object was changed" in error.message
    alerts = [line for line in pipeline.world.logged() if line.get("severity") == "CRITICAL"]
    assert [line["details"]["event_id"] for line in alerts] == [event_id, event_id]
    assert pipeline.versions() == {}
    detail = pipeline.detail(event_id)
    assert (detail.intact, detail.raw) == (False, '{"amount": 1}')
    assert "was changed" in detail.problem


def test_another_events_raw_object_is_refused(pipeline: Pipeline) -> None:
    mine, other = pipeline.take(event(), event(entity_id="order-2"))
    delivered = pipeline.receive()
    bodies = {json.loads(record["body"])["event_id"]: record for record in delivered["Records"]}
    forged = json.loads(bodies[other]["body"]) | {"event_id": mine}
    bodies[mine]["body"] = json.dumps(forged)
    assert len(pipeline.handle(delivered)) == 1
    assert pipeline.record(mine).status == "failed"
    assert pipeline.record(other).status == "processed"


def test_a_raw_object_that_is_gone_is_told_as_well(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(event())
    pipeline.plain.s3.delete_object(Bucket=BUCKET, Key=pipeline.record(event_id).raw_key)
    pipeline.run()
    error = pipeline.record(event_id).error
    assert error is not None
    assert (error.error_type, error.message) == ("poison", "the raw object is gone")
    assert [line["kind"] if "kind" in line else line["status"] for line in pipeline.world.logged()].count("raw_event")


@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [("GetObject", "SlowDown", 503), ("BatchGetItem", "ThrottlingException", 400), ("TransactWriteItems", "x", 500)],
)
def test_a_busy_service_is_a_timeout_that_comes_back_later(
    pipeline: Pipeline, operation: str, code: str, status: int
) -> None:
    (event_id,) = pipeline.take(event())
    seen, refusing = visibility(pipeline), refuse(pipeline, operation, code, status)
    delivered = pipeline.receive()
    assert len(pipeline.handle(delivered)) == 1
    assert seen == [BACK_OFF_SECONDS[0]]
    (line,) = [line for line in pipeline.world.logged() if line["message"] == "event failed"]
    assert line["error_type"] == "timeout"
    refusing.clear()
    assert pipeline.handle(delivered) == []
    assert pipeline.record(event_id).status == "processed"


def test_a_failure_that_cannot_be_recorded_still_goes_back_to_the_queue(pipeline: Pipeline) -> None:
    pipeline.take(renamed(1))
    refuse(pipeline, "UpdateItem", "AccessDeniedException", 400)
    assert len(pipeline.handle(pipeline.receive())) == 1
    assert [line["message"] for line in pipeline.world.logged()].count("failure not recorded") == 1


def test_what_was_processed_meanwhile_is_not_marked_as_failed(pipeline: Pipeline) -> None:
    (event_id,) = pipeline.take(event())
    pipeline.run()
    pipeline.plain.s3.put_object(Bucket=BUCKET, Key=pipeline.record(event_id).raw_key, Body=b"{}")
    pipeline.replay(event_id, "r-1")
    pipeline.run()
    record = pipeline.record(event_id)
    assert (record.status, record.error) == ("processed", None)
    assert [step.stage for step in pipeline.detail(event_id).trace].count("dead_lettered") == 1


class Verbose(Aggregate):
    """Refuses with more than the table keeps."""

    def normalise(self, event: Any, fields: Any) -> Any:
        raise EventFailure("enrichment_error", "begin " + "ä" * 40_000 + " end", permanent=True)

    def window(self, event: Any, normal: Any) -> str:
        return "none#ever"

    def add(self, state: Any, events: Any) -> Any:
        return {}


def verbose(settings: Any) -> Verbose:
    return Verbose()


def test_a_long_error_is_shortened_in_the_table_and_whole_in_the_bucket(pipeline: Pipeline) -> None:
    plugins = Plugins(aggregate=f"{__name__}:verbose")
    pipeline.world.settings = configured(pipeline.world.settings, {}, plugins)
    (event_id,) = pipeline.take(event())
    pipeline.handle(pipeline.receive())
    error = pipeline.record(event_id).error
    assert error is not None
    assert (error.error_type, len(error.message)) == ("enrichment_error", MESSAGE_CHARACTERS)
    (step,) = [step for step in pipeline.detail(event_id).trace if step.stage == "failed"]
    assert step.detail.startswith("begin ")
    assert step.detail.endswith(" end")
    assert len(step.detail.encode()) < DETAIL_BYTES + 500
    key = step.detail.split("the whole is in ")[1].split("]")[0]
    whole = pipeline.plain.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert whole == "begin " + "ä" * 40_000 + " end"


def test_only_known_error_types_can_be_raised() -> None:
    with pytest.raises(ValueError, match="'oops' must be one of parse_error"):
        EventFailure("oops", "x")  # type: ignore[arg-type]


def test_a_refusal_of_aws_may_be_mended_meanwhile() -> None:
    error: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    failure = failure_of(ClientError(error, "GetObject"))
    assert (failure.error_type, failure.permanent) == ("poison", False)


def test_a_message_without_attributes_starts_a_trace(pipeline: Pipeline) -> None:
    pipeline.plain.sqs.send_message(QueueUrl=pipeline.world.settings.event_queue_url, MessageBody="{}")
    (record,) = pipeline.receive()["Records"]
    received = received_of(record)
    assert received.traceparent.startswith("00-")
    assert received.xray_id == ""
