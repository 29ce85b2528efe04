"""The ingest API on loopback: HTTP in, API Gateway events of format 2.0 to the function's own code, HTTP out.

On AWS the API asks for IAM's signature. Here nothing does, so the server listens on loopback only, answers no other
host name (a page elsewhere may make its name lead here), and takes nothing that a page of another origin sends.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.local.engine import ACCOUNT, HOST, REGION
from backend.settings import load_settings

Handle = Callable[[dict[str, Any], Any], dict[str, Any]]
"""An API Gateway event of format 2.0 and a Lambda context to the answer: ``backend.events.api.build`` makes it."""

BODY_BYTES: Final = 10_000_000
"""What API Gateway lets through at most; the function refuses less than that by itself."""
FUNCTION_SECONDS: Final = 29.0
IDLE_SECONDS: Final = 30.0
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_TEXT_TYPES: Final = ("text/", "application/json", "application/xml", "application/javascript")
"""What API Gateway hands over as text; the rest arrives in base64."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the function may ask its context for."""

    function_name: str = "ingest-api"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ingest-api"
    aws_request_id: str = field(default_factory=lambda: secrets.token_hex(16))
    deadline: float = field(default_factory=lambda: time.monotonic() + FUNCTION_SECONDS)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function would be ended on AWS."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def refusal(host: str, origin: str | None, site: str | None, port: int) -> str | None:
    """Why a request with these headers is not taken; None when it is.

    ``host``, ``origin`` and ``site`` are the headers Host, Origin and Sec-Fetch-Site. Programs send only the first.
    """
    hosts = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    if host.lower() not in hosts:
        return f"this API answers as {HOST}:{port} only"
    if origin is not None and origin.lower() not in {f"http://{name}" for name in hosts}:
        return "pages of other origins may not use this API"
    if site is not None and site.lower() not in ("same-origin", "none"):
        return "pages of other sites may not use this API"
    return None


def event_of(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes, now: float) -> dict[str, Any]:
    """The event that API Gateway would make of a request. ``now`` is epoch seconds; there is no authorizer."""
    parts = urlsplit(target)
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]},{value}" if key in joined else value
    joined.setdefault("x-amzn-trace-id", f"Root=1-{int(now):08x}-{secrets.token_hex(12)}")
    text, encoded = _body(joined.get("content-type", ""), body)
    path = unquote(parts.path) or "/"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.query,
        "headers": joined,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": joined.get("host", HOST),
            "domainPrefix": "local",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": HOST,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": secrets.token_hex(8),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if query := _query(parts.query):
        event["queryStringParameters"] = query
    if body:
        event["body"] = text
    return event


def _body(content_type: str, body: bytes) -> tuple[str, bool]:
    if content_type.lower().startswith(_TEXT_TYPES):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _query(text: str) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: ",".join(several) for name, several in values.items()}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class _Request(BaseHTTPRequestHandler):
    """One connection. The server's ``handle_event`` does the work."""

    server: ApiServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self) -> None:
        """Takes one request of any method."""
        headers: Message = self.headers
        if why := refusal(
            headers.get("Host", ""), headers.get("Origin"), headers.get("Sec-Fetch-Site"), self.server.port
        ):
            self._refuse(403, "forbidden", why)
            return
        length = headers.get("Content-Length", "0" if "Transfer-Encoding" not in headers else "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(411, "length_required", "Content-Length: must say how long the body is")
            return
        if int(length) > BODY_BYTES:
            self._refuse(413, "too_large", f"body: {length} bytes are more than {BODY_BYTES}; send it in parts")
            return
        body = self.rfile.read(int(length))
        event = event_of(self.command, self.path, list(headers.items()), body, time.time())
        try:
            answer = self.server.handle_event(event, Context())
        except Exception as error:  # noqa: BLE001 - as on AWS: what the function can't do is the caller's 500
            self.log_error("%s %s failed: %r", self.command, event["rawPath"], error)
            self._send(500, {"content-type": "application/json"}, b'{"message":"Internal Server Error"}')
            return
        payload = answer.get("body") or ""
        content = base64.b64decode(payload) if answer.get("isBase64Encoded") else payload.encode("utf-8")
        self._send(int(answer.get("statusCode", 200)), answer.get("headers") or {}, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815 - http.server's names

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Without the body having been read, so the connection can't be used again."""
        self.close_connection = True
        self._send(status, {"content-type": "application/json"}, json.dumps(_error(code, message)).encode())

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """The header Server, without versions."""
        return "pulseboard"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the function logs what it does."""


class ApiServer(ThreadingHTTPServer):
    """Listens on loopback as soon as it is made; ``port`` 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handle: Handle) -> None:
        self.handle_event = handle
        super().__init__((HOST, port), _Request)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on loopback")
    port = parser.parse_args().port
    from backend.events.api import build

    settings = load_settings(os.environ)
    server = ApiServer(port, build(settings, Clients(settings.region, pool=32)))

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    try:
        main()
    except InvalidInput as problem:
        sys.exit(f"api: {problem}")
