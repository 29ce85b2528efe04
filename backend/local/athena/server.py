"""The endpoint: AWS JSON 1.1 over HTTP on loopback, and a control request for tests."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from backend.contract.errors import InvalidInput
from backend.local.api_server import refusal
from backend.local.athena.catalog import Catalog
from backend.local.athena.engine import QueryEngine
from backend.local.athena.errors import RequestError
from backend.local.athena.executions import Executions
from backend.local.athena.faults import Faults
from backend.local.athena.protocol import Service
from backend.local.athena.runner import Runner
from backend.local.athena.stored import Results
from backend.local.engine import HOST

CONTROL: Final = "/_control"
READY: Final = "/_ready"
TARGET: Final = "AmazonAthena."
BODY_BYTES: Final = 1_000_000
IDLE_SECONDS: Final = 60.0

_log: Final = logging.getLogger(__name__)


class AthenaServer(ThreadingHTTPServer):
    """Listens on loopback as soon as it is made; ``port`` 0 takes a free one.

    ``engine_url`` is where S3, Glue and the workgroups are; ``directory`` belongs to it alone.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, engine_url: str, directory: Path) -> None:
        config = Config(max_pool_connections=16, retries={"mode": "standard"}, connect_timeout=3, read_timeout=30)
        s3, glue, workgroups = (
            boto3.client(name, endpoint_url=engine_url, config=config) for name in ("s3", "glue", "athena")
        )
        catalog = Catalog(glue)
        self.faults = Faults()
        results = Results(s3, directory / "results")
        self.executions = Executions(Runner(QueryEngine(catalog, s3, directory), results, self.faults))
        self.service = Service(self.executions, results, catalog, s3, workgroups)
        super().__init__((HOST, port), _Request)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.executions.close()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    """One connection."""

    server: AthenaServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Whether it is up."""
        self._send(200 if self.path == READY else 404, {})

    def do_POST(self) -> None:
        """One action of the API, or how to behave."""
        headers = self.headers
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if why := refusal(headers.get("Host", ""), origin, site, self.server.port):
            self._refuse(RequestError(why, "AccessDeniedException", 403))
            return
        length = headers.get("Content-Length") or ""
        if not length.isdigit() or int(length) > BODY_BYTES:
            self.close_connection = True
            self._refuse(RequestError(f"a request has at most {BODY_BYTES} bytes"))
            return
        body = self.rfile.read(int(length))
        try:
            self._answer(json.loads(body or b"{}"))
        except ValueError:
            self._refuse(RequestError("the body is not JSON", "SerializationException"))
        except RequestError as refused:
            self._refuse(refused)
        except InvalidInput as problem:
            self._refuse(RequestError(str(problem)))
        except Exception as error:  # noqa: BLE001 - the caller gets it as the service's own
            _log.exception("%s broke", headers.get("X-Amz-Target"))
            self._refuse(RequestError(str(error), "InternalServerException", 500))

    def _answer(self, asked: Any) -> None:
        if self.path == CONTROL:
            self.server.faults.set(asked)
            self._send(200, {"ok": True})
            return
        if not isinstance(asked, Mapping):
            raise RequestError("the body is not a JSON object", "SerializationException")
        target = self.headers.get("X-Amz-Target", "")
        if not target.startswith(TARGET):
            raise RequestError(f"{target or 'no action'} is not Athena's", "UnknownOperationException")
        self.server.faults.meet_request()
        self._send(200, self.server.service.answer(target.removeprefix(TARGET), dict(asked)))

    def _refuse(self, refused: RequestError) -> None:
        self._send(refused.status, {"__type": refused.code, "Message": str(refused), "message": str(refused)})

    def _send(self, status: int, record: Mapping[str, Any]) -> None:
        content = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("x-amzn-RequestId", secrets.token_hex(16))
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """The header Server, without versions."""
        return "pulseboard"

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: it tells of idle connections only; what breaks is logged where it does."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: queries poll."""
