"""The gate that every request passes: its Host, who it comes from, and what that one may."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, g, redirect, request

from dashboard.access.hosts import host_allowed, loopback_host
from dashboard.access.notices import notice
from dashboard.access.oidc import SignIn
from dashboard.access.proxy import HEADER, BadTokenError, HttpKeys, KeysUnavailableError, ProxyVerifier
from dashboard.access.roles import name_of, role_of
from dashboard.access.settings import AccessSettings
from dashboard.access.tokens import DisplayTokens, TokensUnavailableError
from dashboard.answers import error_answer
from dashboard.auth import LOCAL, Identity

logger = logging.getLogger(__name__)

DISPLAY_COOKIE: Final = "pulseboard_display"
DISPLAY_SECONDS: Final = 400 * 86400
"""As long as browsers keep a cookie at all; each page renews it."""
PROBES: Final = ("/healthz", "/readyz")
"""Load balancers ask these by address, and without a session."""
OPEN: Final = ("/login", "/auth/callback", "/logout", "/signed-out", "/display")
STATIC: Final = ("/assets/", "/_dash-component-suites/")
"""Scripts and styles: the same for everybody, and without any data."""
ACTIONS: Final = "/api/v1/actions/"
ROUTING: Final = "/_dash-update-component"
"""How Dash turns pages; it answers with layouts and changes nothing, so displays may post to it."""


class _RefusedError(Exception):
    """What was shown is no longer, or never was, good for anything."""


class Gate:
    """Establishes who asks. One per server."""

    def __init__(
        self,
        access: AccessSettings,
        tokens: DisplayTokens | None,
        clock: Callable[[], float],
        sign_in: SignIn | None = None,
    ) -> None:
        """``tokens`` None: there are no displays. ``sign_in`` belongs to mode ``oidc``."""
        self.access = access
        self.sign_in = sign_in
        self._tokens = tokens
        proxy = access.proxy
        self._proxy = None if proxy is None else ProxyVerifier(proxy, HttpKeys(proxy.keys_url, clock), clock)

    def before(self) -> Response | None:
        """Answers what may not go on; else sets ``g.identity``."""
        if request.path in PROBES:
            return None
        if not host_allowed(request.headers.get("Host"), self.access.hosts):
            text = "This Host is not answered to; name it in PULSEBOARD_ALLOWED_HOSTS (see docs/access.md)\n"
            return Response(text, status=421, mimetype="text/plain")
        if request.path in OPEN or request.path.startswith(STATIC):
            return None
        try:
            who = self._identity()
        except _RefusedError as refused:
            return _unknown(str(refused))
        except (KeysUnavailableError, TokensUnavailableError):
            logger.warning("who asks can't be checked now", exc_info=True)
            return _unavailable()
        if who is None:
            return self._stranger()
        g.identity = who
        looks = request.method in ("GET", "HEAD") or request.path == ROUTING
        # The guard of actions refuses displays as well, and puts it on record.
        if who.role == "display" and not looks and not request.path.startswith(ACTIONS):
            return error_answer(403, "display", "A display can only look")
        return None

    def after(self, response: Response) -> Response:
        """Keeps what was made for one person out of shared caches, and a display's cookie alive."""
        if self.access.mode != "none" and "immutable" not in response.headers.get("Cache-Control", ""):
            response.cache_control.private = True
        token = g.get("display_token")
        if token and request.method == "GET" and response.mimetype == "text/html":
            set_display(response, token)
        return response

    def display(self, token: str) -> str | None:
        """The name of the display that holds the token. Raises TokensUnavailableError."""
        return self._tokens.name_of(token) if self._tokens else None

    def action_token(self, who: Identity) -> str:
        """What a page of ours sends along with an action, and a foreign one can't know."""
        text = f"action\0{who.session}\0{who.name}".encode()
        return hmac.new(self.access.secret, text, hashlib.sha256).hexdigest()

    def _identity(self) -> Identity | None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._shown(bearer.strip())
        if self._proxy is not None and (header := request.headers.get(HEADER)):
            return self._person(self._proxy, header)
        if self.sign_in is not None and (person := self.sign_in.identity()):
            return person
        if token := request.cookies.get(DISPLAY_COOKIE):
            who = self._shown(token)
            g.display_token = token
            return who
        return LOCAL if self.access.mode == "none" else None

    def _shown(self, token: str) -> Identity:
        name = self.display(token)
        if name is None:
            raise _RefusedError("This display's token is not valid any more; open a new display link on it")
        return Identity(f"display {name}", "display")

    def _person(self, verifier: ProxyVerifier, header: str) -> Identity:
        try:
            claims = verifier.claims(header)
        except BadTokenError as bad:
            logger.warning("the load balancer's identity is refused: %s", bad)
            raise _RefusedError("Your sign-in could not be verified; reload the page to sign in again") from None
        name = name_of(claims)
        if not name:
            raise _RefusedError("The provider gives no name for you: neither e-mail address, user name nor subject")
        return Identity(name, role_of(claims, self.access.operator_claim), f"proxy {claims.get('sub', name)}")

    def _stranger(self) -> Response:
        if not _page():
            return error_answer(401, "signed_out", "Sign in to see this")
        if self.sign_in is not None:
            query = request.query_string.decode("latin-1")
            then = request.path + (f"?{query}" if query else "")
            answer: Response = redirect(f"/login?{urlencode({'next': then})}")  # type: ignore[assignment]
            return answer
        return notice(401, "Not signed in", "This address is for those who come through the sign-in, and for displays.")


def local_path(text: str | None, default: str = "/") -> str:
    """The path of this site that ``text`` names; ``default`` for anything that could lead elsewhere."""
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else text


def set_display(response: Response, token: str) -> None:
    """Gives a browser the cookie of a display."""
    response.set_cookie(
        DISPLAY_COOKIE, token, max_age=DISPLAY_SECONDS, httponly=True, samesite="Lax",
        secure=not loopback_host(request.headers.get("Host")),
    )  # fmt: skip


def install(server: Flask, gate: Gate) -> None:
    """Puts the gate in front of every route of the server, those that are added later too.

    Its word is the first on a request and the last on an answer, whatever was registered before it.
    """
    server.before_request_funcs.setdefault(None, []).insert(0, gate.before)
    server.after_request_funcs.setdefault(None, []).insert(0, gate.after)


def _page() -> bool:
    """Whether a person is looking at the answer, not a script."""
    return request.method == "GET" and not request.path.startswith(("/api/", "/_", "/metrics"))


def _unknown(sentence: str) -> Response:
    if not _page():
        return error_answer(401, "signed_out", sentence)
    return notice(401, "Not signed in", sentence, [("Sign in", "/login")])


def _unavailable() -> Response:
    if not _page():
        return error_answer(503, "unavailable", "Who you are can't be checked now; try again shortly")
    return notice(503, "One moment", "Who you are can't be checked now. This page tries again by itself.", retry=True)
