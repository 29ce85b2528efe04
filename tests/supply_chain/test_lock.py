"""Review of uv.lock: where everything comes from, that nobody can swap it, and under which licences it is used.

`make check` runs it too. Known vulnerabilities are looked up by `make audit`, which needs PyPI's database.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = {package["name"]: package for package in LOCK["package"] if package["name"] != "pulseboard"}
INDEX = "https://pypi.org/simple"
FILES = "https://files.pythonhosted.org/"
OLDEST = timedelta(days=6 * 365)
"""A release that old beside the newest one in the lock: is anybody still there to mend it?"""
LICENCES = {
    "MIT", "MIT License", "The MIT License", "Apache-2.0", "Apache 2.0", "Apache License 2.0",
    "Apache Software License", "BSD", "BSD License", "BSD-3-Clause", "BSD 3-Clause", "BSD-2-Clause", "PSF-2.0",
    "ISC", "MPL-2.0", "0BSD", "Zlib", "CC0-1.0", "Unlicense", "Mozilla Public License 2.0 (MPL 2.0)",
    "Python Software Foundation License", "ISC License (ISCL)", "MIT-0", "MIT No Attribution License (MIT-0)",
}  # fmt: skip
"""Licences that a product under MIT may use, and pass on in an image. MPL-2.0 asks for its own files' source only."""


def files_of(package: dict[str, Any]) -> list[dict[str, Any]]:
    return [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]


def direct() -> list[str]:
    """Names of what pyproject.toml asks for itself, and that is installed for every check."""
    project = PROJECT["project"]
    wanted = list(project["dependencies"])
    wanted += [entry for group in PROJECT["dependency-groups"].values() for entry in group if isinstance(entry, str)]
    return sorted({Requirement(entry).name.lower().replace("_", "-") for entry in wanted})


def licences_of(name: str) -> set[str]:
    found = metadata(name)
    if expression := found.get("License-Expression"):
        return set(re.split(r"\s+(?:AND|OR|WITH)\s+", expression.replace("(", "").replace(")", "")))
    classifiers = [entry.rpartition(" :: ")[2] for entry in found.get_all("Classifier", []) if "License ::" in entry]
    return set(classifiers) or {(found.get("License") or "none").splitlines()[0]}


def test_everything_comes_from_the_index_and_can_not_be_swapped() -> None:
    for name, package in PACKAGES.items():
        assert package["source"] == {"registry": INDEX}, name
        assert files_of(package), name
        for file in files_of(package):
            assert file["url"].startswith(FILES), name
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), name


def test_everything_is_a_release_and_none_is_forgotten() -> None:
    times = {
        name: max(datetime.fromisoformat(file["upload-time"]) for file in files_of(package))
        for name, package in PACKAGES.items()
    }
    newest = max(times.values())
    assert [name for name, package in PACKAGES.items() if Version(package["version"]).is_prerelease] == []
    assert [name for name, at in times.items() if newest - at > OLDEST] == []


def test_licences_are_such_that_the_product_may_use_them() -> None:
    assert {name: found for name in direct() if not (found := licences_of(name)) <= LICENCES} == {}


def test_everything_that_is_asked_for_is_locked() -> None:
    assert set(direct()) <= set(PACKAGES)


def test_a_package_of_another_index_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = {**PACKAGES["flask"], "source": {"registry": "https://example.com/simple"}}
    monkeypatch.setitem(PACKAGES, "flask", swapped)
    with pytest.raises(AssertionError, match="flask"):
        test_everything_comes_from_the_index_and_can_not_be_swapped()
