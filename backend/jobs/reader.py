"""Runs, plans and datasets as they stand in their tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from backend.contract.events import utc_text
from backend.contract.job_items import (
    Item,
    batches_partition,
    dataset_of,
    plan_of,
    run_key_of,
    run_of,
    status_day,
)
from backend.contract.jobs import JOB_STATUSES, BatchPlan, DatasetStatus, JobRun
from backend.contract.tables import (
    DATASET,
    DATASET_INDEX,
    JOB_NAME,
    PLANS,
    RUN_KEY,
    STARTED_AT,
    STATUS_DAY,
    STATUS_DAY_INDEX,
)
from backend.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY_SECONDS: Final = 86_400
KEYS_AT_ONCE: Final = 100
"""What BatchGetItem takes."""
LONGEST_WAIT_SECONDS: Final = 2.0
"""Between two tries of what BatchGetItem left out."""


class JobReader:
    """Reads ``JobRuns`` and ``DatasetStatus``. ``clock`` gives epoch seconds: it tells whose lease is over.

    Every method raises what botocore raises where AWS does not answer.
    """

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = settings.job_runs_table
        self._datasets_table = settings.datasets_table
        self._clock = clock
        self._sleep = sleep

    def runs(self, start: float, end: float) -> Iterator[list[JobRun]]:
        """Runs started from ``start`` up to ``end`` (epoch s, exclusive), of any status, a page at a time.

        Days come oldest first, within a day status by status. A run that ends while this reads may come twice.
        """
        for day in range(int(start // DAY_SECONDS), int((end - 0.001) // DAY_SECONDS) + 1):
            for status in JOB_STATUSES:
                partition = status_day(status, day * DAY_SECONDS)
                yield from self._indexed(STATUS_DAY_INDEX, STATUS_DAY, partition, start, end)

    def started(self, now: float, days: int = 8) -> list[JobRun]:
        """Runs that have not ended, of those started within ``days`` before ``now``, oldest first.

        The index may be a moment behind.
        """
        today = int(now // DAY_SECONDS)
        partitions = [status_day("STARTED", day * DAY_SECONDS) for day in range(today - days, today + 2)]
        pages = (
            page
            for partition in partitions
            for page in self._indexed(STATUS_DAY_INDEX, STATUS_DAY, partition, now - days * DAY_SECONDS, now + 86_400)
        )
        return [run for page in pages for run in page]

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[JobRun]:
        """The runs of these names and run keys, in their order; those that are not there are left out."""
        found: dict[tuple[str, str], JobRun] = {}
        wanted = list(dict.fromkeys(keys))
        for at in range(0, len(wanted), KEYS_AT_ONCE):
            part = [run_key_of(*key) for key in wanted[at : at + KEYS_AT_ONCE]]
            waiting: dict[str, Any] = {self._table: {"Keys": part, "ConsistentRead": True}}
            for attempt in count():
                answer = self._dynamodb.batch_get_item(RequestItems=waiting)
                for run in map(run_of, answer["Responses"].get(self._table, ())):
                    found[run.job_name, run.run_key] = run
                waiting = dict(answer.get("UnprocessedKeys") or {})
                if not waiting:
                    break
                # The table has no room for more just now, and boto3 does not wait for it here.
                self._sleep(min(LONGEST_WAIT_SECONDS, 0.05 * 2.0 ** min(attempt, 10)))
        return [found[key] for key in wanted if key in found]

    def plans(self) -> tuple[BatchPlan, ...]:
        """The plans of all jobs that ever asked ``pending``, by name."""
        names = [item[RUN_KEY]["S"] for item in self._partition(PLANS)]
        return tuple(plan for name in names if (plan := self.plan(name)) is not None)

    def plan(self, job_name: str) -> BatchPlan | None:
        """One job's plan as it stands now; None where the job has no batches."""
        return plan_of(job_name, list(self._partition(batches_partition(job_name))), self._clock())

    def of_dataset(self, dataset: str, start: float, end: float) -> list[JobRun]:
        """Runs that load a dataset, started from ``start`` up to ``end`` (epoch s, exclusive), oldest first."""
        return [run for page in self._indexed(DATASET_INDEX, DATASET, dataset, start, end) for run in page]

    def datasets(self) -> tuple[DatasetStatus, ...]:
        """How all datasets were last found, by name. They are few, so they are listed by a scan."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._datasets_table)
        found = (dataset_of(item) for page in pages for item in page["Items"])
        return tuple(sorted(found, key=lambda status: status.dataset))

    def _indexed(self, index: str, name: str, value: str, start: float, end: float) -> Iterator[list[JobRun]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression="#name = :value AND #at BETWEEN :start AND :end",
            ExpressionAttributeNames={"#name": name, "#at": STARTED_AT},
            ExpressionAttributeValues={
                ":value": {"S": value},
                ":start": {"S": utc_text(start)},
                # BETWEEN is inclusive, and times are kept by the millisecond.
                ":end": {"S": utc_text(end - 0.001)},
            },
        )
        for page in pages:
            if page["Items"]:
                yield [run_of(item) for item in page["Items"]]

    def _partition(self, name: str) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#name = :name",
            ExpressionAttributeNames={"#name": JOB_NAME},
            ExpressionAttributeValues={":name": {"S": name}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]
