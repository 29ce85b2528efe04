"""What 90 days of ten hosts are on the wire: the Capacity page's view, history in it, as a browser gets it.

    python -m benchmarks.history_wire

History answers hours with a spike of one hour per host and metric, DynamoDB holds the last hours; both are in memory.
Every line may have 1,000 points at most, the spikes have to be there, and the view may have 120 KB compressed.
"""

from __future__ import annotations

import logging
import random
import sys
from typing import Any

import orjson
from flask_caching.backends import SimpleCache

from backend.contract.history import Cost, HistoryAnswer, HistoryQuestion
from backend.contract.records import make_sample
from backend.contract.rollup import Merged, Stats, in_parallel
from backend.settings import load_settings
from dashboard.data.history import Look
from dashboard.data.request import parse_view_request
from dashboard.pages.capacity import PAGE
from dashboard.services import build_services
from tests.memory_table import MemoryTable

NOW = 1_795_266_000.0 + 30
HOSTS = tuple(f"server-{number:03}" for number in range(1, 11))
METRICS = ("cpu_utilization", "memory_usage", "disk_usage", "network_in", "network_out")
SPIKE = 99.5
MOST_POINTS = 1_000
MOST_BYTES = 120_000
DAYS = 90


class Past:
    """Hours of every host, each with its own spike."""

    def look(self, question: HistoryQuestion) -> Look:
        """The answer, at once."""
        found = {wanted.metric: self._buckets(question, wanted.metric) for wanted in question.metrics}
        rows = sum(len(buckets) for buckets in found.values())
        return Look("done", "read-1", HistoryAnswer(found, Cost(1, 50_000_000, 0.00025, 1.0), rows), NOW)

    @staticmethod
    def _buckets(question: HistoryQuestion, metric: str) -> dict[float, Merged]:
        if metric not in METRICS:
            return {}
        rnd = random.Random(metric)
        times = range(question.start, question.end, question.step)
        spikes = {host: rnd.choice(times[24:-24]) for host in HOSTS}
        buckets: dict[float, Merged] = {}
        for t in times:
            values = {host: SPIKE if spikes[host] == t else rnd.uniform(20, 80) for host in HOSTS}
            groups = {host: Stats(12, value, value, value, value) for host, value in values.items()}
            buckets[float(t)] = Merged(groups, in_parallel(list(groups.values()), "avg"), len(groups))
        return buckets


def view() -> tuple[dict[str, Any], int]:
    """The Capacity page's view of the range, and its bytes compressed."""
    table, settings = MemoryTable(), load_settings({})
    for minute in range(180):
        at = NOW // 60 * 60 - 60 * minute
        samples = [
            make_sample(timestamp=at, metric_type=metric, value=50.0, hostname=host)
            for metric in METRICS
            for host in HOSTS
        ]
        table.put_samples(samples, at, f"metrics/metrics-{at}.json")
    services = build_services(settings, table, (PAGE,), "bench", SimpleCache(), lambda: NOW)  # type: ignore[arg-type]
    services.ranged.connect(Past(), settings.catalogue, services.hot.seen)
    try:
        request = parse_view_request("capacity", {"from": f"now-{DAYS}d"}, "production", NOW, PAGE.parameters)
        encoded = services.view(request)
    finally:
        services.close()
    return orjson.loads(encoded.raw), len(encoded.brotli)


def main() -> None:
    """Prints the figures; the exit code is 1 where one does not hold."""
    # Forecasts are made in the background; what they say of an end in their middle is no news here.
    logging.disable(logging.CRITICAL)
    content, size = view()
    lines = [
        trace
        for name, traces in content["charts"].items()
        for trace in traces
        if trace.get("name") in HOSTS and name != "forecast"
    ]
    most = max((len(trace["y"]) for trace in lines), default=0)
    charts = {name for name, traces in content["charts"].items() if any(t.get("name") in HOSTS for t in traces)}
    # A stack shows each host's share of all.
    tops = [
        max(value for value in trace["y"] if value is not None) * (len(HOSTS) if trace.get("stackgroup") else 1)
        for trace in lines
    ]
    spiky = sum(abs(top - SPIKE) < 0.1 for top in tops)
    good = [len(lines) >= len(HOSTS), 0 < most <= MOST_POINTS, spiky == len(lines), size <= MOST_BYTES]
    print(f"history on the wire: {DAYS} days, {len(lines)} lines of hosts in {len(charts)} charts")
    print(f"  {most} points a line, at most {MOST_POINTS:,}: {'ok' if good[0] and good[1] else 'MISSED'}")
    print(f"  {spiky} of {len(lines)} lines show their spike of an hour: {'ok' if good[2] else 'MISSED'}")
    print(f"  {size / 1000:.1f} KB compressed, at most {MOST_BYTES / 1000:.0f}: {'ok' if good[3] else 'MISSED'}")
    print(f"  source: {content['source']['kind']}, {content['source'].get('days', '')}")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
