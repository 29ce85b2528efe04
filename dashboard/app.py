"""The dashboard: settings, services and pages put together into one Flask server."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import brotli
import dash
from dash import html
from flask import Flask, Response, g, request

from backend.settings import load_settings
from dashboard import actions, api, events_api, gallery_api, history_api, jobs_api, runbooks, strays
from dashboard.access import routes
from dashboard.access.gate import Gate, install
from dashboard.access.oidc import SignIn
from dashboard.access.settings import AccessSettings, load_access
from dashboard.auth import signed_in
from dashboard.bundles import PLOTLY_PATH, Bundles
from dashboard.components.shell import shell
from dashboard.components.states import note
from dashboard.components.url_state import KEPT, UrlState, parse_url_state
from dashboard.first_paint import FirstPaint
from dashboard.html import render
from dashboard.pages import PAGES
from dashboard.pages.base import Page
from dashboard.services import Services, connect_services

SCRIPTS: Final = (
    "boot.js", "shell.js", "range.js", "charts.js", "draw.js", "ticks.js", "forms.js", "explore.js", "speak.js",
    "source.js", "live.js", "zoom.js", "grid.js", "kiosk.js",
)  # fmt: skip
SCRIPT: Final = "pulseboard.js"
"""The scripts as one file: a dozen requests and as many tasks would compete with the first paint."""
STYLES: Final = (
    "states.css", "pulseboard.css", "range.css", "forms.css", "events.css", "replay.css", "alerts.css", "jobs.css",
    "capacity.css", "performance.css", "gallery.css",
)  # fmt: skip
"""Every style sheet, in the order in which they count."""
SHELL_STYLES: Final = ("states.css", "pulseboard.css", "range.css")
"""Those that each page has; with its own (``Page.styles``) they are inside it."""
STYLE: Final = "pages.css"
"""All of them as one file, which ``assets/boot.js`` puts after those inside the page before it starts Dash: another
page may be opened from then on. With all of them inside, the verdict stood behind 100 KB that Health has no use for."""
EARLY: Final = (
    "(function(d){var t=new URLSearchParams(location.search).get('theme');"
    "try{t=/^(dark|light)$/.test(t)?t:localStorage.getItem('pulseboard-theme')}catch(e){}"
    "d.dataset.bsTheme=t||(matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light')"
    "})(document.documentElement)"
)
"""The theme, chosen before anything is painted; the one script inside the page, allowed by its hash."""
_UNUSED: Final = re.compile(r'<script src="[^"]*/dash_table/[^"]*"></script>\n?')
"""What Dash puts into every page and no page has: its old tables. (Its polyfill stays: dcc.Graph needs it.)"""
_ON_DEMAND: Final = re.compile(r'<script src="([^"]*/(dash_ag_grid)/[^"]*)"></script>\n?')
"""Component suites that one page needs: ``assets/live.js`` loads them there (``data-needs``), no other page pays."""
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class PulseboardDash(dash.Dash):  # type: ignore[misc]  # dash has no types
    """Dash with a server-rendered first paint around its own root."""

    def __init__(self, services: Services, bundles: Bundles, **options: Any) -> None:
        super().__init__(__name__, **options)
        self._services = services
        self._bundles = bundles
        self._first_paint = FirstPaint(services)

    def interpolate_index(self, **parts: str) -> str:
        """The page before any JavaScript: shell, and the view of what is already in memory."""
        now = self._services.now()
        pages = self._services.pages
        page = next((page for page in pages if page.path == request.path), None)
        g.page_missing = page is None
        state = parse_url_state(request.args, frozenset(page.name for page in pages), now)
        painted = self._first_paint.of(page, request.args, state, now) if page else None
        body = painted.body if painted else not_found()
        environments = painted.environments if painted else (self._services.settings.config.environment,)
        source = painted.source if painted else None
        return _document(
            {
                **parts,
                "scripts": self._scripts(parts["scripts"], charts=page is not None and bool(page.time_charts)),
                "renderer": parts["renderer"].replace('type="application/javascript"', 'type="later"'),
            },
            title=f"{page.title} · Pulseboard" if page else "Not found · Pulseboard",
            attributes=_root_attributes(self._services, state, parts["scripts"]),
            style=self._style(page.styles if page else ()),
            shell=render(shell(pages, page, state, environments, signed_in(), source), now),
            body=render(body, now),
        )

    def _style(self, own: Sequence[str]) -> str:
        inside = "".join(self._bundles.text(name) for name in STYLES if name in (*SHELL_STYLES, *own))
        return f'<style>{inside}</style><link rel="later" href="{self._bundles.asset_url(STYLE)}">'

    def _scripts(self, dash_scripts: str, *, charts: bool) -> str:
        """Ours deferred, Dash's for ``assets/boot.js`` to start after the first paint.

        Preloading them delayed the first paint from 276 to 368 ms here (medians of seven loads each). Where ``charts``
        are the page, plotly.js comes at once, after ours, which ask for the view first; Dash then finds it there.
        """
        own = f'<script defer src="{self._bundles.asset_url(SCRIPT)}"></script>'
        if charts:
            own += f'<script defer id="plotly" src="{PLOTLY_PATH}"></script>'
        needed = _ON_DEMAND.sub("", _UNUSED.sub("", dash_scripts))
        return own + needed.replace("<script src=", '<script type="later" src=')


def create_server(environ: Mapping[str, str]) -> Flask:
    """The whole dashboard as a WSGI application. Raises InvalidInput when a setting is wrong."""
    settings, access = load_settings(environ), load_access(environ)
    services = connect_services(settings, PAGES, build_id(), environ.get("PULSEBOARD_REDIS_URL"))
    return assemble(services, access)


def assemble(services: Services, access: AccessSettings) -> Flask:
    """The server over ``services``: pages and interfaces, with the gate in front of all of them."""
    server: Flask = create_app(services).server
    sign_in = None if access.oidc is None else SignIn(server, access, access.oidc, services.now)
    gate = Gate(access, services.tokens, services.now, sign_in)
    install(server, gate)
    routes.register(server, gate)
    api.register(server, services)
    events_api.register(server, services)
    jobs_api.register(server, services)
    gallery_api.register(server, services)
    history_api.register(server, services, gate)
    actions.register(server, services, gate)
    return server


def create_app(services: Services) -> dash.Dash:
    """The Dash application over ``services``; its pages are ``services.pages``."""
    bundles = Bundles(assets_folder())
    bundles.join(SCRIPT, SCRIPTS)
    bundles.join(STYLE, STYLES)
    # Pages register in a module-wide table; an application made before would otherwise lend this one its pages.
    dash.page_registry.clear()
    app = PulseboardDash(
        services,
        bundles,
        use_pages=True,
        pages_folder="",
        assets_folder=str(assets_folder()),
        include_assets_files=False,
        include_pages_meta=False,
        suppress_callback_exceptions=True,
        serve_locally=True,
        compress=False,
        use_async=False,
        update_title=None,
        title="Pulseboard",
    )
    for page in services.pages:
        page.register()
    dash.register_page("not_found_404", path="/not-found", layout=lambda **_query: not_found())
    app.layout = html.Div(dash.page_container)
    server: Flask = app.server
    strays.install(app)
    bundles.install(server)
    runbooks.register(server, bundles.text(STYLE), EARLY)
    server.after_request(lambda response: _secured(app, response))
    return app


def assets_folder() -> Path:
    """The assets beside the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"


