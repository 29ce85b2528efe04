"""The CloudFormation template as data: where it lies and what it says about one resource."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

_PLACES: Final = (Path(__file__).parents[2] / "infra", Path(__file__).parent / "infra")
"""In the repository, and inside an installed wheel."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads CloudFormation's short forms as the long ones: ``!Ref X`` becomes ``{"Ref": "X"}``."""


def _short_form(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise yaml.constructor.ConstructorError(None, None, f"unknown node {node!r}", node.start_mark)


_Loader.add_multi_constructor("!", _short_form)


def template_path() -> Path:
    """``infra/template.yaml``. Raises FileNotFoundError where neither repository nor wheel has it."""
    for place in _PLACES:
        if (path := place / "template.yaml").exists():
            return path
    raise FileNotFoundError("infra/template.yaml")


def load_template(path: Path | None = None) -> dict[str, Any]:
    """The template as nested dictionaries and lists."""
    return parse_template((path or template_path()).read_text("utf-8"))


def parse_template(text: str) -> dict[str, Any]:
    """A template's text as nested dictionaries and lists."""
    data: dict[str, Any] = yaml.load(text, _Loader)
    return data


def properties(template: Mapping[str, Any], resource: str, parameters: Mapping[str, str]) -> Any:
    """The properties of one resource with ``Ref`` to parameters replaced: given values, else their defaults.

    Numbers stay numbers (``Type: Number``); other intrinsic functions are left as they are.
    """

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("Ref"))
            if len(value) == 1 and name in template["Parameters"]:
                parameter = template["Parameters"][name]
                given = parameters.get(name, parameter.get("Default"))
                return int(given) if parameter["Type"] == "Number" else given
            return {key: resolve(entry) for key, entry in value.items()}
        return [resolve(entry) for entry in value] if isinstance(value, list) else value

    return resolve(template["Resources"][resource]["Properties"])
