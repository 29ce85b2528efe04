"""How soon the charts of a page are on the glass of a cold browser: the product's page against a static HTML page from
the same server, with the same plotly bundle and the same figures, that does nothing but call ``Plotly.newPlot``.

    python -m benchmarks.performance_page [--rounds N] [--page NAME]

Two pages are measured: one of six charts of 10 lines x 720 points, made for this, and the Performance page over an hour
of the synthetic pipeline. Each load is a new browser context with an empty cache; product and static page take turns.
The server is warm: its clock stands still, so the view is one that others have been shown, and the static page is made
beforehand. ``charts``: the last trace of the last chart is drawn. ``live``: Dash has taken the page over.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from dash import dcc, html
from flask import Flask, Response, request
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.face import chromium, dashboard
from dashboard.bundles import PLOTLY_PATH
from dashboard.components.chart import chart
from dashboard.data.request import ViewRequest
from dashboard.pages import base as pages
from dashboard.services import Services

LIMIT = 1.1
SIX = "six"
MEASURED = (SIX, "performance")
PANELS = ("throughput", "latency", "operators", "checkpoints", "resources", "collections")
LINES, POINTS = 10, 720
DRAWN = "document.querySelectorAll('.js-plotly-plot :is(.scatterlayer, .barlayer) .trace').length"
WATCH = """
window.marks = {};
(function look() {
  requestAnimationFrame(() => {
    if (DRAWN >= NUMBER) setTimeout(() => { window.marks.charts = performance.now(); });
    else look();
  });
})();
""".replace("DRAWN", DRAWN)
LIVE = "() => !document.getElementById('first-paint') && document.querySelector('#react-entry-point [data-filled=yes]')"
FRAME = {"xaxis": {"type": "date"}, "yaxis": {"rangemode": "tozero"}, "showlegend": False}
STATIC = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Static</title><style>
body {{ margin: 1rem; display: grid; gap: 1rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }}
div {{ height: 15rem; }}</style></head><body>{places}<script src="{plotly}"></script><script>
const figures = {figures};
for (const [id, {{ data, layout, config }}] of Object.entries(figures)) Plotly.newPlot(id, data, layout, config);
window.finished = true;
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

    def load(_services: Services, _request: ViewRequest, now: float) -> Mapping[str, Any]:
        return {f"chart-{panel}": traces(index, now) for index, panel in enumerate(PANELS)}

    def view(drawn: Mapping[str, Any], now: float) -> pages.View:
        return pages.View({f"page-{SIX}": {"data-filled": "yes"}}, as_of=now, charts=drawn)

    return pages.Page(
        SIX, f"/{SIX}", "Six charts", "Six time charts", layout, load, view,
        filters=("range",), time_charts=tuple(f"chart-{panel}" for panel in PANELS),
    )  # fmt: skip


def static(services: Services, name: str) -> str:
    """The charts of a page, as its view holds them, without a product around them."""
    shown = services.page(name)
    assert shown is not None
    body, _ = services.view(ViewRequest(name, services.settings.config.environment)).body("")
    drawn = json.loads(body)["charts"]
    figures = {
        graph.id: {"data": drawn[graph.id], "layout": graph.figure["layout"], "config": graph.config}
        for graph in _graphs(shown.layout())
        if drawn.get(graph.id)
    }
    places = "".join(f'<div id="{name}"></div>' for name in figures)
    return STATIC.format(places=places, plotly=PLOTLY_PATH, figures=json.dumps(figures, separators=(",", ":")))


def _graphs(node: Any) -> Iterator[dcc.Graph]:
    if isinstance(node, list | tuple):
        for child in node:
            yield from _graphs(child)
    elif isinstance(node, dcc.Graph):
        yield node
    elif (children := getattr(node, "children", None)) is not None:
        yield from _graphs(children)


def serve(port: int) -> None:
    """Runs the dashboard over the synthetic pipeline with the page of six charts and, beside each page, its static
    twin."""
    from dashboard.access.settings import load_access
    from dashboard.app import assemble
    from pulseboard.commands.serve import Server
    from tests.dashboard import performance_desk

    def make() -> Flask:
        started = time.time()
        services = performance_desk.services(now=lambda: started)
        services.pages = (*services.pages, page())
        server = assemble(services, load_access({}))
        # The policy of the product's pages would keep the static page's script from running.
        server.after_request_funcs[None].insert(0, _without_policy)
        twins = {name: static(services, name) for name in MEASURED}
        server.add_url_rule("/static/<name>", "static_page", lambda name: twins[name])
        return server

    Server(make, "127.0.0.1", port).run()


def _without_policy(response: Response) -> Response:
    if request.path.startswith("/static/"):
        del response.headers["Content-Security-Policy"]
    return response


def expected(browser: Browser, url: str) -> int:
    """How many traces the charts of a page have."""
    tab = browser.new_page()
    tab.goto(url)
    tab.wait_for_function("() => window.finished")
    tab.wait_for_timeout(500)
    number = int(tab.evaluate(DRAWN))
    tab.close()
    return number


def load(browser: Browser, url: str, number: int, *, product: bool) -> dict[str, float]:
    """One cold load: milliseconds from the navigation's start, kilobytes as they crossed the wire."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    tab = context.new_page()
    wire: list[float] = []
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: wire.append(event["encodedDataLength"]))
    tab.add_init_script(WATCH.replace("NUMBER", str(number)))
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


def compare(browser: Browser, base: str, name: str, rounds: int) -> float:
    """Prints the medians of a page and its static twin; how many times longer the product takes."""
    twin = f"{base}/static/{name}"
    number = expected(browser, twin)
    measured: dict[str, list[dict[str, float]]] = {f"{base}/{name}": [], twin: []}
    for turn in range(rounds + 1):  # the browser's own first pages are not ours to measure
        for address, every in measured.items():
            figures = load(browser, address, number, product=address != twin)
            if turn:
                every.append(figures)
    medians = {address: {key: median(r[key] for r in every) for key in every[0]} for address, every in measured.items()}
    for address, figures in medians.items():
        print(f"{address.removeprefix(base)}: " + ", ".join(f"{key} {value:,.0f}" for key, value in figures.items()))
    ours, theirs = (figures["charts_ms"] for figures in medians.values())
    print(f"  {number} traces, cold, median of {rounds}: {ours / theirs:.2f} x the static page (limit {LIMIT})")
    return ours / theirs


def main() -> int:
    """Prints the figures of both pages; 1 where one is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--page", choices=MEASURED)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    with dashboard(None, "benchmarks.performance_page", "--serve") as base, chromium() as browser:
        ratios = [compare(browser, base, name, options.rounds) for name in MEASURED if options.page in (None, name)]
    return int(max(ratios) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