def build_id() -> str:
    """Twelve characters that change when the dashboard's code or assets do: clients reload on a new one."""
    here = Path(__file__).parent
    digest = hashlib.sha256(version("pulseboard").encode())
    for path in sorted([*here.rglob("*.py"), *(p for p in assets_folder().rglob("*") if p.is_file())]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def not_found() -> html.Div:
    """The page for addresses that lead nowhere."""
    return html.Div(
        [
            html.Header(html.H1("There is no such page"), className="page-head"),
            note("Nothing here", "The navigation above leads to every page.", "empty"),
        ],
        id="page-not-found",
        className="page",
        **{"data-filled": "yes"},
    )


def _root_attributes(services: Services, state: UrlState, scripts: str) -> dict[str, str]:
    attributes = {
        "lang": "en",
        "data-build": services.build_id,
        "data-pages": json.dumps({page.path: page.name for page in services.pages}),
        "data-suites": json.dumps({name: address for address, name in _ON_DEMAND.findall(scripts)}),
        "data-traits": json.dumps({page.name: _traits(page) for page in services.pages}, separators=(",", ":")),
        "data-kept": json.dumps(_kept(services.pages), separators=(",", ":")),
        "data-tz": state.get("tz", "utc"),
    }
    return attributes | ({"data-kiosk": "yes"} if state.kiosk else {})


def _kept(pages: Sequence[Page]) -> list[str]:
    """The parameters that go along from page to page."""
    return list(dict.fromkeys([*KEPT, *(name for page in pages for name in page.travels)]))


def _traits(page: Page) -> dict[str, Any]:
    """What the scripts of the shell know of a page, whichever one the reader came in by."""
    return {"filters": page.filters, "compares": page.compares, "timeCharts": page.time_charts}


def _document(
    parts: Mapping[str, str], *, title: str, attributes: Mapping[str, str], style: str, shell: str, body: str
) -> str:
    root = render(html.Div(**{name: value for name, value in attributes.items() if name != "lang"}), 0)
    root = root.removeprefix("<div").removesuffix("></div>")
    return (
        f'<!DOCTYPE html><html lang="en"{root}><head>{parts["metas"]}<title>{title}</title>'
        f'<link rel="icon" type="image/svg+xml" href="/assets/favicon.svg"><script>{EARLY}</script>'
        f"{style}{parts['css']}</head>"
        f'<body><a class="skip" href="#main">Skip to content</a>{shell}'
        f'<main id="main" data-booting="yes"><div id="first-paint">{body}</div>{parts["app_entry"]}</main>'
        f"<noscript><p>This picture stays as it is: without JavaScript it can't refresh itself.</p></noscript>"
        f'<footer class="machinery">{parts["config"]}{parts["scripts"]}{parts["renderer"]}</footer>'
        "</body></html>"
    )


def _secured(app: dash.Dash, response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _policy([*app.csp_hashes(), _hash(EARLY)])
        response.headers.setdefault("Cache-Control", "no-cache")
        _compress(response)
        if g.get("page_missing"):
            response.status_code = 404
    return response


def _compress(response: Response) -> None:
    """The one thing compressed per request, because each page differs: some 3 ms at this quality, most of it styles."""
    if request.accept_encodings.quality("br") and not response.headers.get("Content-Encoding"):
        response.set_data(brotli.compress(response.get_data(), quality=4))
        response.headers["Content-Encoding"] = "br"
    response.headers["Vary"] = "Accept-Encoding"


def _policy(hashes: Sequence[str]) -> str:
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' {' '.join(dict.fromkeys(hashes))}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
