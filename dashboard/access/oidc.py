"""Mode ``oidc``: people sign in with an OpenID Connect provider; a signed cookie remembers them for a working day."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, redirect, request, session
from flask.sessions import SecureCookieSessionInterface
from joserfc.errors import JoseError

from dashboard.access.ended import EndedSessions
from dashboard.access.hosts import loopback_host
from dashboard.access.roles import has_claim, name_of, role_of
from dashboard.access.settings import AccessSettings, OidcSettings
from dashboard.auth import Identity

logger = logging.getLogger(__name__)

CALLBACK: Final = "/auth/callback"
COOKIE: Final = "pulseboard_session"
SESSION_SECONDS: Final = 8 * 3600
"""Absolute: roles that the provider takes away are gone the next day at the latest."""
TIMEOUT_SECONDS: Final = 5.0
LEEWAY_SECONDS: Final = 60
SIGNING: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms of ID tokens: only those whose keys the provider keeps to itself."""
MAX_PENDING: Final = 4
"""Sign-ins begun and not finished, as several tabs do; the cookie holds no more than 4 KB."""
_WHO: Final = "who"
_PENDING: Final = "_state_provider_"


class SignInError(Exception):
    """Signing in did not work; the text is a sentence for the person, the reason is in the log."""


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, Secure wherever it leaves the machine."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """By the Host of the request: browsers take Secure cookies over HTTP from nowhere but loopback, if at all."""
        return not loopback_host(request.headers.get("Host"))


class SignIn:
    """The sign-in with one provider. State, nonce and PKCE are Authlib's; they wait in the session cookie."""

    def __init__(self, server: Flask, access: AccessSettings, oidc: OidcSettings, clock: Callable[[], float]) -> None:
        """Gives ``server`` its signed session."""
        self._access = access
        self._settings = oidc
        self._clock = clock
        self._ended = EndedSessions(clock)
        server.secret_key = access.secret
        server.session_interface = Sessions()
        server.config.update(
            SESSION_COOKIE_NAME=COOKIE,
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_REFRESH_EACH_REQUEST=False,
            PERMANENT_SESSION_LIFETIME=SESSION_SECONDS,
        )
        self._client = OAuth(server).register(
            "provider",
            client_id=oidc.client_id,
            client_secret=oidc.client_secret or None,
            server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": oidc.scope,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_SECONDS,
                **({} if oidc.client_secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    def begin(self, then: str) -> Response:
        """Sends the browser to the provider; ``then`` is the page to come back to. Raises SignInError."""
        try:
            self._metadata()
            pending = self._client.create_authorization_url(f"{self._origin()}{CALLBACK}")
        except (requests.RequestException, AuthlibBaseError, ValueError, RuntimeError) as error:
            raise _failed("the sign-in provider can't be reached now", error) from error
        begun = sorted((name for name in session if name.startswith(_PENDING)), key=lambda name: session[name]["exp"])
        for name in begun[: max(len(begun) - MAX_PENDING + 1, 0)]:
            session.pop(name)
        session.permanent = True
        self._client.save_authorize_data(redirect_uri=f"{self._origin()}{CALLBACK}", then=then, **pending)
        answer: Response = redirect(pending["url"])  # type: ignore[assignment]
        return answer

    def finish(self) -> str:
        """Takes the provider's answer, begins the session and returns the page to go to. Raises SignInError."""
        pending = self._client.framework.get_state_data(session, request.args.get("state") or "")
        if not pending:
            raise SignInError("This sign-in took too long, or was begun in another window")
        try:
            claims = self._claims()
        except (requests.RequestException, AuthlibBaseError, JoseError, ValueError, RuntimeError, KeyError) as error:
            raise _failed("the provider's answer could not be used", error) from error
        name = name_of(claims)
        if not name:
            raise SignInError("The provider gives no name for you: neither e-mail address, user name nor subject")
        role = role_of(claims, self._access.operator_claim)
        session.clear()
        session.permanent = True
        session[_WHO] = {
            "name": name, "role": role, "sid": secrets.token_urlsafe(16), "until": self._clock() + SESSION_SECONDS,
        }  # fmt: skip
        logger.info("%s (%s) signed in as %s", name, claims.get("sub"), role)
        return str(pending.get("then") or "/")

    def identity(self) -> Identity | None:
        """Who the cookie says is signed in; None without one, after its time and after signing out."""
        who = session.get(_WHO)
        if not isinstance(who, dict) or self._clock() >= who["until"] or who["sid"] in self._ended:
            return None
        return Identity(who["name"], "operator" if who["role"] == "operator" else "viewer", who["sid"])

    def end(self) -> None:
        """Forgets who was signed in; a copy of the cookie is worth nothing from here on."""
        who = session.get(_WHO)
        if isinstance(who, dict):
            self._ended.add(who["sid"], who["until"])
        session.clear()

    def provider_end(self) -> str | None:
        """Where one signs out of the provider itself, if it has such a place and was reached before."""
        place = self._client.server_metadata.get("end_session_endpoint")
        back = {"client_id": self._settings.client_id, "post_logout_redirect_uri": f"{self._origin()}/signed-out"}
        return f"{place}{'&' if '?' in place else '?'}{urlencode(back)}" if isinstance(place, str) else None

    def _claims(self) -> Mapping[str, Any]:
        issuer = self._metadata()
        wanted = {
            "iss": {"essential": True, "values": [issuer]},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        token = self._client.authorize_access_token(claims_options=wanted, leeway=LEEWAY_SECONDS)
        claims: dict[str, Any] = dict(token["userinfo"])
        metadata = self._client.server_metadata
        if not has_claim(claims, self._access.operator_claim) and "userinfo_endpoint" in metadata:
            more = self._client.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise ValueError("userinfo speaks of another subject than the ID token")
            claims = {**more, **claims}
        return claims

    def _metadata(self) -> str:
        """The issuer's own spelling of its name, once it is known to be the one that was set."""
        metadata = self._client.load_server_metadata()
        issuer = str(metadata.get("issuer"))
        if issuer.rstrip("/") != self._settings.issuer:
            raise ValueError(f"the provider calls itself {issuer!r}")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in SIGNING]
        return issuer

    def _origin(self) -> str:
        return self._access.public_url or f"{request.scheme}://{request.host}"


def _failed(sentence: str, error: Exception) -> SignInError:
    logger.warning("sign-in failed: %s", sentence, exc_info=error)
    return SignInError(f"Signing in did not work: {sentence}")
