"""Retries of batches from the page, and the rows of its grid: hostile bodies, roles, and no query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard.data.jobs_store import RunStore
from tests.dashboard.fakes import NOW
from tests.dashboard.guarded import ORIGIN, Guarded
from tests.dashboard.job_desk import full_reader
from tests.dashboard.job_fakes import FakeReader

REASON = "the disk is larger now"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    guarded = Guarded()
    services: Any = guarded.services
    services.runs = RunStore(full_reader(NOW), services.now, days=1)
    yield guarded
    guarded.close()


@pytest.fixture
def client(guarded: Guarded) -> FlaskClient:
    guarded.acting.calls.clear()
    return guarded.client()


def act(client: FlaskClient, body: Any, name: str = "job-retry") -> Any:
    session: Any = client.get("/api/v1/session").json
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "X-Pulseboard-Token": session["token"]}
    return client.post(f"/api/v1/actions/{name}", json=body, headers=headers)


# ----------------------------------------------------------------------- the state machine
def test_an_operator_starts_an_execution(client: FlaskClient, guarded: Guarded) -> None:
    answer = act(client, {"reason": REASON}, "pipeline-run")
    assert (answer.status_code, answer.json["message"]) == (200, "Execution run-1 started")
    assert guarded.acting.calls == [("start", None, REASON, "local")]
    assert act(client, {"reason": REASON, "at": 1}, "pipeline-run").json["error"]["field"] == "at"


# ---------------------------------------------------------------------------- retries
def test_a_dry_run_names_what_would_run_and_what_not_and_why(client: FlaskClient, guarded: Guarded) -> None:
    body = {"job_name": "orders-backfill", "batches": ["2026-05", "2026-06", "2026-07"], "dry_run": True}
    answer = act(client, body).json
    assert answer["message"] == (
        "2 batches would run: 2026-06, 2026-07; 1 left out (2026-05: is running now). Nothing was asked for"
    )
    assert answer["would_send"] == 2
    assert guarded.acting.calls == []


def test_a_retry_leads_to_its_record(client: FlaskClient, guarded: Guarded) -> None:
    body = {"job_name": "orders-backfill", "batches": ["2026-05"], "reason": REASON, "confirm": 1}
    answer = act(client, body).json
    assert guarded.acting.calls == [("retry", "orders-backfill", ["2026-05"], 1, REASON, "local")]
    assert (answer["at"], answer["go"]) == ("/replay", {"tab": "replays", "replay": "r-1"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"batches": []}, "batches"),
        ({"batches": None}, "batches"),
        ({"batches": "2026-05"}, "batches"),
        ({"batches": [{"x": 1}]}, "batches"),
        ({"job_name": ""}, "job_name"),
        ({"job_name": {"x": [1]}}, "job_name"),
        ({"batch": "2026-05"}, "batch"),
        ({"confirm": "1"}, "confirm"),
        ({"reason": "x"}, "reason"),
    ],
)
def test_a_wrong_body_is_named_and_nothing_is_asked_for(
    client: FlaskClient, guarded: Guarded, change: dict[str, Any], field: str
) -> None:
    answer = act(client, {"job_name": "orders-backfill", "batches": ["2026-05"], "reason": REASON, **change})
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == field
    assert guarded.acting.calls == []


# ------------------------------------------------------------------------------- rows
def rows(client: FlaskClient, **query: Any) -> Any:
    return client.get("/api/v1/jobs/runs", query_string={"from": "now-24h", **query})


def test_blocks_follow_each_other_and_say_how_many_match(client: FlaskClient) -> None:
    first, second = (rows(client, start=start, count=40).json for start in (0, 40))
    assert first["matching"] == second["matching"] > 80
    starts = [row["started"] for row in (*first["rows"], *second["rows"])]
    assert len(starts) == 80
    assert starts == sorted(starts, reverse=True)
    assert first["whole"] is True


def test_filters_and_order_are_the_addresses(client: FlaskClient) -> None:
    found = rows(client, job="orders-backfill", run_status="FAILED", sort="duration", text="MEMORY").json
    assert [row["batch"] for row in found["rows"]] == ["2026-05", "2026-05"]
    assert found["matching"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", "501"), ("count", "0"), ("start", "-1"), ("start", "1e3"), ("sort", "__class__"),
     ("run_status", "DONE"), ("from", "yesterday"), ("job", "x" * 300)],
)  # fmt: skip
def test_hostile_parameters_are_refused_by_name(client: FlaskClient, name: str, value: str) -> None:
    answer: Any = rows(client, **{name: value})
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == name


def test_scrolling_and_filtering_ask_the_table_nothing(guarded: Guarded) -> None:
    services: Any = guarded.services
    reader: FakeReader = services.runs._reader
    rows(guarded.client())
    asked = list(reader.calls)
    for query in ({"text": "timeout"}, {"sort": "-records", "start": 100}, {"job": "stock-snapshot"}):
        assert rows(guarded.client(), **query).status_code == 200
    assert reader.calls == asked


def test_displays_see_no_words_of_errors(guarded: Guarded) -> None:
    shown = rows(guarded.client(), run_status="FAILED", kiosk="").json["rows"]
    assert shown
    assert {row["error"] for row in shown} <= {"TimeoutError", "ClientError", "ValueError", "MemoryError"}


def test_without_runs_it_says_what_is_missing(guarded: Guarded) -> None:
    services: Any = guarded.services
    held, services.runs = services.runs, None
    answer: Any = rows(guarded.client())
    services.runs = held
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "not_connected")
