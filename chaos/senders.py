"""The load: producers that send until they are told that it was taken, and count what was."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.records import make_sample
from backend.contract.tables import METRICS_PREFIX
from backend.local.engine import HOST
from chaos.config import ENVIRONMENT, EVENT_TYPE, SOURCE, UPLOADED
from chaos.ledger import Ledger

EVENT_SECONDS: Final = 0.25
OBJECT_SECONDS: Final = 1.0
ALERT_SECONDS: Final = 3.0
REPLAY_SECONDS: Final = 8.0
SAMPLES: Final = 5
"""Of one object."""
BAD_EVERY: Final = 5
"""Each fifth object has a line that is no sample."""
TWICE_EVERY: Final = 10
"""Each tenth event is sent again though it was taken, as a producer does that lost the answer."""
REPLAYED: Final = 5
"""Events of one replay."""
REMEMBERED: Final = 100
"""Events that may be replayed."""
RETRY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 35.0
"""Longer than the API takes at most."""


def call(url: str, method: str, path: str, record: object = None, seconds: float = ANSWER_SECONDS) -> tuple[int, Any]:
    """One request's status and JSON. Raises OSError where there is no answer."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=seconds)
    try:
        body = None if record is None else json.dumps(record)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (HTTPException, ValueError) as error:
        raise OSError(f"{url}{path} gave no answer: {error!r}") from error
    finally:
        connection.close()


class Target(ThreadingHTTPServer):
    """A page of metrics that counts how often it was read: scrape 7 reads 7. ``port`` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.lock = threading.Lock()
        self.scrapes = 0
        super().__init__((HOST, port), _Scrape)

    @property
    def url(self) -> str:
        """What is scraped."""
        return f"http://{HOST}:{self.server_address[1]}/metrics"


class _Scrape(BaseHTTPRequestHandler):
    server: Target

    def do_GET(self) -> None:
        """The next number."""
        with self.server.lock:
            self.server.scrapes += 1
            number = self.server.scrapes
        body = f'# TYPE chaos_scrapes gauge\nchaos_scrapes{{job="chaos"}} {number}\n'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing."""


class Senders:
    """All producers, each a thread. ``pause`` lets them finish what they have begun and begin nothing more."""

    def __init__(self, ledger: Ledger, api_url: str, s3: Any, bucket: str) -> None:
        self._ledger = ledger
        self._api = api_url
        self._s3 = s3
        self._bucket = bucket
        self._stop = threading.Event()
        self._running = threading.Event()
        self._busy = 0
        self._lock = threading.Lock()
        self._sent: list[str] = []

    def start(self) -> None:
        """Begins to send."""
        self._running.set()
        every: list[tuple[float, Callable[[int], None]]] = [
            (EVENT_SECONDS, self._event), (OBJECT_SECONDS, self._object), (ALERT_SECONDS, self._alert),
            (REPLAY_SECONDS, self._replay),
        ]  # fmt: skip
        for seconds, send in every:
            # A producer that waits for an answer must not keep others from sending.
            for share in range(4):
                args = (seconds * 4, seconds * share, send, share)
                threading.Thread(target=self._go_on, args=args, daemon=True).start()

    def pause(self) -> None:
        """Begins nothing more."""
        self._running.clear()

    def resume(self) -> None:
        """Goes on."""
        self._running.set()

    def stop(self) -> None:
        """Ends for good."""
        self._stop.set()

    def recent(self) -> list[str]:
        """Ids of the newest events, which replays choose from."""
        with self._lock:
            return list(self._sent)

    @property
    def busy(self) -> int:
        """How many sendings are under way."""
        with self._lock:
            return self._busy

    def _go_on(self, every: float, first: float, send: Callable[[int], None], share: int) -> None:
        number = share
        self._stop.wait(first)
        while not self._stop.wait(every):
            if not self._running.is_set():
                continue
            with self._lock:
                self._busy += 1
            try:
                send(number)
            finally:
                with self._lock:
                    self._busy -= 1
            number += 4

    def _until_taken(self, flow: str, path: str, record: Mapping[str, Any]) -> Any:
        """The answer that says that it was taken; None when the campaign ends before."""
        while not self._stop.is_set():
            try:
                status, answer = call(self._api, "POST", path, record)
            except OSError:
                status, answer = 0, None
            if 200 <= status < 300:
                return answer
            self._ledger.refuse(flow)
            self._stop.wait(RETRY_SECONDS)
        return None

    def _event(self, number: int) -> None:
        record = {
            "source": SOURCE,
            "event_type": EVENT_TYPE,
            "entity_id": f"chaos-{number % 20}",
            "occurred_at": datetime.now(UTC).isoformat(),
            "payload": {"number": number, "nonce": secrets.token_hex(8)},
            "idempotency_key": secrets.token_hex(12),
        }
        if (answer := self._until_taken("events", "/ingest", record)) is None:
            return
        self._ledger.accept("events", answer["event_id"])
        with self._lock:
            self._sent = [*self._sent, answer["event_id"]][-REMEMBERED:]
        if number % TWICE_EVERY == 0:
            self._until_taken("events", "/ingest", record)

    def _object(self, number: int) -> None:
        now, nonce = int(time.time()), secrets.token_hex(6)
        lines, ids = [], []
        for index in range(SAMPLES):
            host = f"chaos-{nonce}-{index}"
            sample = make_sample(timestamp=now, metric_type=UPLOADED, value=float(index), hostname=host,
                                 unit="ms", environment=ENVIRONMENT, labels={"operator": host})  # fmt: skip
            lines.append(orjson.dumps({k: v for k, v in sample._asdict().items() if v is not None}))
            ids.append(host)
        bad = number % BAD_EVERY == 0
        if bad:
            # JSON, so that Athena can still read the object: it refuses one with a line that is none.
            lines.append(json.dumps({"bad": f"chaos-bad-{nonce}"}).encode())
        day = datetime.fromtimestamp(now, UTC)
        key = f"{METRICS_PREFIX}year={day:%Y}/month={day:%m}/day={day:%d}/metrics-{now}-{nonce}.json"
        while not self._stop.is_set():
            try:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=b"\n".join(lines))
                break
            except (ClientError, BotoCoreError):
                self._ledger.refuse("samples")
                self._stop.wait(RETRY_SECONDS)
        else:
            return
        for entry in ids:
            self._ledger.accept("samples", entry)
        if bad:
            self._ledger.accept("quarantine", f"chaos-bad-{nonce}")

    def _alert(self, number: int) -> None:
        name = f"chaos-{number}-{secrets.token_hex(6)}"
        alert = {
            "status": "firing",
            "labels": {"alertname": name, "severity": "high"},
            "annotations": {"summary": f"{name} fires"},
            "startsAt": datetime.now(UTC).isoformat(),
            "fingerprint": name,
        }
        if self._until_taken("slack", "/alerts", {"version": "4", "status": "firing", "alerts": [alert]}) is not None:
            self._ledger.accept("slack", name)
            self._ledger.accept("pagerduty", name)

    def _replay(self, number: int) -> None:
        with self._lock:
            chosen = self._sent[:: max(1, len(self._sent) // REPLAYED)][:REPLAYED]
        if not chosen:
            return
        record = {"selection": {"event_ids": chosen}, "reason": f"the campaign's replay {number}"}
        if (answer := self._until_taken("replays", "/replay", record)) is None:
            return
        if answer["matched"] != len(chosen):
            self._ledger.accept("replays", f"{answer['replay_id']}/matched-{answer['matched']}-of-{len(chosen)}")
        for event_id in chosen:
            self._ledger.accept("replays", f"{answer['replay_id']}/{event_id}")
