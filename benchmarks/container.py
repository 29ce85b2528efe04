"""What the Dockerfile makes, without Docker: its file tree, served read-only, as user 10001, without any right.

The ``RUN uv`` lines and the ``ENV`` of the Dockerfile are carried out as they stand there, on what ``.dockerignore``
lets through. Then `pulseboard serve` runs from the tree in a mount namespace of its own, where everything is read-only
but ``/tmp``, against the embedded engine, until the Dockerfile's own HEALTHCHECK and ``/readyz`` say yes.

Not tried here: the base image and its Python 3.12 (this machine's Python is taken), the image's layers, a registry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from backend.local.deploy import deploy
from backend.local.engine import Engine, free_port

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
START_LIMIT_SECONDS = 30.0
"""Half of what HEALTHCHECK's start period and the template allow."""
SIZE_LIMIT_MB = 900
INSTALLERS = ("pip", "uv", "gcc", "cc", "make")
READ_ONLY = """
set -e
mount --rbind / "$ROOT"
awk '{print $5}' /proc/self/mountinfo | grep "^$ROOT" | grep -Ev "^$ROOT/(proc|sys|dev)" | while read -r place; do
  mount -o remount,bind,ro "$place"
done
mount -t tmpfs tmpfs "$ROOT/tmp"
exec chroot "$ROOT" sh -c 'cd "$TREE" && exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all bin/pulseboard serve'
"""


def instructions(name: str) -> list[str]:
    """The arguments of the Dockerfile's instructions of that name."""
    return re.findall(rf"^{name}\s+(.+)$", DOCKERFILE, re.MULTILINE)


def health_check() -> list[str]:
    """The command of HEALTHCHECK."""
    command: list[str] = json.loads(instructions("HEALTHCHECK")[0].partition("CMD")[2])
    return command


def build(tree: Path, source: Path) -> None:
    """The tree that the build stage makes of ``source``."""
    environment = dict(re.findall(r"(\S+?)=(\S+)", next(line for line in instructions("ENV") if "UV_" in line)))
    environment = {**os.environ, **environment, "UV_PROJECT_ENVIRONMENT": str(tree)}
    environment.pop("VIRTUAL_ENV", None)
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    for line in instructions("RUN"):
        if line.startswith("uv "):
            command = [uv, *line.split()[1:], "--quiet"]
            subprocess.run(command, cwd=source, env=environment, check=True)


def copy_context(target: Path) -> None:
    """What ``COPY . .`` copies: the repository's files but those that .dockerignore names."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").split() if not line.startswith("!")]
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line.startswith("!")]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\n"):
        out = any(name == entry or name.startswith(f"{entry}/") for entry in ignored)
        if name and (ROOT / name).is_file() and (not out or any(name.startswith(entry) for entry in kept)):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place)


def environment_of(tree: Path, port: int, more: dict[str, str]) -> dict[str, str]:
    """What the container has: nothing of ours but what the Dockerfile and the deployment set."""
    return {
        "PATH": f"{tree}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "TREE": str(tree),
        "ROOT": str(tree.with_name("root")),
        "PYTHONUNBUFFERED": "1",
        "PULSEBOARD_HOST": "127.0.0.1",
        "PULSEBOARD_PORT": str(port),
        **more,
    }


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()


def writable(pid: int) -> list[str]:
    """Places that the process could write to, by its mounts."""
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text("utf-8").splitlines()]
    open_ones = [mount[4] for mount in mounts if "rw" in mount[5].split(",")]
    return sorted({place for place in open_ones if not place.startswith(("/proc", "/sys", "/dev"))})


def seconds_until(true: Callable[[], bool], limit: float) -> float:
    """How long it took; infinity where it did not come true in time."""
    started = time.monotonic()
    while not true():
        if time.monotonic() - started > limit:
            return float("inf")
        time.sleep(0.1)
    return time.monotonic() - started


def check(tree: Path) -> list[str]:
    """Runs the tree and prints what was found; what should not be."""
    wrong: list[str] = []
    tree.with_name("root").mkdir()
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    found = [name for name in INSTALLERS if (tree / "bin" / name).exists()]
    print(f"file tree {size:.0f} MB (limit {SIZE_LIMIT_MB}); installers in it: {', '.join(found) or 'none'}")
    wrong += [f"{name} is in the tree" for name in found] + (["the tree is too large"] if size > SIZE_LIMIT_MB else [])
    with Engine() as engine:
        stack = {**engine.environment(), **deploy(engine.client)}
        everywhere = environment_of(tree, free_port(), stack) | {"PULSEBOARD_HOST": "0.0.0.0"}
        refused = subprocess.run([tree / "bin/pulseboard", "serve"], env=everywhere, capture_output=True, text=True,
                                 check=False, timeout=60)  # fmt: skip
        print(f"on 0.0.0.0 without authentication: exit code {refused.returncode}, {refused.stderr.strip()[:90]}")
        wrong += [] if refused.returncode == 2 else ["it serves everybody without authentication"]
        environment = environment_of(tree, free_port(), stack)
        probe = [str(tree / "bin" / health_check()[0]), *health_check()[1:]]

        def healthy() -> bool:
            return not subprocess.run(probe, env=environment, capture_output=True, check=False).returncode

        with serving(environment) as process:
            took = seconds_until(healthy, START_LIMIT_SECONDS)
            print(f"healthy by the Dockerfile's HEALTHCHECK after {took:.1f} s (limit {START_LIMIT_SECONDS:g})")
            if took == float("inf"):
                return [*wrong, "it did not become healthy"]
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
            )
            rights = f"user {status['Uid'].split()[0]}, capabilities {int(status['CapBnd'], 16)}"
            print(f"{rights}, no new privileges {status['NoNewPrivs']}; writable: {writable(process.pid)}")
            wrong += [] if status["Uid"].split()[0] == "10001" and not int(status["CapBnd"], 16) else [rights]
            wrong += [f"{place} can be written" for place in writable(process.pid) if place != "/tmp"]
            base = f"http://127.0.0.1:{environment['PULSEBOARD_PORT']}"
            ready = requests.get(f"{base}/readyz", timeout=20)
            pages = {path: requests.get(base + path, timeout=20).status_code for path in ("/", "/jobs", "/capacity")}
            print(f"/readyz {ready.status_code}, pages {pages}")
            wrong += [] if ready.ok and set(pages.values()) == {200} else ["it does not answer"]
            process.terminate()
            print(f"ended {process.wait(20)} on SIGTERM")
    return wrong


def main() -> int:
    """0 when the tree serves as the Dockerfile promises; 1 says what does not hold."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        print("left out: mount namespaces are not permitted here (unshare --mount; needs root)")
        return 0
    with tempfile.TemporaryDirectory(prefix="pulseboard-image-", dir="/var/tmp") as directory:
        place = Path(directory)
        place.chmod(0o755)
        tree, source = place / "app", place / "src"
        copy_context(source)
        started = time.monotonic()
        build(tree, source)
        print(f"built by the Dockerfile's own lines in {time.monotonic() - started:.0f} s")
        shutil.rmtree(source)
        wrong = check(tree)
    for sentence in wrong:
        print(f"NOT HELD: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
