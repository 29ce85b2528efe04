from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import brotli
import dash
import pytest
from flask import Flask
from flask.testing import FlaskClient
from plotly.offline import get_plotlyjs_version

from dashboard import api
from dashboard.app import SCRIPTS, SHELL_STYLES, STYLES, assets_folder, build_id, create_app
from dashboard.bundles import PLOTLY_BUNDLE, PLOTLY_PATH
from dashboard.components.url_state import KEPT
from dashboard.pages import PAGES
from tests.dashboard import fakes


@pytest.fixture
def fake() -> fakes.FakeHealth:
    return fakes.FakeHealth()


@pytest.fixture
def server(fake: fakes.FakeHealth) -> Iterator[Flask]:
    services = fakes.services(fake)
    app = create_app(services)
    api.register(app.server, services)
    yield app.server
    services.views.close()
    services.answers.close()


@pytest.fixture
def client(server: Flask) -> FlaskClient:
    return server.test_client()


def test_the_first_html_holds_the_verdict_and_the_signals(client: FlaskClient) -> None:
    page = client.get("/").text
    assert re.search(r'<section id="verdict"[^>]* data-status="healthy"', page)
    assert "All 6 connected signals are within their limits." in page
    assert "3,120" in page
    assert 'id="card-window_completeness"' in page
    assert "Synthetic data" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_has_its_root_and_the_navigation_to_all(client: FlaskClient, page: object) -> None:
    answer = client.get(page.path)  # type: ignore[attr-defined]
    assert answer.status_code == 200
    assert f'id="page-{page.name}"' in answer.text  # type: ignore[attr-defined]
    for other in PAGES:
        assert f'data-nav="{other.path}"' in answer.text


def test_the_browser_keeps_what_links_of_the_server_keep_and_nothing_that_is_a_page_s_own(client: FlaskClient) -> None:
    kept = re.search(r'data-kept="([^"]*)"', client.get("/").text)
    assert kept
    travelling = [name for page in PAGES for name in page.travels]
    assert json.loads(html.unescape(kept[1])) == [*KEPT, *travelling]
    assert "event" not in travelling
    assert {name for page in PAGES for name in page.parameters} & set(KEPT) == set()


def test_links_keep_the_query_and_a_kiosk_has_none(client: FlaskClient) -> None:
    page = client.get("/?from=now-6h&environment=staging").text
    assert 'href="/errors?from=now-6h&amp;environment=staging"' in page
    kiosk = client.get("/?kiosk").text
    assert "<nav" not in kiosk
    assert "<select" not in kiosk
    assert "data-action" not in kiosk
    assert 'data-kiosk="yes"' in kiosk


def test_the_url_can_not_inject_markup(client: FlaskClient) -> None:
    page = client.get('/?host="><script>alert(1)</script>&environment=<b>x&from=%3Cimg%3E').text
    assert "<script>alert" not in page
    assert "<b>x" not in page
    assert "<img>" not in page


def test_bad_values_are_named_and_the_page_stands(client: FlaskClient) -> None:
    answer = client.get("/?from=yesterday&theme=pink")
    assert answer.status_code == 200
    assert "yesterday" in answer.text
    assert "must be dark or light" in answer.text


def test_a_page_without_data_is_a_loading_look_not_an_error(client: FlaskClient, fake: fakes.FakeHealth) -> None:
    fake.error = TimeoutError("no answer")
    answer = client.get("/")
    assert answer.status_code == 200
    assert 'data-status="loading"' in answer.text
    assert "Healthy" not in answer.text


def test_an_unknown_address_is_404_with_the_shell_around_it(client: FlaskClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert 'data-nav="/errors"' in answer.text


def test_security_headers_allow_only_what_the_page_itself_carries(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self' 'sha256-" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert client.get("/api/v1/view/health").headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_comes_from_another_host(client: FlaskClient) -> None:
    page = client.get("/").text
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page) == []


def test_scripts_are_compressed_once_and_kept_for_good(client: FlaskClient) -> None:
    page = client.get("/").text
    addresses = re.findall(r'src="(/(?:assets|_dash-component-suites)/[^"]+)"', page)
    assert len(addresses) > 8
    for address in addresses:
        answer = client.get(address, headers={"Accept-Encoding": "br"})
        assert answer.headers["Content-Encoding"] == "br", address
        assert "immutable" in answer.headers["Cache-Control"], address
        plain = client.get(address).data
        assert brotli.decompress(answer.data) == plain
        assert gzip.decompress(client.get(address, headers={"Accept-Encoding": "gzip"}).data) == plain
        again = client.get(address, headers={"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "br"})
        assert again.status_code == 304


def test_its_own_scripts_are_one_request_with_the_start_of_dash_first(client: FlaskClient) -> None:
    (address,) = re.findall(r'src="(/assets/[^"]+)"', client.get("/").text)
    parts = [(assets_folder() / name).read_text("utf-8") for name in SCRIPTS]
    assert client.get(address).text == "\n".join(parts)
    assert SCRIPTS[0] == "boot.js"


def test_a_page_loads_no_script_it_does_not_need(client: FlaskClient) -> None:
    page = client.get("/").text
    for unused in ("plotly", "dash_table", "bootstrap", "ag_grid", "async-"):
        assert not re.search(rf'(?:src|href)="[^"]*{unused}[^"]*"', page), unused


def test_a_page_brings_its_own_styles_and_fetches_those_of_the_others_later(client: FlaskClient) -> None:
    health, errors = client.get("/").text, client.get("/errors").text
    own = {name: (assets_folder() / name).read_text("utf-8") for name in STYLES}
    assert all(own[name] in health for name in SHELL_STYLES)
    assert own["events.css"] in errors
    assert not any(own[name] in health for name in STYLES if name not in SHELL_STYLES)
    (address,) = re.findall(r'<link rel="later" href="([^"]+)"', health)
    assert client.get(address).text == "\n".join(own.values()), (
        "in their order, so that they count as if all were there"
    )
    assert all(set(page.styles) <= set(STYLES) for page in PAGES)


def test_assets_do_not_leave_their_folder(client: FlaskClient) -> None:
    assert client.get("/assets/../pyproject.toml").status_code == 404
    assert client.get("/assets/%2e%2e/pyproject.toml").status_code == 404


def test_the_renderer_still_asks_for_plotly_where_the_cartesian_bundle_answers(client: FlaskClient) -> None:
    renderer = Path(dash.__file__).parent / "dash-renderer" / "build" / "dash_renderer.min.js"
    assert PLOTLY_PATH.removeprefix("/") in renderer.read_text("utf-8")
    assert f"-{get_plotlyjs_version()}.min.js" in PLOTLY_BUNDLE
    body = client.get(PLOTLY_PATH).data
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}".encode() in body[:200]


def test_the_build_is_the_same_until_something_changes() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", build_id())
    assert build_id() == build_id()


def test_a_refresh_is_small(client: FlaskClient, fake: fakes.FakeHealth) -> None:
    fake.make = fakes.critical
    answer = client.get("/api/v1/view/health", headers={"Accept-Encoding": "br"})
    assert answer.status_code == 200
    assert len(answer.data) <= 15_000
