"""From what a provider says about a person to a name and a role. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dashboard.data.request import Role

MAX_NAME: Final = 256


def role_of(claims: Mapping[str, Any], operator_claim: tuple[str, str] | None) -> Role:
    """Operator where the claim holds the value: alone, in a list, or among words with spaces between. Else viewer.

    A dotted name looks into objects: ``realm_access.roles``.
    """
    if operator_claim is None:
        return "viewer"
    name, wanted = operator_claim
    return "operator" if wanted in _values(_claim(claims, name)) else "viewer"


def has_claim(claims: Mapping[str, Any], operator_claim: tuple[str, str] | None) -> bool:
    """Whether the claim that decides is there at all."""
    return operator_claim is None or _claim(claims, operator_claim[0]) is not None


def name_of(claims: Mapping[str, Any]) -> str:
    """What the audit log calls the person: the e-mail address unless unverified, the user name, or the subject.

    Empty where there is none of them.
    """
    names = ("preferred_username", "username", "sub")
    candidates = [*(["email"] if claims.get("email_verified") not in (False, "false") else []), *names]
    for candidate in candidates:
        value = claims.get(candidate)
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value.strip()[:MAX_NAME]
    return ""


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _values(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {str(value).lower()}
    if isinstance(value, str):
        return {value, *value.split()}
    if isinstance(value, list):
        return {entry for entry in value if isinstance(entry, str)}
    return {str(value)} if isinstance(value, int) else set()
