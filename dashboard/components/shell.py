"""The frame around every page: navigation, controls, age clock. Rendered by the server, moved by ``assets/shell.js``.

It stands outside Dash's own root, so it is there with the first paint and never redrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html

from dashboard.auth import Identity
from dashboard.components.range_control import compare_switch, live_switch, range_control, source_line
from dashboard.components.url_state import REFRESHES, UrlState
from dashboard.data.source import Source
from dashboard.pages.base import Page

FILTERS: Final = ("host", "operator")


def shell(
    pages: Sequence[Page],
    current: Page | None,
    state: UrlState,
    environments: Sequence[str],
    who: Identity | None = None,
    source: Source | None = None,
) -> list[Any]:
    """Header and banner of a page; a kiosk gets no navigation and no controls at all.

    ``who`` is signed in; None where nobody has to. ``source`` is that of the first paint, None where it shows no data.
    """
    if state.kiosk:
        return [
            html.Header(
                [
                    _brand(state, link=False),
                    html.Span(current.title if current else "", className="page-title", id="page-title"),
                    html.Span(state.range_label, id="range-label", className="kiosk-range"),
                    source_line(source, acts=False),
                    _age(),
                ],
                className="shell shell-kiosk",
            ),
            _banner(state),
        ]
    return [
        html.Header(
            [_brand(state, link=True), _navigation(pages, current, state), _age(), *_session(who)],
            className="shell",
            role="banner",
        ),
        html.Section(
            [
                _toolbar(current, state, environments),
                source_line(source, acts=who is None or who.role != "display"),
                _chips(current, state),
            ],
            **{"aria-label": "Filters and display"},
        ),
        _banner(state),
    ]


def _brand(state: UrlState, *, link: bool) -> Any:
    name = [html.Span(className="mark", **{"aria-hidden": "true"}), html.Span("Pulseboard")]
    if not link:
        return html.Span(name, className="brand")
    return html.A(name, href=f"/{state.query()}", className="brand", **{"data-nav": "/"})


def _navigation(pages: Sequence[Page], current: Page | None, state: UrlState) -> html.Nav:
    return html.Nav(
        html.Ul([html.Li(_page_link(page, page is current, state)) for page in pages]),
        className="nav",
        **{"aria-label": "Pages"},
    )


def _page_link(page: Page, here: bool, state: UrlState) -> html.A:
    extra: dict[str, str] = {"data-nav": page.path}
    if here:
        extra["aria-current"] = "page"
    return html.A(page.title, href=f"{page.path}{state.query()}", title=page.purpose, **extra)


def _toolbar(current: Page | None, state: UrlState, environments: Sequence[str]) -> html.Div:
    return html.Div(
        [
            html.Button(
                "Filters and display", type="button", className="toolbar-toggle",
                **{"data-action": "toolbar", "aria-expanded": "false", "aria-controls": "toolbar"},
            ),
            html.Div(
                [
                    _select("environment", "Environment", {name: name for name in environments},
                            state.get("environment") or (environments[0] if environments else "")),
                    range_control(state),
                    _select("refresh", "Refresh", REFRESHES, state.get("refresh")),
                    live_switch(),
                    compare_switch(state, offered=current is not None and current.compares),
                    html.Span(className="gap"),
                    _button("tz", "UTC" if state.get("tz") != "browser" else "Local time", "Switch the time zone"),
                    _button("theme", "Theme", "Switch between dark and light"),
                    _button("copy", "Copy link", "Copy a link with the times shown now"),
                ],
                id="toolbar",
                className="toolbar",
            ),
        ],
        className="toolbar-frame",
    )  # fmt: skip


def _select(name: str, label: str, options: dict[str, str], chosen: str) -> html.Label:
    if chosen not in options:
        options = {chosen: chosen, **options}
    return html.Label(
        [
            html.Span(label, className="label"),
            html.Select(
                [
                    html.Option(text, value=value, **({"selected": "selected"} if value == chosen else {}))
                    for value, text in options.items()
                ],
                id=name,
                **{"data-param": name},
            ),
        ],
        className="control",
    )


def _button(action: str, text: str, title: str) -> html.Button:
    return html.Button(text, type="button", title=title, **{"data-action": action})


def _chips(current: Page | None, state: UrlState) -> html.Ul:
    """What the URL carries along, saying whether this page applies it. The twin of chips in assets/shell.js."""
    chips = []
    for name in FILTERS:
        if not (value := state.get(name)):
            continue
        applied = current is not None and name in current.filters
        chips.append(
            html.Li(
                [
                    html.Span(f"{name}: {value}"),
                    html.Span("" if applied else f"This page is not filtered by {name}", className="chip-note"),
                    html.A("Remove", href=state.query(**{name: None}), **{"data-remove": name}),
                ]
            )
        )
    if state.get("compare") and (current is None or not current.compares):
        away = html.A("Remove", href=state.query(compare=None), **{"data-remove": "compare"})
        chips.append(html.Li([html.Span("This page does not compare"), away]))
    return html.Ul(chips, id="chips", className="chips", **{"aria-label": "Filters"})


def _session(who: Identity | None) -> list[html.Form]:
    if who is None:
        return []
    words = [html.Span(who.name, className="session-name", title=who.name), html.Span(who.role)]
    out = html.Button("Sign out", type="submit")
    return [html.Form([*words, out], action="/logout", method="post", className="session")]


def _age() -> html.Div:
    """The age clock; the numbers come from the browser's own clock, corrected by the server's."""
    return html.Div("Connecting", id="data-age", className="age", role="timer", **{"data-state": "loading"})


def _banner(state: UrlState) -> html.Section:
    """Where trouble is said: stale data, no connection, a new version, a URL with values that can't be used."""
    problems: list[Any] = [html.P(f"{problem}.") for problem in state.problems]
    if problems:
        again = html.A("Open the page without it", href="?")
        problems = [html.P(["The address has a value that can't be used. ", again]), *problems]
    return html.Section(
        [
            html.Div(problems, id="notice", className="notice", role="alert", **({} if problems else {"hidden": True})),
            html.Div(id="banner", className="banner", hidden=True),
            # The one region that is read out by itself: assets/speak.js.
            html.P(id="said", className="unseen", role="status"),
        ],
        className="banners",
        **{"aria-label": "Notices"},
    )
