"""The load balancer's header: what it signed is believed, and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dashboard.access.proxy import BadTokenError, HttpKeys, KeysUnavailableError, ProxyVerifier
from dashboard.access.settings import ProxySettings
from tests.dashboard.access.alb import HEADER, ISSUER, KID, NOW, KeyServer, LoadBalancer, encode, key_server
from tests.dashboard.access.test_settings import SIGNER
from tests.dashboard.data.feeding import Clock

ALB = LoadBalancer()
STRANGER = LoadBalancer()


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with key_server({f"/{KID}": (200, ALB.pem)}) as serving:
        yield serving


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def verifier(keys: KeyServer, clock: Clock) -> ProxyVerifier:
    settings = ProxySettings(ISSUER, SIGNER, "client-1", keys.url)
    return ProxyVerifier(settings, HttpKeys(keys.url, clock), clock)


@pytest.mark.parametrize("padded", [True, False])
def test_a_signed_token_is_believed_padded_or_not(verifier: ProxyVerifier, padded: bool) -> None:
    token = ALB.token(padded=padded, name="Ann")
    assert ("=" in token) is padded
    assert verifier.claims(token)["email"] == "ann@example.com"


def test_any_length_of_the_parts_is_believed(verifier: ProxyVerifier) -> None:
    for length in range(6):
        assert verifier.claims(ALB.token(name="x" * length))["name"] == "x" * length


def test_a_standard_library_for_tokens_refuses_the_padding() -> None:
    """The reason why the product takes the token apart itself."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey

    with pytest.raises((JoseError, ValueError)):
        jwt.decode(ALB.token(), ECKey.import_key(ALB.pem), algorithms=["ES256"])


def resigned(change: Callable[[dict[str, Any]], None]) -> str:
    """A good token whose claims were changed after signing."""
    header, payload, signature = ALB.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload))
    change(claims)
    return f"{header}.{encode(json.dumps(claims).encode())}.{signature}"


@pytest.mark.parametrize(("token", "why"), [
    (STRANGER.token(), "signature"),
    (resigned(lambda claims: claims.update(email="root@example.com")), "signature"),
    (ALB.token().rpartition(".")[0] + ".", "signature"),
    (ALB.token().rpartition(".")[0] + "." + encode(b"\0" * 64), "signature"),
    (ALB.token({"alg": "none"}), "alg"),
    (ALB.token({"alg": "HS256"}), "alg"),
    (ALB.token({"signer": SIGNER.replace("front", "other")}), "signer"),
    (ALB.token({"signer": None}), "signer"),
    (ALB.token({"client": "client-2"}), "client"),
    (ALB.token({"iss": "https://evil.example"}), "iss"),
    (ALB.token(iss="https://evil.example"), "issuer"),
    (ALB.token({"exp": NOW - 31}), "expired"),
    (ALB.token(exp=NOW - 31), "expired"),
    (ALB.token({"exp": "never"}), "expired"),
    (ALB.token({"exp": True}), "expired"),
    (ALB.token({"exp": None}), "expired"),
    (ALB.token({"kid": "../../etc/passwd"}), "key id"),
    (ALB.token({"kid": "other"}), "no such key"),
    (ALB.token({"kid": ["a"]}), "key id"),
    ("", "token"),
    ("a.b", "token"),
    ("a.b.c.d", "token"),
    ("!!.!!.!!", "base64"),
    (f"{encode(b'[]')}.{encode(b'{}')}.x", "object"),
    (f"{encode(b'nonsense')}.{encode(b'{}')}.x", "JSON"),
    (f"{encode(b'[' * 3000)}.{encode(b'{}')}.x", "JSON"),
    ("x" * 20_000, "token"),
    (ALB.token() + "," + ALB.token(), "token"),
    (ALB.token().replace(".", "．"), "token"),
])  # fmt: skip
def test_anything_else_is_refused(verifier: ProxyVerifier, token: str, why: str) -> None:
    with pytest.raises(BadTokenError, match=why):
        verifier.claims(token)


def test_clocks_may_differ_a_little(verifier: ProxyVerifier, clock: Clock) -> None:
    token = ALB.token()
    clock.now += 140
    assert verifier.claims(token)
    clock.now += 20
    with pytest.raises(BadTokenError, match="expired"):
        verifier.claims(token)


def test_a_key_is_fetched_once(verifier: ProxyVerifier, keys: KeyServer) -> None:
    for _ in range(3):
        verifier.claims(ALB.token())
    assert keys.asked == [f"/{KID}"]


def test_nonsense_fetches_no_key(verifier: ProxyVerifier, keys: KeyServer) -> None:
    for token in (ALB.token({"signer": "x"}), ALB.token({"exp": 1}), "a.b.c"):
        with pytest.raises(BadTokenError):
            verifier.claims(token)
    assert keys.asked == []


def test_a_key_that_was_not_there_is_asked_for_again_later(
    verifier: ProxyVerifier, keys: KeyServer, clock: Clock
) -> None:
    token = ALB.token({"kid": "new"})
    for _ in range(3):
        with pytest.raises(BadTokenError, match="no such key"):
            verifier.claims(token)
    assert keys.asked == ["/new"]
    keys.answers["/new"] = (200, ALB.pem)
    clock.now += 31
    assert verifier.claims(token)


@pytest.mark.parametrize("answer", [(500, b"")])
def test_an_end_point_that_fails_is_no_refusal(verifier: ProxyVerifier, keys: KeyServer, answer: Any) -> None:
    keys.answers[f"/{KID}"] = answer
    with pytest.raises(KeysUnavailableError):
        verifier.claims(ALB.token())
    keys.answers[f"/{KID}"] = (200, ALB.pem)
    assert verifier.claims(ALB.token())


@pytest.mark.parametrize("body", [
    b"not a key",
    b"x" * 5000,
    LoadBalancer(ec.generate_private_key(ec.SECP384R1())).pem,
])  # fmt: skip
def test_a_key_of_another_kind_is_refused(verifier: ProxyVerifier, keys: KeyServer, body: bytes) -> None:
    keys.answers[f"/{KID}"] = (200, body)
    with pytest.raises(BadTokenError, match="key"):
        verifier.claims(ALB.token())


def test_an_end_point_that_is_away_is_no_refusal(clock: Clock) -> None:
    url = "http://127.0.0.1:9"
    verifier = ProxyVerifier(ProxySettings(ISSUER, SIGNER, "client-1", url), HttpKeys(url, clock), clock)
    with pytest.raises(KeysUnavailableError):
        verifier.claims(ALB.token())


def test_the_header_that_is_tested_is_the_one_aws_documents() -> None:
    assert set(HEADER) == {"typ", "kid", "alg", "iss", "client", "signer"}
