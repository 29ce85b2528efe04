"""Runbooks as pages: their text and nothing else, whatever is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard import runbooks
from dashboard.runbooks import as_html, keys
from tests.dashboard.guarded import Guarded, behind_the_load_balancer

TEXT = """# Dead letters rise

<script>alert(1)</script> **Fix** it, see [lag](consumer_lag_records.md#first-look), [errors](/errors?a=b),
[the queue](https://example.com), [no](javascript:alert(1)), [elsewhere](../alerts.md), ![x](https://example.com/x.png)

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    inside = tmp_path / "runbooks"
    inside.mkdir()
    (inside / "dlq_records.md").write_text(TEXT)
    (inside / "README.md").write_text("# Runbooks\n\n[Dead letters rise](dlq_records.md)")
    (tmp_path / "secret.md").write_text("# Secret")
    monkeypatch.setattr(runbooks, "runbooks_folder", lambda: inside)
    return inside


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    server = Flask("runbooks")
    runbooks.register(server, "body{}", "1")
    return server.test_client()


def test_a_runbook_is_a_page_with_its_title(client: FlaskClient) -> None:
    answer = client.get("/runbooks/dlq_records")
    assert answer.status_code == 200
    assert "<title>Dead letters rise · Pulseboard</title>" in answer.text
    assert "<strong>Fix</strong>" in answer.text
    assert "<td>2</td>" in answer.text


def test_no_html_of_a_text_is_let_through_and_links_lead_somewhere_sensible() -> None:
    page = as_html(TEXT)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'href="/runbooks/consumer_lag_records#first-look"' in page
    assert 'href="/errors?a=b"' in page
    assert 'href="https://example.com"' in page
    assert "javascript:" not in page.replace("(javascript:alert(1))", "")
    assert "alerts.md" not in page
    assert "elsewhere" in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "key",
    ["nope", "../secret", "..%2Fsecret", "%2e%2e%2fsecret", "dlq_records.md", "README", ".", "%00", "a" * 500,
     "../runbooks/dlq_records"],
)  # fmt: skip
def test_there_is_no_way_out_of_the_folder(client: FlaskClient, key: str) -> None:
    answer = client.get(f"/runbooks/{key}")
    assert "Secret" not in answer.text
    if answer.status_code != 308:
        assert answer.status_code == 404


def test_the_list_has_all_there_are(client: FlaskClient, folder: Path) -> None:
    page = client.get("/runbooks/").text
    assert '<a href="/runbooks/dlq_records">Dead letters rise</a>' in page
    assert keys(folder) == ("dlq_records",)
    (folder / "README.md").unlink()
    assert "no runbooks in this installation" in client.get("/runbooks/").text


@pytest.fixture
def guarded(folder: Path) -> Iterator[Guarded]:
    with behind_the_load_balancer() as (server, _):
        yield server


def test_runbooks_are_behind_the_gate_under_the_policy_of_all_pages(guarded: Guarded) -> None:
    assert guarded.server.test_client().get("/runbooks/dlq_records").status_code == 401
    seen = guarded.client(display=True).get("/runbooks/dlq_records")
    assert seen.status_code == 200
    assert "default-src 'self'" in seen.headers["Content-Security-Policy"]
    assert guarded.client(display=True).get("/runbooks/nope").status_code == 404
