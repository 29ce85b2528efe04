"""Signing in and out, displays, and what a page needs to know before it acts."""

from __future__ import annotations

from flask import Flask, Response, redirect, request

from dashboard.access.gate import DISPLAY_COOKIE, Gate, local_path, set_display
from dashboard.access.hosts import same_origin
from dashboard.access.notices import notice
from dashboard.access.oidc import CALLBACK, SignInError
from dashboard.access.tokens import TokensUnavailableError
from dashboard.answers import error_answer, json_answer
from dashboard.auth import identity

ALB_COOKIE = "AWSELBAuthSessionCookie"


def register(server: Flask, gate: Gate) -> None:
    """Adds the routes of this module to the server."""
    add = server.add_url_rule
    add("/api/v1/session", "session", lambda: _session(gate))
    add("/login", "login", lambda: _login(gate))
    add(CALLBACK, "auth_callback", lambda: _callback(gate))
    add("/logout", "logout", lambda: _logout(gate), methods=["POST"])
    add("/signed-out", "signed_out", lambda: _signed_out(gate))
    add("/display", "display", lambda: _display(gate))


def own_origin(gate: Gate) -> bool:
    """Whether a page of this site sent the request, by ``Sec-Fetch-Site`` and by Origin, else Referer."""
    headers = request.headers
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = headers.get("Origin") or headers.get("Referer")
    return origin is not None and same_origin(origin, headers.get("Host", ""), gate.access.public_url)


def _session(gate: Gate) -> Response:
    """Who asks; operators also get the token that their actions carry."""
    who = identity()
    content = {"name": who.name, "role": who.role, "mode": gate.access.mode}
    if who.role == "operator":
        content["token"] = gate.action_token(who)
    return json_answer(200, content)


def _login(gate: Gate) -> Response:
    then = local_path(request.args.get("next"))
    if gate.sign_in is None:
        answer = _go(then)
        # Behind a load balancer a browser with this cookie is let through as a display and never asked to sign in.
        answer.delete_cookie(DISPLAY_COOKIE)
        return answer
    try:
        return gate.sign_in.begin(then)
    except SignInError as failed:
        return notice(503, "Not signed in", f"{failed}.", [("Try again", "/login")])


def _callback(gate: Gate) -> Response:
    if gate.sign_in is None:
        return _go("/")
    try:
        answer = _go(local_path(gate.sign_in.finish()))
    except SignInError as failed:
        if gate.sign_in.identity() is not None:
            return _go("/")  # another tab was first
        return notice(400, "Not signed in", f"{failed}.", [("Sign in", "/login")])
    answer.delete_cookie(DISPLAY_COOKIE)
    return answer


def _logout(gate: Gate) -> Response:
    if not own_origin(gate):
        return error_answer(403, "cross_site", "Only a page of Pulseboard itself can sign you out")
    if gate.sign_in is not None:
        gate.sign_in.end()
    answer = _go("/signed-out", 303)
    for name in (DISPLAY_COOKIE, *(name for name in request.cookies if name.startswith(ALB_COOKIE))):
        answer.delete_cookie(name)
    return answer


def _signed_out(gate: Gate) -> Response:
    links = [("Sign in again", "/")]
    if gate.sign_in is not None and (place := gate.sign_in.provider_end()):
        links.append(("Sign out of the provider too", place))
    return notice(200, "Signed out", "You are signed out of Pulseboard. Your provider may still know you.", links)


def _display(gate: Gate) -> Response:
    """Swaps a token for a cookie; the address that is left in the history holds no token."""
    token = request.args.get("token", "")
    try:
        name = gate.display(token)
    except TokensUnavailableError:
        return notice(503, "One moment", "Display tokens can't be checked now. This page tries again.", retry=True)
    if name is None:
        return notice(401, "Not a valid display", "This display link is not valid, or was revoked. Make a new one.")
    answer = _go(local_path(request.args.get("next"), "/?kiosk"))
    set_display(answer, token)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _go(place: str, status: int = 302) -> Response:
    answer: Response = redirect(place, status)  # type: ignore[assignment]
    answer.headers["Cache-Control"] = "no-store"
    return answer
