"""The functions' zip depends on its content and on nothing else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.local.package import code_entries, key_of, write_zip

ROOT = Path(__file__).parents[3]


def test_the_same_code_gives_the_same_bytes_in_another_process_and_order() -> None:
    here = write_zip(code_entries())
    script = (
        "import sys; from backend.local.package import code_entries, write_zip;"
        "sys.stdout.buffer.write(write_zip(dict(reversed(code_entries().items()))))"
    )
    environ = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=environ).stdout
    assert here == there


def test_other_content_has_another_key() -> None:
    assert key_of(write_zip({"a": b"1"})) != key_of(write_zip({"a": b"2"}))


def test_it_holds_the_handlers_and_the_catalogue_but_no_local_tools() -> None:
    names = code_entries().keys()
    assert {"backend/contract/catalogue.toml", "backend/settings.py", "backend/processor/core.py"} <= names
    assert not [name for name in names if "/local/" in name or "__pycache__" in name]


def test_the_configuration_lies_where_the_functions_look_for_it() -> None:
    entries = code_entries("refresh_seconds = 5.0\n")
    assert entries["pulseboard.toml"] == b"refresh_seconds = 5.0\n"


def test_files_can_be_read_by_the_functions_user() -> None:
    archive = zipfile.ZipFile(io.BytesIO(write_zip({"b": b"", "a": b""})))
    assert [(info.filename, info.external_attr >> 16) for info in archive.infolist()] == [
        ("a", 0o100644),
        ("b", 0o100644),
    ]


def test_the_code_in_the_zip_is_importable_on_its_own(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(write_zip(code_entries()))).extractall(tmp_path)
    script = "import backend, backend.processor.core; print(backend.__file__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_the_plugins_that_are_named_come_along() -> None:
    config = (
        '[events.plugins]\naggregate = "examples.plugins:revenue_per_day"\nkey_layout = "backend.events.layout:x"\n'
    )
    entries = code_entries(config)
    assert entries["examples/plugins.py"] == (ROOT / "examples/plugins.py").read_bytes()
    assert "examples/plugins.py" not in code_entries("")


def test_a_plugin_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"events.plugins.aggregate: 'no_such_module:x' can't be found"):
        code_entries('[events.plugins]\naggregate = "no_such_module:x"\n')
