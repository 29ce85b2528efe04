"""Where things ended: read straight from the stores and the stand-ins, past the proxy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import orjson

from backend.contract.event_items import PROCESSED_FOR, PROCESSED_REPLAYS
from backend.contract.rollup import decode_live
from backend.contract.tables import (
    AGGREGATES_TABLE,
    DATA,
    ENTITY_ID,
    EVENT_ID,
    LIVE,
    METRIC_TYPE,
    METRIC_TYPE_INDEX,
    METRICS_PREFIX,
    QUARANTINE_PREFIX,
    TIMESTAMP,
    partition,
)
from backend.events.aggregate_store import version_of
from chaos.config import ENVIRONMENT, EVENT_TYPE, SCRAPED, UPLOADED
from chaos.product import Product
from chaos.senders import call

ALL_VERSIONS: Final = f"{EVENT_TYPE}#"
BAD: Final = "chaos-bad-"
_PARALLEL: Final = 8


class Evidence:
    """Reads what is there now. ``since`` is when the case began, epoch seconds: what is older is not looked at."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._settings = product.settings
        self._s3, self._dynamodb = product.client("s3"), product.client("dynamodb")
        self._sqs = product.client("sqs")
        self._read: dict[str, bytes] = {}
        self._pool = ThreadPoolExecutor(_PARALLEL)

    # ------------------------------------------------------------------------------------------- samples
    def live(self, metric: str, since: float) -> Iterator[tuple[str, float, float]]:
        """(group, time, value) of each sample in live items: what pages are drawn from."""
        for item in self._query(
            TableName=self._settings.table,
            IndexName=METRIC_TYPE_INDEX,
            KeyConditionExpression=f"{METRIC_TYPE} = :name AND #at >= :since",
            ExpressionAttributeNames={"#at": TIMESTAMP},
            ExpressionAttributeValues={
                ":name": {"S": partition(metric, LIVE, ENVIRONMENT)},
                ":since": {"N": str(int(since) // 60 * 60)},
            },
        ):
            minute = float(item[TIMESTAMP]["N"])
            for series in decode_live(item[DATA]["S"]):
                for offset, value in zip(series.offsets, series.values, strict=True):
                    yield series.group, minute + offset, value

    def scrapes(self, since: float) -> Counter[str]:
        """How often each scrape's number is there."""
        return Counter(str(int(value)) for _, _, value in self.live(SCRAPED, since))

    def samples(self, since: float) -> Counter[str]:
        """How often each uploaded sample is there."""
        return Counter(group for group, _, _ in self.live(UPLOADED, since))

    def spooled(self) -> set[str]:
        """Numbers of scrapes in objects of the bucket: what the agent wrote to its disk and sent, whatever followed."""
        found = set()
        for body in self._bodies(METRICS_PREFIX):
            for line in body.splitlines():
                if SCRAPED.encode() in line and (sample := orjson.loads(line))["environment"] == ENVIRONMENT:
                    found.add(str(int(sample["value"])))
        return found

    def waiting(self) -> int:
        """Objects in the agent's spool."""
        return len(list((Path(self._product.directory) / "spool").glob("*.object")))

    def quarantine(self) -> Counter[str]:
        """How often each bad line is there."""
        found: Counter[str] = Counter()
        for body in self._bodies(QUARANTINE_PREFIX):
            for line in body.splitlines():
                text = str(orjson.loads(line)["text"])
                if BAD in text:
                    found[str(orjson.loads(text)["bad"])] += 1
        return found

    def _bodies(self, prefix: str) -> Iterator[bytes]:
        """Every object below ``prefix``; objects never change, so each is read once."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        new = [key for key in keys if key not in self._read or prefix == QUARANTINE_PREFIX]
        for key, body in zip(new, self._pool.map(self._body, new), strict=True):
            self._read[key] = body
        yield from (self._read[key] for key in keys)

    def _body(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._settings.bucket, Key=key)["Body"].read()
        return body

    # -------------------------------------------------------------------------------------------- events
    def events(self) -> dict[str, dict[str, Any]]:
        """The item of each counted event by its id; ``copies`` says how many there are of it.

        By one scan: the engine's index queries are scans too, one for each id.
        """
        found: dict[str, dict[str, Any]] = {}
        for item in self._scan(self._settings.events_table):
            # Steps of its trace carry the id too.
            if item.get("event_type", {}).get("S") == EVENT_TYPE and not item[ENTITY_ID]["S"].startswith("@"):
                event_id = item[EVENT_ID]["S"]
                copies = found.get(event_id, {}).get("copies", 0)
                found[event_id] = item | {"copies": copies + 1}
        return found

    def aggregated(self) -> tuple[int, int]:
        """Events that the newest versions of the aggregates count, and events whose items say that they are counted."""
        newest: dict[str, int] = {}
        for item in self._scan(self._settings.aggregates_table or AGGREGATES_TABLE):
            window = item["name_window"]["S"]
            if window.startswith(ALL_VERSIONS):
                newest[window] = max(newest.get(window, 0), version_of(item).events)
        marked = sum("aggregated_in" in item for item in self.events().values())
        return sum(newest.values()), marked

    def depths(self) -> dict[str, int]:
        """Messages in each queue and dead-letter queue, visible and in flight."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        urls = {
            "metrics": self._settings.queue_url,
            "events": self._settings.event_queue_url,
            "alerts": self._settings.alert_queue_url,
            "replays": self._settings.replay_queue_url,
            "log-processor-dlq": self._settings.dead_letter_queue_url,
            "event-processor-dlq": self._settings.event_dead_letter_queue_url,
            "alert-consumer-dlq": self._settings.alert_dead_letter_queue_url,
        }
        found = {}
        for name, url in urls.items():
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            found[name] = sum(int(answer.get(attribute, 0)) for attribute in names)
        return found

    # -------------------------------------------------------------------------------------------- alerts
    def slack(self) -> Counter[str]:
        """How often each alert was said in Slack as a message of its own."""
        _, answer = call(f"http://127.0.0.1:{self._product.ports['slack']}", "GET", "/messages")
        roots = [message for message in answer["messages"] if "thread_ts" not in message]
        return Counter(name for message in roots if (name := _named(str(message.get("text", "")))))

    def pagerduty(self) -> Counter[str]:
        """How many incidents of PagerDuty each alert has."""
        _, answer = call(f"http://127.0.0.1:{self._product.ports['pagerduty']}", "GET", "/incidents")
        summaries = [str((incident.get("payload") or {}).get("summary", "")) for incident in answer["incidents"]]
        return Counter(name for summary in summaries if (name := _named(summary)))

    def _query(self, **request: Any) -> Iterator[dict[str, Any]]:
        for page in self._dynamodb.get_paginator("query").paginate(**request):
            yield from page["Items"]

    def _scan(self, table: str) -> Iterator[dict[str, Any]]:
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]


def replayed(items: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
    """``<replay id>/<event id>`` to how often the event was processed for that replay."""
    found: Counter[str] = Counter()
    for event_id, item in items.items():
        for replay_id in item.get(PROCESSED_REPLAYS, {}).get("SS", []):
            found[f"{replay_id}/{event_id}"] += 0
        for entry in item.get(PROCESSED_FOR, {}).get("L", []):
            if replay_id := entry["M"].get("replay_id", {}).get("S", ""):
                found[f"{replay_id}/{event_id}"] += 1
    return found


def _named(text: str) -> str:
    """The campaign's own name of an alert in a text that tells it."""
    return next((word.strip("*:,.") for word in text.split() if word.strip("*:,.").startswith("chaos-")), "")
