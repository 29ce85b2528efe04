"""Tokens as an Application Load Balancer makes them, and the end point that serves its public keys."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.dashboard.access.test_settings import SIGNER

NOW = 1_795_270_500.0
KID = "7fa04bd8-2e4c-4a5e-9c4c-6c7b7a1d2e3f"
ISSUER = "https://login.example.com"
HEADER = {"typ": "JWT", "kid": KID, "alg": "ES256", "iss": ISSUER, "client": "client-1", "signer": SIGNER}


def encode(content: bytes, *, padded: bool = True) -> str:
    text = base64.urlsafe_b64encode(content).decode()
    return text if padded else text.rstrip("=")


@dataclass
class LoadBalancer:
    """Signs with a key of its own."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def token(self, header: dict[str, Any] | None = None, *, padded: bool = True, **claims: Any) -> str:
        """A token that is good for two minutes; ``header`` is laid over the usual one."""
        expiry = {"exp": NOW + 120}
        parts = (
            HEADER | expiry | (header or {}),
            {"sub": "u-1", "email": "ann@example.com", "iss": ISSUER} | expiry | claims,
        )
        signed = ".".join(encode(json.dumps(part).encode(), padded=padded) for part in parts)
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{encode(r.to_bytes(32) + s.to_bytes(32), padded=padded)}"

    @property
    def pem(self) -> bytes:
        """Its public key, as the end point serves it."""
        return bytes(
            self.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )


@dataclass
class KeyServer:
    """What it serves by path, with which status; ``asked`` is every path asked for."""

    answers: dict[str, tuple[int, bytes]]
    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def key_server(answers: dict[str, tuple[int, bytes]]) -> Iterator[KeyServer]:
    serving = KeyServer(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serving.asked.append(self.path)
            status, body = serving.answers.get(self.path, (404, b"none"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    serving.url = f"http://127.0.0.1:{server.server_port}"
    yield serving
    server.shutdown()
    server.server_close()
    thread.join(5)
