"""Scraping: the numbers of a real Flink cluster, and endpoints that misbehave beside a good one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from backend.collector.mapping import load_mapping
from backend.collector.sources.base import Collected
from backend.collector.sources.prometheus import PrometheusSource, parse_targets
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.settings import Limits

CATALOGUE = load_catalogue()
FLINK = load_mapping("flink", CATALOGUE)
NODE = load_mapping("node_exporter", CATALOGUE)
LIMITS = Limits(scrape_bytes=1_000_000, scrape_timeout_seconds=0.5)
AT = 1_795_259_410
GOOD = 'node_memory_MemAvailable_bytes 25\nnode_memory_MemTotal_bytes 100\nnode_uname_info{nodename="web-1"} 1\n'
Serve = Callable[..., Any]


def source(*urls: str, mapping: Any = NODE, limits: Limits = LIMITS) -> PrometheusSource:
    return PrometheusSource(CATALOGUE, urls, mapping, limits=limits)


def ups(collected: Collected) -> dict[str, float]:
    return {s.labels["target"]: s.value for s in collected.samples if s.metric_type == "up"}


def value(collected: Collected, metric_type: str, **labels: str) -> float:
    found = [
        s.value
        for s in collected.samples
        if s.metric_type == metric_type and all(s.labels.get(k, s.hostname) == v for k, v in labels.items())
    ]
    assert len(found) == 1, (metric_type, labels, found)
    return found[0]


def test_it_gives_the_numbers_of_a_real_flink_cluster(serve: Serve, answer_with: Serve, flink: Serve) -> None:
    job, task = (serve(answer_with(flink(AT, role), compressed=True)) for role in ("jobmanager", "taskmanager"))
    got = source(job.url, task.url, mapping=FLINK, limits=Limits()).collect(AT, None)
    assert got.problems == []
    assert ups(got) == {job.name: 1, task.name: 1}
    assert {s.timestamp for s in got.samples} == {AT}
    window = {"operator": "GlobalWindowAggregate_7_", "job": "orders_enrichment"}
    assert value(got, "records_in", **window) == 29_502
    assert value(got, "records_out", **window) == 11_680
    assert value(got, "records_out", operator="Source:_orders_1_") == 49_400
    assert value(got, "late_records_dropped", **window) == 0
    assert value(got, "watermark_lag_ms", **window) == 5329
    assert value(got, "latency_p50_ms", **window) == 54
    assert value(got, "latency_p95_ms", **window) == 96.55
    assert value(got, "latency_p99_ms", **window) == 99.71
    assert value(got, "operator_latency_ms", **window) == 54
    assert value(got, "records_error", operator="out_windows_9_:_Writer") == 0
    task_name = "GlobalWindowAggregate_7_____Calc_8_____out_windows_9_:_Writer"
    assert value(got, "busy_time_ms_per_second", operator=task_name) == 1
    assert value(got, "backpressured_time_ms_per_second", operator=task_name) == 0
    for metric_type, number in {
        "checkpoints_completed_total": 25, "checkpoint_failures_total": 1, "checkpoint_duration_ms": 30,
        "checkpoint_size_bytes": 91_802, "state_backend_used_bytes": 91_802, "job_restarts_total": 0,
        "job_uptime_ms": 246_742, "task_manager_count": 1, "task_slots_total": 4, "task_slots_available": 2,
    }.items():  # fmt: skip
        assert value(got, metric_type) == number, metric_type
    jobmanager, taskmanager = "127_0_0_1/jobmanager", "127_0_0_1:43369_ab2975"
    assert value(got, "memory_usage_percentage", host=jobmanager) == pytest.approx(100 * 4.9861376e7 / 6.291456e8)
    assert value(got, "memory_usage_percentage", host=taskmanager) == pytest.approx(10.354156792163849)
    assert value(got, "cpu_usage_percentage", host=jobmanager) == pytest.approx(0.6775067750677507)
    assert value(got, "gc_pause_time_ms", host=jobmanager) == pytest.approx(0.06666666666666667)


def test_the_traps_of_flink_are_skipped_and_counted(serve: Serve, answer_with: Serve, flink: Serve) -> None:
    early = flink(1_795_259_185, "taskmanager")
    endpoint = serve(answer_with(early))
    scraper = source(endpoint.url, mapping=FLINK, limits=Limits())
    got = scraper.collect(AT, None)
    busy = [s.labels["operator"] for s in got.samples if s.metric_type == "busy_time_ms_per_second"]
    assert got.skipped == 2  # the NaN of both source subtasks
    assert all(not operator.startswith("Source") for operator in busy)
    lines = [
        line.replace(" 5676.0", " -9.223372036854776E18") if "watermarkLatency" in line else line
        for line in early.splitlines()
    ]
    endpoint.answer = answer_with("\n".join(lines))
    again = scraper.collect(AT + 15, AT)
    assert again.skipped == 4
    assert not [s for s in again.samples if s.metric_type == "watermark_lag_ms"]
    assert again.problems == []


def test_a_counter_that_starts_above_zero_stays_as_the_source_gave_it(
    serve: Serve, answer_with: Serve, flink: Serve
) -> None:
    values = []
    endpoint = serve(answer_with(""))
    scraper = source(endpoint.url, mapping=FLINK, limits=Limits())
    for epoch in (1_795_259_185, AT):
        endpoint.answer = answer_with(flink(epoch, "jobmanager"))
        values.append(value(scraper.collect(epoch, None), "checkpoint_failures_total"))
    assert values == [1, 1]


def drip(handler: BaseHTTPRequestHandler, stopping: Callable[[float], bool]) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not stopping(0.05):
        handler.wfile.write(b"a")
        handler.wfile.flush()


def drip_headers(handler: BaseHTTPRequestHandler, stopping: Callable[[float], bool]) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stopping(0.05):
        handler.wfile.write(b"a")


def flood(handler: BaseHTTPRequestHandler, stopping: Callable[[float], bool]) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"node_load1 0.5\n" * 70_000)


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (lambda handler, stopping: stopping(30), "did not answer within 0.5 s"),
        (drip, "did not finish within 0.5 s"),
        (drip_headers, "did not end in time"),
        (flood, "sent more than 1,000,000 bytes"),
    ],
    ids=["hangs", "drips", "drips headers", "floods"],
)
def test_an_endpoint_that_never_ends_costs_only_itself(
    behaviour: Callable[..., None], problem: str, serve: Serve, answer_with: Serve
) -> None:
    good = serve(answer_with(GOOD))
    bad = serve(lambda handler: None)
    bad.answer = lambda handler: behaviour(handler, bad.stopping.wait)
    got = source(bad.url, good.url).collect(AT, None)
    assert ups(got) == {bad.name: 0, good.name: 1}
    assert value(got, "memory_usage", host="web-1") == 75
    assert len(got.problems) == 1
    assert got.problems[0].startswith(f"{bad.name} {problem}")


def test_a_target_still_busy_with_the_last_scrape_is_not_asked_again(serve: Serve) -> None:
    asked = []
    bad = serve(lambda handler: None)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(time.monotonic())
        drip_headers(handler, bad.stopping.wait)

    bad.answer = answer
    scraper = source(bad.url, limits=Limits(scrape_timeout_seconds=0.1))
    scraper.collect(AT, None)
    assert scraper.collect(AT + 1, AT).problems == [f"{bad.name} is still busy with the previous scrape"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (500, GOOD, "answered 500"),
        (404, "", "answered 404"),
        (200, "", "answered without a single metric"),
        (200, "<html>\n<body>hello</body>\n</html>", "sent 3 of 3 lines that can't be read; the first is line 1"),
        (200, b"\x1f\x8b\x00\xff\xfe" * 50, "sent 1 of 1 lines that can't be read"),
    ],
    ids=["500", "404", "empty", "html", "binary"],
)
def test_an_answer_without_metrics_counts_as_down(
    status: int, body: str | bytes, problem: str, serve: Serve, answer_with: Serve
) -> None:
    good, bad = serve(answer_with(GOOD)), serve(answer_with(body, status))
    got = source(bad.url, good.url).collect(AT, None)
    assert ups(got) == {bad.name: 0, good.name: 1}
    assert got.problems[0].startswith(f"{bad.name} {problem}")
    assert value(got, "memory_usage", host="web-1") == 75


def test_a_refused_connection_counts_as_down(serve: Serve, answer_with: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{taken.getsockname()[1]}"
        good = serve(answer_with(GOOD))
        got = source(f"http://{name}/metrics", good.url).collect(AT, None)
    assert ups(got) == {name: 0, good.name: 1}
    assert got.problems == [f"{name} could not be read (Connection refused)"]


def test_good_lines_are_kept_and_the_first_bad_one_is_named(serve: Serve, answer_with: Serve) -> None:
    bad = 'node_load1{broken="yes} 3'
    endpoint = serve(answer_with(GOOD + bad + '\nnode_memory_MemTotal_bytes{job="x"} twelve\n'))
    got = source(endpoint.url).collect(AT, None)
    assert ups(got) == {endpoint.name: 1}
    assert value(got, "memory_usage", host="web-1") == 75
    assert got.problems == [f"{endpoint.name} sent 2 of 5 lines that can't be read; the first is line 4: {bad!r}"]


def test_a_target_of_another_program_is_said(serve: Serve, answer_with: Serve) -> None:
    endpoint = serve(answer_with("go_goroutines 12\n"))
    got = source(endpoint.url).collect(AT, None)
    assert ups(got) == {endpoint.name: 1}
    assert "none of the metrics of mapping node_exporter" in got.problems[0]


def test_one_machine_scraped_by_two_addresses_is_taken_once(serve: Serve, answer_with: Serve) -> None:
    first, second = serve(answer_with(GOOD)), serve(answer_with(GOOD))
    got = source(first.url, second.url).collect(AT, None)
    assert len({s.metric_id for s in got.samples}) == len(got.samples) == 3
    assert got.problems == ["1 samples came from two targets and were taken once; scrape each once"]


def test_targets_are_named_by_address_without_credentials() -> None:
    targets = parse_targets(["http://user:secret@a:9249/metrics", "http://b:1/x", "http://b:1/y?z=1"])
    assert [t.name for t in targets] == ["a:9249", "b:1/x", "b:1/y?z=1"]


@pytest.mark.parametrize(
    "urls", [[], ["ftp://a/metrics"], ["a:9249"], ["http://"], ["http://a:99999"], ["http://a"] * 2]
)
def test_a_bad_address_is_refused_by_name(urls: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"^url: "):
        parse_targets(urls)
