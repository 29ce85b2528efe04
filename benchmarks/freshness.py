"""From an object put into S3 to its sample in ``/api/v1/series``, in the running demo, with all pages being viewed.

Run: ``python -m benchmarks.freshness``. Starts the demo on a free port with a hot refresh of 1 s, keeps one viewer
on every page, then puts objects one at a time and polls the series every 100 ms until the sample shows.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import boto3

from backend.collector.core import encode, pack
from backend.contract.records import make_sample
from benchmarks.viewers import PAGES, _free_port, percentile

OBJECTS = 40
METRIC = "enrichment_latency_ms"
HOST = "freshness-probe"
ENVIRONMENT = "freshness"
LIMIT_SECONDS = 3.0
PAGE_REFRESH_SECONDS = 1.0


def main() -> int:
    """Prints the distribution; 1 when its p95 is over the limit."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "PULSEBOARD_PORT": str(port),
            "PULSEBOARD_DEMO_DIRECTORY": directory,
            "PULSEBOARD_HOT_REFRESH_SECONDS": "1",
        }
        demo = subprocess.Popen(_pulseboard("demo"), env=environment, stdout=subprocess.PIPE, text=True)
        try:
            started = time.monotonic()
            _wait_ready(demo)
            print(f"demo ready after {time.monotonic() - started:.1f} s")
            s3, bucket = _bucket(environment)
            stop = threading.Event()
            for page in PAGES:
                threading.Thread(target=_keep_viewing, args=(port, page, stop), daemon=True).start()
            seconds = [_measure(s3, bucket, port, number) for number in range(OBJECTS)]
            stop.set()
        finally:
            demo.terminate()
            demo.wait(30)
    p50, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    print(
        f"object put to visible, {OBJECTS} objects, {len(PAGES)} pages open at {PAGE_REFRESH_SECONDS:g} s: "
        f"p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(seconds):.2f} s (limit p95 {LIMIT_SECONDS:g} s)"
    )
    return int(p95 > LIMIT_SECONDS)


def _pulseboard(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from pulseboard.cli import main; main()", *arguments]


def _wait_ready(demo: subprocess.Popen[str]) -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("Pulseboard is ready"):
            threading.Thread(target=demo.stdout.read, daemon=True).start()
            return
    raise SystemExit("the demo ended before it was ready")


def _bucket(environment: dict[str, str]) -> tuple[object, str]:
    text = subprocess.run(_pulseboard("env"), env=environment, capture_output=True, text=True, check=True).stdout
    exports = dict(line.removeprefix("export ").split("=", 1) for line in text.splitlines() if "=" in line)
    values = {name: value.strip("'\"") for name, value in exports.items()}
    client = boto3.client(
        "s3",
        endpoint_url=values["AWS_ENDPOINT_URL"],
        region_name=values["AWS_DEFAULT_REGION"],
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
    )
    return client, values["S3_BUCKET"]


def _measure(s3, bucket: str, port: int, number: int) -> float:  # type: ignore[no-untyped-def]
    # A second of its own for each sample: two of one second are the same sample, and the last to arrive counts.
    time.sleep(1.0 - time.time() % 1)
    sample = make_sample(
        timestamp=int(time.time()), metric_type=METRIC, value=1000.0 + number, hostname=HOST, environment=ENVIRONMENT
    )
    [item] = pack([encode(sample)], identity=f"fresh-{number}")
    s3.put_object(Bucket=bucket, Key=item.key, Body=item.body)
    put = time.monotonic()
    path = f"/api/v1/series?metric={METRIC}&environment={ENVIRONMENT}&from=now-5m"
    while time.monotonic() - put < 60:
        answer = _get(port, path)
        values = [value for line in answer.get("series", []) for _, value in line["points"]]
        if values and values[-1] == 1000.0 + number:
            return time.monotonic() - put
        time.sleep(0.1)
    raise SystemExit(f"object {number} did not show within 60 s")


def _keep_viewing(port: int, page: str, stop: threading.Event) -> None:
    while not stop.wait(PAGE_REFRESH_SECONDS):
        _get(port, f"/api/v1/view/{page}?from=now-1h")


def _get(port: int, path: str) -> dict:  # type: ignore[type-arg]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer: dict = json.loads(connection.getresponse().read() or b"{}")  # type: ignore[type-arg]
    connection.close()
    return answer


if __name__ == "__main__":
    sys.exit(main())
