"""Who looks and who acts: the identity of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import g

from dashboard.components.url_state import asks_kiosk
from dashboard.data.request import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or a display. ``name`` is what the audit log records.

    ``session`` is what action tokens are bound to; it is never shown.
    """

    name: str
    role: Role
    session: str = ""


LOCAL: Final = Identity("local", "operator", "local")
"""Whoever sits at the machine, where nobody signs in."""
ANONYMOUS: Final = Identity("anonymous", "viewer")


def identity() -> Identity:
    """The identity of the request being answered; a viewer without a name where none was established."""
    found: Identity | None = g.get("identity")
    return found or ANONYMOUS


def signed_in() -> Identity | None:
    """The person or display that showed who it is; None where nobody had to."""
    who = identity()
    return None if who in (LOCAL, ANONYMOUS) else who


def current_role(args: Mapping[str, str]) -> Role:
    """The role that the answer is made for: a kiosk is a display, whoever is signed in on it."""
    return "display" if asks_kiosk(args) else identity().role
