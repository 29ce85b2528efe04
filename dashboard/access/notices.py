"""The few pages that stand outside the dashboard: signed out, not allowed, not reachable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import html
from flask import Response

from dashboard.html import render

Links = Sequence[tuple[str, str]]

_STYLE: Final = (
    "body{margin:0;min-height:100vh;display:grid;place-content:center;padding:1.5rem;background:#f4f6f8;color:#17212b;"
    "font:400 1.0625rem/1.5 system-ui,sans-serif;text-align:center}h1{font-size:1.5rem;margin:0 0 .5rem}"
    "p{margin:0 0 1rem;max-width:36rem}a{color:#1d4ed8}"
    "@media(prefers-color-scheme:dark){body{background:#0e131a;color:#e8edf3}a{color:#8ab1ff}}"
)
RETRY_SECONDS: Final = 15


def notice(status: int, title: str, text: str, links: Links = (), *, retry: bool = False) -> Response:
    """A page of one sentence and its links (text, address). ``retry``: it asks again by itself, as displays must."""
    anchors = [html.P(html.A(words, href=address)) for words, address in links]
    body = render(html.Main([html.H1(title), html.P(text), *anchors]), 0)
    again = f'<meta http-equiv="refresh" content="{RETRY_SECONDS}">' if retry else ""
    answer = Response(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1">{again}<title>{title} · Pulseboard</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>",
        status=status,
        mimetype="text/html",
    )
    answer.headers["Cache-Control"] = "no-store"
    if retry:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer
