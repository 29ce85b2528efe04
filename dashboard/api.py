"""The dashboard's HTTP interface beside its pages: views, verdict, series, and what operators probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Request, Response, request

from backend.contract.errors import InvalidInput
from backend.contract.verdict import Verdict
from dashboard.answers import JSON, answering, error_answer, json_answer
from dashboard.auth import current_role
from dashboard.data.request import ROLES, ViewRequest, parse_view_request
from dashboard.data.series import parse_series_request
from dashboard.data.views import EncodedView, encode
from dashboard.metrics import exposition
from dashboard.services import Services


def register(server: Flask, services: Services) -> None:
    """Adds all routes of this module to the server."""
    routes = Blueprint("pulseboard_api", __name__)
    add = routes.add_url_rule
    add("/api/v1/view/<page>", "view", answering(lambda page: _view(services, page)))
    add("/api/v1/health", "health", answering(lambda: _health(services)))
    add("/api/v1/series", "series", answering(lambda: _series(services)))
    add("/healthz", "healthz", lambda: Response('{"status":"ok"}', mimetype=JSON))
    add("/readyz", "readyz", answering(lambda: _ready(services)))
    add("/metrics", "metrics", lambda: Response(exposition(services), mimetype="text/plain; version=0.0.4"))
    server.register_blueprint(routes)


def _view(services: Services, page: str) -> Response:
    if services.page(page) is None:
        return error_answer(404, "unknown_page", f"There is no page {page!r}", "page")
    wanted = _view_request(services, page)
    return _send(services, services.view(wanted))


def _health(services: Services) -> Response:
    wanted = _view_request(services, "health")
    every = services.settings.config.hot_refresh_seconds

    def make() -> EncodedView:
        now = services.now()
        data = services.health.load(wanted, now)
        content = _verdict_json(data.verdict, wanted.environment)
        return services.with_trouble(encode(content, data.as_of, now, str))

    answer = services.answers.get(f"verdict?{wanted.environment}", every, make)
    if answer.error is not None:
        # A held answer's ages would stand still: what is known is judged again as of now.
        now = services.now()
        verdict = services.health.rejudged(wanted.environment, now)
        if verdict is not None:
            again = encode(_verdict_json(verdict, wanted.environment), answer.data_as_of, now, str)
            answer = replace(again, error=answer.error, stale_since=answer.stale_since or answer.made_at)
    return _send(services, answer)


def _series(services: Services) -> Response:
    now = services.now()
    config = services.settings.config
    parsed = parse_series_request(request.args, services.settings.catalogue, config.environment, now)
    if parsed.environment not in services.hot.environments():
        known = ", ".join(services.hot.environments()) or "none yet"
        raise InvalidInput("environment", parsed.environment, f"has sent nothing; known: {known}")

    def make() -> EncodedView:
        found = services.ranged.completed(parsed, services.now())
        content = {**found.answers[0].as_json(), "source": found.source.as_json()}
        return services.with_trouble(encode(content, found.answers[0].as_of, services.now(), str))

    names = ("metric", "from", "to", "group", "stat", "environment", "host")
    key = "series?" + urlencode([(name, request.args.get(name, "").strip()) for name in names])
    return _send(services, services.answers.get(key, config.hot_refresh_seconds, make))


def _ready(services: Services) -> Response:
    """Ready once the first page's views have been made: nobody meets a cold start. The body says what is known.

    Redis never decides: without it views are made by each process for itself.
    """
    for page in services.pages[:1]:
        for role in ROLES if page.by_role else ROLES[:1]:
            services.view(ViewRequest(page.name, services.settings.config.environment, role=role))
    seen = services.hot.seen()
    shared = services.shared_views
    views = "memory" if shared is None else "redis" if shared.trouble is None else f"memory; Redis {shared.trouble}"
    known = {"metrics_seen": len(seen), "environments": services.hot.environments(), "views": views}
    return json_answer(200, {"status": "ready", **known})


def _view_request(services: Services, name: str) -> ViewRequest:
    page = services.page(name)
    environment, now = services.settings.config.environment, services.now()
    if page is None:
        return parse_view_request(name, request.args, environment, now)
    role = current_role(request.args) if page.by_role else "viewer"
    return parse_view_request(name, request.args, environment, now, page.parameters, role)


def _verdict_json(verdict: Verdict, environment: str) -> dict[str, Any]:
    return {
        "environment": environment,
        "status": verdict.status,
        "reasons": verdict.reasons,
        "since": verdict.since,
        "signals": [
            {
                "name": signal.key,
                "title": signal.title,
                "value": signal.value,
                "unit": signal.unit,
                "state": signal.state,
                "age_seconds": signal.age_seconds,
                "detail": signal.detail,
            }
            for signal in verdict.signals
        ],
    }


def _send(services: Services, view: EncodedView) -> Response:
    """The view in the client's encoding, or 304 when the client has it already."""
    asked: Request = request
    etag = f'"{view.etag}"'
    if etag in (asked.headers.get("If-None-Match") or ""):
        services.views.counts.unchanged += 1
        response = Response(status=304)
    else:
        body, encoding = view.body(asked.headers.get("Accept-Encoding", ""))
        response = Response(body, mimetype=JSON)
        if encoding:
            response.headers["Content-Encoding"] = encoding
    response.headers["ETag"] = etag
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Pulseboard-Now"] = str(int(services.now() * 1000))
    if view.late:
        response.headers["X-Pulseboard-Late"] = "1"
    if view.error is not None:
        response.headers["X-Pulseboard-Stale"] = str(int(services.now() - (view.stale_since or view.made_at)))
    return response
