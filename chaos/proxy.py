"""The proxy's process: a gate for each dependency, and an admin port where faults are switched.

``python -m chaos.proxy --admin 9000 --gate dynamodb=9001:4566``: the gate of DynamoDB listens on 9001 and passes on to
4566. ``POST /fault {"service": "dynamodb", "kind": "slow"}`` (kind null: none) and ``GET /counts`` on the admin port.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from backend.contract.errors import InvalidInput
from backend.local.engine import HOST
from chaos.faults import KINDS, SERVICES, Kind
from chaos.gates import Gate, HttpGate
from chaos.redis_gate import RedisGate

ADMIN_SECONDS: Final = 30.0


class Admin(ThreadingHTTPServer):
    """Where faults are switched. ``port`` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, gates: Mapping[str, Gate]) -> None:
        self.gates = gates
        super().__init__((HOST, port), _Admin)


class _Admin(BaseHTTPRequestHandler):
    server: Admin

    def do_GET(self) -> None:
        """What each gate did since its fault was last switched."""
        self._send(200, {name: gate.counts() for name, gate in self.server.gates.items()})

    def do_POST(self) -> None:
        """Switches a fault."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        gate, kind = self.server.gates.get(asked["service"]), asked["kind"]
        if gate is None or kind not in (None, *KINDS):
            self._send(
                400, {"error": f"{asked}: services are {', '.join(self.server.gates)}, kinds {', '.join(KINDS)}"}
            )
            return
        before = gate.counts()
        gate.set(kind)
        self._send(200, before)

    def _send(self, status: int, record: Mapping[str, Any]) -> None:
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing."""


class Switch:
    """The campaign's side of the admin port. Raises OSError where the proxy does not answer."""

    def __init__(self, port: int) -> None:
        self._port = port

    def set(self, service: str, kind: Kind | None) -> dict[str, int]:
        """Switches a fault; what the gate did since it was last switched."""
        counts: dict[str, int] = self._ask("POST", "/fault", {"service": service, "kind": kind})
        return counts

    def counts(self) -> dict[str, dict[str, int]]:
        """What each gate did since it was last switched."""
        counts: dict[str, dict[str, int]] = self._ask("GET", "/counts")
        return counts

    def _ask(self, method: str, path: str, record: object = None) -> Any:
        connection = HTTPConnection(HOST, self._port, timeout=ADMIN_SECONDS)
        try:
            connection.request(method, path, None if record is None else json.dumps(record))
            answer = connection.getresponse()
            content = json.loads(answer.read())
            if answer.status != 200:
                raise OSError(f"the proxy answered {answer.status}: {content}")
            return content
        finally:
            connection.close()


def parse_gate(text: str) -> tuple[str, int, int]:
    """``dynamodb=9001:4566``. Raises InvalidInput."""
    service, _, ports = text.partition("=")
    port, _, upstream = ports.partition(":")
    if service not in SERVICES or not (port.isdigit() and upstream.isdigit()):
        raise InvalidInput("gate", text, f"must be SERVICE=PORT:UPSTREAM with one of {', '.join(SERVICES)}")
    return service, int(port), int(upstream)


def make_gate(service: str, port: int, upstream: int) -> Gate:
    """The gate of a service, listening."""
    return RedisGate(port, upstream) if service == "redis" else HttpGate(service, port, upstream)


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m chaos.proxy", description=__doc__)
    parser.add_argument("--admin", type=int, required=True, help="port on loopback where faults are switched")
    parser.add_argument("--gate", action="append", default=[], help="SERVICE=PORT:UPSTREAM; may be repeated")
    given = parser.parse_args()
    gates = {service: make_gate(service, port, to) for service, port, to in map(parse_gate, given.gate)}
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    with Admin(given.admin, gates) as admin:
        threading.Thread(target=admin.serve_forever, args=(0.05,), daemon=True).start()
        ended.wait()
        admin.shutdown()
    for gate in gates.values():
        gate.close()


if __name__ == "__main__":
    main()
