"""Investigation: find events, see one whole, know what is odd about many. One service for API, pages and replays."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.errors import InvalidInput
from backend.contract.event_items import Item, record_of
from backend.contract.events import (
    EventDetail,
    EventPage,
    EventQuery,
    EventRecord,
    Findings,
    Scanned,
    utc_seconds,
)
from backend.contract.tables import CORRELATION_INDEX, ENTITY_ID, EVENT_ID, KNOWN, TRACE
from backend.events.findings import findings_of
from backend.events.investigation_trace import duplicates_of, headers_of, trace_of
from backend.events.plugins import key_layout
from backend.events.search_plan import (
    CORRELATION_ID,
    groups,
    instant_of,
    leads_nowhere_else,
    position_of,
    scan_range,
    span_of,
)
from backend.events.search_reader import Bounds, EventTable, Reading, Step, expired
from backend.events.search_token import read_token, write_token
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

EVENT_ID_TEXT: Final = re.compile(r"[0-9a-f]{64}")
PARALLEL: Final = 16
MOST_EVENTS: Final = 5_000
"""Events of one page."""
MOST_ITEMS: Final = 20_000
MOST_QUERIES: Final = 1_000
"""What one page of a search may evaluate and ask; it is answered with what was found by then."""
PAGE_EVENTS: Final = 1_000
PAGE_SECONDS: Final = 1.0
"""Events of one list of ``pages``, and how long one is waited for."""
STREAMED_ITEMS: Final = 4_000
"""Items that ``pages`` asks for at a time, over all partitions."""
TRACED_EVENTS: Final = 50
TRACED_STEPS: Final = 100
"""Events of a correlation id in a trace, and stored steps of each."""


class Investigation:
    """Reads events. Thread-safe; its calls raise botocore's errors when AWS does not answer."""

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._settings = settings
        self._clock = clock
        self._layout = key_layout(settings)
        self._table = EventTable(dynamodb, settings.events_table, ThreadPoolExecutor(PARALLEL, "investigation"))

    def search(self, query: EventQuery, limit: int = 100, token: str | None = None) -> EventPage:
        """The newest ``limit`` events that match, or those that follow ``token``.

        A page may hold fewer and still be ``truncated``: a search also ends after ``MOST_ITEMS`` items or
        ``MOST_QUERIES`` queries, and ``scanned`` says how far it came. Raises InvalidInput for a wrong limit or token.
        """
        if not 1 <= limit <= MOST_EVENTS:
            raise InvalidInput("limit", limit, f"must lie between 1 and {MOST_EVENTS}")
        query, position = read_token(query, token) if token else (query, None)
        start, end = scan_range(query, self._settings.config)
        newest = end if position is None else min(end, utc_seconds(instant_of(position)))
        # One more to know that there are more, and the one behind it to know that its instant is complete.
        reading, steps = self._steps(query, Bounds(limit + 2, MOST_ITEMS, MOST_QUERIES), position)
        found: list[EventRecord] = []
        reached, more = position, False
        for at, record in steps:
            if record is not None and len(found) == limit:
                reached, more = position_of(found[-1]), True
                break
            reached = at
            if record is not None:
                found.append(record)
        truncated = more or not reading.complete
        if not truncated or reached is None:
            scanned = Scanned(min(start, newest), newest, reading.items, reading.queries)
            return EventPage(tuple(found), scanned, truncated)
        oldest = max(start, utc_seconds(instant_of(reached)))
        scanned = Scanned(min(oldest, newest), newest, reading.items, reading.queries)
        return EventPage(tuple(found), scanned, truncated, write_token(query, reached))

    def pages(self, query: EventQuery) -> Iterator[list[EventRecord]]:
        """Every event that matches, newest first, each once, in lists of ``PAGE_EVENTS``; memory does not grow.

        Where so many are not found within a second the list has those that were, maybe none, so that whoever has
        waited long enough can stop.
        """
        _, steps = self._steps(query, Bounds(STREAMED_ITEMS, ahead=True), None)
        page: list[EventRecord] = []
        began = self._clock()
        for _, record in steps:
            if record is not None:
                page.append(record)
            if len(page) == PAGE_EVENTS or self._clock() - began >= PAGE_SECONDS:
                yield page
                page, began = [], self._clock()
        if page:
            yield page

    def errors(self, start: float, end: float, limit: int = 2000) -> EventPage:
        """Failed events received from ``start`` to ``end`` (epoch s), newest first, from their own index."""
        return self.search(EventQuery(start, end, status="failed"), limit)

    def get(self, event_id: str) -> EventRecord | None:
        """One event; None where there is none, or not any more."""
        item = self._item(event_id)
        return record_of(item) if item else None

    def known(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Every event type and every source that ever arrived, sorted."""
        answer: Any = self._dynamodb.get_item(TableName=self._settings.gate_table, Key={EVENT_ID: {"S": KNOWN}})
        types, sources = (answer.get("Item", {}).get(name, {}).get("SS", ()) for name in ("types", "sources"))
        return tuple(sorted(types)), tuple(sorted(sources))

    def findings(self, events: Sequence[EventRecord], query: EventQuery) -> Findings:
        """What is odd about a query's events; those of the first page, or all.

        A silence is judged from the events given, so those of a later page would seem to end too early.
        """
        gates = self._gates([event.event_id for event in events])
        duplicates = {name: count for name, gate in gates.items() if (count := duplicates_of(gate))}
        configured = self._settings.config.events.types.get(query.event_type or "")
        expected = configured.expected_interval_seconds if configured else None
        return findings_of(events, query, duplicates, self._clock(), expected)

    def detail(self, event_id: str) -> EventDetail | None:
        """One event with its raw object, the headers it came with and the trace of its correlation id."""
        item = self._item(event_id)
        if item is None:
            return None
        record = record_of(item)
        raw = self._table.pool.submit(self._raw, record)
        related, related_cut = self._related(record, item)
        gates = self._gates([entry[EVENT_ID]["S"] for entry in related])
        steps, steps_cut = self._stored_steps([entry[EVENT_ID]["S"] for entry in related])
        text, intact, problem = raw.result()
        return EventDetail(
            record,
            text,
            intact,
            problem,
            headers_of(gates.get(event_id, {})),
            trace_of(related, gates, steps),
            related_cut or steps_cut,
        )

    def _steps(self, query: EventQuery, bounds: Bounds, position: str | None) -> tuple[Reading, Iterator[Step]]:
        span = span_of(*scan_range(query, self._settings.config)).until(position)
        reading = Reading(self._table, query, span, bounds, self._clock())
        if query.event_ids:
            return reading, reading.named(position)
        types: tuple[str, ...] = ()
        if leads_nowhere_else(query):
            types = self.known()[0]
            reading.queries += 1
        return reading, reading.steps(groups(query, span, types, self._layout), position)

    def _item(self, event_id: str) -> Item | None:
        if not EVENT_ID_TEXT.fullmatch(event_id):
            return None
        items = self._table.items(self._table.keys_of(event_id))
        return next((item for item in items if not expired(item, self._clock())), None)

    def _gates(self, event_ids: Sequence[str]) -> dict[str, Item]:
        """The items of ``EventGate`` by event id."""
        keys = [{EVENT_ID: {"S": event_id}} for event_id in dict.fromkeys(event_ids)]
        return {item[EVENT_ID]["S"]: item for item in self._table.items(keys, self._settings.gate_table)}

    def _related(self, record: EventRecord, item: Item) -> tuple[list[Item], bool]:
        """The items of the event's correlation id, its own among them, and whether there are more."""
        answer = self._table.query(
            IndexName=CORRELATION_INDEX,
            KeyConditionExpression=f"{CORRELATION_ID} = :id",
            ExpressionAttributeValues={":id": {"S": record.correlation_id}},
            Limit=TRACED_EVENTS,
        )
        others = [
            entry
            for entry in answer["Items"]
            if entry[EVENT_ID] != item[EVENT_ID] and not expired(entry, self._clock())
        ]
        return [item, *others], "LastEvaluatedKey" in answer

    def _stored_steps(self, event_ids: Sequence[str]) -> tuple[list[Item], bool]:
        """The stored steps of events, and whether there are more."""
        answers = list(self._table.pool.map(self._steps_of, event_ids))
        now = self._clock()
        steps = [item for answer in answers for item in answer["Items"] if not expired(item, now)]
        return steps, any("LastEvaluatedKey" in answer for answer in answers)

    def _steps_of(self, event_id: str) -> Any:
        return self._table.query(
            KeyConditionExpression=f"{ENTITY_ID} = :trace",
            ExpressionAttributeValues={":trace": {"S": f"{TRACE}{event_id}"}},
            Limit=TRACED_STEPS,
        )

    def _raw(self, record: EventRecord) -> tuple[str | None, bool | None, str]:
        """The raw object's text, whether it is the one that was stored, and why it can't be read."""
        try:
            answer = self._s3.get_object(Bucket=self._settings.bucket, Key=record.raw_key)
            body = answer["Body"].read()
        except ClientError as error:
            gone = error.response["Error"]["Code"] in ("NoSuchKey", "404")
            return None, None, "the raw object is gone" if gone else f"the raw object can't be read: {error}"
        except BotoCoreError as error:
            return None, None, f"the raw object can't be read: {error}"
        intact = hashlib.sha256(body).hexdigest() == record.sha256
        problem = "" if intact else "the raw object was changed: its SHA-256 is not the one that was recorded"
        return body.decode("utf-8", "replace"), intact, problem
