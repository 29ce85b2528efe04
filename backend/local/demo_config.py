"""The demo's configuration: the user's ``pulseboard.toml``, and the demo's own choice for what it leaves open."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from backend.local.demo_jobs import BACKFILL, FAILING, HANGS, MISSED, REGULAR, STREAM
from backend.local.orders import APP, LATE_SECONDS, PAID, PLACED, SHIPPED, TILL, WEB
from backend.settings import load_config

_JOBS: Final = "".join(
    f"""[jobs.{job.name}]
dataset = "{job.dataset}"
schedule = "every {max(1, job.every_seconds // 60):.0f} minutes"
grace_minutes = 3.0
limit_minutes = 2.0

"""
    for job in REGULAR
)
_DATASETS: Final = "".join(f"[datasets.{job.dataset}]\nsla_minutes = 10.0\n\n" for job in (*REGULAR, FAILING))

TOP_LEVEL: Final = {"refresh_seconds": "5.0", "hot_refresh_seconds": "1.0"}
TABLES: Final = {
    # Objects come every 5 seconds; ten minutes of live items keep the engine's table small.
    "retention": "[retention]\nlive_seconds = 600\nraw_seconds = 600\n",
    # The event processor counts its own dead letters; invented ones beside them would add up to what never was.
    "collect": (
        '[[collect]]\nsource = "synthetic"\ninterval_seconds = 5.0\nleave_out = ["dlq_records"]\n\n'
        '[[collect]]\nsource = "host"\ninterval_seconds = 5.0\n'
    ),
    # One partition a day is plenty for the demo and makes a search one query. The types are those of the order stream.
    "events": f"""[events]
shards = 1
late_seconds = {LATE_SECONDS}
synthetic_sources = ["{WEB}", "{APP}", "{TILL}"]

# A field that comes under another name too: aliases = {{ <field> = ["<its other name>"] }}
[events.types.{PLACED}]
operator = "order-intake"
fields = {{ order_id = "string", customer_id = "string", amount = "number", items = "array" }}

[events.types.{PAID}]
operator = "payments"
fields = {{ order_id = "string", amount = "number", method = "string" }}

[events.types.{SHIPPED}]
operator = "shipping"
fields = {{ order_id = "string", carrier = "string" }}
""",
    "jobs": f"""{_JOBS}[jobs.{FAILING.name}]
dataset = "{FAILING.dataset}"
none_succeeded = 5
none_succeeded_minutes = 10.0

# Starts and never ends.
[jobs.{HANGS}]
limit_minutes = 2.0

# Nobody starts it.
[jobs.{MISSED}]
schedule = "every 2 minutes"
grace_minutes = 1.0

[jobs.{STREAM}]
type = "streaming"

[jobs.{BACKFILL}]
dataset = "orders_archive"
limit_minutes = 10.0
""",
    "datasets": _DATASETS,
    # Short slices, so that a replay of some minutes shows how one runner hands over to the next.
    "replay": "[replay]\nslice_seconds = 20.0\n",
}


def demo_config(path: Path | None, url: str = "") -> str:
    """The text of the demo's ``pulseboard.toml``. Raises InvalidInput when the user's one is wrong.

    ``url`` is where the dashboard answers: what links in alerts begin with.
    """
    load_config(path)
    text = path.read_text("utf-8") if path else ""
    given = tomllib.loads(text)
    top = [f"{name} = {value}\n" for name, value in TOP_LEVEL.items() if name not in given]
    told = {"alerts": f'[alerts]\ndashboard_url = "{url}"\n'} if url else {}
    tables = [f"\n{table}" for name, table in {**TABLES, **told}.items() if name not in given]
    return "".join(top) + text + "".join(tables)
