"""Mode ``proxy``: the identity that an Application Load Balancer passes on in ``x-amzn-oidc-data``.

The header is a JWT, signed ES256, whose base64 is padded. The signature covers the padding, and JWT libraries that
follow the standard refuse it; so it is taken apart here and its signature checked by ``cryptography``.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dashboard.access.settings import ProxySettings

HEADER: Final = "x-amzn-oidc-data"
LEEWAY_SECONDS: Final = 30
LONGEST: Final = 16_384
KEY_TIMEOUT_SECONDS: Final = 3.0
KEYS_KEPT: Final = 32
MISSING_SECONDS: Final = 30.0
LONGEST_KEY: Final = 4096
_KEY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_HALF: Final = 32
"""Bytes of each of the two numbers that an ES256 signature is."""


class BadTokenError(Exception):
    """The header is not what the load balancer would have sent; the text says why, for the log."""


class KeysUnavailableError(Exception):
    """The load balancer's key can't be read now."""


class Keys(Protocol):
    """Where public keys come from."""

    def get(self, key_id: str) -> EllipticCurvePublicKey:
        """The key. Raises BadTokenError where there is none of that id, KeysUnavailableError where none can be read."""


@dataclass(frozen=True, slots=True)
class ProxyVerifier:
    """Checks the header: signature, algorithm, signer, client, issuer, expiry."""

    settings: ProxySettings
    keys: Keys
    clock: Callable[[], float]

    def claims(self, token: str) -> Mapping[str, Any]:
        """What the load balancer says about the person. Raises BadTokenError, KeysUnavailableError."""
        if len(token) > LONGEST or not token.isascii() or token.count(".") != 2:
            raise BadTokenError("it is not a token")
        signed, _, signature = token.rpartition(".")
        header, payload = (_object(part) for part in signed.split("."))
        # Before a key is fetched for it, so that nonsense costs nothing.
        self._check_header(header)
        key = self.keys.get(header["kid"])
        numbers = _bytes(signature)
        if len(numbers) != 2 * _HALF:
            raise BadTokenError("its signature has the wrong length")
        r, s = int.from_bytes(numbers[:_HALF]), int.from_bytes(numbers[_HALF:])
        try:
            key.verify(encode_dss_signature(r, s), signed.encode(), ECDSA(SHA256()))
        except InvalidSignature:
            raise BadTokenError("its signature does not fit") from None
        if payload.get("iss", self.settings.issuer) != self.settings.issuer:
            raise BadTokenError("its claims have another issuer")
        if not _in_future(payload.get("exp", header["exp"]), self.clock()):
            raise BadTokenError("its claims have expired")
        return payload

    def _check_header(self, header: Mapping[str, Any]) -> None:
        expected = {
            "alg": "ES256",
            "signer": self.settings.signer,
            "client": self.settings.client_id,
            "iss": self.settings.issuer,
        }
        for name, value in expected.items():
            if header.get(name) != value:
                raise BadTokenError(f"its {name} is {str(header.get(name))[:120]!r}")
        if not isinstance(header.get("kid"), str) or not _KEY_ID.fullmatch(header["kid"]):
            raise BadTokenError("its key id is not one")
        if not _in_future(header.get("exp"), self.clock()):
            raise BadTokenError("it has expired")


class HttpKeys:
    """Public keys over HTTP, ``<url>/<key id>`` as PEM. A key never changes, so it is fetched once."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        """``url`` is the regional end point of the load balancers' keys."""
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, EllipticCurvePublicKey] = OrderedDict()
        self._missing: OrderedDict[str, float] = OrderedDict()

    def get(self, key_id: str) -> EllipticCurvePublicKey:
        """As ``Keys.get``. One fetch at a time; an id that was not there is not asked for again for half a minute."""
        if known := self._known.get(key_id):
            return known
        with self._lock:
            if known := self._known.get(key_id):
                return known
            if self._clock() - self._missing.get(key_id, float("-inf")) < MISSING_SECONDS:
                raise BadTokenError("there is no such key")
            return self._fetch(key_id)

    def _fetch(self, key_id: str) -> EllipticCurvePublicKey:
        try:
            answer = requests.get(f"{self._url}/{key_id}", timeout=KEY_TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise KeysUnavailableError(str(error)) from error
        if answer.status_code >= 500:
            raise KeysUnavailableError(f"{self._url} answered {answer.status_code}")
        try:
            if answer.status_code != 200 or len(answer.content) > LONGEST_KEY:
                raise ValueError
            key = load_pem_public_key(answer.content)
        except ValueError:
            _keep(self._missing, key_id, self._clock())
            raise BadTokenError("there is no such key") from None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise BadTokenError("its key is of another kind")
        _keep(self._known, key_id, key)
        return key


def _keep(kept: OrderedDict[str, Any], name: str, value: Any) -> None:
    kept[name] = value
    while len(kept) > KEYS_KEPT:
        kept.popitem(last=False)


def _bytes(part: str) -> bytes:
    """Padded as the load balancer sends it, or not."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadTokenError("it is not base64") from None


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise BadTokenError("it is not JSON") from None
    if not isinstance(value, dict):
        raise BadTokenError("it is not a JSON object")
    return value


def _in_future(expiry: Any, now: float) -> bool:
    return isinstance(expiry, int | float) and not isinstance(expiry, bool) and expiry + LEEWAY_SECONDS > now
