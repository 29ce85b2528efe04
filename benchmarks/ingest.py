"""The ingest against what can't be left out: its arithmetic, its calls to AWS, and the time they take.

*Core*: a body up to the four built requests, against parsing, canonicalising and hashing the same body.
*Handler*: one event through the whole API with HTTP stubbed (endpoint, serialising, signing and parsing are in),
against the same calls made bare. *Batch*: 1,000 events in one request on the embedded engine, against the same calls
made bare by as many threads, and against events sent one by one. Each pair is measured in turns in one run.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import rfc8785
from botocore.awsrequest import AWSResponse

from backend.aws import Clients
from backend.contract.events import utc_text
from backend.events.api import Handle, build
from backend.events.delivery import delivery_of
from backend.events.gate import index_item, lead_of, message_entry
from backend.events.ingest import WORKERS
from backend.events.plugins import key_layout
from backend.events.reading import JSON, NDJSON, Bounds, read_body
from backend.local.engine import Engine
from backend.logs import make_logger
from backend.settings import Settings
from tests.metrics_table import create_table
from tests.template_resources import create_event_queues, create_event_tables

ROUNDS = 15
BATCH_ROUNDS = 3
BATCH = 1_000
SINGLE = 100
REPEATS = 50
CORE_LIMIT = 5.0
HANDLER_LIMIT = 1.5
BATCH_LIMIT = 1.3
BATCH_GAIN = 2.0
SERVICES = ("dynamodb", "s3", "sqs")
PHASES = ("register", "open", "raw", "index", "send", "close", "measure")
Call = tuple[str, str, dict[str, Any]]
"""Service, the client's method, its arguments."""


def order(number: int) -> dict[str, Any]:
    """An order of a shop, about 500 bytes, of its own for each number."""
    return {
        "source": "shop-web",
        "event_type": "order_placed",
        "entity_id": f"order-{number}",
        "occurred_at": utc_text(time.time()),
        "payload": {
            "order_id": f"order-{number}",
            "customer_id": f"customer-{number % 97}",
            "amount": 12.5 + number,
            "currency": "EUR",
            "items": [{"sku": f"sku-{n}", "quantity": n, "price": 9.99} for n in range(5)],
            "address": {"street": "High Street 1", "city": "Springfield", "zip": "12345"},
        },
    }


