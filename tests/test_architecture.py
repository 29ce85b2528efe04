"""What may import what, read from the source itself; who breaks a rule is named with file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 400
WIRING = {"dashboard/app.py", "dashboard/services.py"}
"""The only files of the dashboard that may name what they wire."""
WIRED = (
    "backend.settings", "backend.aws", "backend.audit", "backend.events.investigation", "backend.replay.service",
    "backend.replay.dead_letters", "backend.jobs.reader", "backend.jobs.retries", "backend.orchestration.pipeline",
    "backend.alerts.service",
    "backend.history.athena", "backend.history.reading", "backend.history.questions",
)  # fmt: skip
PARSERS = ("backend.replay.request",)
"""What reads a request's body, for the API and the command line as for the pages: pure, and the same for all."""
OUTSIDE = {
    "boto3", "botocore", "aiohttp", "requests", "urllib3", "socket", "ssl", "http", "subprocess", "sqlite3", "shutil",
    "tempfile", "threading", "asyncio", "os", "time", "flask", "dash", "aws_lambda_powertools", "logging", "pathlib",
}  # fmt: skip
"""Modules that reach out of the process, wait, or know the time: no business of a contract."""
RENDERERS = ("backend/contract/docs.py", "backend/contract/alarms.py")
"""Commands that write the metrics reference and the template's alarms; nothing imports them."""


def sources(*folders: str) -> list[str]:
    found = sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found
    return found


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), path)


@cache
def imports(path: str) -> list[tuple[str, int]]:
    """Every imported module with its line, wherever it stands; of ``from a import b`` it is ``a.b``."""
    return list(imported(tree_of(path), path))


def imported(tree: ast.Module, package: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{package}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def breaches(paths: list[str], *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path}:{line} imports {module}"
        for path in paths
        for module, line in imports(path)
        if within(module, *forbidden) and not within(module, *but)
    ]


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: everything outside function bodies, their defaults and decorators too."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        elif isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        else:
            waiting += ast.iter_child_nodes(node)


def reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("environ", "environb", "getenv") and isinstance(node.value, ast.Name)
    return isinstance(node, ast.Name) and node.id in ("environ", "getenv") and isinstance(node.ctx, ast.Load)


def test_the_backend_never_imports_the_dashboard() -> None:
    assert breaches(sources("backend"), "dashboard") == []


def test_neither_side_imports_the_command_line() -> None:
    assert breaches(sources("backend", "dashboard"), "pulseboard") == []


def test_the_dashboard_knows_the_backends_contract_only() -> None:
    paths = [path for path in sources("dashboard") if path not in WIRING]
    assert breaches(paths, "backend", but=("backend.contract", *PARSERS)) == []


def test_the_dashboards_wiring_knows_settings_and_clients_besides() -> None:
    assert breaches(sorted(WIRING), "backend", but=("backend.contract", *WIRED)) == []


def test_the_data_side_knows_neither_dash_nor_flask() -> None:
    assert (
        breaches(sources("dashboard/data"), "dash", "flask", "plotly", "dashboard.pages", "dashboard.components") == []
    )


def test_the_contract_reaches_for_nothing_outside() -> None:
    paths = [path for path in sources("backend/contract") if path not in RENDERERS]
    assert breaches(paths, *OUTSIDE) == []
    assert breaches(sources("backend/contract"), "backend", but=("backend.contract",)) == []
    calls = [
        f"{path}:{node.lineno} calls {node.func.id}"
        for path in paths
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input")
    ]
    assert calls == []


def test_what_renders_from_the_catalogue_is_a_command_only() -> None:
    renderers = ("backend.contract.docs", "backend.contract.alarms")
    assert breaches(sources("backend", "dashboard", "pulseboard"), *renderers) == []


def test_no_module_reads_the_environment_when_it_is_imported() -> None:
    found = [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path in sources("backend", "dashboard", "pulseboard")
        for node in at_import(tree_of(path))
        if reads_environment(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os\nX = os.environ['A']", True),
        ("import os\nX = os.getenv('A')", True),
        ("from os import environ\nX = dict(environ)", True),
        ("import os\ndef f(x=os.environ): ...", True),
        ("import os\nclass A:\n    x = os.environ", True),
        ("import os\nif True:\n    x = os.environ", True),
        ("import os\ndef f():\n    return os.environ", False),
        ("import os\nX = lambda: os.environ", False),
    ],
)
def test_the_environment_rule_tells_import_time_from_later(text: str, found: bool) -> None:
    assert any(reads_environment(node) for node in at_import(ast.parse(text))) is found


def test_no_file_is_too_long() -> None:
    paths = [ROOT / path for path in sources("backend", "dashboard", "pulseboard", "tests")]
    paths += [path for path in (ROOT / "assets").glob("*.*") if path.suffix in (".js", ".css")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in paths}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}
