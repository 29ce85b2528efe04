"""Fetches one metrics page without ever trusting it: bounded in time, in size and in what it may break."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import requests
from urllib3.exceptions import HTTPError

CHUNK: Final = 65_536
CONNECT_SECONDS: Final = 3.0
ACCEPT: Final = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


class ScrapeError(Exception):
    """Why a target gave nothing, in words that follow its name."""


def fetch(url: str, *, timeout: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> str:
    """The text behind ``url``.

    ``timeout`` (s) bounds the whole exchange: also an endpoint that sends one byte at a time ends. ``max_bytes``
    counts decompressed bytes and is checked while they arrive. Redirects are not followed: a target may say what it
    measures, and not which address inside the network is asked next. Raises ScrapeError.
    """
    deadline = clock() + timeout
    body = bytearray()
    try:
        # A session of its own: no proxy or credentials from the environment, nothing kept from another target.
        with requests.Session() as session:
            session.trust_env = False
            wait = (min(CONNECT_SECONDS, timeout), timeout)
            headers = {"Accept": ACCEPT}
            with session.get(url, stream=True, timeout=wait, headers=headers, allow_redirects=False) as response:
                if response.is_redirect:
                    raise ScrapeError("sends elsewhere, which is not followed; give the address that answers itself")
                if response.status_code != requests.codes.ok:
                    raise ScrapeError(f"answered {response.status_code}")
                while chunk := response.raw.read1(CHUNK, decode_content=True):
                    body += chunk
                    if len(body) > max_bytes:
                        raise ScrapeError(f"sent more than {max_bytes:,} bytes; raise limits.scrape_bytes to allow it")
                    if clock() > deadline:
                        raise ScrapeError(f"did not finish within {timeout:g} s ({len(body):,} bytes came)")
    except requests.Timeout as error:
        raise ScrapeError(f"did not answer within {timeout:g} s") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise ScrapeError(f"could not be read ({_cause(error)})") from error
    return body.decode("utf-8", "replace")


def _cause(error: BaseException) -> str:
    """The innermost reason in a few words: requests wraps urllib3, which wraps the socket's error."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        inner = inner or next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return getattr(seen, "strerror", None) or type(seen).__name__
