"""Dash components to HTML on the server: the first paint, before any JavaScript runs.

Only ``dash.html`` elements are drawn; anything else leaves an empty box with its id for Dash to fill. Every text and
attribute is escaped, and there is no way to pass raw HTML through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from dash.development.base_component import Component

from dashboard.components.times import written

_VOID: Final = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "link", "meta", "source", "track", "wbr"})
_TAGS: Final = {"objectel": "object", "mapel": "map"}
_ATTRIBUTES: Final = {"className": "class", "htmlFor": "for", "dateTime": "datetime", "tabIndex": "tabindex"}
_DASH_ONLY: Final = frozenset({"children", "n_clicks", "n_clicks_timestamp", "disable_n_clicks", "key", "style"})
_URLS: Final = frozenset({"href", "src", "action"})
_SAFE_URL: Final = re.compile(r"(?:/|\?|#|https?://|mailto:)", re.IGNORECASE)
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")


@dataclass(frozen=True, slots=True)
class Element:
    """An element that Dash has no component for; where the server alone draws, and in regions with ``data-drawn``."""

    tag: str
    attributes: Mapping[str, Any]


def render(node: Any, now: float) -> str:
    """HTML of a component, a text, a number, or a list of them; None is nothing. ``now`` lets ages be written."""
    if node is None:
        return ""
    if isinstance(node, list | tuple):
        return "".join(render(child, now) for child in node)
    if isinstance(node, Element):
        return f"<{node.tag}{_attributes(node.attributes)}>"
    if not isinstance(node, Component):
        return escape(str(node), quote=False)
    name = node._type.lower()
    tag = _TAGS.get(name, name)
    props = {key: getattr(node, key) for key in node._prop_names if hasattr(node, key)}
    # Dash keeps these in no order of its own.
    props |= {key: value for key, value in sorted(vars(node).items()) if key.startswith(("data-", "aria-"))}
    if node._namespace != "dash_html_components" or not _NAME.fullmatch(tag):
        return f"<div{_attributes({'id': props.get('id')})}></div>"
    opening = f"<{tag}{_attributes(props)}>"
    if tag in _VOID:
        return opening
    if tag == "time" and props.get("data-t"):
        return f"{opening}{escape(written(float(props['data-t']), props['data-f'], now))}</time>"
    return f"{opening}{render(props.get('children'), now)}</{tag}>"


def fill(node: Any, props: Mapping[str, Mapping[str, Any]]) -> Any:
    """The layout with a view's props set by id, as the browser will set them. Changes ``node`` in place."""
    if isinstance(node, list | tuple):
        for child in node:
            fill(child, props)
    elif isinstance(node, Component):
        for name, value in props.get(getattr(node, "id", ""), {}).items():
            setattr(node, name, value)
        fill(getattr(node, "children", None), props)
    return node


def _attributes(props: Mapping[str, Any]) -> str:
    text = "".join(
        _attribute(_ATTRIBUTES.get(name, name), value) for name, value in props.items() if name not in _DASH_ONLY
    )
    if style := props.get("style"):
        text += _attribute("style", ";".join(f"{_css_name(name)}:{value}" for name, value in style.items()))
    return text


def _attribute(name: str, value: Any) -> str:
    if value is None or value is False or not _NAME.fullmatch(name):
        return ""
    if value is True:
        return f" {name}"
    if name in _URLS and value and not _SAFE_URL.match(str(value)):
        return ""
    return f' {name}="{escape(str(value))}"'


def _css_name(name: str) -> str:
    return name if name.startswith("--") else re.sub(r"([A-Z])", lambda match: f"-{match[1].lower()}", name)
