"""Renders ``docs/cost.md`` from the measured units, the price list and the template:
``python -m backend.bill_docs [--check]``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from backend.checks.aws_metrics import FUNCTIONS
from backend.contract.bill import (
    ASSUMED,
    CORE,
    FREE_ALARMS,
    FREE_METRICS,
    MINUTES,
    TARGET,
    Bill,
    Load,
    Part,
    Stack,
    bill,
    parts,
)
from backend.contract.catalogue import load_catalogue
from backend.contract.costs import ALLOWANCES, EVERY_ITEM, CostLine
from backend.contract.units import Units, load_units
from backend.contract.verdict import amount
from backend.local.template import load_template
from backend.settings_prices import Prices

TARGET_PAGE: Final = Path("docs/cost.md")
MONTH_HOURS: Final = MINUTES / 60
_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440}
CANARY: Final = "CheckCanaryRule"
AWS_WORDS: Final = ("Put", "Get", "vCP")
"""How names begin that are AWS's own."""
THROTTLE_QUERIES: Final = 2
"""A table's and each index's reads and writes."""
EXAMPLE_EVENTS: Final = 1e6


def stack_of(template: Mapping[str, Any]) -> Stack:
    """What costs of a template: schedules, memory of functions, alarms, the dashboard's task."""
    resources: Mapping[str, Any] = template["Resources"]
    defaults = {name: entry.get("Default", "") for name, entry in template["Parameters"].items()}

    def of(kind: str) -> dict[str, Mapping[str, Any]]:
        return {name: entry["Properties"] for name, entry in resources.items() if entry["Type"] == f"AWS::{kind}"}

    memory = {entry["FunctionName"]: float(entry["MemorySize"]) for entry in of("Lambda::Function").values()}
    rules = {name: runs(entry["ScheduleExpression"]) for name, entry in of("Events::Rule").items()
             if name.startswith("Check") and isinstance(entry.get("ScheduleExpression"), str)}  # fmt: skip
    tables = of("DynamoDB::Table").values()
    places = len(tables) + sum(len(table.get("GlobalSecondaryIndexes", ())) for table in tables)
    errors, levels = 2 * len(FUNCTIONS), len(FUNCTIONS) + THROTTLE_QUERIES * places
    return Stack(
        memory=memory,
        checks=sum(runs for name, runs in rules.items() if name != CANARY),
        queries=MINUTES * errors + MINUTES / 5 * levels,
        canaries=rules[CANARY],
        alarms=len(of("CloudWatch::Alarm")),
        composite_alarms=len(of("CloudWatch::CompositeAlarm")),
        metrics=len(load_catalogue().published),
        dashboards=len(of("CloudWatch::Dashboard")),
        task_vcpu=float(defaults["DashboardCpu"]) / 1024,
        task_gb=float(defaults["DashboardMemory"]) / 1024,
        tasks=int(defaults["DashboardTasks"]),
    )


def runs(expression: str) -> float:
    """Runs a month of 30 days of a schedule's expression; a cron one runs at the hours and minutes that it lists."""
    if rate := _RATE.fullmatch(expression):
        return MINUTES / (int(rate[1]) * _MINUTES[rate[2]])
    minutes, hours, *_ = expression.removeprefix("cron(").split()
    return 30.0 * len(minutes.split(",")) * len(hours.split(","))


def render(units: Units, prices: Prices, template: Mapping[str, Any]) -> str:
    """The whole page, Markdown."""
    stack, listed = stack_of(template), _prices(prices)
    every = parts(stack, units, Load(events=EXAMPLE_EVENTS, pages=1))
    free, full = (bill(every, listed, free=allowed) for allowed in (True, False))
    core = free.dollars[CORE]
    sections = [
        _HEAD.format(date=prices.as_of, measured=units.measured_at, target=TARGET, core=core,
                     full=full.dollars[CORE], metrics=FREE_METRICS, alarms=FREE_ALARMS),
        "## Parts\n\n" + _table(
            ("part", "switch", "after allowances", "at list price"),
            [(part.title, _switch(part), _usd(free.dollars[part.key]), _usd(full.dollars[part.key])) for part in every],
        ),
        _PARTS_NOTE,
        *(_part(free, full, index) for index in range(len(every))),
        _assumptions(),
        _UNITS_HEAD + _units(units),
        _TAIL,
    ]  # fmt: skip
    return "\n".join(sections)


def _prices(prices: Prices) -> dict[str, float]:
    return {name: value for name, value in asdict(prices).items() if isinstance(value, float)}


def _part(free: Bill, full: Bill, index: int) -> str:
    part, kept = free.parts[index]
    _, listed = full.parts[index]
    rows = [_row(line, other) for line, other in zip(kept, listed, strict=True) if line.amount]
    rows.append(("**sum**", "", "", f"**{_usd(free.dollars[part.key])}**", f"**{_usd(full.dollars[part.key])}**"))
    return f"### {part.title}\n\n" + _table(("what", "a month", "price", "after allowances", "at list price"), rows)


