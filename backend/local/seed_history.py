"""The month before the demo's start, as compaction would have written it: ``python -m backend.local.seed_history``.

Runs beside the demo once that is ready, at low priority, newest day first. Each closed UTC day becomes one Parquet
object of the synthetic source's samples (columns, order and compression of ``backend.history.compaction``) and an entry
in the ledger; then Athena's view of all samples is made. Nothing of it passed SQS or Lambda, and no JSON is behind it.
Of yesterday a part is in JSON too: the same samples with the same ids.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from backend.aws import Clients
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.errors import InvalidInput
from backend.contract.records import Sample
from backend.contract.tables import HISTORY_PREFIX, SAMPLES_VIEW
from backend.history.compaction import SORTED_BY, QueryFailed
from backend.history.days import DAY_SECONDS, day_of, day_path, day_start
from backend.history.handler import run_statements
from backend.history.ledger import DayEntry, Index, Ledger
from backend.history.view import write_view
from backend.local.seed import COARSE_SECONDS, left_out
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    import pyarrow as pa

DAYS: Final = 29
FINE_DAYS: Final = 7
"""The newest days have the reference load's spacing, older ones three times that: a chart of a month draws hours."""
OLDER_SECONDS: Final = 900
VIEW_SECONDS: Final = 60.0
"""The statement that makes the view is given up after so long."""
NICENESS: Final = 10
_OBJECT: Final = "seeded.parquet"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was written, and the CPU seconds it took."""

    days: int
    samples: int
    bytes: int
    cpu_seconds: float


def days_before(today: date, count: int = DAYS) -> list[date]:
    """The closed days, newest first."""
    return [today - timedelta(days=number) for number in range(1, count + 1)]


def spacing_of(day: date, today: date) -> int:
    """Seconds between two collections of a day."""
    return COARSE_SECONDS if (today - day).days <= FINE_DAYS else OLDER_SECONDS


def samples_of(source: SyntheticSource, day: date, spacing: int, leave_out: frozenset[str]) -> Iterator[Sample]:
    """Every sample of a UTC day."""
    start = day_start(day)
    for at in range(start, start + DAY_SECONDS, spacing):
        yield from (one for one in source.collect(at, at - spacing).samples if one.metric_type not in leave_out)


def as_parquet(samples: Sequence[Sample]) -> bytes:
    """The object of a day: columns as the table has them, sorted as compaction sorts."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(pa)
    table = pa.Table.from_pylist([_row(sample) for sample in samples], schema=schema)
    table = table.sort_by([(name, "ascending") for name in SORTED_BY])
    body = io.BytesIO()
    parquet.write_table(table, body, compression="zstd")
    return body.getvalue()


def _row(sample: Sample) -> dict[str, Any]:
    record = sample.as_json()
    if "labels" in record:
        record["labels"] = list(record["labels"].items())
    return record


def _schema(arrow: Any) -> pa.Schema:
    text, number = arrow.string(), arrow.float64()
    types = {
        "metric_id": text,
        "timestamp": number,
        "metric_type": text,
        "value": number,
        "unit": text,
        "hostname": text,
        "region": text,
        "environment": text,
        "labels": arrow.map_(text, text),
        "observations": arrow.list_(arrow.list_(number)),
    }
    return arrow.schema(list(types.items()))


def seed_history(
    clients: Clients, settings: Settings, source: SyntheticSource, now: float, wanted: int = DAYS
) -> Seeded:
    """Writes the ``wanted`` days before ``now`` (epoch s) of which there is no Parquet yet."""
    ledger, today = Ledger(clients.s3, settings.bucket), day_of(now)
    leave_out, known = left_out(settings), ledger.read()
    count = size = days = 0
    for day in days_before(today, wanted):
        if day in known and known[day].state != "json":
            continue
        samples = list(samples_of(source, day, spacing_of(day, today), leave_out))
        body = as_parquet(samples)
        generation = ledger.reserve(day)
        key = f"{HISTORY_PREFIX}{day_path(day)}generation={generation}/{_OBJECT}"
        clients.s3.put_object(Bucket=settings.bucket, Key=key, Body=body)
        _enter(ledger, day, generation, len(samples), len(body))
        days, count, size = days + 1, count + len(samples), size + len(body)
    return Seeded(days, count, size, time.process_time())


def _enter(ledger: Ledger, day: date, generation: int, samples: int, size: int) -> None:
    """Lets pages read the day, unless it was compacted meanwhile. Its manifest is empty, for it was made from no
    object."""
    ledger.put_manifest(day, generation, {})
    at = time.time()

    def entered(index: Index) -> Index:
        entry = index.get(day, DayEntry())
        if entry.state == "parquet":
            return index
        held = DayEntry(
            "parquet", generation, entry.next_generation, samples, samples, size, compacted_at=at, checked_at=at
        )  # fmt: skip
        return {**index, day: held}

    ledger.change(entered)


def make_view(clients: Clients, settings: Settings) -> str:
    """Makes the view of all samples as compaction does, and says whether it is there."""
    now = time.time()
    athena = run_statements(settings)(now + VIEW_SECONDS)
    try:
        write_view(athena, Ledger(clients.s3, settings.bucket), clients.dynamodb, settings, now)
    except QueryFailed as problem:
        return f"Athena's view {SAMPLES_VIEW} could not be made: {problem}"
    return f"Athena's view {SAMPLES_VIEW} has them"


def main() -> None:
    """Seeds once and says what it did in one line."""
    parser = argparse.ArgumentParser(prog="python -m backend.local.seed_history", description="A month for the demo.")
    parser.add_argument("--started", type=float, required=True, help="when the demo started, epoch seconds")
    parser.add_argument("--seed", type=int, required=True, help="seed of the synthetic source")
    parser.add_argument("--days", type=int, default=DAYS, help="how many closed days; %(default)s by default")
    options = parser.parse_args()
    os.nice(NICENESS)
    settings = load_settings(os.environ)
    source = SyntheticSource(settings.catalogue, seed=options.seed, demo_started_at=options.started)
    clients = Clients(settings.region)
    done = seed_history(clients, settings, source, options.started, options.days)
    view = make_view(clients, settings)
    sys.stdout.write(
        f"Seeded {done.days} closed days of synthetic history as Parquet: {done.samples:,} samples, "
        f"{done.bytes / 1e6:.1f} MB, {done.cpu_seconds:.0f} s of CPU (the newest {FINE_DAYS} days with a sample each "
        f"{COARSE_SECONDS // 60} min, older ones each {OLDER_SECONDS // 60} min; straight to {HISTORY_PREFIX} and its "
        f"ledger, not by way of JSON, SQS, Lambda and compaction); {view}\n"
    )


if __name__ == "__main__":
    try:
        main()
    except InvalidInput as problem:
        sys.exit(f"history: {problem}")
