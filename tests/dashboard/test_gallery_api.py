"""Files of answers over HTTP: who gets them, what is refused by name, and what happens while Athena still reads."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.contract.questions import BY_NAME
from dashboard.access.settings import load_access
from dashboard.app import assemble
from dashboard.data.source import Source
from tests.dashboard import fakes
from tests.dashboard.gallery_fakes import END, START, FakeGallery

DAY = f"from={START * 1000:.0f}&to={END * 1000:.0f}"
CSV = f"/api/v1/history/ask/cpu_by_host.csv?{DAY}"


@pytest.fixture(scope="module")
def gallery() -> FakeGallery:
    return FakeGallery()


@pytest.fixture(scope="module")
def client(gallery: FakeGallery) -> FlaskClient:
    services = fakes.services(now=lambda: fakes.NOW)
    services.gallery = gallery
    return assemble(services, load_access({})).test_client()


@pytest.fixture(autouse=True)
def as_new(gallery: FakeGallery) -> None:
    gallery.__init__()  # type: ignore[misc]


def test_the_files_hold_the_answer_under_a_name_that_says_what_it_is(client: FlaskClient, gallery: FakeGallery) -> None:
    answer = client.get(f"{CSV}&environment=staging&host=server-001")

    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    name = "pulseboard-cpu_by_host-staging-20261120T0000-20261121T0000.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert next(csv.reader(io.StringIO(answer.text)))[0] == "host"
    (asked,) = gallery.asked
    assert (asked.start, asked.end, asked.environment, asked.host) == (START, END, "staging", "server-001")

    parquet = client.get(CSV.replace(".csv", ".parquet"))
    assert pq.read_table(io.BytesIO(parquet.data)).num_rows == 2


def test_an_unknown_question_is_answered_with_the_names_there_are(client: FlaskClient) -> None:
    answer = client.get(f"/api/v1/history/ask/drop_table.csv?{DAY}")

    assert answer.status_code == 404
    assert all(name in answer.get_json()["error"]["message"] for name in BY_NAME)


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=now-3650d", "from"), ("from=now&to=now-1h", "from"), ("from=yesterday", "from"), ("asked=soon", "asked")],
)
def test_a_range_that_can_not_be_asked_is_refused_by_name(
    client: FlaskClient, gallery: FakeGallery, query: str, field: str
) -> None:
    answer = client.get(f"/api/v1/history/ask/cpu_by_host.csv?{query}")

    assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, field)
    assert gallery.asked == []


def test_what_is_not_there_yet_or_never_will_be_is_said(client: FlaskClient, gallery: FakeGallery) -> None:
    gallery.source = Source("history", "running", key="key-1")
    running = client.get(CSV)
    assert (running.status_code, running.get_json()["state"]) == (202, "running")
    assert running.headers["Retry-After"] == "5"

    gallery.source = Source("history", "failed", error="The query would scan more than the workgroup allows")
    failed = client.get(CSV)
    assert (failed.status_code, failed.get_json()["error"]["message"]) == (503, gallery.source.error)

    gallery.source = replace(gallery.source, state="cancelled", error="")
    assert client.get(CSV).status_code == 503


def test_a_display_gets_no_files(client: FlaskClient, gallery: FakeGallery) -> None:
    assert client.get(f"{CSV}&kiosk").status_code == 403
    assert gallery.asked == []


def test_without_athena_it_is_said_that_nothing_is_connected() -> None:
    server = assemble(fakes.services(now=lambda: fakes.NOW), load_access({}))

    assert server.test_client().get(CSV).get_json()["error"]["code"] == "not_connected"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["host", "environment", "from", "to", "asked"]),
    st.text(max_size=30).map(lambda text: f"' OR {text}--"),
)
def test_sql_in_a_parameter_is_refused_or_a_name(
    client: FlaskClient, gallery: FakeGallery, name: str, text: str
) -> None:
    answer = client.get("/api/v1/history/ask/cpu_by_host.csv", query_string={"from": "now-1h", name: text})

    if answer.status_code == 200:
        assert text in (gallery.asked[-1].host, gallery.asked[-1].environment)
    else:
        assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, name)
