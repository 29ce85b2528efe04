"""Each threat of docs/security.md names a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", TEXT)))
HEADER = "| threat | | mitigation | proven by | what remains |"


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def threats() -> list[list[str]]:
    """Cells of every threat."""
    rows, inside = [], False
    for line in TEXT.splitlines():
        if not line.startswith("|"):
            inside = False
        elif line == HEADER:
            inside = True
        elif inside and not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_named_test_is_there() -> None:
    gone = [f"{path}::{name}" for path, name in NAMED if not (ROOT / path).exists() or name not in names_in(path)]
    assert gone == []


@pytest.mark.parametrize("threat", threats(), ids=lambda cells: cells[0][:50])
def test_every_threat_says_what_is_done_what_proves_it_and_what_remains(threat: list[str]) -> None:
    _, kinds, mitigation, proofs, remains = threat
    assert set(kinds.split()) <= set("STRIDE")
    assert kinds
    assert mitigation
    assert re.search(r"`tests/[\w/.]+\.py::test_\w+`", proofs)
    assert remains


def test_every_border_has_threats() -> None:
    assert len(threats()) > 40
    assert {letter for threat in threats() for letter in threat[1].split()} == set("STRIDE")
