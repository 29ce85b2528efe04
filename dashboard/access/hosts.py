"""Which Host headers are answered: a foreign name that leads here is an attack (DNS rebinding). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,252}))(?::(?P<port>\d{1,5}))?")
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


def host_allowed(header: str | None, hosts: Collection[str]) -> bool:
    """Whether the Host header names one of ``hosts``; an entry without a port stands for every port."""
    match = HOST.fullmatch((header or "").lower())
    if match is None:
        return False
    name, port = match["name"].removesuffix("."), match["port"]
    return name in hosts or (port is not None and f"{name}:{port}" in hosts)


def loopback_host(header: str | None) -> bool:
    """Whether the Host header is a loopback name."""
    return host_allowed(header, LOOPBACK)


def same_origin(origin: str, host: str, public_url: str | None) -> bool:
    """Whether an Origin (or a Referer) is the site's own: its host and port are the Host's, or it is ``public_url``.

    The scheme counts only in ``public_url``: behind a load balancer the Host header is all there is.
    """
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        return False
    if public_url is not None and f"{parts.scheme}://{parts.netloc}".lower() == public_url:
        return True
    default = {"http": 80, "https": 443}[parts.scheme]
    mine = HOST.fullmatch(host.lower())
    if mine is None:
        return False
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return name == mine["name"] and (port or default) == int(mine["port"] or default)
