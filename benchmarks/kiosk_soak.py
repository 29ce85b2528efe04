"""Whether a display that is never touched stays small: heap and DOM over an hour's worth of refreshes and more.

    python benchmarks/kiosk_soak.py [URL] [--refreshes N] [--every MS] [--rotate]

A kiosk refreshes once a minute, so an hour is 60 refreshes; by default 600 are made, ten hours' worth, at high speed.
Only the page's timers are sped up: fetching, applying and drawing are real, and each view differs from the last. With
--rotate it changes pages as well. Heap is read on the Health page, after a forced collection.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import mean

from playwright.sync_api import CDPSession, Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.face import READY, chromium, dashboard

FAST = """
// A refresh asked for every second comes every %d ms; rotation's 30 s come in proportion.
const timer = window.setTimeout, repeat = window.setInterval;
window.setTimeout = (run, ms, ...rest) => timer(run, ms >= 800 && ms <= 1300 ? %d : ms, ...rest);
window.setInterval = (run, ms, ...rest) => repeat(run, ms === 30000 ? 30 * %d : ms, ...rest);
window.refreshes = 0;
const fetching = window.fetch;
window.fetch = (url, ...rest) => {
  if (String(url).startsWith('/api/v1/view/')) window.refreshes += 1;
  return fetching(url, ...rest);
};
"""
POINTS = 24
FLAT_PERCENT = 10


def sample(page: Page, session: CDPSession) -> tuple[int, float, int, int]:
    """Refreshes so far, JS heap in MB after a forced collection, DOM nodes, event listeners."""
    page.locator(READY).wait_for()  # a handle from wait_for_selector would itself keep the page's elements alive
    session.send("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    heap, nodes, listeners = metrics["JSHeapUsedSize"] / 1e6, metrics["Nodes"], metrics["JSEventListeners"]
    return page.evaluate("window.refreshes"), heap, int(nodes), int(listeners)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--refreshes", type=int, default=600)
    parser.add_argument("--every", type=int, default=25, help="milliseconds from one refresh to the next")
    parser.add_argument("--rotate", action="store_true", help="change between two pages every 30 refreshes")
    options = parser.parse_args()
    series = []
    with dashboard(options.url) as base, chromium("--js-flags=--expose-gc") as browser:
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.add_init_script(FAST % (options.every, options.every, options.every))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        started = time.monotonic()
        rotation = "&rotate=health,performance&every=30" if options.rotate else ""
        page.goto(f"{base}/?kiosk&refresh=1s{rotation}")
        page.locator(READY).wait_for()
        for point in range(POINTS + 1):
            goal = options.refreshes * point // POINTS
            page.wait_for_function("(goal) => window.refreshes >= goal", arg=goal, timeout=300_000)
            series.append(sample(page, session))
            count, heap, nodes, listeners = series[-1]
            print(f"{count:6} refreshes  heap {heap:6.2f} MB  nodes {nodes:6}  listeners {listeners:5}", flush=True)
        took = time.monotonic() - started
    early, late = series[len(series) // 4 : len(series) // 2], series[-len(series) // 4 :]
    print(f"{series[-1][0]} refreshes in {took:.0f} s; mean of the second quarter against the last:")
    grown = {}
    for name, index in (("heap", 1), ("nodes", 2), ("listeners", 3)):
        before, after = mean(s[index] for s in early), mean(s[index] for s in late)
        grown[name] = 100 * (after - before) / before
        print(f"  {name:10} {before:10.2f} -> {after:10.2f}  {grown[name]:+.1f}%")
    flat = all(value <= FLAT_PERCENT for value in grown.values())
    print(f"flat within {FLAT_PERCENT}%: {'yes' if flat else 'NO'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
