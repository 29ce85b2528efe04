"""Runbooks as pages: ``/runbooks/<key>`` from ``docs/runbooks/<key>.md``, behind the same gate as everything else.

Texts are ours, and still no HTML of theirs is let through: what Markdown makes is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from dash import html
from flask import Flask, Response
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dashboard.html import render

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
"""What a runbook may be called: no dots, no slashes, so no way out of the folder."""
SIBLING: Final = re.compile(r"(?:\./)?([a-z0-9][a-z0-9_-]{0,79})\.md(#[\w-]*)?")
ADDRESS: Final = re.compile(r"(?:https?://|/(?!/)|\?|#)", re.IGNORECASE)
INDEX: Final = "README.md"
"""The list of all runbooks, in their groups."""


def register(server: Flask, style: str, theme: str) -> None:
    """Adds the routes. ``style`` is the dashboard's style sheet, ``theme`` the script that chooses dark or light."""
    folder = runbooks_folder()
    server.add_url_rule("/runbooks/", "runbooks", lambda: _list(folder, style, theme))
    server.add_url_rule("/runbooks/<key>", "runbook", lambda key: _one(folder, key, style, theme))


def runbooks_folder() -> Path:
    """The runbooks inside the package when installed, beside it in a checkout."""
    inside = Path(__file__).parent / "runbook_texts"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "docs" / "runbooks"


def keys(folder: Path) -> tuple[str, ...]:
    """The keys of all runbooks there are, in alphabetical order."""
    found = (path.stem for path in folder.glob("*.md"))
    return tuple(sorted(key for key in found if KEY.fullmatch(key)))


def read(folder: Path, key: str) -> str | None:
    """The text of one runbook, None where there is none of that key."""
    return (folder / f"{key}.md").read_text(encoding="utf-8") if key in keys(folder) else None


def title_of(text: str, key: str) -> str:
    """The text's first heading, else its key in words."""
    first = next((line for line in text.splitlines() if line.startswith("# ")), "")
    return first.removeprefix("# ").strip() or key.replace("_", " ").capitalize()


@lru_cache(maxsize=256)
def as_html(text: str) -> str:
    """The text as HTML: no HTML of its own, and links only to runbooks, pages of this site, and http(s)."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(text)
    for token in tokens:
        token.children = _linked(token.children) if token.children else token.children
    answer: str = markdown.renderer.render(tokens, markdown.options, {})
    return answer


def _linked(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of a paragraph without links that lead nowhere here: their words stay."""
    kept: list[Token] = []
    open_links: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            address = _address(str(token.attrGet("href") or ""))
            open_links.append(address is not None)
            if address is None:
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and not open_links.pop():
            continue
        kept.append(token)
    return kept


def _address(href: str) -> str | None:
    sibling = SIBLING.fullmatch(href)
    if sibling is not None:
        return f"/runbooks/{sibling[1]}{sibling[2] or ''}"
    return href if ADDRESS.match(href) else None


def _list(folder: Path, style: str, theme: str) -> Response:
    index = folder / INDEX
    if index.is_file():
        body = as_html(index.read_text(encoding="utf-8"))
    else:
        body = render([html.H1("Runbooks"), html.P("There are no runbooks in this installation.")], 0)
    return _page("Runbooks", body, ("Alerts", "/alerts"), style, theme)


def _one(folder: Path, key: str, style: str, theme: str) -> Response:
    text = read(folder, key)
    if text is None:
        body = render([html.H1("There is no such runbook"), html.P("The list has all there are.")], 0)
        return _page("No such runbook", body, ("All runbooks", "/runbooks/"), style, theme, status=404)
    return _page(title_of(text, key), as_html(text), ("All runbooks", "/runbooks/"), style, theme)


def _page(title: str, body: str, back: tuple[str, str], style: str, theme: str, status: int = 200) -> Response:
    mark = html.Span(className="mark", **{"aria-hidden": "true"})
    brand = html.A([mark, html.Span("Pulseboard")], href="/", className="brand")
    head = render(html.Header(brand, className="shell"), 0)
    link = render(html.P(html.A(back[0], href=back[1]), className="back"), 0)
    return Response(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{render(title, 0)} · Pulseboard</title>'
        f'<link rel="icon" type="image/svg+xml" href="/assets/favicon.svg"><script>{theme}</script>'
        f'<style>{style}</style></head><body>{head}<main id="main"><div class="page runbook">{link}'
        f'<article class="card">{body}</article></div></main></body></html>',
        status=status,
        mimetype="text/html",
    )
