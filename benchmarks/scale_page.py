"""Prints what ``benchmarks.scale_model`` finds, and renders it into ``docs/scale.md`` between its markers.

Run: ``python -m benchmarks.scale_page`` prints; ``--write`` renders; ``--check`` says whether the page is current (a
test does, too).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from backend.contract.units import Units, load_units
from backend.settings_prices import Prices
from benchmarks.scale_model import (
    NEW_TABLE_WRITES,
    REFERENCE,
    TARGET,
    TUNED,
    Load,
    Settings,
    breaking_point,
    demands,
    dollars,
    flow,
    simulate,
)

DOCUMENT: Final = Path("docs/scale.md")
BEGIN: Final = "<!-- rendered by `python -m benchmarks.scale_page --write` -->"
END: Final = "<!-- end of what is rendered -->"
AGENTS: Final = Load(hosts=10, spacing=10)
STREAM: Final = Load(hosts=0.001, spacing=300, events=1)
HOST_STEPS: Final[tuple[tuple[str, Settings], ...]] = (
    ("as deployed, an agent on each host", one := Settings(hosts_an_object=1)),
    ("`ProcessorConcurrency` 100", two := replace(one, processor_concurrency=100)),
    ("`metrics-merge` with 1,769 MB", three := replace(two, merge_mb=1769)),
    ("one agent for 10 hosts", four := replace(three, hosts_an_object=10)),
    ("one agent for 100 hosts", five := replace(four, hosts_an_object=100)),
    ("objects of two minutes (`flush_seconds` 120)", replace(five, flush_seconds=120)),
)
EVENT_STEPS: Final[tuple[tuple[str, Settings], ...]] = (
    ("as deployed, an event a request", plain := Settings()),
    ("`ApiRequestsPerSecond` 2,000", wider := replace(plain, api_requests=2000)),
    ("`EventProcessorConcurrency` 200", workers := replace(wider, event_concurrency=200)),
    ("ten events a request", batches := replace(workers, events_a_request=10)),
    ("aggregates in 100 windows (plug-in)", windows := replace(batches, windows=100)),
    ("`events.shards` 32", replace(windows, shards=32)),
)
ONE_TYPE_STEPS: Final = (
    ("all of one type, with all of these, one window", replace(windows, windows=1, shards=8)),
    ("all of one type, aggregates in 100 windows", replace(windows, shards=8)),
)
SHOWN: Final = 12


def render(units: Units, prices: Prices) -> str:
    """What stands between the markers, Markdown."""
    return "\n".join(
        [
            f"Measured {units.measured_at}, prices of {prices.as_of}.\n",
            "### One sample, one event, one view\n", _measured(units),
            "### Hosts: what breaks first, and what moves it\n", _steps(HOST_STEPS, AGENTS, units, "hosts"),
            "### Events: what breaks first, and what moves it\n", _steps(EVENT_STEPS, STREAM, units, "events"),
            _steps(ONE_TYPE_STEPS, replace(STREAM, types=1), units, "events"),
            "### 10,000 hosts at 10 s and 1,000 events a second\n", _target(units),
            "### A surge\n", _surges(units),
            "### US dollars a month\n", _dollars(units, prices),
        ]
    )  # fmt: skip


def _measured(units: Units) -> str:
    rows = []
    for thing, name, number in (
        ("processing", "a sample, ten hosts in an object every 5 min", units.of("collection", "samples")),
        ("object_of_1", "a sample at 10 s, one host in an object", units.of("object_of_1", "samples")),
        ("object_of_100", "a sample at 10 s, 100 hosts in an object", units.of("object_of_100", "samples")),
        ("event", "an event sent alone", 1.0),
        ("event_in_batch", "an event of a batch of 100", 1.0),
        ("event_processing", "an event processed, ten at once", 1.0),
        ("merge_of_1", "a series merged a minute, objects of one host", 1.0),
        ("merge_of_10", "a series merged a minute, objects of ten hosts", 1.0),
    ):
        figures = [units.of(thing, key) / number for key in ("cpu_ms", "requests", "write_units", "read_units")]
        rows.append((name, *(f"{value:,.3g}" for value in figures)))
    for page in ("health", "performance", "errors", "capacity"):
        thing = f"view_{page}"
        rows.append((f"a view of {page.title()}, for however many look", f"{units.of(thing, 'cpu_ms'):,.3g}",
                     f"{units.of(thing, 'queries'):,.3g}", "0", f"{units.of(thing, 'read_units'):,.3g}"))  # fmt: skip
    return _table(("of", "CPU ms", "requests", "write units", "read units"), rows)


def _steps(steps: Iterable[tuple[str, Settings]], load: Load, units: Units, what: str) -> str:
    rows = []
    for title, settings in steps:
        factor, first = breaking_point(load, settings, units)
        count = (load.hosts if what == "hosts" else load.events) * factor
        samples = load.hosts * factor / load.spacing / (REFERENCE.hosts / REFERENCE.spacing)
        times = [f"{samples:,.0f}"] if what == "hosts" else []
        rows.append((title, f"{count:,.0f}", *times, first.what, first.moved_by))
    times = ["samples, times the reference load"] if what == "hosts" else []
    unit = "hosts at 10 s" if what == "hosts" else "events/s"
    return _table(("settings, each with those above", unit, *times, "what breaks first", "what moves it"), rows)


def _target(units: Units) -> str:
    before = {demand.what: demand for demand in demands(TARGET, Settings(hosts_an_object=1), units)}
    rows = []
    for demand in demands(TARGET, TUNED, units)[:SHOWN]:
        old = before[demand.what]
        rows.append((demand.what, f"{demand.limit:,.0f} {demand.unit}", f"{demand.used:,.4g}", f"{demand.share:.0%}",
                     f"{old.used / old.limit:.0%}", demand.page))  # fmt: skip
    words = (
        f"\nTuned is: {TUNED.hosts_an_object:.0f} hosts an object, `ProcessorConcurrency` "
        f"{TUNED.processor_concurrency:.0f}, `EventProcessorConcurrency` {TUNED.event_concurrency:.0f}, 1,769 MB "
        f"for the functions, `events.shards` {TUNED.shards:.0f}, `ApiRequestsPerSecond` {TUNED.api_requests:.0f}, "
        f"{TUNED.events_a_request:.0f} events a request, aggregates in {TUNED.windows:.0f} windows.\n"
    )
    fresh = next(demand.used for demand in demands(TARGET, TUNED, units) if demand.what == "tables of events, writes")
    words += (
        f"\nA new table takes {NEW_TABLE_WRITES:,.0f} write units a second at first; the largest of the events' tables "
        f"needs {fresh:,.0f}. Warm it beforehand (warm throughput), or the first half hour waits in the queue.\n"
    )
    head = ("limit", "is", "used, tuned", "share, tuned", "share, as deployed", "AWS's page")
    return _table(head, rows) + words


def _surges(units: Units) -> str:
    rows = []
    for title, settings in (("as deployed", Settings()), ("tuned", TUNED)):
        found = flow(Load(hosts=0.001, spacing=300, events=100), settings, units)
        speed = 100 / found.event_seconds
        for surge in (2.0, 10.0):
            key = 3.0 / 5 / settings.shards
            outcome = simulate(100.0, surge, 600.0, (settings.event_concurrency, speed, key))
            done = f"{outcome.done_after:,.0f} s" if outcome.done_after < 7200 else "not within two hours"
            rows.append((title, f"{surge:.0f} times for 10 min", f"{outcome.most_waiting:,.0f}",
                         f"{outcome.longest_wait:,.0f} s", done))  # fmt: skip
    return "100 events a second, and all at once more of them. What waits is in the queue, not lost.\n\n" + _table(
        ("settings", "surge", "most waiting", "longest wait", "worked off after"), rows
    )


def _dollars(units: Units, prices: Prices) -> str:
    cases = (
        ("reference: 10 hosts at 5 min", REFERENCE, Settings()),
        ("1,000 hosts at 10 s, 100 to an object", Load(hosts=1000, spacing=10), TUNED),
        ("10,000 hosts at 10 s, one to an object", replace(TARGET, events=0), replace(TUNED, hosts_an_object=1)),
        ("10,000 hosts at 10 s, 100 to an object", replace(TARGET, events=0), TUNED),
        ("1,000 events/s, one a request", replace(STREAM, events=1000), replace(TUNED, events_a_request=1)),
        ("1,000 events/s, ten a request", replace(STREAM, events=1000), TUNED),
    )
    rows = []
    for title, load, settings in cases:
        found = dollars(load, settings, units, prices)
        most = ", ".join(f"{service} {cost:,.0f}" for service, cost in found[:3] if cost >= 0.5)
        rows.append((title, f"{sum(cost for _, cost in found):,.2f}", most or "-"))
    return _table(("load", "a month, at list price", "most of it"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"


def page(text: str, rendered: str) -> str:
    """The document with ``rendered`` between its markers. Raises ValueError where it has none."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{DOCUMENT} lacks its markers")
    return f"{before}{BEGIN}\n\n{rendered}\n{END}{after}"


def main() -> int:
    """Prints, writes or checks."""
    rendered = render(load_units(), Prices())
    if not {"--write", "--check"} & set(sys.argv[1:]):
        print(rendered)
        return 0
    text = DOCUMENT.read_text("utf-8")
    current = page(text, rendered)
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(current, "utf-8")
        return 0
    return int(text != current)


if __name__ == "__main__":
    sys.exit(main())
