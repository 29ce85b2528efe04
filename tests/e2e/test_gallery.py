"""Every question of the gallery through PyAthena, over the tables that the template has."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.events import utc_seconds
from backend.contract.jobs import DatasetState, DatasetStatus, JobRun
from backend.contract.questions import BY_NAME, QUESTIONS, Answer, Asked
from backend.contract.records import make_sample
from backend.contract.tables import METRICS_PREFIX
from backend.history.athena import Athena
from backend.history.questions import Questions
from backend.history.reading import Places
from backend.jobs.history import partition_path, runs_key, status_key, status_line
from tests.athena_engine import AthenaEngine
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e

DAY = utc_seconds("2002-02-28T00:00:00.000Z")
"""Other tests of the session use the same bucket, and other days."""
NOON = DAY + 43_200
PLACE = "gallery"
"""The environment of these samples and records."""


def samples() -> list[dict[str, Any]]:
    """A host that is calm and one that fills up, an operator that is restarted; every sample collected twice."""
    found = []
    for minute in range(10):
        at = NOON + 60 * minute
        for host, cpu, disk in (("calm", 20.0, 50.0), ("full", 80.0, 76.0 + minute)):
            values = {"cpu_utilization": cpu + minute, "memory_usage": cpu, "disk_usage": disk, "network_in": 100.0}
            found += [
                make_sample(timestamp=at, metric_type=name, value=value, hostname=host, environment=PLACE)
                for name, value in values.items()
            ]
        total = 600.0 * minute if minute < 5 else 600.0 * (minute - 4)
        found.append(
            make_sample(
                timestamp=at, metric_type="records_in", value=total, hostname="jm", environment=PLACE,
                labels={"operator": "map"},
            )
        )  # fmt: skip
    return [sample.as_json() for sample in found]


@dataclass(frozen=True, slots=True)
class History:
    """What has been stored, and who asks it."""

    questions: Questions

    def ask(self, name: str, **filters: str) -> list[dict[str, Any]]:
        """The rows by column."""
        asked = Asked(BY_NAME[name], NOON, NOON + 3600, filters.get("environment", PLACE), filters.get("host", ""))
        answer: Answer = self.questions.answer(asked, threading.Event())
        names = [column.name for column in asked.question.columns]
        assert answer.cost.scanned_bytes > 0
        return [dict(zip(names, row, strict=True)) for row in answer.rows]


@pytest.fixture
def history(stack: LocalStack, athena_environment: AthenaEngine) -> History:
    s3, settings = stack.client("s3"), stack.settings
    runs = [
        JobRun("gallery-load", f"r{n}", "SUCCESS", NOON + n, ended_at=NOON + n + 10.0 * (n + 1), environment=PLACE,
               synthetic=True)
        for n in range(3)
    ]  # fmt: skip
    states: tuple[tuple[DatasetState, float], ...] = (("fresh", 5.0), ("late", 90.0))
    looks = [
        DatasetStatus("gallery-orders", state, NOON, freshness_minutes=minutes, sla_minutes=60.0, environment=PLACE)
        for state, minutes in states
    ]
    objects = {
        f"{METRICS_PREFIX}{partition_path(DAY)}metrics-{name}.json": samples() for name in ("gallery-1", "gallery-2")
    }
    objects |= {runs_key(DAY): [run.as_json() for run in runs], status_key(NOON): [status_line(look) for look in looks]}
    for key, lines in objects.items():
        body = "".join(json.dumps(line) + "\n" for line in lines)
        s3.put_object(Bucket=settings.bucket, Key=key, Body=body.encode())
    places = Places(s3, stack.client("dynamodb"), settings, time.time)
    reader = Athena(settings, Clients(settings.region).s3, poll_seconds=0.01)
    return History(Questions(reader, places, athena_environment.client(), settings))


def test_every_question_is_answered_by_what_lies_in_s3(history: History) -> None:
    answers = {question.name: history.ask(question.name) for question in QUESTIONS}

    cpu = answers["cpu_by_host"][0]
    assert cpu == {"host": "full", "average_percent": 84.5, "highest_percent": 89, "lowest_percent": 80, "samples": 10}
    assert answers["memory_trend"] == [
        {"hour_start": NOON, "average_percent": 50, "fullest_host": "full", "fullest_percent": 80, "hosts": 2}
    ]
    (disk,) = answers["disk_above_warning"]
    assert (disk["host"], disk["above_since"], disk["latest_percent"]) == ("full", NOON + 300, 85)
    assert (disk["share_percent"], disk["unbroken"]) == (50, "no")
    assert answers["network_by_host"][0]["in_peak_mbit"] == 100
    assert answers["network_by_host"][0]["out_peak_mbit"] is None
    counted = {(row["environment"], row["metric_type"]): row["samples"] for row in answers["counts_by_type"]}
    assert counted[PLACE, "cpu_utilization"] == 20, "each sample once, though each was collected twice"
    (hour,) = answers["peak_hours"]
    assert (hour["hour_of_day"], hour["operator"], hour["cpu_highest_percent"]) == (12, "map", 89)
    assert hour["records_per_second"] == pytest.approx(10)
    (job,) = answers["job_history"]
    assert (job["runs"], job["average_seconds"], job["origin"]) == (3, 20, "synthetic")
    assert job["last_started"] == NOON + 2
    (dataset,) = answers["dataset_history"]
    assert (dataset["fresh_percent"], dataset["late_percent"], dataset["worst_late_minutes"]) == (50, 50, 30)

    assert [row["host"] for row in history.ask("cpu_by_host", host="calm")] == ["calm"]
    assert history.ask("cpu_by_host", host="' OR '1' = '1") == []
    assert history.questions.limits()[0] == 10_000_000_000
