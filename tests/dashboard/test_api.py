"""The HTTP interface: good and bad input of every route, what is told when AWS is away, and what probes see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import brotli
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from dashboard.data.request import ViewRequest
from dashboard.data.views import BeingMade
from tests.dashboard.data.feeding import NOW, every, growing, put, samples
from tests.dashboard.small import TICK, Dashboard

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
LONG = "x" * 20_000


@pytest.fixture
def empty() -> Iterator[Dashboard]:
    dashboard = Dashboard()
    yield dashboard
    dashboard.services.close()


@pytest.fixture
def dashboard(empty: Dashboard) -> Dashboard:
    put(
        empty.table,
        samples("consumer_lag_records", every(10, -1200, value=100), partition="0"),
        samples("records_in", growing(10, -1200, by=100), operator="map"),
    )
    return empty


def error_of(response: TestResponse) -> tuple[int, str, str | None]:
    error = response.get_json()["error"]
    assert error["message"]
    assert len(error["message"]) < 600
    return response.status_code, error["code"], error.get("field")


# ------------------------------------------------------------------------------------------------- views
def test_a_view_is_answered_with_an_etag(dashboard: Dashboard) -> None:
    response = dashboard.client.get("/api/v1/view/small")
    assert response.status_code == 200
    assert response.get_json()["props"] == {"verdict": {"children": "healthy"}}
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["X-Pulseboard-Now"] == str(int(NOW * 1000))
    assert "X-Pulseboard-Stale" not in response.headers


def test_who_has_the_view_already_gets_304_without_a_body(dashboard: Dashboard) -> None:
    etag = dashboard.client.get("/api/v1/view/small").headers["ETag"]
    dashboard.go_on(3 * TICK)
    for asked in (etag, f"W/{etag}", f'"other", {etag}'):
        response = dashboard.client.get("/api/v1/view/small", headers={"If-None-Match": asked})
        assert (response.status_code, response.data) == (304, b"")
        assert response.headers["ETag"] == etag
    assert dashboard.client.get("/api/v1/view/small", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_view_comes_compressed_as_the_client_takes_it(dashboard: Dashboard) -> None:
    plain = dashboard.client.get("/api/v1/view/small")
    small = dashboard.client.get("/api/v1/view/small", headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["Content-Encoding"] == "br"
    assert brotli.decompress(small.data) == plain.data
    assert "Content-Encoding" not in plain.headers


def test_an_unknown_page_is_404(dashboard: Dashboard) -> None:
    assert error_of(dashboard.client.get("/api/v1/view/nowhere")) == (404, "unknown_page", "page")
    assert error_of(dashboard.client.get("/api/v1/view/%00")) == (404, "unknown_page", "page")


BAD_FILTERS: list[tuple[str, str]] = [
    ("from=yesterday", "from"),
    ("from=nan", "from"),
    ("from=1e309", "from"),
    ("from=-1e309&to=1e309", "from"),
    ("to=1e309", "to"),
    ("from=now&to=now-1h", "from"),
    ("from=now-401d", "from"),
    ("from=%00", "from"),
    ("from=now-1h&from=yesterday&from=", ""),  # the first of repeated parameters counts
    ("from[x]=1&environment[a][b]=c", ""),  # nested names are unknown parameters
    ("environment=%00", "environment"),
    ("host=%0a", "host"),
    (f"operator={LONG}", "operator"),
    (f"{LONG}={LONG}", ""),
]


@pytest.mark.parametrize("route", ["/api/v1/view/small", "/api/v1/health"])
@pytest.mark.parametrize(("query", "field"), BAD_FILTERS)
def test_a_bad_filter_is_400_with_its_field(dashboard: Dashboard, route: str, query: str, field: str) -> None:
    response = dashboard.client.get(f"{route}?{query}")
    if not field:
        assert response.status_code == 200
        return
    assert error_of(response)[0::2] == (400, field)


def test_a_range_of_a_few_seconds_is_a_range(dashboard: Dashboard) -> None:
    assert dashboard.client.get(f"/api/v1/view/small?from={NOW - 100}&to={NOW - 99}").status_code == 200


@pytest.mark.parametrize("route", ["/api/v1/view/small", "/api/v1/health", "/api/v1/series?metric=records_in"])
@pytest.mark.parametrize(
    "error", [AWAY, ClientError({"Error": {"Code": "AccessDeniedException"}}, "Query"), TimeoutError()]
)
def test_without_any_data_an_outage_is_503(dashboard: Dashboard, route: str, error: Exception) -> None:
    dashboard.table.broken = error
    assert error_of(dashboard.client.get(route)) == (503, "unavailable", None)


@pytest.mark.parametrize("route", ["/api/v1/view/small", "/api/v1/health", "/api/v1/series?metric=records_in"])
def test_in_an_outage_the_last_good_answer_says_how_old_it_is(dashboard: Dashboard, route: str) -> None:
    good = dashboard.client.get(route)
    dashboard.table.broken = AWAY
    dashboard.go_on(4 * TICK)
    stale = dashboard.client.get(route)
    assert stale.status_code == 200
    assert stale.headers["X-Pulseboard-Stale"] == str(int(4 * TICK))
    if "health" not in route:
        assert stale.data == good.data
        unchanged = dashboard.client.get(route, headers={"If-None-Match": good.headers["ETag"]})
        assert (unchanged.status_code, unchanged.headers["X-Pulseboard-Stale"]) == (304, str(int(4 * TICK)))
    dashboard.table.broken = None
    dashboard.go_on(4 * TICK)
    assert "X-Pulseboard-Stale" not in dashboard.client.get(route).headers


def test_a_view_that_takes_its_time_is_late_and_the_first_one_being_made(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = dashboard.services.view(ViewRequest("small", "production"))
    monkeypatch.setattr(dashboard.services.views, "get", lambda *_: replace(good, late=True))
    late = dashboard.client.get("/api/v1/view/small")
    assert (late.status_code, late.headers["X-Pulseboard-Late"]) == (200, "1")
    assert "X-Pulseboard-Stale" not in late.headers

    def being_made(*_: object) -> None:
        raise BeingMade

    monkeypatch.setattr(dashboard.services.views, "get", being_made)
    assert error_of(dashboard.client.get("/api/v1/view/small"))[0:2] == (503, "being_made")


# ------------------------------------------------------------------------------------------------ health
def test_the_verdict_has_its_promised_shape(dashboard: Dashboard) -> None:
    body: dict[str, Any] = dashboard.client.get("/api/v1/health").get_json()
    assert set(body) == {"environment", "status", "reasons", "since", "signals"}
    assert (body["environment"], body["status"]) == ("production", "healthy")
    assert body["reasons"][0] == "Consumer lag, the only connected signal, is within limits"
    assert body["since"] <= NOW
    by_name = {signal["name"]: signal for signal in body["signals"]}
    assert set(by_name) == {
        "consumer_lag_records",
        "dlq_records",
        "latency_ms",
        "window_completeness",
        "checkpoint_failures_total",
        "job_restarts_total",
    }
    assert by_name["consumer_lag_records"] == {
        "name": "consumer_lag_records",
        "title": "Consumer lag",
        "value": 100.0,
        "unit": "records",
        "state": "healthy",
        "age_seconds": 0.0,
        "detail": "Consumer lag is 100 records",
    }
    assert by_name["dlq_records"]["state"] == "not_connected"
    assert by_name["dlq_records"]["value"] is None


def test_nothing_connected_is_unknown_never_healthy(empty: Dashboard) -> None:
    body = empty.client.get("/api/v1/health").get_json()
    assert (body["status"], body["reasons"]) == ("unknown", ["No signal is connected yet"])


def test_the_verdict_is_of_the_environment_asked_for(dashboard: Dashboard) -> None:
    put(dashboard.table, samples("consumer_lag_records", every(10, -600, value=60_000), environment="staging"))
    assert dashboard.client.get("/api/v1/health?environment=staging").get_json()["status"] == "critical"
    assert dashboard.client.get("/api/v1/health").get_json()["status"] == "healthy"


def test_environments_that_nobody_sent_leave_nothing_behind(dashboard: Dashboard) -> None:
    for n in range(20):
        body = dashboard.client.get(f"/api/v1/health?environment=made-up-{n}").get_json()
        assert body["status"] == "unknown"
    assert set(dashboard.services.health._past) <= {""}
    assert not dashboard.services.health._holding
    assert not dashboard.services.hot._columns


# ------------------------------------------------------------------------------------------------ series
def test_a_series_has_its_promised_shape(dashboard: Dashboard) -> None:
    body = dashboard.client.get("/api/v1/series?metric=records_in&from=now-10m").get_json()
    assert {"metric", "unit", "stat", "step_seconds", "series"} <= set(body)
    assert (body["metric"], body["unit"], body["stat"], body["step_seconds"]) == (
        "records_in",
        "records/s",
        "rate",
        10,
    )
    (line,) = body["series"]
    assert line["name"] == "map"
    assert line["points"] == [[NOW - 600 + i * 10, 10.0] for i in range(61)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "metric"),
        ("metric=", "metric"),
        ("metric=cpu", "metric"),
        ("metric[]=records_in", "metric"),
        ("metric=records_in%00", "metric"),
        (f"metric={LONG}", "metric"),
        ("metric=records_in&stat=p99", "stat"),
        ("metric=records_in&stat=%00", "stat"),
        ("metric=records_in&host=a", "host"),
        ("metric=cpu_utilization&host=a&group=b", "group"),
        (f"metric=records_in&group={LONG}", "group"),
        ("metric=records_in&group=%00", "group"),
        ("metric=records_in&environment=nowhere", "environment"),
        ("metric=records_in&environment=%0d%0a", "environment"),
        ("metric=records_in&from=nan", "from"),
        ("metric=records_in&from=1e309", "from"),
        ("metric=records_in&from=now-999999w", "from"),
        ("metric=records_in&to=inf", "to"),
        ("metric=records_in&from=now&to=now-1h", "from"),
    ],
)
def test_a_bad_series_request_is_400_with_its_field(dashboard: Dashboard, query: str, field: str) -> None:
    assert error_of(dashboard.client.get(f"/api/v1/series?{query}"))[0::2] == (400, field)


def test_a_series_without_points_is_an_empty_list(dashboard: Dashboard) -> None:
    body = dashboard.client.get("/api/v1/series?metric=cpu_utilization").get_json()
    assert body["series"] == []
    assert body["source"] == {"kind": "live", "state": "done"}


@pytest.mark.parametrize("query", ["from=now-1h", "from=now-1h&to=", f"from={NOW - 3600}&to={NOW}"])
def test_a_series_asked_for_again_costs_nothing_and_keeps_its_etag(dashboard: Dashboard, query: str) -> None:
    url = f"/api/v1/series?metric=records_in&{query}"
    first = dashboard.client.get(url)
    dashboard.table.queries.clear()
    assert dashboard.client.get(url).data == first.data
    assert dashboard.table.queries == []
    dashboard.go_on(3 * TICK)
    assert dashboard.client.get(url).headers["ETag"] == first.headers["ETag"]


# ------------------------------------------------------------------------------------------------ probes
def test_healthz_needs_no_aws(empty: Dashboard) -> None:
    empty.table.broken = AWAY
    response = empty.client.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})
    assert empty.table.queries == []


def test_readyz_is_503_until_the_table_could_be_read(dashboard: Dashboard) -> None:
    dashboard.table.broken = AWAY
    assert error_of(dashboard.client.get("/readyz")) == (503, "unavailable", None)
    dashboard.table.broken = None
    response = dashboard.client.get("/readyz")
    assert response.status_code == 200
    body = response.get_json()
    assert (body["status"], body["environments"]) == ("ready", ["production"])
    assert body["metrics_seen"] >= 2


def test_metrics_are_prometheus_text(dashboard: Dashboard) -> None:
    dashboard.client.get("/api/v1/view/small")
    etag = dashboard.client.get("/api/v1/health").headers["ETag"]
    dashboard.client.get("/api/v1/health", headers={"If-None-Match": etag})
    response = dashboard.client.get("/metrics")
    assert response.mimetype == "text/plain"
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }
    assert found["pulseboard_dynamodb_queries_total"] == dashboard.table.counts.queries > 0
    assert found["pulseboard_views_served_total"] == 3
    assert found["pulseboard_views_made_total"] == 2
    assert found["pulseboard_views_unchanged_total"] == 1
    assert found["pulseboard_build"] == 1
