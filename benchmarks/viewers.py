"""200 viewers against one: queries sent to DynamoDB, and the view route's response times.

Run: ``python -m benchmarks.viewers`` (seven minutes). Three runs of the same length against the same server: one
viewer, one viewer for each distinct view, 200 viewers spread over them, each refreshing every 5 s and sending its ETag
as browsers do; a viewer's first answer, made for it alone, is not counted.
"""

from __future__ import annotations

import http.client
import random
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import cycle, islice

from prometheus_client.parser import text_string_to_metric_families

PAGES = ("health", "performance", "errors", "capacity", "jobs", "replay")
RANGES = ("now-15m", "now-1h", "now-6h", "now-24h")
ENVIRONMENTS = ("production", "staging")
VIEWS = tuple(
    f"/api/v1/view/{page}?from={start}&environment={environment}"
    for page in PAGES
    for start in RANGES
    for environment in ENVIRONMENTS
)
VIEWERS = 200
REFRESH_SECONDS = 5.0
RUN_SECONDS = 120.0
"""The longest refresh grid of the product (hourly data, 120 s): every run sees each grid line equally often."""
THREADS = 20
LIMIT_RATIO = 2.0
LIMIT_MS = 25.0


@dataclass
class Tally:
    """What one run saw. Times in milliseconds."""

    full: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    body_bytes: int = 0
    errors: int = 0
    queries_per_minute: float = 0.0


def run(port: int, paths: list[str], seconds: float = RUN_SECONDS) -> Tally:
    """Viewers of ``paths`` for the run's length; each keeps its connection and its ETag."""
    tally, lock = Tally(), threading.Lock()
    before, started = queries(port), time.monotonic()
    shares = [paths[i::THREADS] for i in range(min(THREADS, len(paths)))]
    threads = [threading.Thread(target=_view, args=(port, share, tally, lock, started, seconds)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    minutes = (time.monotonic() - started) / 60
    tally.queries_per_minute = (queries(port) - before) / minutes
    return tally


def _view(port: int, paths: list[str], tally: Tally, lock: threading.Lock, started: float, seconds: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    viewers = [[started + random.random() * REFRESH_SECONDS, path, ""] for path in paths]
    while True:
        viewer = min(viewers, key=lambda v: v[0])
        wait = viewer[0] - time.monotonic()
        if viewer[0] - started > seconds:
            return
        if wait > 0:
            time.sleep(wait)
        viewer[0] += REFRESH_SECONDS
        headers = {"Accept-Encoding": "br", "If-None-Match": viewer[2]}
        begun = time.perf_counter()
        connection.request("GET", viewer[1], headers=headers)
        response = connection.getresponse()
        body = response.read()
        spent = 1000 * (time.perf_counter() - begun)
        if not viewer[2]:
            viewer[2] = response.headers.get("ETag", "")
            continue
        with lock:
            if response.status == 304:
                tally.unchanged.append(spent)
            elif response.status == 200:
                tally.full.append(spent)
                tally.body_bytes += len(body)
            else:
                tally.errors += 1
        viewer[2] = response.headers.get("ETag", "")


def queries(port: int) -> float:
    """DynamoDB queries since the server's start, from its /metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    samples = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
    return samples["pulseboard_dynamodb_queries_total"]


def percentile(values: list[float], q: float) -> float:
    """The q-quantile by rank; nan for none."""
    return sorted(values)[min(int(q * len(values)), len(values) - 1)] if values else float("nan")


def main() -> int:
    """Prints the table; 1 when a figure that must hold does not."""
    port = _free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.memory_server", str(port)])
    try:
        _wait(port)
        run_all = {
            "1 viewer": ["/api/v1/view/health?from=now-1h&environment=production"],
            f"{len(VIEWS)} distinct views": list(VIEWS),
            f"{VIEWERS} viewers": list(islice(cycle(VIEWS), VIEWERS)),
        }
        run(port, list(VIEWS), 15.0)
        results = {name: run(port, paths) for name, paths in run_all.items()}
    finally:
        server.terminate()
        server.wait(10)
    return report(results)


def report(results: dict[str, Tally]) -> int:
    """The table and the verdict on the limits."""
    print(f"view route, {REFRESH_SECONDS:g} s refresh, {RUN_SECONDS:g} s a run, gunicorn gthread with 8 threads")
    print(
        f"{'run':<20} {'full':>6} {'p50 ms':>8} {'p95 ms':>8} {'304s':>6} {'p50 ms':>8} {'p95 ms':>8} "
        f"{'all p95':>8} {'KB/full':>8} {'errors':>7} {'queries/min':>12}"
    )
    p95 = {}
    for name, tally in results.items():
        p95[name] = percentile(tally.full + tally.unchanged, 0.95)
        size = tally.body_bytes / max(len(tally.full), 1) / 1000
        print(
            f"{name:<20} {len(tally.full):>6} {percentile(tally.full, 0.5):>8.1f} {percentile(tally.full, 0.95):>8.1f} "
            f"{len(tally.unchanged):>6} {percentile(tally.unchanged, 0.5):>8.1f} "
            f"{percentile(tally.unchanged, 0.95):>8.1f} {p95[name]:>8.1f} {size:>8.1f} {tally.errors:>7} "
            f"{tally.queries_per_minute:>12.0f}"
        )
    _one, distinct, many = results.values()
    one_p95, _, many_p95 = p95.values()
    ratio = many_p95 / one_p95
    extra = many.queries_per_minute / distinct.queries_per_minute
    print(f"p95 of {VIEWERS} viewers is {ratio:.2f} times that of one (limit {LIMIT_RATIO:g}, and {LIMIT_MS:g} ms)")
    print(f"queries a minute of {VIEWERS} viewers are {extra:.2f} times those of the distinct views (limit 1)")
    failed = many.errors or ratio > LIMIT_RATIO or many_p95 > LIMIT_MS or extra > 1.02
    return int(bool(failed))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not become ready within 60 s")


if __name__ == "__main__":
    sys.exit(main())
