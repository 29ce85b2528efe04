"""The functions' zip: the same bytes from the same input, so that its hash says whether anything changed.

``python -m backend.local.package`` (``make package``) builds the one for AWS, with the locked dependencies for
Lambda's python3.12 on x86_64. The engine's functions run in the virtual environment and need the code only.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import backend
from backend.contract.errors import InvalidInput
from backend.settings import CONFIG_NAME, load_config

_ROOT: Final = Path(backend.__file__).parent
_SUFFIXES: Final = {".py", ".toml"}
_LEFT_OUT: Final = {"local", "deployment", "__pycache__"}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILE_MODE: Final = 0o100644
_DEPENDENCY_RUBBISH: Final = ("__pycache__", "tests", "bin")


def code_entries(config: str | None = None) -> dict[str, bytes]:
    """Path in the zip to content: package ``backend`` without its tools, and ``pulseboard.toml`` if given.

    With it come the modules of the plug-ins that it names. Raises InvalidInput for one that can't be found.
    """
    entries = {f"backend/{name}": path.read_bytes() for name, path in _files(_ROOT) if path.suffix in _SUFFIXES}
    entries = {name: body for name, body in entries.items() if not _LEFT_OUT & set(Path(name).parts)}
    if config is not None:
        entries[CONFIG_NAME] = config.encode()
        entries |= _plugin_entries(config)
    return entries


def _plugin_entries(config: str) -> dict[str, bytes]:
    """The top-level module or package of each plug-in; what those import from elsewhere has to be there already."""
    given = tomllib.loads(config)
    named = {f"events.plugins.{name}": path for name, path in given.get("events", {}).get("plugins", {}).items()}
    named["checks.external_count"] = given.get("checks", {}).get("external_count", "")
    entries: dict[str, bytes] = {}
    for field, path in named.items():
        top = path.partition(":")[0].partition(".")[0]
        if top in ("", backend.__name__):
            continue
        found = find_spec(top)
        folders = list(found.submodule_search_locations or ()) if found else []
        if folders:
            files = _files(Path(folders[0]))
            entries |= {f"{top}/{name}": file.read_bytes() for name, file in files if file.suffix in _SUFFIXES}
        elif found and found.origin and found.origin.endswith(".py"):
            entries[f"{top}.py"] = Path(found.origin).read_bytes()
        else:
            raise InvalidInput(field, path, "can't be found; put its module on PYTHONPATH")
    return entries


def write_zip(entries: Mapping[str, bytes]) -> bytes:
    """A zip in which nothing depends on the moment, the machine or the order in which files were found."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _FILE_MODE << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def dependency_entries(project: Path) -> dict[str, bytes]:
    """The locked dependencies of group ``functions`` as wheels for Lambda, unpacked, hashes checked.

    Raises InvalidInput where uv is missing or can't provide them.
    """
    uv = shutil.which("uv") or next((str(p) for p in [project / ".uv/bin/uv"] if p.exists()), None)
    if uv is None:
        raise InvalidInput("uv", None, "is needed to fetch the functions' dependencies; run `make package`")
    with tempfile.TemporaryDirectory() as directory:
        requirements, target = Path(directory, "requirements.txt"), Path(directory, "target")
        _run([uv, "export", "--frozen", "--only-group", "functions", "--output-file", str(requirements)], project)
        wheels = ["--only-binary", ":all:", "--no-compile-bytecode", "--require-hashes", "--link-mode", "copy"]
        platform = ["--python-platform", "x86_64-manylinux2014", "--python-version", "3.12"]
        command = [uv, "pip", "install", "--target", str(target), *platform, *wheels, "-r", str(requirements)]
        _run(command, project)
        return {
            name: path.read_bytes()
            for name, path in _files(target)
            if not any(part in _DEPENDENCY_RUBBISH for part in Path(name).parts[:-1]) and not name.startswith(".")
        }


def key_of(body: bytes) -> str:
    """Object key of a functions' zip: it changes exactly when the content does."""
    return f"pulseboard/functions-{hashlib.sha256(body).hexdigest()[:16]}.zip"


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for path in root.rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix(), path


def _run(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidInput(" ".join(command[:3]), done.stderr.strip()[-300:], "failed; mend what it names and retry")


def main() -> None:
    """Builds the zip for AWS and says how to use it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build"), help="directory of the zip")
    parser.add_argument("--config", type=Path, help=f"configuration to bundle, by default ./{CONFIG_NAME} if it exists")
    arguments = parser.parse_args()
    config = arguments.config or (Path(CONFIG_NAME) if Path(CONFIG_NAME).exists() else None)
    settled = load_config(config)
    text = config.read_text("utf-8") if config else None
    body = write_zip({**dependency_entries(_ROOT.parent), **code_entries(text)})
    key = key_of(body)
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / Path(key).name
    path.write_bytes(body)
    out = sys.stdout.write
    out(f"{path}: {len(body) / 1e6:.1f} MB, with {config or 'the default configuration'}\n")
    out("Deploy it with `make deploy`, which shows first what would change (docs/deploy.md), or by hand:\n")
    out(f"  aws s3 cp {path} s3://$CODE_BUCKET/{key}\n")
    out("  aws cloudformation deploy --stack-name pulseboard --template-file infra/template.yaml \\\n")
    out("    --s3-bucket $CODE_BUCKET --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=$CODE_BUCKET \\\n")
    out(f"    CodeKey={key} BucketName=$DATA_BUCKET EventsRetentionDays={settled.events.retention_days}\n")


if __name__ == "__main__":
    try:
        main()
    except InvalidInput as problem:
        sys.exit(f"package: {problem}")
