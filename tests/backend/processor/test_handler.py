"""Messages in, items and alerts out: every way a message can go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.contract.rollup import decode_live
from backend.settings import Limits

NOW = 1_795_259_220.0
KEY = "metrics/year=2026/month=11/day=21/metrics-1795259220-ab12.json"
BUCKET = "infra-monitoring-pipeline-data"
SMALL = Limits(object_split_bytes=2000)


def refuse(client: Any, operation: str, code: str, status: int, times: int = 10**6) -> None:
    """Makes one operation of a client answer with an error."""
    left = [times]

    def answer(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        if not left[0]:
            return None
        left[0] -= 1
        error = {"Error": {"Code": code, "Message": "refused"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return type("Answer", (), {"status_code": status})(), error

    client.meta.events.register(f"before-call.*.{operation}", answer)


def written(world: Any) -> list[dict[str, Any]]:
    """The table without the times of expiry and without what announces late samples."""
    rest = [{k: v for k, v in item.items() if k != "expires_at"} for item in world.items()]
    return sorted((i for i in rest if i["metric_type"]["S"] != "@late"), key=lambda i: json.dumps(i, sort_keys=True))


def cloudwatch(world: Any, name: str) -> float:
    start, end = (datetime.fromtimestamp(NOW + offset, UTC) for offset in (-3600, 3600))
    answer = world.clients.cloudwatch.get_metric_statistics(
        Namespace="Pulseboard", MetricName=name, StartTime=start, EndTime=end, Period=60, Statistics=["Sum"]
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_an_object_becomes_items_metrics_and_one_log_line(world: Any, samples: Any, body: Any) -> None:
    records = [samples(hostname=f"server-{n:03}") for n in range(30)]
    event = world.put(KEY, body(records), **{"spacing-seconds": "10"})
    assert world.handle(event) == []
    # Every 10 s, so only the first sample of a minute becomes a raw item: none of these, at second 50.
    assert world.raw() == []
    (live,) = [item for item in world.items() if item["metric_type"]["S"].startswith("cpu_utilization@live")]
    assert len(decode_live(live["data"]["S"])) == 30
    assert cloudwatch(world, "FilesProcessed") == 1
    assert cloudwatch(world, "MetricsProcessed") == 30
    assert cloudwatch(world, "SuccessfulWrites") == len(world.items())
    assert cloudwatch(world, "AvgCPUUtilization") == 30 * 41.5
    (line,) = world.logged()
    assert line["message"] == "object handled"
    assert line["level"] == "INFO"
    assert line["correlation_id"] == f"{KEY} request-1"
    assert (line["status"], line["samples"], line["stored"], line["quarantined"]) == ("processed", 30, 30, 0)
    assert line["latency_ms"] > 0
    assert {"timestamp", "logger", "service"} <= line.keys()


def test_keys_arrive_url_encoded(world: Any, samples: Any, body: Any) -> None:
    world.put("metrics/day one+ü=1.json", body([samples()]))
    assert world.handle(world.event("metrics/day+one%2B%C3%BC%3D1.json")) == []
    assert len(world.raw()) == 1


def test_the_test_event_of_s3_is_ignored(world: Any) -> None:
    event = world.event(KEY)
    event["Records"][0]["body"] = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
    assert world.handle(event) == []
    assert world.items() == []


def test_a_message_may_announce_several_objects(world: Any, samples: Any, body: Any) -> None:
    world.put("metrics/a.json", body([samples(hostname="a")]))
    world.put("metrics/b.json", body([samples(hostname="b")]))
    event, other = world.event("metrics/a.json"), world.event("metrics/b.json")
    both = [json.loads(e["Records"][0]["body"])["Records"][0] for e in (event, other)]
    removed = both[0] | {"eventName": "ObjectRemoved:Delete"}
    event["Records"][0]["body"] = json.dumps({"Records": [*both, removed]})
    assert world.handle(event) == []
    assert len(world.raw()) == 2


def test_a_message_that_is_not_understood_fails_alone(world: Any, samples: Any, body: Any) -> None:
    world.put(KEY, body([samples()]))
    event = world.event(KEY, KEY, KEY)
    event["Records"][0]["body"] = "hello"
    event["Records"][1]["body"] = '{"what": 1}'
    assert world.handle(event) == ["message-0", "message-1"]
    assert len(world.raw()) == 1


def test_a_missing_object_is_logged_and_skipped(world: Any) -> None:
    assert world.handle(world.event("metrics/gone.json")) == []
    assert world.logged()[-1]["status"] == "missing"
    assert world.messages(world.settings.dead_letter_queue_url) == []


def test_a_missing_bucket_is_no_missing_object(world: Any) -> None:
    event = world.event(KEY)
    event["Records"][0]["body"] = event["Records"][0]["body"].replace(BUCKET, "another-bucket")
    assert world.handle(event) == ["message-0"]


def test_a_forbidden_object_goes_to_the_dead_letters_at_once(world: Any, samples: Any, body: Any) -> None:
    event = world.put(KEY, body([samples()]))
    refuse(world.clients.s3, "GetObject", "AccessDenied", 403)
    assert world.handle(event) == []
    (letter,) = world.messages(world.settings.dead_letter_queue_url)
    assert json.loads(letter["Body"])["Records"][0]["s3"]["object"]["key"] == KEY
    assert letter["MessageAttributes"]["reason"]["StringValue"].startswith("access denied")
    (alert,) = world.alerts("alerts")
    assert (alert["severity"], alert["kind"], alert["details"]["object"]) == ("CRITICAL", "access_denied", KEY)
    assert world.items() == []


def test_a_dead_letter_put_back_is_processed(world: Any, samples: Any, body: Any) -> None:
    event = world.put(KEY, body([samples()]))
    refuse(world.clients.s3, "GetObject", "AccessDenied", 403, times=1)
    world.handle(event)
    (letter,) = world.messages(world.settings.dead_letter_queue_url)
    event["Records"][0]["body"] = letter["Body"]
    assert world.handle(event) == []
    assert len(world.raw()) == 1


def test_bad_lines_go_to_quarantine_and_are_reported(world: Any, samples: Any, body: Any) -> None:
    good = [samples(hostname=f"server-{n:03}") for n in range(39)]
    event = world.put(KEY, body(good) + b"{broken\n")
    world.handle(event)
    world.handle(event)
    (kept,) = world.quarantined()
    assert (kept["reason"], kept["object"], kept["line"], kept["text"]) == ("invalid_json", KEY, 40, "{broken")
    assert kept["received_at"] == NOW
    assert len(world.raw()) == 39
    first, second = world.alerts("warnings")
    assert first["kind"] == "data_quality"
    assert first["details"]["reasons"] == {"invalid_json": 1}
    assert first["title"] == second["title"] == "1 of 40 samples quarantined (2.5 %)"
    assert world.alerts("alerts") == []


def test_more_failures_than_the_limit_are_an_alert(world: Any, samples: Any, body: Any) -> None:
    world.handle(world.put(KEY, body([samples()]) + b"{broken\n"))
    (alert,) = world.alerts("alerts")
    assert (alert["severity"], alert["details"]["reasons"]) == ("HIGH", {"invalid_json": 1})


def test_an_alert_that_cannot_be_sent_costs_no_sample(world: Any, samples: Any, body: Any) -> None:
    refuse(world.clients.sns, "Publish", "InternalError", 500)
    assert world.handle(world.put(KEY, body([samples()]) + b"{broken\n")) == []
    assert len(world.raw()) == len(world.quarantined()) == 1


def test_quarantine_that_cannot_be_written_delivers_the_message_again(world: Any, samples: Any, body: Any) -> None:
    event = world.put(KEY, body([samples()]) + b"{broken\n")
    refuse(world.clients.s3, "PutObject", "SlowDown", 400, times=1)
    assert world.handle(event) == ["message-0"]
    assert world.handle(event) == []
    assert len(world.quarantined()) == len(world.raw()) == 1


def test_cloudwatch_being_down_costs_no_sample(world: Any, samples: Any, body: Any) -> None:
    refuse(world.clients.cloudwatch, "PutMetricData", "InternalFailure", 400)
    assert world.handle(world.put(KEY, body([samples()]))) == []
    assert len(world.raw()) == 1
    assert world.logged()[-1]["message"] == "CloudWatch metrics not put"


def test_a_message_that_failed_comes_back_after_a_minute(world: Any, samples: Any, body: Any) -> None:
    asked: list[dict[str, Any]] = []
    operation = "before-call.sqs.ChangeMessageVisibilityBatch"
    world.clients.sqs.meta.events.register(operation, lambda params, **_: asked.append(json.loads(params["body"])))
    refuse(world.store._client, "BatchWriteItem", "InternalServerError", 400)
    assert world.handle(world.put(KEY, body([samples()]))) == ["message-0"]
    assert [entry["VisibilityTimeout"] for entry in asked[0]["Entries"]] == [60]


def test_a_throttled_object_is_delivered_again_and_then_complete(world: Any, samples: Any, body: Any) -> None:
    event = world.put(KEY, body([samples(hostname=f"h{n}") for n in range(60)]))
    refuse(world.store._client, "BatchWriteItem", "ProvisionedThroughputExceededException", 400, times=17)
    assert world.handle(event) == ["message-0"]
    assert world.slept == [0.5, 1.0, 2.0]
    assert cloudwatch(world, "FailedWrites") > 60
    assert [line["error_type"] for line in world.logged() if "error_type" in line] == ["WriteThrottled"]
    assert world.handle(event) == []
    assert len(world.raw()) == 60


def test_a_failed_message_leaves_the_others_alone(world: Any, samples: Any, body: Any) -> None:
    world.put("metrics/a.json", body([samples(hostname="a")]))
    world.put("metrics/b.json", body([samples(hostname="b")]))
    refuse(world.clients.s3, "GetObject", "InternalError", 400, times=1)
    assert world.handle(world.event("metrics/a.json", "metrics/b.json")) == ["message-0"]
    assert [item["hostname"]["S"] for item in world.raw()] == ["b"]


def test_delivery_twice_and_out_of_order_changes_nothing(world: Any, samples: Any, body: Any) -> None:
    for minute in range(3):
        records = [samples(timestamp=NOW - 60 * minute - 10, hostname=f"h{n}") for n in range(5)]
        world.put(f"metrics/{minute}.json", body(records))
    keys = [f"metrics/{minute}.json" for minute in range(3)]
    world.handle(world.event(*keys))
    once = written(world)
    world.clock.now += 30
    world.handle(world.event(*reversed(keys), keys[1]))
    assert written(world) == once
    assert len(world.raw()) == 15


def test_messages_without_time_left_go_back_to_the_queue(world: Any, samples: Any, body: Any, context: Any) -> None:
    for name in "abc":
        world.put(f"metrics/{name}.json", body([samples(hostname=name)]))
    event = world.event(*(f"metrics/{name}.json" for name in "abc"))
    assert world.handle(event, context([30.0, 20.0])) == []
    assert [item["hostname"]["S"] for item in world.raw()] == ["a"]
    assert len(world.messages(world.settings.queue_url)) == 2


@pytest.mark.parametrize("world", [SMALL], indirect=True)
@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_large_object_is_processed_in_ranges(world: Any, samples: Any, body: Any, form: str) -> None:
    records = [samples(hostname=f"server-{n:03}") for n in range(100)]
    text = body(records) + b"{broken\n"
    if form == "array":
        text = b"[" + text.replace(b"\n{", b",\n{").rstrip() + b"]"
    event = world.put(KEY, text)
    assert world.handle(event) == []
    assert world.items() == []
    ranges = world.messages(world.settings.queue_url)
    assert len(ranges) > 10
    for message in ranges:
        event["Records"][0]["body"] = message["Body"]
        assert world.handle(event) == []
    assert sorted(item["hostname"]["S"] for item in world.raw()) == [r["hostname"] for r in records]
    (bad,) = world.quarantined()
    assert bad["text"].strip().startswith("{broken")
    assert bad["first_byte"] > 0
    assert cloudwatch(world, "FilesProcessed") == 1
    once = written(world)
    world.handle(world.event(KEY))
    assert sorted(m["Body"] for m in world.messages(world.settings.queue_url)) == sorted(m["Body"] for m in ranges)
    assert written(world) == once


@pytest.mark.parametrize("world", [SMALL], indirect=True)
def test_a_range_that_cannot_be_queued_delivers_the_object_again(world: Any, samples: Any, body: Any) -> None:
    event = world.put(KEY, body([samples(hostname=f"h{n}") for n in range(30)]))
    refuse(world.clients.sqs, "SendMessageBatch", "OverLimit", 400, times=1)
    assert world.handle(event) == ["message-0"]
    assert world.handle(event) == []
