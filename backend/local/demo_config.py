"""The demo's configuration: the user's ``pulseboard.toml``, and the demo's own choice for what it leaves open."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from backend.settings import load_config

TOP_LEVEL: Final = {"refresh_seconds": "5.0", "hot_refresh_seconds": "1.0"}
TABLES: Final = {
    # Objects come every 5 seconds; ten minutes of live items keep the engine's table small.
    "retention": "[retention]\nlive_seconds = 600\nraw_seconds = 600\n",
    "collect": (
        '[[collect]]\nsource = "synthetic"\ninterval_seconds = 5.0\n\n'
        '[[collect]]\nsource = "host"\ninterval_seconds = 5.0\n'
    ),
}


def demo_config(path: Path | None) -> str:
    """The text of the demo's ``pulseboard.toml``. Raises InvalidInput when the user's one is wrong."""
    load_config(path)
    text = path.read_text("utf-8") if path else ""
    given = tomllib.loads(text)
    top = [f"{name} = {value}\n" for name, value in TOP_LEVEL.items() if name not in given]
    tables = [f"\n{table}" for name, table in TABLES.items() if name not in given]
    return "".join(top) + text + "".join(tables)
