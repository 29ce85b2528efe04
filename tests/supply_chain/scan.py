"""Looks for secrets in every file of the repository: ``python -m tests.supply_chain.scan``, part of `make check`.

detect-secrets finds; ``.secrets.baseline`` says by which rules, and what was looked at and is none (with
``--write`` what is found now is taken into it). Places of what is known may move.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from detect_secrets import SecretsCollection
from detect_secrets.settings import get_settings, transient_settings

ROOT: Final = Path(__file__).parents[2]
BASELINE: Final = ROOT / ".secrets.baseline"
LEFT_OUT: Final = ("uv.lock", ".secrets.baseline", "assets/vendor/", "tests/data/", "docs/pictures/")
"""Hashes, others' bundles, recordings and pictures."""

Found = tuple[str, str, str]
"""File, kind and hash of a secret: detect-secrets never shows it."""


def committed() -> list[str]:
    """Every file of the repository that people write."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and not name.startswith(LEFT_OUT)]


def scan(files: Iterable[str]) -> dict[Found, int]:
    """What looks like a secret, with its line. Files are named from the repository's root."""
    baseline = json.loads(BASELINE.read_text("utf-8"))
    given = {"plugins_used": baseline["plugins_used"], "filters_used": baseline["filters_used"]}
    found: dict[Found, int] = {}
    with transient_settings(given):
        secrets = SecretsCollection(root=str(ROOT))
        secrets.scan_files(*files, num_processors=os.cpu_count())
        for name, secret in secrets:
            found[name, secret.type, secret.secret_hash] = secret.line_number
        get_settings.cache_clear()
    return found


def known() -> set[Found]:
    """What was looked at and is no secret."""
    results: dict[str, list[dict[str, Any]]] = json.loads(BASELINE.read_text("utf-8"))["results"]
    return {
        (name, entry["type"], entry["hashed_secret"])
        for name, entries in results.items()
        for entry in entries
        if entry["is_secret"] is False
    }


def main() -> int:
    """1 when there is something unknown; something known that is gone is only said."""
    found = scan(committed())
    if "--write" in sys.argv:
        baseline = json.loads(BASELINE.read_text("utf-8"))
        baseline["results"] = {}
        for name, kind, digest in sorted(found):
            entry = {"type": kind, "hashed_secret": digest, "is_secret": False}
            baseline["results"].setdefault(name, []).append(entry)
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")
        return 0
    unknown = sorted((name, found[name, kind, digest], kind) for name, kind, digest in found.keys() - known())
    for name, line, kind in unknown:
        sys.stderr.write(f"{name}:{line}: {kind}; remove it and revoke it, or note with --write that it is none\n")
    gone = sorted({name for name, _, _ in known() - found.keys()})
    if gone:
        sys.stderr.write(f"No longer there, so no longer known: {', '.join(gone)}; run it with --write\n")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