def _row(line: CostLine, listed: CostLine) -> tuple[str, ...]:
    return what(line), used(line), f"{line.price:.8g} per {per(line)}", _usd(line.dollars), _usd(listed.dollars)


def what(line: CostLine) -> str:
    """``SQS: requests``; names of AWS stay as they are."""
    title = line.item.title
    return f"{line.item.service}: {title if title[:3] in AWS_WORDS else title[0].lower() + title[1:]}"


def used(line: CostLine) -> str:
    """The amount with its unit."""
    if line.item.unit == "bytes":
        return f"{line.amount / 1e9:,.2f} GB"
    return amount(float(round(line.amount)) if line.amount >= 1 else line.amount, line.item.unit)


def per(line: CostLine) -> str:
    """What the price is for: ``million units``, ``GB``, ``alarm``."""
    item = line.item
    one = item.unit if item.unit == "GB-s" else item.unit.removesuffix("s")
    return {1.0: one, 1e3: f"1,000 {item.unit}", 1e6: f"million {item.unit}", 1e9: "GB", 1e12: "TB"}[item.per]


def _switch(part: Part) -> str:
    return ", ".join(f"`{name.strip()}`" for name in part.switch.split(",") if name) or "-"


def _usd(dollars: float) -> str:
    return f"{dollars:,.2f}"


def _assumptions() -> str:
    rows = [(f"`{name}`", f"{value:,.10g}", words) for name, (value, words) in ASSUMED.items()]
    free = [(f"{EVERY_ITEM[key].service}: {EVERY_ITEM[key].title.lower()}", f"{amount:,.0f} {EVERY_ITEM[key].unit}")
            for key, amount in ALLOWANCES.items()]  # fmt: skip
    return (
        "## Allowances\n\nWhat AWS gives every account each month without an end date, for all that the account runs "
        "together. They are used up in the order of the parts above.\n\n"
        + _table(("what", "a month"), free)
        + "\n## What is assumed\n\nNot measured here; `backend/contract/bill.py` names each of them.\n\n"
        + _table(("name", "value", "what it is"), rows)
    )


def _units(units: Units) -> str:
    shown = ("cpu_ms", "requests", "write_units", "read_units", "items", "item_bytes", "object_bytes", "log_bytes")
    things = [name for name in units.figures if not name.startswith("view_")]
    return _table(
        ("one", *shown), [(f"`{name}`", *(f"{units.of(name, key):,.10g}" for key in shown)) for name in things]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"


_HEAD: Final = """# Cost

What a month of 30 days costs in US dollars, reckoned before anything runs. A calculation, not a bill: rendered by
`python -m backend.bill_docs` from the measured units of {measured} (`backend/contract/units.toml`), the price list of
{date} ([`[prices]`](configuration.md#history-and-prices), us-east-1) and `infra/template.yaml`. A test fails when
this page and they differ. The same for your own prices: `pulseboard cost`.

Reference load: ten servers, five metrics each, one object every five minutes. **The core costs {core:.2f} a month**
with at most {metrics} custom metrics and {alarms} alarms, after what AWS always gives an account; the target is
{target:.0f} dollars. Where something else in the account has used those allowances up it is {full:.2f}, most of it for
CloudWatch's metrics and alarms.
"""
_PARTS_NOTE: Final = """Each part has its own switch, the parameter of the template that is named beside it; a part
without one is always there. Of events the table has a million, sent one by one, and of pages one that is open all
month. A metric that never arrives costs nothing, and neither does a secret that is not given. Not in it: data that
leaves AWS, cold starts (AWS bills them), taxes.
"""
_UNITS_HEAD: Final = """## Measured units

By `python -m benchmarks.scale` through the product's own code, on the embedded engine. Requests, units and bytes are
counts; DynamoDB's units follow from the items' sizes. `cpu_ms` is the CPU time of the machine that measured: a function
is reckoned to take as much longer as its memory's share of one vCPU is smaller (1,769 MB have one whole), and to wait
`REQUEST_MS` for each request; AWS bills in steps of 1 ms.

"""
_TAIL: Final = """The Capacity page makes an estimate of its own from what is measured in operation, with the same items
and prices (`backend/contract/costs.py`). How costs grow with hosts and events is in [Scale](scale.md).

The list price of DynamoDB's requests, Fargate's hours and CloudWatch's allowances was compared with public pages that
quote AWS's; the others are as AWS's pricing pages of the date had them, and none was read from AWS's price API. Check
them before you rely on them, and set your region's in `pulseboard.toml`.
"""


def main() -> int:
    """Writes the page; with ``--check`` only says whether it is current."""
    text = render(load_units(), Prices(), load_template())
    if "--check" not in sys.argv[1:]:
        TARGET_PAGE.write_text(text, "utf-8")
        return 0
    if TARGET_PAGE.read_text("utf-8") == text:
        return 0
    sys.stderr.write(f"{TARGET_PAGE} is not current: run `python -m backend.bill_docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
