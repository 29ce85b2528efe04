"""How soon six time charts of 10 lines x 720 points are on the glass of a cold browser: the product's page against a
static HTML page from the same server, with the same plotly bundle and the same figures, that does nothing but call
``Plotly.newPlot`` six times.

    python -m benchmarks.performance_page [--rounds N]

Each load is a new browser context with an empty cache; the two pages take turns. ``charts``: the last line of the last
chart is drawn. ``live``: Dash has taken the page over.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from dash import html
from flask import Flask, Response
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.face import chromium, dashboard
from dashboard.bundles import PLOTLY_PATH
from dashboard.components.chart import CONFIG, chart
from dashboard.data.request import ViewRequest
from dashboard.pages import base as pages
from dashboard.services import Services

LIMIT = 1.1
SIX = "six"
PANELS = ("throughput", "latency", "operators", "checkpoints", "resources", "collections")
LINES, POINTS = 10, 720
ALL = f"() => document.querySelectorAll('.scatterlayer .trace path.js-line').length >= {len(PANELS) * LINES}"
WATCH = (
    """
window.marks = {};
(function look() {
  requestAnimationFrame(() => {
    if ((ALL)()) setTimeout(() => { window.marks.charts = performance.now(); });
    else look();
  });
})();
"""
).replace("ALL", ALL)
LIVE = "() => !document.getElementById('first-paint') && document.querySelector('#react-entry-point [data-filled=yes]')"
FRAME = {"xaxis": {"type": "date"}, "yaxis": {"rangemode": "tozero"}, "showlegend": False}
STATIC = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Static</title><style>
body {{ margin: 1rem; display: grid; gap: 1rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }}
div {{ height: 15rem; }}</style></head><body>{places}<script src="{plotly}"></script><script>
const figures = {figures};
for (const [id, {{ data, layout, config }}] of Object.entries(figures)) Plotly.newPlot(id, data, layout, config);
</script></body></html>"""


def traces(panel: int, now: float) -> list[Mapping[str, Any]]:
    """Ten lines of 720 points as views carry them."""
    start = round((now - POINTS * 5) * 1000)
    return [
        {
            "type": "scatter", "mode": "lines", "name": f"line-{line}", "line": {"width": 1.5}, "x0": start, "dx": 5000,
            "y": [round(50 + 9 * line + 8 * math.sin(x / (7 + panel)) + x * (line + 3) % 5, 1) for x in range(POINTS)],
        }
        for line in range(LINES)
    ]  # fmt: skip


def page() -> pages.Page:
    """Six time charts through the same layout, view and first paint as the product's own pages."""

    def layout() -> html.Div:
        cards = [
            html.Section(
                [
                    html.Header(html.H2(panel.capitalize()), className="card-head"),
                    html.Div(chart(panel, panel, FRAME), id=f"plot-{panel}", className="plot"),
                ],
                id=f"card-{panel}", className="card", style={"gridColumn": "span 6"},
            )
            for panel in PANELS
        ]  # fmt: skip
        return html.Div(cards, id=f"page-{SIX}", className="page errors", **{"data-filled": "no"})

    def view(now: float, _now: float) -> pages.View:
        drawn = {f"chart-{panel}": traces(index, now) for index, panel in enumerate(PANELS)}
        return pages.View({f"page-{SIX}": {"data-filled": "yes"}}, as_of=now, charts=drawn)

    return pages.Page(
        SIX, f"/{SIX}", "Six charts", "Six time charts", layout, lambda _services, _request, now: now, view,
        filters=("range",), time_charts=tuple(f"chart-{panel}" for panel in PANELS),
    )  # fmt: skip


def static(services: Services) -> str:
    """The same charts, with what the view holds of them, without a product around them."""
    body, _ = services.view(ViewRequest(SIX, services.settings.config.environment)).body("")
    drawn = json.loads(body)["charts"]
    figures = {
        f"chart-{panel}": {
            "data": drawn[f"chart-{panel}"],
            "layout": chart(panel, panel, FRAME).figure["layout"],
            "config": CONFIG,
        }
        for panel in PANELS
    }
    places = "".join(f'<div id="chart-{panel}"></div>' for panel in PANELS)
    return STATIC.format(places=places, plotly=PLOTLY_PATH, figures=json.dumps(figures, separators=(",", ":")))


def serve(port: int) -> None:
    """Runs the dashboard with the page and, beside it, the static one."""
    from dashboard.access.settings import load_access
    from dashboard.app import assemble
    from dashboard.pages import PAGES
    from pulseboard.commands.serve import Server
    from tests.dashboard import fakes

    def make() -> Flask:
        services = fakes.services(fakes.FakeHealth(), pages=(*PAGES, page()), hot_refresh_seconds=5)
        server = assemble(services, load_access({}))
        # The policy of the product's pages would keep the static page's script from running.
        after = server.after_request_funcs[None]
        after.insert(0, _without_policy)
        server.add_url_rule("/static.html", "static_page", lambda: static(services))
        return server

    Server(make, "127.0.0.1", port).run()


def _without_policy(response: Response) -> Response:
    from flask import request

    if request.path == "/static.html":
        del response.headers["Content-Security-Policy"]
    return response


def load(browser: Browser, url: str, *, product: bool) -> dict[str, float]:
    """One cold load: milliseconds from the navigation's start, kilobytes as they crossed the wire."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    tab = context.new_page()
    wire: list[float] = []
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: wire.append(event["encodedDataLength"]))
    tab.add_init_script(WATCH)
    tab.goto(url)
    tab.wait_for_function("() => window.marks.charts")
    figures = {"charts_ms": tab.evaluate("window.marks.charts")}
    if product:
        tab.wait_for_function(LIVE)
        figures["live_ms"] = tab.evaluate("performance.now()")
    tab.wait_for_load_state("networkidle")
    paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    context.close()
    return {**figures, "first_paint_ms": paint, "wire_kb": sum(wire) / 1000}


def main() -> int:
    """Prints both medians and their ratio; 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    rounds: dict[str, list[dict[str, float]]] = {"product": [], "static HTML": []}
    with dashboard(None, "benchmarks.performance_page", "--serve") as base, chromium() as browser:
        addresses = {"product": f"{base}/{SIX}", "static HTML": f"{base}/static.html"}
        for number in range(options.rounds + 1):  # the browser's own first pages are not ours to measure
            for name, address in addresses.items():
                figures = load(browser, address, product=name == "product")
                if number:
                    rounds[name].append(figures)
    medians = {name: {key: median(r[key] for r in every) for key in every[0]} for name, every in rounds.items()}
    for name, figures in medians.items():
        print(f"{name}: " + ", ".join(f"{key} {value:,.0f}" for key, value in figures.items()))
    ratio = medians["product"]["charts_ms"] / medians["static HTML"]["charts_ms"]
    print(f"six charts of {LINES} x {POINTS} points, cold, median of {options.rounds}: {ratio:.2f} x (limit {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
