"""Settings of access, read once from the environment: mode, hosts, secrets, and who is an operator."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from backend.contract.errors import InvalidInput
from dashboard.access.hosts import HOST, LOOPBACK

Mode = Literal["none", "proxy", "oidc"]
MODES: Final[tuple[Mode, ...]] = ("none", "proxy", "oidc")
LEAST_SECRET: Final = 32
ALB_KEYS: Final = "https://public-keys.auth.elb.{region}.amazonaws.com"
_SIGNER: Final = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):\d{12}:loadbalancer/app/\S+")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The load balancer whose header is believed, and the client of the provider that it signs people in with."""

    issuer: str
    signer: str
    client_id: str
    keys_url: str


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The OpenID Connect provider that people sign in with. ``client_secret`` is empty for a public client."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """``secret`` signs sessions and action tokens. ``hosts`` are the Host names answered to, with or without a port.

    ``public_url`` is the origin people see (``https://pulseboard.example.com``) where it is not the Host's own.
    ``operator_claim`` is (name, value); without it nobody who signs in is an operator.
    """

    mode: Mode
    hosts: tuple[str, ...]
    secret: bytes
    public_url: str | None = None
    operator_claim: tuple[str, str] | None = None
    proxy: ProxySettings | None = None
    oidc: OidcSettings | None = None


def load_access(environ: Mapping[str, str]) -> AccessSettings:
    """The settings of ``PULSEBOARD_*`` variables. Raises InvalidInput naming the one that is missing or wrong."""
    mode = environ.get("PULSEBOARD_AUTH") or "none"
    if mode not in MODES:
        raise InvalidInput("auth", mode, f"is not a known mode; use {', '.join(MODES)}")
    bound = environ.get("PULSEBOARD_HOST", "127.0.0.1")
    if mode == "none" and not is_loopback(bound):
        raise InvalidInput(
            "host", bound, "is not loopback, and without authentication anyone there could look; use 127.0.0.1"
        )
    public_url = _public_url(environ)
    return AccessSettings(
        mode=mode,
        hosts=_hosts(environ, bound, public_url),
        secret=_secret(environ, required=mode == "oidc"),
        public_url=public_url,
        operator_claim=_operator_claim(environ),
        proxy=_proxy(environ) if mode == "proxy" else None,
        oidc=_oidc(environ) if mode == "oidc" else None,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(environ: Mapping[str, str], bound: str, public_url: str | None) -> tuple[str, ...]:
    named = [host.strip().lower() for host in environ.get("PULSEBOARD_ALLOWED_HOSTS", "").split(",") if host.strip()]
    for host in named:
        if not HOST.fullmatch(host):
            raise InvalidInput(
                "PULSEBOARD_ALLOWED_HOSTS",
                host,
                "is not a host; write names, with or without a port, and commas between",
            )
    public = [urlsplit(public_url).netloc] if public_url else []
    everywhere = bound in ("0.0.0.0", "::", "")  # noqa: S104 - a comparison, not a bind
    if everywhere and not named and not public:
        raise InvalidInput(
            "PULSEBOARD_ALLOWED_HOSTS",
            "",
            f"must name the hosts that people use: {bound!r} is none they could",
        )
    own = [] if everywhere else [f"[{bound}]" if ":" in bound else bound.lower()]
    return tuple(dict.fromkeys([*LOOPBACK, *own, *public, *named]))


def _public_url(environ: Mapping[str, str]) -> str | None:
    text = environ.get("PULSEBOARD_PUBLIC_URL", "").rstrip("/")
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.netloc.lower()) or parts.path or parts.query:
        raise InvalidInput("PULSEBOARD_PUBLIC_URL", text, "must be an origin such as https://pulseboard.example.com")
    return text.lower()


def _secret(environ: Mapping[str, str], *, required: bool) -> bytes:
    text = environ.get("PULSEBOARD_SECRET_KEY", "")
    if not text and not required:
        return secrets.token_bytes(LEAST_SECRET)
    if len(text) < LEAST_SECRET:
        # Never the value itself: start-up errors end in logs.
        raise InvalidInput(
            "PULSEBOARD_SECRET_KEY", f"{len(text)} characters",
            f"must have at least {LEAST_SECRET}; make one with: python -c 'import secrets; print(secrets.token_hex())'",
        )  # fmt: skip
    return text.encode()


def _operator_claim(environ: Mapping[str, str]) -> tuple[str, str] | None:
    text = environ.get("PULSEBOARD_OPERATOR_CLAIM", "")
    if not text:
        return None
    name, _, value = text.partition("=")
    if not name.strip() or not value.strip():
        raise InvalidInput("PULSEBOARD_OPERATOR_CLAIM", text, "must be name=value, such as groups=pulseboard-operators")
    return name.strip(), value.strip()


def _needed(environ: Mapping[str, str], name: str, remedy: str) -> str:
    if not (value := environ.get(name, "").strip()):
        raise InvalidInput(name, "", remedy)
    return value


def _proxy(environ: Mapping[str, str]) -> ProxySettings:
    signer = _needed(environ, "PULSEBOARD_PROXY_SIGNER", "must be the ARN of the load balancer that signs")
    if not (match := _SIGNER.fullmatch(signer)):
        raise InvalidInput("PULSEBOARD_PROXY_SIGNER", signer, "is not the ARN of an Application Load Balancer")
    return ProxySettings(
        issuer=_needed(environ, "PULSEBOARD_PROXY_ISSUER", "must be the issuer set in the listener's rule"),
        signer=signer,
        client_id=_needed(environ, "PULSEBOARD_PROXY_CLIENT_ID", "must be the client id set in the listener's rule"),
        keys_url=(environ.get("PULSEBOARD_PROXY_KEYS_URL") or ALB_KEYS.format(region=match[1])).rstrip("/"),
    )


def _oidc(environ: Mapping[str, str]) -> OidcSettings:
    issuer = _needed(environ, "PULSEBOARD_OIDC_ISSUER", "must be the provider's issuer URL").rstrip("/")
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise InvalidInput("PULSEBOARD_OIDC_ISSUER", issuer, "must begin with https://")
    return OidcSettings(
        issuer=issuer,
        client_id=_needed(environ, "PULSEBOARD_OIDC_CLIENT_ID", "must be the client id registered with the provider"),
        client_secret=environ.get("PULSEBOARD_OIDC_CLIENT_SECRET", ""),
        scope=environ.get("PULSEBOARD_OIDC_SCOPE") or "openid email profile",
    )
