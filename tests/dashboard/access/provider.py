"""An OpenID Connect provider on loopback, made of Authlib's server side: what the sign-in is tested against.

Discovery, keys, authorization code with PKCE (required), ID tokens signed RS256. Whoever comes is signed in as
``person`` at once; ``tamper`` changes an ID token's claims, ``key`` what it is signed with.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT_ID = "pulseboard"
CLIENT_SECRET = "provider-secret"


class Quiet(WSGIRequestHandler):
    """Prints no access log."""

    def log(self, *args: Any) -> None:
        """Says nothing."""


@dataclass
class Client:
    """The one registered client."""

    public: bool
    redirect_uris: set[str] = field(default_factory=set)

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri in self.redirect_uris

    def check_client_secret(self, secret: str) -> bool:
        return secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint != "token" or method == ("none" if self.public else "client_secret_basic")

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


@dataclass
class Code:
    """One authorization code; Authlib reads the challenge's attributes."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str
    person: dict[str, Any]
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@cache
def _key() -> RSAKey:
    """The key of a provider that has done nothing to it; making one takes longer than a sign-in."""
    return RSAKey.generate_key(2048, auto_kid=True)


@dataclass
class Provider:
    """The provider's state; tests change it."""

    issuer: str = ""
    public: bool = False
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "email": "ann@example.com"})
    userinfo: dict[str, Any] = field(default_factory=dict)
    tamper: Callable[[dict[str, Any]], None] = lambda _claims: None
    metadata: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: Any = field(default_factory=_key)
    served: Any = None
    codes: dict[str, Code] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    """Authorization requests."""

    def __post_init__(self) -> None:
        self.served = self.key
        self.client = Client(self.public)

    def application(self) -> Flask:
        """The provider as a WSGI application."""
        app = Flask("provider")
        server = AuthorizationServer(app, lambda name: self.client if name == CLIENT_ID else None, lambda *_: None)
        server.register_grant(_grant(self), [_id_tokens(self), CodeChallenge(required=True)])

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Response:
            return jsonify(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                    "jwks_uri": f"{self.issuer}/keys",
                    "end_session_endpoint": f"{self.issuer}/end",
                    "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                    **self.metadata,
                }
            )

        @app.get("/keys")
        def keys() -> Response:
            return jsonify({"keys": [self.served.as_dict(private=False, use="sig", alg="RS256")]})

        @app.get("/authorize")
        def authorize() -> Response:
            self.seen.append(request.args.to_dict())
            grant = server.get_consent_grant(end_user=self.person)
            answer: Response = server.create_authorization_response(grant_user=self.person, grant=grant)
            return answer

        @app.post("/token")
        def token() -> Response:
            answer: Response = server.create_token_response()
            return answer

        @app.get("/userinfo")
        def userinfo() -> Response:
            return jsonify({"sub": self.person["sub"], **self.userinfo})

        return app


def _grant(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc, unused-ignore]
        TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["none", "client_secret_basic"]

        def save_authorization_code(self, code: str, asked: Any) -> Code:
            data = asked.payload.data
            saved = Code(
                code, asked.payload.redirect_uri, asked.scope, data.get("nonce", ""), asked.user,
                data["code_challenge"], data["code_challenge_method"],
            )  # fmt: skip
            provider.codes[code] = saved
            return saved

        def query_authorization_code(self, code: str, _client: Any) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, code: Code) -> None:
            del provider.codes[code.code]

        def authenticate_user(self, code: Code) -> dict[str, Any]:
            return code.person

    return Grant


def _id_tokens(provider: Provider) -> OpenIDCode:
    class IdTokens(OpenIDCode):  # type: ignore[misc, unused-ignore]
        def exists_nonce(self, _nonce: str, _request: Any) -> bool:
            return False

        def resolve_client_private_key(self, _client: Any) -> Any:
            return provider.key

        def get_client_algorithm(self, _client: Any) -> str:
            return provider.algorithm

        def get_encode_header(self, _client: Any) -> dict[str, str]:
            return {"alg": provider.algorithm, "kid": provider.served.kid}

        def get_compatible_claims(self, _request: Any) -> dict[str, Any]:
            now = int(time.time())
            return {"iss": provider.issuer, "aud": [CLIENT_ID], "iat": now, "exp": now + 300}

        def get_authorization_code_claims(self, code: Code) -> dict[str, Any]:
            return {"nonce": code.nonce}

        def generate_user_info(self, person: dict[str, Any], _scope: str) -> dict[str, Any]:
            # The last to be laid over the claims, so a test may change any of them.
            changed: dict[str, Any] = dict(person)
            provider.tamper(changed)
            return changed

    return IdTokens()


@contextmanager
def running(**settings: Any) -> Iterator[Provider]:
    """A provider that listens on loopback."""
    provider = Provider(**settings)
    server = make_server("127.0.0.1", 0, provider.application(), threaded=True, request_handler=Quiet)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join(5)
