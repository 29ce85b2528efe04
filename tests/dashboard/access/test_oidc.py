"""Signing in with a real provider: Authlib's server side on loopback, not a stand-in for our own client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey, RSAKey
from werkzeug.test import TestResponse

from dashboard.access.settings import load_access
from dashboard.app import assemble
from tests.dashboard import fakes
from tests.dashboard.access.provider import CLIENT_ID, CLIENT_SECRET, Provider, running
from tests.dashboard.data.feeding import Clock

BASE = "http://localhost:8050"


def environment(provider: Provider, **changes: str) -> dict[str, str]:
    provider.client.redirect_uris.add(f"{BASE}/auth/callback")
    return {
        "PULSEBOARD_AUTH": "oidc",
        "PULSEBOARD_SECRET_KEY": "a-secret-of-tests-that-is-long-enough",
        "PULSEBOARD_OIDC_ISSUER": provider.issuer,
        "PULSEBOARD_OIDC_CLIENT_ID": CLIENT_ID,
        "PULSEBOARD_OIDC_CLIENT_SECRET": "" if provider.public else CLIENT_SECRET,
        "PULSEBOARD_OPERATOR_CLAIM": "groups=operators",
        **changes,
    }


def serve(environ: dict[str, str], clock: Clock | None = None) -> Flask:
    return assemble(fakes.services(now=clock or time.time), load_access(environ))


def visit(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=BASE)


def to_provider(client: FlaskClient, path: str = "/errors?from=now-6h") -> str:
    """The address of the provider that a page sends an unknown browser to."""
    page = visit(client, path)
    assert page.status_code == 302
    login = visit(client, page.headers["Location"])
    assert login.status_code == 302
    return str(login.headers["Location"])


def back(address: str) -> str:
    """The path of ours that the provider sends the browser back to."""
    answer = requests.get(address, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    place = urlsplit(answer.headers["Location"])
    return f"{place.path}?{place.query}"


def sign_in(client: FlaskClient, path: str = "/errors?from=now-6h") -> TestResponse:
    return visit(client, back(to_provider(client, path)))


def who(client: FlaskClient) -> Any:
    return visit(client, "/api/v1/session")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as serving:
        yield serving


@pytest.fixture
def client(provider: Provider) -> FlaskClient:
    return serve(environment(provider)).test_client()


def test_a_person_is_sent_to_the_provider_and_comes_back_to_the_page(client: FlaskClient) -> None:
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors?from=now-6h")
    assert who(client).json == {"name": "ann@example.com", "role": "viewer", "mode": "oidc"}
    page = visit(client, "/errors?from=now-6h")
    assert page.status_code == 200
    assert "ann@example.com" in page.text


def test_the_request_carries_state_nonce_and_a_hashed_challenge(client: FlaskClient, provider: Provider) -> None:
    asked = parse_qs(urlsplit(to_provider(client)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) >= 20
    assert len(asked["nonce"][0]) >= 20
    assert asked["redirect_uri"] == [f"{BASE}/auth/callback"]
    assert "client_secret" not in asked
    assert to_provider(client) != to_provider(client)


def test_a_public_client_needs_no_secret() -> None:
    with running(public=True) as provider:
        client = serve(environment(provider)).test_client()
        assert sign_in(client).status_code == 302
        assert who(client).json["name"] == "ann@example.com"


@pytest.mark.parametrize("groups", ["operators", ["staff", "operators"], "staff operators"])
def test_the_operator_claim_makes_an_operator(client: FlaskClient, provider: Provider, groups: Any) -> None:
    provider.person["groups"] = groups
    sign_in(client)
    session = who(client).json
    assert session["role"] == "operator"
    assert len(session["token"]) == 64


def test_a_claim_that_only_userinfo_has_counts(client: FlaskClient, provider: Provider) -> None:
    provider.userinfo = {"groups": ["operators"], "email": "other@example.com"}
    sign_in(client)
    assert (who(client).json["role"], who(client).json["name"]) == ("operator", "ann@example.com")


def test_userinfo_of_somebody_else_is_refused(client: FlaskClient, provider: Provider) -> None:
    provider.userinfo = {"groups": ["operators"], "sub": "u-2"}
    assert sign_in(client).status_code == 400
    assert who(client).status_code == 401


@pytest.mark.parametrize("change", [
    {"iss": "https://evil.example"},
    {"aud": ["someone-else"]},
    {"aud": ["someone-else"], "azp": CLIENT_ID},
    {"exp": 1_700_000_000},
    {"iat": 4_000_000_000},
    {"nonce": "another"},
    {"nonce": None},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    {"sub": None},
])  # fmt: skip
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    client: FlaskClient, provider: Provider, change: dict[str, Any]
) -> None:
    provider.tamper = lambda claims: claims.update(change)
    assert sign_in(client).status_code == 400
    assert who(client).status_code == 401


def test_an_id_token_signed_with_another_key_is_refused(client: FlaskClient, provider: Provider) -> None:
    provider.key = RSAKey.generate_key(2048)
    assert sign_in(client).status_code == 400
    assert who(client).status_code == 401


@pytest.mark.parametrize(("algorithm", "key"), [("none", None), ("HS256", OctKey.import_key(CLIENT_SECRET))])
def test_only_keys_that_the_provider_keeps_to_itself_count(
    client: FlaskClient, provider: Provider, algorithm: str, key: Any
) -> None:
    provider.algorithm, provider.key = algorithm, key
    assert sign_in(client).status_code == 400
    assert who(client).status_code == 401


def test_a_new_key_of_the_provider_is_fetched(client: FlaskClient, provider: Provider) -> None:
    sign_in(client)
    provider.key = provider.served = RSAKey.generate_key(2048, auto_kid=True)
    assert sign_in(serve_again(client), "/").status_code == 302
    assert who(client).status_code == 200


def serve_again(client: FlaskClient) -> FlaskClient:
    """The same browser without its session."""
    client.delete_cookie("pulseboard_session", domain="localhost")
    return client


def test_a_provider_that_calls_itself_otherwise_is_refused(client: FlaskClient, provider: Provider) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    assert visit(client, "/login").status_code == 503


def test_an_answer_to_a_sign_in_that_was_not_begun_here_is_refused(client: FlaskClient, provider: Provider) -> None:
    stolen = back(to_provider(client))
    other = serve(environment(provider)).test_client()
    answer = visit(other, stolen)
    assert answer.status_code == 400
    assert "begun in another window" in answer.text
    assert who(other).status_code == 401


def test_an_answer_counts_once(client: FlaskClient) -> None:
    answer = back(to_provider(client))
    assert visit(client, answer).status_code == 302
    client.delete_cookie("pulseboard_session", domain="localhost")
    assert visit(client, answer).status_code == 400


def test_a_code_without_its_verifier_is_worth_nothing(client: FlaskClient, provider: Provider) -> None:
    code = parse_qs(urlsplit(back(to_provider(client))).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{BASE}/auth/callback"}
    answer = requests.post(f"{provider.issuer}/token", form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=5)
    assert answer.status_code == 400


def test_a_refusal_of_the_provider_is_said_plainly(client: FlaskClient) -> None:
    state = parse_qs(urlsplit(to_provider(client)).query)["state"][0]
    answer = visit(client, f"/auth/callback?error=access_denied&error_description=<b>no</b>&state={state}")
    assert answer.status_code == 400
    assert "<b>" not in answer.text


def test_a_provider_that_is_away_is_said_plainly(provider: Provider) -> None:
    environ = environment(provider, PULSEBOARD_OIDC_ISSUER="http://127.0.0.1:9")
    answer = visit(serve(environ).test_client(), "/login")
    assert answer.status_code == 503
    assert "can&#x27;t be reached" in answer.text or "can't be reached" in answer.text


@pytest.mark.parametrize("then", [
    "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example",
    "javascript:alert(1)", "/%0d%0aSet-Cookie:x", "", "errors", "/\t/evil.example", "///evil.example",
])  # fmt: skip
def test_the_way_back_never_leads_elsewhere(client: FlaskClient, then: str) -> None:
    login = client.get("/login", query_string={"next": then}, base_url=BASE)
    place = visit(client, back(str(login.headers["Location"]))).headers["Location"]
    assert place == "/" or (place.startswith("/%0d%0a") and "\n" not in place)


def test_the_session_ends_after_a_working_day(provider: Provider) -> None:
    clock = Clock(time.time())
    client = serve(environment(provider), clock).test_client()
    sign_in(client)
    clock.now += 8 * 3600 - 60
    assert who(client).status_code == 200
    clock.now += 120
    assert who(client).status_code == 401


def test_the_cookie_can_not_be_read_by_scripts_nor_sent_by_other_sites(client: FlaskClient) -> None:
    cookies = sign_in(client).headers.getlist("Set-Cookie")
    cookie = next(text for text in cookies if text.startswith("pulseboard_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_off_loopback_the_cookie_is_secure(provider: Provider) -> None:
    public = "https://pulseboard.example.com"
    provider.client.redirect_uris.add(f"{public}/auth/callback")
    server = serve(environment(provider, PULSEBOARD_PUBLIC_URL=public))
    answer = server.test_client().get("/login", base_url="http://pulseboard.example.com")
    assert "Secure" in answer.headers["Set-Cookie"]
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{public}/auth/callback"]


def test_a_forged_cookie_is_nobody(client: FlaskClient, provider: Provider) -> None:
    forged = serve(environment(provider, PULSEBOARD_SECRET_KEY="another-secret-that-is-long-enough-too"))
    other = forged.test_client()
    sign_in(other)
    cookie = other.get_cookie("pulseboard_session", domain="localhost")
    assert cookie is not None
    client.set_cookie("pulseboard_session", cookie.value, domain="localhost")
    assert who(client).status_code == 401


def test_signing_out_ends_the_session(client: FlaskClient, provider: Provider) -> None:
    sign_in(client)
    refused = client.post("/logout", base_url=BASE, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    assert who(client).status_code == 200
    answer = client.post("/logout", base_url=BASE, headers={"Origin": BASE})
    assert answer.headers["Location"] == "/signed-out"
    assert who(client).status_code == 401
    page = visit(client, "/signed-out")
    assert page.status_code == 200
    assert f"{provider.issuer}/end?client_id={CLIENT_ID}" in page.text


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(client: FlaskClient) -> None:
    sign_in(client)
    cookie = client.get_cookie("pulseboard_session", domain="localhost")
    assert cookie is not None
    client.post("/logout", base_url=BASE, headers={"Origin": BASE})
    client.set_cookie("pulseboard_session", cookie.value, domain="localhost")
    assert who(client).status_code == 401
    client.delete_cookie("pulseboard_session", domain="localhost")
    sign_in(client)
    assert who(client).status_code == 200


def test_many_sign_ins_begun_at_once_fit_the_cookie(client: FlaskClient) -> None:
    for _ in range(20):
        last = to_provider(client)
    cookie = client.get_cookie("pulseboard_session", domain="localhost")
    assert cookie is not None
    assert len(cookie.value) < 3500
    assert visit(client, back(last)).headers["Location"] == "/errors?from=now-6h"


def test_scripts_get_an_answer_not_a_redirect(client: FlaskClient) -> None:
    for path in ("/api/v1/health", "/api/v1/view/health", "/_dash-layout", "/metrics"):
        answer = visit(client, path)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "signed_out")
    assert client.post("/_dash-update-component", base_url=BASE, json={}).status_code == 401
