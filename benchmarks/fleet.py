"""Hosts 100 -> 10,000, one object per host and minute: what a refresh reads and what a view weighs.

Run: ``python -m benchmarks.fleet``. Counts bytes, not time, so one run is enough. The table is in memory and filled
by the processor's core; the merge is the product's own computation.
"""

from __future__ import annotations

import sys
import time

import brotli
import orjson
from flask_caching.backends import SimpleCache

from backend.contract.records import make_sample
from backend.contract.tables import LATENESS_ALLOWANCE_SECONDS, LIVE, MINUTE, partition
from backend.settings import load_settings
from dashboard.data.series import parse_series_request
from dashboard.services import build_services
from tests.memory_table import MemoryTable

METRIC = "cpu_utilization"
ENVIRONMENT = "production"
MINUTES = 30
NOW = 1_795_266_000.0 + 30
LIMIT = 1.5


def fill(hosts: int) -> tuple[MemoryTable, float]:
    """A table after ``MINUTES`` minutes: merged up to the allowance, the rest live. Also seconds per merged minute."""
    table = MemoryTable()
    merged_to = (NOW - LATENESS_ALLOWANCE_SECONDS) // 60 * 60
    spent, merged = 0.0, 0
    for back in range(MINUTES, 0, -1):
        minute = NOW // 60 * 60 - back * 60
        for host in range(hosts):
            value = 30 + (host * 7919 + back * 13) % 400 / 10
            sample = make_sample(timestamp=minute + 5, metric_type=METRIC, value=value, hostname=f"host-{host:05d}")
            table.put_samples([sample], minute + 10, f"metrics/metrics-{int(minute)}-{host}.json")
        if minute < merged_to:
            started = time.process_time()
            table.merge(ENVIRONMENT, minute, minute + 60)
            spent, merged = spent + time.process_time() - started, merged + 1
            drop_live(table)
    return table, spent / merged


def drop_live(table: MemoryTable) -> None:
    """Forgets live and raw items of merged minutes: their retention is not what is measured here."""
    kept = {key: item for key, item in table.items.items() if "@1m#" in item["metric_type"]["S"] or key[1] == "0"}
    table.items = kept
    table.write([])


def measure(hosts: int) -> dict[str, float]:
    """Bytes of one refresh of the merged level, of the live tail, and of the view."""
    table, merge_seconds = fill(hosts)
    settings = load_settings({})
    services = build_services(settings, table, (), "bench", SimpleCache(), lambda: NOW)  # type: ignore[arg-type]
    request = parse_series_request({"metric": METRIC, "from": "now-6h"}, settings.catalogue, ENVIRONMENT, NOW)
    answer = services.series.answer(request)
    body = orjson.dumps(answer.as_json())
    tail_from = NOW // 60 * 60 - 60 - LATENESS_ALLOWANCE_SECONDS
    sizes = {
        "merged_bytes": sum(len(r.data) for r in table.query(partition(METRIC, MINUTE, ENVIRONMENT), 0, NOW)),
        "live_tail_bytes": sum(len(r.data) for r in table.query(partition(METRIC, LIVE, ENVIRONMENT), tail_from, NOW)),
        "live_tail_items": len(table.query(partition(METRIC, LIVE, ENVIRONMENT), tail_from, NOW)),
        "view_bytes": len(brotli.compress(body, quality=5)),
        "lines": len(answer.lines),
        "merge_cpu_seconds": merge_seconds,
    }
    services.close()
    return sizes


def main() -> int:
    """Prints the table; 1 when a figure that must hold does not."""
    rows = {hosts: measure(hosts) for hosts in (100, 1_000, 10_000)}
    print(f"{MINUTES} minutes of {METRIC}, one object per host and minute")
    print(
        f"{'hosts':>7} {'merged KB':>10} {'view KB br':>11} {'lines':>6} {'live tail items':>16} {'live tail KB':>13} "
        f"{'merge CPU s/min':>16}"
    )
    for hosts, row in rows.items():
        print(
            f"{hosts:>7,} {row['merged_bytes'] / 1e3:>10.1f} {row['view_bytes'] / 1e3:>11.1f} {row['lines']:>6} "
            f"{row['live_tail_items']:>16,} {row['live_tail_bytes'] / 1e3:>13.1f} {row['merge_cpu_seconds']:>16.3f}"
        )
    ratios = {name: rows[10_000][name] / rows[100][name] for name in ("merged_bytes", "view_bytes")}
    for name, ratio in ratios.items():
        print(f"{name}: 10,000 hosts read {ratio:.2f} times what 100 hosts read (limit {LIMIT})")
    return int(any(ratio > LIMIT for ratio in ratios.values()))


if __name__ == "__main__":
    sys.exit(main())
