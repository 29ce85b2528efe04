"""How long the grid of runs takes to answer over 100,000 runs, what that asks of DynamoDB, and what it costs to hold.

    python benchmarks/jobs_grid.py

Each question goes through the dashboard's own route, ``/api/v1/jobs/runs``, as the browser asks it: filtered, sorted,
a block of 100 rows as JSON. Beside it, in the same run, the obvious alternative: the same runs as a list of records,
filtered and sorted in Python.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from backend.contract.jobs import JobRun
from dashboard.access.settings import load_access
from dashboard.app import assemble
from dashboard.data.jobs_columns import empty, merged
from dashboard.data.jobs_errors import group_key, normalised
from dashboard.data.jobs_store import RunStore
from dashboard.pages import PAGES
from tests.dashboard import fakes

RUNS: Final = 100_000
DAYS: Final = 29
ROUNDS: Final = 15
LIMIT_MS: Final = 300
LIMIT_MB: Final = 60
NOW: Final = fakes.NOW
QUESTIONS: Final[dict[str, dict[str, str]]] = {
    "newest first": {},
    "one job": {"job": "job-07"},
    "failed, longest first": {"run_status": "FAILED", "sort": "-duration"},
    "by job's name": {"sort": "job"},
    "by error": {"sort": "error"},
    "text in errors": {"text": "throttl"},
    "text in ids": {"text": "00ff"},
    "one failure group": {"failure": group_key(normalised("TimeoutError", "no answer or throttled, try 1"))},
    "all at once": {"job": "job-07", "run_status": "FAILED", "text": "no answer", "sort": "-records"},
}


def runs(seed: int = 11) -> list[JobRun]:
    """A month of 60 jobs: 5 % failed with 4,000 different texts, a hundred going on."""
    rng = Random(seed)
    found = []
    for number in range(RUNS):
        at = round(NOW - 60 - rng.random() * DAYS * 86_400, 3)
        going = number < 100
        failed = not going and rng.random() < 0.05
        kind = rng.choice(("TimeoutError", "ClientError", "ValueError"))
        found.append(
            JobRun(
                f"job-{rng.randrange(60):02d}", f"{rng.getrandbits(64):016x}",
                "STARTED" if going else "FAILED" if failed else "SUCCESS", at, dataset=f"dataset-{rng.randrange(25)}",
                batch=f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
                ended_at=None if going else round(at + rng.lognormvariate(5, 1), 3),
                heartbeat_at=NOW if going else None, records=rng.randrange(10**6),
                worker=f"host-{rng.randrange(40)}:{rng.randrange(2_000)}",
                error=f"{kind}: no answer or throttled, try {rng.randrange(4_000)}" if failed else "",
                error_type=kind if failed else "",
            )
        )  # fmt: skip
    return found


@dataclass
class Reader:
    """Gives the runs, and counts what it is asked."""

    stored: Sequence[JobRun]
    calls: list[str] = field(default_factory=list)

    def runs(self, start: float, end: float) -> Iterator[list[JobRun]]:
        """As JobReader.runs."""
        self.calls.append("runs")
        yield [run for run in self.stored if start <= run.started_at < end]

    def started(self, now: float, days: int = 8) -> list[JobRun]:
        """As JobReader.started."""
        self.calls.append("started")
        return [run for run in self.stored if run.ended_at is None]

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[JobRun]:
        """As JobReader.get_many."""
        self.calls.extend(["get_many"] * bool(keys))
        return []


def plain(stored: Sequence[JobRun], question: dict[str, str]) -> list[dict[str, Any]]:
    """The alternative: every run looked at, what is left sorted, the first hundred as they are."""
    needle, group = question.get("text", ""), question.get("failure")

    def fits(run: JobRun) -> bool:
        texts = (run.job_name, run.dataset, run.batch, run.worker, run.error, run.error_type, run.run_id)
        return (
            question.get("job") in (None, run.job_name)
            and question.get("run_status") in (None, run.status)
            and (not needle or any(needle in text.lower() for text in texts))
            and (group is None or (bool(run.error) and group == group_key(normalised(run.error_type, run.error))))
        )

    names = {"job": "job_name", "started": "started_at"}
    sort = question.get("sort", "-started")
    name = sort.removeprefix("-")

    def key(run: JobRun) -> Any:
        value = run.seconds(NOW) if name == "duration" else getattr(run, names.get(name, name))
        return value if value is not None else 0

    kept = sorted(filter(fits, stored), key=key, reverse=sort.startswith("-"))
    return [run.as_json() for run in kept[:100]]


def times(ask: Callable[[], object]) -> list[float]:
    """Milliseconds of each round."""
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ask()
        spent.append((time.perf_counter() - began) * 1000)
    return spent


def p95(spent: Sequence[float]) -> float:
    return statistics.quantiles(spent, n=20)[-1]


def held_mb(stored: Sequence[JobRun]) -> float:
    """Memory that the columns take beyond the runs they were made from."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    columns = merged(empty(), stored)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Run ids are shared with the records here, but held alone in a dashboard.
    return (after - before + sum(sys.getsizeof(run_id) for run_id in columns.run_ids)) / 1e6


def main() -> int:
    """Prints the table; 1 when a figure that must hold does not."""
    stored = runs()
    reader = Reader(stored)
    services: Any = fakes.services(pages=PAGES, now=lambda: NOW)
    services.runs = RunStore(reader, services.now)
    services.runs.close()  # no thread behind: older days are read here
    services.runs._closed.clear()
    services.runs._fill_behind = lambda: None
    services.runs.held()
    services.runs.fill()
    client = assemble(services, load_access({})).test_client()
    reader.calls.clear()
    print(f"{RUNS:,} runs, {ROUNDS} rounds each, milliseconds")
    print(f"{'question':24} {'matching':>9} {'median':>8} {'p95':>8} {'list p95':>9} {'ratio':>6}")
    worst = 0.0
    for name, question in QUESTIONS.items():
        query = {"from": f"now-{DAYS + 1}d", "count": "100", **question}
        answer: Any = client.get("/api/v1/jobs/runs", query_string=query)
        spent = times(lambda query=query: client.get("/api/v1/jobs/runs", query_string=query))
        beside = times(lambda question=question: plain(stored, question))
        worst = max(worst, p95(spent))
        print(
            f"{name:24} {answer.json['matching']:>9,} {statistics.median(spent):>8.1f} {p95(spent):>8.1f} "
            f"{p95(beside):>9.1f} {p95(beside) / p95(spent):>5.1f}x"
        )
    megabytes = held_mb(stored)
    print(f"slowest p95: {worst:.1f} ms (limit {LIMIT_MS})")
    print(f"DynamoDB reads while asked: {len(reader.calls)} (limit 0)")
    print(f"memory of {RUNS:,} runs: {megabytes:.1f} MB (limit {LIMIT_MB})")
    services.close()
    return int(worst > LIMIT_MS or bool(reader.calls) or megabytes > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
