"""A target that wants more than to be measured: it sends elsewhere, or sends little that becomes much."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from backend.collector.scrape import ScrapeError, fetch


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_target_can_not_send_the_collector_to_another_address(status: int, serve: Callable[..., Any]) -> None:
    asked: list[str] = []

    def inside(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        handler.send_response(200)
        handler.end_headers()

    secret = serve(inside)

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", f"{secret.url}/latest/meta-data")
        handler.end_headers()

    with pytest.raises(ScrapeError, match="not followed"):
        fetch(serve(elsewhere).url, timeout=5, max_bytes=1_000)
    assert asked == []


def test_what_is_small_on_the_wire_and_large_in_memory_is_given_up(serve: Callable[..., Any]) -> None:
    bomb = gzip.compress(b"0" * 20_000_000)

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(bomb)))
        handler.end_headers()
        handler.wfile.write(bomb)

    with pytest.raises(ScrapeError, match="more than 1,000,000 bytes"):
        fetch(serve(send).url, timeout=10, max_bytes=1_000_000)