class Raw:
    """The body of a stubbed answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@dataclass
class Stub:
    """Answers every call in place of HTTP, as if it had worked, and keeps what was asked while ``calls`` is a list."""

    calls: list[Call] | None = None
    methods: dict[str, str] = field(default_factory=dict)

    def clients(self) -> Clients:
        clients = Clients("us-east-1", pool=2 * WORKERS)
        for service in SERVICES:
            client = getattr(clients, service)
            self.methods |= {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
            body = b"" if service == "s3" else b'{"UnprocessedItems":{}}'
            client.meta.events.register_first("before-send", partial(answered, body))
            client.meta.events.register_first("provide-client-params", self._keep)
        return clients

    def _keep(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.calls is not None:
            service = model.service_model.service_name
            self.calls.append((service, self.methods[model.name], plain(params)))


def answered(body: bytes, request: Any, **_: Any) -> AWSResponse:
    """An answer to a call."""
    return AWSResponse(request.url, 200, {"content-type": "application/json"}, Raw(body))


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """The arguments as boto3 takes them from anybody: a batch of items as requests to put them."""
    if "RequestItems" not in params:
        return dict(params)
    items = params["RequestItems"].items()
    return {"RequestItems": {table: [{"PutRequest": {"Item": item}} for item in puts] for table, puts in items}}


def request(body: bytes, content_type: str = JSON) -> dict[str, Any]:
    """An event of API Gateway."""
    return {
        "version": "2.0",
        "rawPath": "/ingest",
        "rawQueryString": "",
        "headers": {"content-type": content_type, "user-agent": "benchmark"},
        "requestContext": {"stage": "$default", "requestId": "r", "http": {"method": "POST", "path": "/ingest"}},
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def api_of(settings: Settings, clients: Clients) -> Handle:
    """The API; its log goes nowhere, but is written."""
    return build(settings, clients, make_logger(f"benchmark-{id(clients)}", StringIO()))


def sent(api: Handle, body: bytes, content_type: str = JSON) -> None:
    """One request; what it stored must be all."""
    answer = api(request(body, content_type), None)
    results = json.loads(answer["body"]).get("results", [{"status": "stored" if answer["statusCode"] == 201 else ""}])
    assert {result["status"] for result in results} == {"stored"}, answer["body"][:300]


def cpu(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """CPU seconds of one run, over several."""
    began = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - began) / repeats


def turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of two measurements taken in turns."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def core() -> bool:
    """The body up to the built requests, against parse + canonicalise + hash."""
    settings = Settings()
    layout = key_layout(settings)
    body = json.dumps(order(1)).encode()
    now = time.time()
    bounds, delivery = Bounds(settings.config.events, settings.config.limits, now), delivery_of({"headers": {}}, now)

    def bare() -> object:
        return hashlib.sha256(rfc8785.dumps(json.loads(body))).hexdigest()

    def ours() -> object:
        (event,) = read_body(body, JSON, bounds).entries
        lead = lead_of(event, delivery, settings, layout)  # type: ignore[arg-type]
        return lead.gate.item(), lead.raw, index_item(lead, settings, layout), message_entry(lead.gate, "0")

    base, all_of_it = turns(lambda: cpu(bare, 200), lambda: cpu(ours, 200), ROUNDS)
    return shown("core, up to the built requests", "parse + canonicalise + hash", base, all_of_it, CORE_LIMIT)


def handler() -> bool:
    """One event through the API with HTTP stubbed, against its calls made bare."""
    stub = Stub()
    clients, bare_clients = stub.clients(), Stub().clients()
    settings = Settings(event_queue_url="https://sqs.us-east-1.amazonaws.com/000000000000/events")
    api = api_of(settings, clients)
    body = json.dumps(order(1)).encode()
    sent(api, body)
    stub.calls = []
    sent(api, body)
    calls, stub.calls = stub.calls, None
    print(f"  one event makes {len(calls)} calls: {', '.join(method for _, method, _ in calls)}")

    def bare() -> None:
        for service, method, arguments in calls:
            getattr(getattr(bare_clients, service), method)(**arguments)

    base, whole = turns(lambda: cpu(bare), lambda: cpu(lambda: sent(api, body)), ROUNDS)
    return shown("handler, HTTP stubbed", "the same calls made bare", base, whole, HANDLER_LIMIT)


def phase_of(call: Call, settings: Settings) -> str:
    """Which of the writes of a batch a call is."""
    _, method, arguments = call
    if method == "transact_write_items":
        (kind, write), *_ = arguments["TransactItems"][0].items()
        if kind == "Update":
            return "close"
        return "open" if write["TableName"] == settings.gate_table else "index"
    return {
        "update_item": "register", "put_object": "raw", "send_message_batch": "send", "batch_write_item": "measure",
    }[method]  # fmt: skip


def recorded(settings: Settings, bodies: Iterable[dict[str, Any]]) -> list[list[Call]]:
    """The calls that a batch makes, by phase."""
    stub = Stub()
    api = api_of(settings, stub.clients())
    stub.calls = []
    sent(api, b"\n".join(json.dumps(body).encode() for body in bodies), NDJSON)
    phases = [[call for call in stub.calls if phase_of(call, settings) == phase] for phase in PHASES]
    assert sum(map(len, phases)) == len(stub.calls)
    return phases


def wall(run: Callable[[], object]) -> float:
    """Seconds that a run takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def batch(engine: Engine) -> bool:
    """A batch on the engine against the same calls made bare by as many threads, and against single requests."""
    settings = prepared(engine)
    clients, bare_clients = (Clients("us-east-1", pool=2 * WORKERS) for _ in range(2))
    api, pool = api_of(settings, clients), ThreadPoolExecutor(WORKERS)
    numbers = iter(range(10**9))

    def events(count: int) -> list[dict[str, Any]]:
        return [order(next(numbers)) for _ in range(count)]

    def bare() -> float:
        phases = recorded(settings, events(BATCH))

        def run() -> None:
            for phase in phases:
                list(pool.map(lambda call: getattr(getattr(bare_clients, call[0]), call[1])(**call[2]), phase))

        return wall(run) / BATCH

    def ours() -> float:
        body = b"\n".join(json.dumps(event).encode() for event in events(BATCH))
        return wall(lambda: sent(api, body, NDJSON)) / BATCH

    def single() -> float:
        bodies = [json.dumps(event).encode() for event in events(SINGLE)]
        return wall(lambda: [sent(api, body) for body in bodies]) / SINGLE

    single()
    rounds = [(bare(), ours(), single()) for _ in range(BATCH_ROUNDS)]
    base, whole, alone = (statistics.median(column) for column in zip(*rounds, strict=True))
    pool.shutdown()
    good = shown(f"batch of {BATCH:,} on the engine", "the same calls made bare", base, whole, BATCH_LIMIT)
    print(
        f"  {'one by one on the engine':34} {alone * 1e6:10,.0f} us an event; "
        f"in a batch {alone / whole:.2f}x faster (at least {BATCH_GAIN}x)"
    )
    return good and alone / whole >= BATCH_GAIN


def prepared(engine: Engine) -> Settings:
    """Tables, bucket and queue on an empty engine, and an environment that points there."""
    os.environ.update(engine.environment())
    clients = Clients("us-east-1")
    settings = Settings()
    clients.s3.create_bucket(Bucket=settings.bucket)
    create_event_tables(clients.dynamodb)
    create_table(clients.dynamodb)
    return replace(settings, **create_event_queues(clients.sqs))


def shown(what: str, against: str, base: float, whole: float, limit: float) -> bool:
    """Prints a pair; whether it keeps the limit."""
    ratio = whole / base
    print(
        f"  {what:34} {whole * 1e6:10,.0f} us an event; {against} {base * 1e6:,.0f} us: {ratio:.2f}x (at most {limit}x)"
    )
    return ratio <= limit


def main() -> None:
    """Prints the figures; the exit code is 1 where one does not hold."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "benchmark")
    print(f"ingest (CPU time, medians of {ROUNDS} turns; the engine's lines wall time, medians of {BATCH_ROUNDS})")
    good = [core(), handler()]
    with tempfile.TemporaryDirectory() as directory, Engine(log=Path(directory, "engine.log")) as engine:
        good.append(batch(engine))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
