"""The gate in front of every route: hosts, displays, the load balancer's people, and what strangers get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard.access.gate import DISPLAY_COOKIE, local_path
from dashboard.access.tokens import TokensUnavailableError
from tests.dashboard import fakes
from tests.dashboard.access.alb import NOW, KeyServer, LoadBalancer
from tests.dashboard.guarded import ALB, Guarded, behind_the_load_balancer

ROUTES = ("/", "/errors", "/api/v1/session", "/api/v1/health", "/api/v1/view/health", "/api/v1/events", "/metrics",
          "/_dash-layout", "/login", "/display", "/signed-out", "/assets/live.js")  # fmt: skip


@pytest.fixture(scope="module")
def _open() -> Iterator[Guarded]:
    guarded = Guarded()
    yield guarded
    guarded.close()


@pytest.fixture
def open_to_all(_open: Guarded) -> Guarded:
    """Mode none, its displays as at the start."""
    _open.displays.__init__()  # type: ignore[misc]
    return _open


@pytest.fixture(scope="module")
def _behind() -> Iterator[tuple[Guarded, KeyServer]]:
    with behind_the_load_balancer(PULSEBOARD_ALLOWED_HOSTS="pulseboard.example.com") as both:
        yield both


@pytest.fixture
def keys(_behind: tuple[Guarded, KeyServer]) -> KeyServer:
    return _behind[1]


@pytest.fixture
def behind(_behind: tuple[Guarded, KeyServer]) -> Guarded:
    """Mode proxy; the clock is the tokens'."""
    guarded = _behind[0]
    guarded.displays.__init__()  # type: ignore[misc]
    guarded.clock.now = NOW
    return guarded


def asking(client: FlaskClient, token: str | None, path: str = "/api/v1/session") -> Any:
    return client.get(path, headers={} if token is None else {"x-amzn-oidc-data": token})


# ------------------------------------------------------------------------------ hosts
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8050", "10.0.0.5", "a b", "localhost:x"])
@pytest.mark.parametrize("path", ROUTES)
def test_a_rebound_host_gets_nothing(open_to_all: Guarded, host: str, path: str) -> None:
    answer = open_to_all.client().get(path, headers={"Host": host, "X-Forwarded-Host": "localhost"})
    assert (answer.status_code, answer.mimetype) == (421, "text/plain")
    assert "PULSEBOARD_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_come_by_address_and_without_a_session(behind: Guarded, path: str) -> None:
    assert behind.client().get(path, headers={"Host": "10.0.0.5:8050"}).status_code == 200


def test_without_sign_in_whoever_sits_at_the_machine_is_the_operator(open_to_all: Guarded) -> None:
    client = open_to_all.client()
    assert client.get("/api/v1/session").json.items() >= {"name": "local", "role": "operator"}.items()  # type: ignore[union-attr]
    assert "Sign out" not in client.get("/").text


# --------------------------------------------------------------------- load balancer
def test_people_come_with_their_name_and_role(behind: Guarded) -> None:
    client = behind.client()
    assert asking(client, ALB.token()).json == {"name": "ann@example.com", "role": "viewer", "mode": "proxy"}
    assert asking(client, ALB.token(groups=["operators"])).json["role"] == "operator"
    page = asking(client, ALB.token(), "/")
    assert "ann@example.com" in page.text
    assert "private" in page.headers["Cache-Control"]


def test_a_kiosk_shows_nobodys_name(behind: Guarded) -> None:
    page = asking(behind.client(), ALB.token(), "/?kiosk")
    assert page.status_code == 200
    assert "ann@example.com" not in page.text
    assert "Sign out" not in page.text


@pytest.mark.parametrize("token", [
    None, "", "nonsense", LoadBalancer().token(), ALB.token({"signer": "x"}), ALB.token({"exp": NOW - 60}),
    ALB.token({"iss": "https://evil.example"}), ALB.token({"client": "other"}),
    ALB.token(email=None, sub=None),
])  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/v1/session", "/api/v1/view/health", "/api/v1/events", "/metrics"])
def test_who_was_not_vouched_for_gets_nothing(behind: Guarded, token: str | None, path: str) -> None:
    answer = asking(behind.client(), token, path)
    assert answer.status_code == 401
    assert answer.mimetype == ("text/html" if path == "/" else "application/json")


def test_a_bad_header_is_not_made_good_by_a_displays_cookie(behind: Guarded) -> None:
    assert asking(behind.client(display=True), LoadBalancer().token()).status_code == 401


def test_keys_that_can_not_be_read_are_an_outage_not_a_refusal(behind: Guarded, keys: KeyServer) -> None:
    keys.answers["/other"] = (500, b"")
    answer = asking(behind.client(), ALB.token({"kid": "other"}), "/")
    assert answer.status_code == 503
    assert 'http-equiv="refresh"' in answer.text


