"""The configuration's documentation can't drift: fields, defaults and variables are compared with the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from backend.collector.mapping import ready_mappings
from backend.local.template import load_template
from backend.settings import (
    Access,
    CollectorSource,
    Config,
    Events,
    EventType,
    Limits,
    ReplayLimits,
    Retention,
    load_config,
    load_settings,
)
from backend.settings_alerts import Alerting, Checks
from backend.settings_jobs import DatasetConfig, JobConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text("utf-8")
EXAMPLE = ROOT / "pulseboard.example.toml"
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]
DEFAULTS = {row[0].strip("`"): row[1].strip("`") for row in ROWS if len(row) == 4 and row[2] != ""}
OWN_VARIABLE = re.compile(r"PULSEBOARD_[A-Z0-9_]+")
TABLES = ("collect", "limits", "retention", "events", "replay", "access", "jobs", "datasets", "alerts", "checks")
AWS_OWN = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWS_SESSION_TOKEN"}
"""boto3's own, which the demo sets and `pulseboard env` prints; they are boto3's to document."""


def settable() -> Iterator[tuple[str, Any]]:
    """Every field a pulseboard.toml may have, with its default; MISSING where it must be given."""
    for field in fields(Config):
        if field.name not in ("collect", "thresholds", "jobs", "datasets"):
            yield from _settable(field.name, getattr(Config(), field.name))
    for where, entry in (("collect", CollectorSource), ("events.types.<name>", EventType)):
        for field in fields(entry):
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            yield f"{where}.{field.name}", default
    yield from _settable("jobs.<name>", JobConfig())
    yield from _settable("datasets.<name>", DatasetConfig())


def _settable(name: str, default: Any) -> Iterator[tuple[str, Any]]:
    if not is_dataclass(default):
        yield name, default
        return
    for field in fields(default):
        if f"{name}.{field.name}" != "events.types":
            yield from _settable(f"{name}.{field.name}", getattr(default, field.name))


def shown(default: Any) -> str:
    """A default as the page writes it."""
    if default is MISSING:
        return "none, required"
    return {None: "none", "": "empty"}.get(default, str(default)) if isinstance(default, str | None) else str(default)


def variables_in(path: Path) -> Iterator[str]:
    """Names of environment variables that a module spells out."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OWN_VARIABLE.fullmatch(node.value):
            yield node.value
        for asked in _asked(node):
            if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
                yield asked.value


def _asked(node: ast.AST) -> list[ast.expr]:
    """The keys in ``environ.get(key)`` and ``os.environ[key]``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        return node.args[:1] if _is_environment(node.func.value) else []
    if isinstance(node, ast.Subscript):
        return [node.slice] if _is_environment(node.value) else []
    return []


def _is_environment(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name == "environ"


def variables() -> set[str]:
    """Every variable that the code or the template knows."""
    modules = [path for package in ("backend", "dashboard", "pulseboard") for path in (ROOT / package).rglob("*.py")]
    found = {name for path in modules for name in variables_in(path)}
    for resource in load_template()["Resources"].values():
        found |= set(resource.get("Properties", {}).get("Environment", {}).get("Variables", {}))
    found |= {name for field in fields(Config) if _overrides(name := f"PULSEBOARD_{field.name.upper()}")}
    assert {"S3_BUCKET", "PULSEBOARD_CONFIG", "PULSEBOARD_REFRESH_SECONDS", "LOG_LEVEL"} <= found
    return found - AWS_OWN


def _overrides(variable: str) -> bool:
    """Whether a field of Config can be set by this variable."""
    return load_settings({variable: "7"}).config != load_settings({}).config


@pytest.mark.parametrize(("name", "default"), list(settable()))
def test_each_field_is_documented_with_its_default(name: str, default: Any) -> None:
    assert DEFAULTS.get(name) == shown(default)


def test_no_field_is_documented_that_does_not_exist() -> None:
    known = {name for name, _ in settable()}
    dotted = {name for name in DEFAULTS if name.partition(".")[0] in TABLES}
    assert dotted - known == set()


@pytest.mark.parametrize("name", sorted(variables()))
def test_each_environment_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_no_environment_variable_of_ours_is_documented_that_does_not_exist() -> None:
    documented = set(re.findall(r"`(PULSEBOARD_[A-Z0-9_]+)`", PAGE))
    assert documented - variables() == set()


def test_each_ready_mapping_is_named() -> None:
    assert [name for name in ready_mappings() if f"`{name}`" not in PAGE] == []


def test_the_example_loads() -> None:
    settings = load_settings({}, EXAMPLE)
    assert settings.catalogue["disk_usage"].warning == 75
    assert [source.source for source in settings.config.collect] == ["host", "prometheus", "cloudwatch"]


def test_the_example_shows_every_field() -> None:
    text = EXAMPLE.read_text("utf-8")
    missing = [name for name, _ in settable() if not re.search(rf"^{name.rpartition('.')[2]} = ", text, re.MULTILINE)]
    assert missing == []


def test_the_example_shows_the_defaults() -> None:
    config = load_config(EXAMPLE)
    assert (config.limits, config.retention) == (Limits(), Retention())
    assert (replace(config.events, types={}), config.replay, config.access) == (Events(), ReplayLimits(), Access())
    assert (config.alerts, config.checks) == (Alerting(), Checks())
    assert config.datasets == {"orders": DatasetConfig()}
    for name in ("environment", "refresh_seconds", "hot_refresh_seconds"):
        assert getattr(config, name) == getattr(Config(), name)
