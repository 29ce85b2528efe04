"""The processor against the straightforward one: samples per CPU second, with botocore and up to the built requests.

Both sides read the same objects and talk to DynamoDB through botocore. *With botocore* answers at ``before-send``:
endpoint, serialising, signing, parsing are in, only HTTP is not. *Up to the built requests* answers at ``before-call``:
what is left is making the items and the request bodies.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from backend.aws import Clients
from backend.collector.core import Outgoing, encode, pack
from backend.collector.exposition import parse_exposition
from backend.collector.mapper import Mapper
from backend.collector.mapping import load_mapping
from backend.contract.catalogue import load_catalogue
from backend.contract.records import Sample, make_sample
from backend.contract.tables import METRICS_TABLE
from backend.processor.core import ObjectPart, process
from backend.processor.store import MetricsStore
from backend.settings import Limits, Retention

ROUNDS = 15
SECONDS_PER_ROUND = 0.25
HOST_METRICS = ("cpu_utilization", "memory_usage", "disk_usage", "network_in", "network_out")
CATALOGUE = load_catalogue()


def shared() -> Path:
    """The folder with the baseline and the recorded data."""
    default = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("PULSEBOARD_SHARED", default))


def baseline(folder: Path) -> ModuleType:
    """The straightforward processor."""
    spec = importlib.util.spec_from_file_location("processor_plain", folder / "baselines" / "processor_plain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flink_objects(folder: Path) -> list[Outgoing]:
    """The recorded scrapes as the collector writes them: one object per pair, every 15 s."""
    mapper = Mapper(load_mapping("flink", CATALOGUE))
    objects: list[Outgoing] = []
    for jobmanager in sorted((folder / "data" / "flink").glob("*-jobmanager.prom.gz")):
        at = int(jobmanager.name.split("-")[0])
        rows = []
        for name, port in (("jobmanager", 9249), ("taskmanager", 9250)):
            text = gzip.decompress(jobmanager.with_name(f"{at}-{name}.prom.gz").read_bytes()).decode()
            rows += mapper.apply(parse_exposition(text, mapper.mapping.wanted).series, f"flink:{port}", at).rows
        samples = [
            make_sample(
                timestamp=at,
                metric_type=row.metric,
                value=row.value,
                hostname=row.hostname,
                labels=row.labels,
                unit=CATALOGUE[row.metric].unit,
            )
            for row in mapper.prefixed(rows)
        ]
        objects += pack(map(encode, samples), spacing=15.0)
    return objects


def reference_objects() -> list[Outgoing]:
    """The reference load: 10 servers x 5 host metrics every 5 minutes, a day's hour of it."""

    def sample(at: int, host: int, key: str) -> Sample:
        value = 20 + (at // 300 * 7 + host * 13) % 75 + host / 7
        return make_sample(
            timestamp=at, metric_type=key, value=value, hostname=f"server-{host:03}", unit=CATALOGUE[key].unit
        )

    times = range(1_795_259_100, 1_795_262_700, 300)
    return [
        outgoing
        for at in times
        for outgoing in pack((encode(sample(at, h, key)) for h in range(1, 11) for key in HOST_METRICS), spacing=300.0)
    ]


class Sink:
    """Answers BatchWriteItem in place of HTTP, and counts what was asked."""

    def __init__(self, client: Any, event: str) -> None:
        self.requests = 0
        client.meta.events.register_first(f"{event}.dynamodb.BatchWriteItem", getattr(self, event.replace("-", "_")))

    def before_call(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.requests += 1
        answer = AWSResponse("https://dynamodb", 200, {}, None)
        return answer, {"UnprocessedItems": {}, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def before_send(self, request: Any, **_: Any) -> AWSResponse:
        self.requests += 1
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, Raw())


class Raw:
    """The body of an answer that wrote everything."""

    def stream(self, **_: Any) -> Any:
        yield b'{"UnprocessedItems":{}}'


def plain(folder: Path, event: str) -> tuple[Callable[[Outgoing], int], Sink]:
    """The baseline with its boto3 resource."""
    module = baseline(folder)
    table = boto3.resource("dynamodb", region_name="us-east-1").Table(METRICS_TABLE)
    sink = Sink(table.meta.client, event)
    return (lambda outgoing: module.process(outgoing.body, table)), sink


def ours(event: str) -> tuple[Callable[[Outgoing], int], Sink]:
    """This processor with its store, warm: what was seen is not written again."""
    client = Clients("us-east-1", attempts=1).dynamodb
    sink = Sink(client, event)
    store = MetricsStore(client, METRICS_TABLE)
    limits, retention = Limits(), Retention()

    def run(outgoing: Outgoing) -> int:
        at = int(outgoing.key.rpartition("/")[2].split("-")[1])
        spacing = float(outgoing.metadata["spacing-seconds"])
        part = ObjectPart(outgoing.key, spacing_seconds=spacing, modified=at + 2.0)
        result = process(outgoing.body, part, now=at + 3.0, catalogue=CATALOGUE, limits=limits, retention=retention)
        assert not result.quarantined
        store.write(result.items)
        return result.stored

    return run, sink


def cpu_per_sample(run: Callable[[Outgoing], int], objects: list[Outgoing]) -> float:
    """CPU seconds per sample over all objects, again and again for a while."""
    samples, began = 0, time.process_time()
    while (spent := time.process_time() - began) < SECONDS_PER_ROUND:
        for outgoing in objects:
            samples += run(outgoing)
    return spent / samples


def compare(folder: Path, objects: list[Outgoing], event: str) -> tuple[float, float]:
    """Median samples per CPU second of the baseline and of this processor, in interleaved rounds."""
    sides = [plain(folder, event)[0], ours(event)[0]]
    for run in sides:
        for outgoing in objects:
            run(outgoing)
    rounds = [[1 / cpu_per_sample(run, objects) for run in sides] for _ in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*rounds, strict=True))
    return first, second


def written(folder: Path, objects: list[Outgoing]) -> str:
    """What each side writes for these objects."""
    run, sink = plain(folder, "before-send")
    samples = sum(run(outgoing) for outgoing in objects)
    kinds = dict.fromkeys(("raw", "live", "bookkeeping"), 0)
    for outgoing in objects:
        at = int(outgoing.key.rpartition("/")[2].split("-")[1])
        part = ObjectPart(outgoing.key, spacing_seconds=float(outgoing.metadata["spacing-seconds"]), modified=at + 2.0)
        result = process(outgoing.body, part, now=at + 3.0, catalogue=CATALOGUE, limits=Limits(), retention=Retention())
        for item in result.items:
            kind = item["metric_type"]["S"]
            kinds["live" if "@live" in kind else "bookkeeping" if kind.startswith("@") else "raw"] += 1
    own, own_sink = ours("before-send")
    for outgoing in objects:
        own(outgoing)
    return (
        f"{len(objects)} objects, {samples} samples; baseline: {samples} raw items in {sink.requests} requests; "
        f"ours: {kinds['raw']} raw and {kinds['live']} live items in {own_sink.requests} requests"
    )


def main() -> None:
    """Prints both tables."""
    folder = shared()
    if not (folder / "baselines" / "processor_plain.py").exists():
        print(f"no baseline in {folder}; set PULSEBOARD_SHARED to the folder that holds baselines/ and data/")
        return
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "benchmark")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "benchmark")
    loads = {"reference load, 10 servers x 5 metrics": reference_objects(), "recorded Flink": flink_objects(folder)}
    for name, objects in loads.items():
        print(f"{name}: {written(folder, objects)}")
    for event, title, wanted in (
        ("before-send", "with botocore, HTTP stubbed", 2),
        ("before-call", "up to the built requests", 5),
    ):
        print(f"\nsamples per CPU second, {title} (at least {wanted}x wanted; median of {ROUNDS} interleaved rounds)")
        print(f"{'load':42} {'baseline':>10} {'ours':>10} {'ratio':>7}")
        for name, objects in loads.items():
            first, second = compare(folder, objects, event)
            print(f"{name:42} {first:10,.0f} {second:10,.0f} {second / first:6.2f}x")


if __name__ == "__main__":
    main()
