"""Scripts and styles: compressed once, kept in memory, cached for good by fingerprint.

Dash compresses on every request or not at all, and would load the full plotly.js (4.8 MB); the dashboard draws only
cartesian charts, so the address Dash's renderer asks for plotly answers with the cartesian bundle of the same version.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import brotli
from flask import Response, request

if TYPE_CHECKING:
    from flask import Flask

SUITES: Final = "/_dash-component-suites/"
ASSETS: Final = "/assets/"
PLOTLY_PATH: Final = "/_dash-component-suites/plotly/package_data/plotly.min.js"
"""Where dash-renderer 4.4.1 loads plotly.js from, lazily: not part of Dash's public interface, held by a test."""
PLOTLY_BUNDLE: Final = "vendor/plotly-cartesian-4.1.1.min.js"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "public, no-cache"
MOST_KEPT: Final = 100
"""Any fingerprint answers, so made-up ones could otherwise fill the memory."""
QUALITY: Final = 9
"""Brotli 11 saves another 6 % and takes twenty times as long at start."""


class Bundle:
    """One file, compressed when a browser first asks for it in that encoding: what is only joined never is."""

    def __init__(self, plain: bytes, mimetype: str) -> None:
        self.plain = plain
        self.mimetype = mimetype
        self.etag = hashlib.sha256(plain).hexdigest()[:32]

    @cached_property
    def brotli(self) -> bytes:
        """Its content compressed for ``Content-Encoding: br``."""
        compressed: bytes = brotli.compress(self.plain, quality=QUALITY)
        return compressed

    @cached_property
    def gzip(self) -> bytes:
        """Its content compressed for ``Content-Encoding: gzip``."""
        return gzip.compress(self.plain, 6, mtime=0)

    def encoded(self, encoding: str) -> bytes:
        """Its content in ``br``, ``gzip``, or as it is."""
        if encoding == "br":
            return self.brotli
        return self.gzip if encoding == "gzip" else self.plain


class Bundles:
    """Answers requests for component suites and assets from memory."""

    def __init__(self, assets: Path) -> None:
        self._assets = assets.resolve()
        self._kept: dict[str, Bundle] = {}
        self._immutable: set[str] = set()
        self._lock = threading.Lock()

    def asset_url(self, name: str) -> str:
        """``/assets/live.js?v=<hash>``: a new content is a new address."""
        return f"{ASSETS}{name}?v={self._of_asset(name).etag[:12]}"

    def join(self, name: str, parts: Sequence[str]) -> None:
        """An asset ``name`` made of others in their order: one request instead of many."""
        joined = b"\n".join(self._of_asset(part).plain for part in parts)
        self._keep(ASSETS + name, joined, _mimetype(name))

    def text(self, name: str) -> str:
        """An asset's text, to be put into a page."""
        return self._of_asset(name).plain.decode()

    def install(self, server: Flask) -> None:
        """Puts the bundles before Dash's own routes; the answers Dash gives for suites are compressed and kept."""

        @server.before_request
        def from_memory() -> Response | None:
            path = request.path
            if path == PLOTLY_PATH:
                return self._answer(self._of_asset(PLOTLY_BUNDLE), "public, no-cache")
            if path.startswith(ASSETS):
                name = path.removeprefix(ASSETS)
                if not self._is_asset(name):
                    return Response("no such file\n", 404, mimetype="text/plain")
                bundle = self._of_asset(name)
                fingerprinted = request.args.get("v") == bundle.etag[:12]
                return self._answer(bundle, IMMUTABLE if fingerprinted else "public, no-cache")
            if path.startswith(SUITES) and (kept := self._kept.get(path)):
                return self._answer(kept, IMMUTABLE if path in self._immutable else REVALIDATED)
            return None

        @server.after_request
        def keep(response: Response) -> Response:
            path = request.path
            if not path.startswith(SUITES) or response.status_code != 200 or path in self._kept or path == PLOTLY_PATH:
                return response
            if len(self._kept) >= MOST_KEPT:
                return response
            # Without a fingerprint in its name it may change under the same address, though not while this runs.
            lasting = "max-age=31536000" in response.headers.get("Cache-Control", "")
            if lasting:
                self._immutable.add(path)
            response.direct_passthrough = False
            kept = self._keep(path, response.get_data(), response.mimetype or "")
            return self._answer(kept, IMMUTABLE if lasting else REVALIDATED)

    def _is_asset(self, name: str) -> bool:
        if ASSETS + name in self._kept:
            return True
        path = (self._assets / name).resolve()
        return path.is_relative_to(self._assets) and path.is_file()

    def _of_asset(self, name: str) -> Bundle:
        key = ASSETS + name
        if kept := self._kept.get(key):
            return kept
        return self._keep(key, (self._assets / name).read_bytes(), _mimetype(name))

    def _keep(self, key: str, plain: bytes, mimetype: str) -> Bundle:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = Bundle(plain, mimetype)
            return self._kept[key]

    @staticmethod
    def _answer(bundle: Bundle, caching: str) -> Response:
        accepted = request.accept_encodings
        encoding = "br" if accepted.quality("br") else "gzip" if accepted.quality("gzip") else ""
        response = Response(bundle.encoded(encoding), mimetype=bundle.mimetype)
        response.headers["Cache-Control"] = caching
        response.headers["Vary"] = "Accept-Encoding"
        response.set_etag(f"{bundle.etag}-{encoding}" if encoding else bundle.etag)
        if encoding:
            response.headers["Content-Encoding"] = encoding
        response.make_conditional(request)
        return response


def _mimetype(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
