"""Links that change the address of the page they stand on: filters are set and removed in the URL alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import html

from dashboard.data.request import ViewRequest


def set_link(children: Any, request: ViewRequest, changes: Mapping[str, str | None], **attributes: Any) -> html.A:
    """A link that sets (or with None removes) parameters of the URL and keeps the others.

    ``assets/shell.js`` follows it without loading the page anew; opened in a new tab its address holds as well.
    """
    return html.A(
        children,
        href=f"?{changed(request, changes).query()}",
        **{"data-set": json.dumps(dict(changes)), **attributes},
    )


def runbook_address(key: str) -> str:
    """Where the dashboard serves a runbook."""
    return f"/runbooks/{key}"


def changed(request: ViewRequest, changes: Mapping[str, str | None]) -> ViewRequest:
    """The request with parameters set or, with None, removed."""
    common = {"from": "start", "to": "end", "environment": "environment", "host": "host", "operator": "operator"}
    own = dict(request.parameters)
    plain: dict[str, Any] = {}
    for name, value in changes.items():
        if name in common:
            plain[common[name]] = value
        elif value is None:
            own.pop(name, None)
        else:
            own[name] = value
    return replace(request, parameters=tuple(sorted(own.items())), **plain)
