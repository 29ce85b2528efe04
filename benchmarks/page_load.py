"""How fast the Health page is on a cold browser, and what it costs on the wire.

``verdict``: its text is on the glass. ``complete``: every card of the page is there, filled, on the glass (the server
sends them in the first HTML). ``live``: Dash has taken the page over, controls and refreshes work.

    python benchmarks/page_load.py [URL] [--rounds N]

Without a URL a dashboard over fake data is started. Every round is a new browser context with an empty cache. Printed
beside a static HTML page from the same server, which is as fast as this machine's browser gets at all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

import requests
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.face import READY, chromium, dashboard

TARGETS = {"verdict_ms": 400, "complete_ms": 1200, "wire_kb": 700, "refresh_kb": 15}
CARDS = 11
"""Cards of the Health page: four signals, checkpoints, SLOs, self-check, days, incidents, alerts, datasets."""
WATCH = """
window.marks = {};
const seen = (name) => {
  // A frame is drawn right after its animation callbacks: the next task finds it on the glass.
  window.marks[name] = NaN;
  requestAnimationFrame(() => setTimeout(() => { window.marks[name] = performance.now(); }));
};
new MutationObserver(() => {
  const verdict = document.querySelector('#verdict[data-status]:not([data-status=loading])');
  if (verdict?.textContent.trim() && !('verdict' in window.marks)) seen('verdict');
  const cards = [...document.querySelectorAll('#page-health [id^=card-]')];
  const empty = (card) => !card.textContent.trim() || card.querySelector('.skeleton');
  if (cards.length >= CARDS && !cards.some(empty) && !('complete' in window.marks)) seen('complete');
  if (document.querySelector('%s') && !document.getElementById('first-paint') && !('live' in window.marks))
    seen('live');
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


def load(browser: Browser, url: str, dash: bool) -> dict[str, float]:
    """One cold load: milliseconds from navigation start, and kilobytes as they crossed the wire."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    wire: list[float] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: wire.append(event["encodedDataLength"]))
    page.add_init_script(f"const CARDS = {CARDS};" + WATCH % READY)
    page.goto(url)
    page.wait_for_function(
        "() => window.marks.verdict" + (" && window.marks.complete && window.marks.live" if dash else "")
    )
    page.wait_for_load_state("networkidle")
    marks: dict[str, Any] = page.evaluate("window.marks")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    context.close()
    return {
        "first_paint_ms": paint,
        "verdict_ms": marks["verdict"],
        "complete_ms": marks.get("complete", marks["verdict"]),
        "live_ms": marks.get("live", marks["verdict"]),
        "wire_kb": sum(wire) / 1000,
        "requests": sum(size > 0 for size in wire),
    }


def summary(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure, and the slowest verdict."""
    return {name: median(r[name] for r in rounds) for name in rounds[0]} | {
        "slowest_verdict_ms": max(r["verdict_ms"] for r in rounds)
    }


def refresh_kb(base: str) -> float:
    """Compressed size of one full refresh."""
    answer = requests.get(f"{base}/api/v1/view/health", headers={"Accept-Encoding": "br"}, stream=True, timeout=10)
    return len(answer.raw.read(decode_content=False)) / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with dashboard(options.url) as base, chromium() as browser:
        load(browser, f"{base}/", dash=True)  # the browser's own first page is not ours to measure
        pages = {"Health page": summary([load(browser, f"{base}/", dash=True) for _ in range(options.rounds)])}
        if not options.url:
            static = [load(browser, f"{base}/static.html", dash=False) for _ in range(options.rounds)]
            pages["static HTML"] = summary(static)
        size = refresh_kb(base)
    for name, figures in pages.items():
        print(f"{name}: " + ", ".join(f"{key} {value:,.0f}" for key, value in figures.items()))
    print(f"one refresh, brotli: {size:.1f} KB")
    reached = {**pages["Health page"], "refresh_kb": size}
    missed = {name: limit for name, limit in TARGETS.items() if reached[name] > limit}
    for name, limit in TARGETS.items():
        print(f"  {name:12} {reached[name]:8.1f}  target {limit:6}  {'MISSED' if name in missed else 'reached'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