# ------------------------------------------------------------------------- displays
@pytest.mark.parametrize("mode", ["open_to_all", "behind"])
def test_a_display_link_becomes_a_cookie_and_leaves_the_address(mode: str, request: pytest.FixtureRequest) -> None:
    guarded: Guarded = request.getfixturevalue(mode)
    client = guarded.client()
    answer = client.get("/display?token=pbd_good&next=/errors?kiosk")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors?kiosk")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert client.get("/api/v1/session").json == {
        "name": "display lobby",
        "role": "display",
        "mode": guarded_mode(mode),
    }
    assert client.get("/errors?kiosk").status_code == 200


def guarded_mode(fixture: str) -> str:
    return {"open_to_all": "none", "behind": "proxy"}[fixture]


def test_off_loopback_a_displays_cookie_is_secure(behind: Guarded) -> None:
    answer = behind.client().get("/display?token=pbd_good", headers={"Host": "pulseboard.example.com"})
    assert "Secure" in answer.headers["Set-Cookie"]


def test_each_page_renews_a_displays_cookie(behind: Guarded) -> None:
    client = behind.client(display=True)
    assert "Max-Age=34560000" in client.get("/?kiosk").headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/api/v1/session").headers


@pytest.mark.parametrize("token", ["", "pbd_wrong", "pbd_good2", "\x00"])
def test_a_wrong_display_link_sets_nothing(open_to_all: Guarded, token: str) -> None:
    answer = open_to_all.client().get("/display", query_string={"token": token})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("mode", ["open_to_all", "behind"])
def test_a_revoked_display_sees_nothing_in_any_mode(mode: str, request: pytest.FixtureRequest) -> None:
    guarded: Guarded = request.getfixturevalue(mode)
    client = guarded.client(display=True)
    assert client.get("/api/v1/view/health").status_code == 200
    guarded.displays.good.clear()
    assert client.get("/api/v1/view/health").status_code == 401
    assert client.get("/?kiosk").status_code == 401


def test_who_signs_in_on_a_display_is_none_any_more(behind: Guarded) -> None:
    """The load balancer lets whoever has the cookie through; with it nobody would ever be asked to sign in."""
    client = behind.client(display=True)
    answer = client.get("/login?next=/errors")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors")
    assert client.get_cookie(DISPLAY_COOKIE) is None


def test_a_display_whose_token_can_not_be_checked_tries_again_by_itself(behind: Guarded) -> None:
    behind.displays.error = TokensUnavailableError("away")
    for path in ("/?kiosk", "/display?token=pbd_good"):
        answer = behind.client(display=True).get(path)
        assert answer.status_code == 503
        assert 'http-equiv="refresh"' in answer.text
    assert behind.client(display=True).get("/api/v1/view/health").status_code == 503


@pytest.mark.parametrize("path", ["/api/v1/view/health", "/logout-not-there", "/api/v1/session", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_display_can_only_look(open_to_all: Guarded, method: str, path: str) -> None:
    answer = open_to_all.client(display=True).open(path, method=method)
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "display")  # type: ignore[index]


def test_a_scraper_may_show_a_display_token_as_bearer(behind: Guarded) -> None:
    client = behind.client()
    for header, status in (("Bearer pbd_good", 200), ("Bearer pbd_bad", 401), ("Basic cGJkX2dvb2Q6", 401)):
        assert client.get("/api/v1/view/health", headers={"Authorization": header}).status_code == status


def test_signing_out_ends_a_display_too(open_to_all: Guarded) -> None:
    client = open_to_all.client(display=True)
    assert client.post("/logout", headers={"Origin": "http://localhost"}).status_code == 303
    assert client.get("/api/v1/session").json["role"] == "operator"  # type: ignore[index]


def test_signing_out_ends_the_load_balancers_session(behind: Guarded) -> None:
    client = behind.client()
    client.set_cookie("AWSELBAuthSessionCookie-0", "x")
    answer = client.post("/logout", headers={"Origin": "http://localhost"})
    assert any(text.startswith("AWSELBAuthSessionCookie-0=;") for text in answer.headers.getlist("Set-Cookie"))


# ------------------------------------------------------------------------- redirects
@pytest.mark.parametrize("text", [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\evil.example", "evil.example",
    "javascript:alert(1)", "/a\nb", "/a\tb", "", None, "http:/evil.example", " /errors", "/\x00",
])  # fmt: skip
def test_only_paths_of_this_site_are_gone_to(text: str | None) -> None:
    assert local_path(text) == "/"


@pytest.mark.parametrize("text", ["/", "/errors", "/errors?from=now-6h&kiosk", "/a//b", "/x?next=https://y.example"])
def test_paths_of_this_site_are_kept(text: str) -> None:
    assert local_path(text) == text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_a_display_link_leads_nowhere_else(open_to_all: Guarded, target: str) -> None:
    answer = open_to_all.client().get("/display", query_string={"token": "pbd_good", "next": target})
    assert answer.headers["Location"] == "/?kiosk"


def test_static_files_need_no_session(behind: Guarded) -> None:
    assert behind.client().get("/assets/live.js").status_code == 200


def test_the_fakes_clock_is_where_the_tokens_are() -> None:
    assert fakes.NOW == NOW
