"""Cancelling and repeating readings over HTTP: from pages of this site, for whoever may look, not for displays."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from backend.contract.history import HistoryAnswer, HistoryError, HistoryPlan, HistoryQuestion
from dashboard.access.settings import load_access
from dashboard.app import assemble
from dashboard.data.history import History
from tests.dashboard import fakes

QUESTION = HistoryQuestion("production", (), 0, 86400, 60)
OWN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


class Slow:
    """Reads until it is stopped."""

    def plan(self, question: HistoryQuestion) -> HistoryPlan:
        return HistoryPlan("a")

    def answer(self, plan: HistoryPlan, stop: threading.Event) -> HistoryAnswer:
        stop.wait()
        raise HistoryError("cancelled", "Cancelled")


@pytest.fixture
def history() -> Iterator[History]:
    made = History(Slow(), lambda: fakes.NOW, 3600.0)
    yield made
    made.close()


@pytest.fixture
def client(history: History) -> FlaskClient:
    services = fakes.services(now=lambda: fakes.NOW)
    services.history = history
    return assemble(services, load_access({})).test_client()


def test_a_reading_is_cancelled_for_everybody_and_begun_again_by_a_retry(client: FlaskClient, history: History) -> None:
    key = history.look(QUESTION).key
    assert client.get(f"/api/v1/history/{key}").get_json()["state"] == "running"

    cancelled = client.post("/api/v1/history/cancel", json={"key": key}, headers=OWN)

    assert cancelled.status_code == 200
    assert client.get(f"/api/v1/history/{key}").get_json()["state"] == "cancelled"
    assert history.look(QUESTION).state == "cancelled"
    while history.cancel(key):
        """Until the reading has noticed."""
    assert client.post("/api/v1/history/retry", json={"key": key}, headers=OWN).status_code == 200
    assert history.look(QUESTION).state == "running"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://elsewhere.example"}, {"key": "read-1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, {"key": "read-1"}, 403),
        (OWN, {"key": "read-of-nobody"}, 404),
        (OWN, {"key": 7}, 400),
        (OWN, {}, 400),
        (OWN, [], 400),
    ],
)
def test_what_is_not_asked_as_pages_ask_is_refused(
    client: FlaskClient, headers: dict[str, str], body: object, status: int
) -> None:
    answer = client.post("/api/v1/history/cancel", json=body, headers=headers)

    assert answer.status_code == status
    assert answer.get_json()["error"]["message"]


def test_what_is_no_json_and_an_unknown_reading_are_said(client: FlaskClient) -> None:
    assert client.post("/api/v1/history/cancel", data="key=1", headers=OWN).status_code == 415
    broken = client.post("/api/v1/history/cancel", data="{", headers=OWN, content_type="application/json")
    assert broken.status_code == 400
    assert client.get("/api/v1/history/read-of-nobody").status_code == 404
