"""Who looks and who acts: the identity of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import g

from dashboard.data.request import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or a display. ``name`` is what the audit log records."""

    name: str
    role: Role


def identity() -> Identity:
    """The identity of the request being answered; a viewer without a name where none was established."""
    found: Identity | None = g.get("identity")
    return found or Identity("anonymous", "viewer")


def current_role(args: Mapping[str, str]) -> Role:
    """The role that the answer is made for: a kiosk is a display, whoever is signed in on it."""
    return "display" if args.get("kiosk") is not None else identity().role
