"""The axe report: every page in both themes, and every look there is: loading, empty, stale, failed, displays, phones,
open drawers, menus and dialogs. Prints a line for each and what breaks a rule; exit code 1 when anything does.

The rules are those of WCAG 2.0, 2.1 and 2.2, A and AA, and axe-core's best practices; none is left out.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Error, Page, Route, expect, sync_playwright

from dashboard.pages import PAGES
from tests.browser import axe
from tests.browser.conftest import BROWSERS, FLAGS, SIZE, Face, ready
from tests.dashboard import fakes
from tests.dashboard.full_desk import full

VIEWS: Final = "**/api/v1/view/**"
PHONE: Final = {"width": 390, "height": 844}
SETTLED: Final = (
    "() => [...document.querySelectorAll('.plot:not(.plot-empty)')].every(p => p.querySelector('.main-svg'))"
)


@dataclass(frozen=True)
class Look:
    """``open`` brings a tab there; ``name`` is what the report calls it."""

    name: str
    open: Callable[[Page], None]


def at(page: str, query: str = "") -> Callable[[Page], None]:
    """The page, filled."""
    path = next(known.path for known in PAGES if known.name == page)

    def go(tab: Page) -> None:
        tab.goto(f"{path}?{query}")
        ready(tab, page)
        tab.wait_for_function(SETTLED)

    return go


def then(first: Callable[[Page], None], *steps: Callable[[Page], object]) -> Callable[[Page], None]:
    """``first``, and after it each of ``steps``."""

    def go(tab: Page) -> None:
        first(tab)
        for step in steps:
            step(tab)

    return go


def clicked(selector: str, shown: str) -> Callable[[Page], None]:
    """Presses the first ``selector`` and waits for ``shown``."""

    def go(tab: Page) -> None:
        tab.locator(selector).first.click()
        expect(tab.locator(shown).first).to_be_visible()

    return go


def without_views(answer: Callable[[Route], object], page: str) -> Callable[[Page], None]:
    """From Health to ``page``, whose view is never given: its loading look, or what is said after a failure."""

    def go(tab: Page) -> None:
        at("health")(tab)
        tab.route(VIEWS, answer)
        title = next(known.title for known in PAGES if known.name == page)
        tab.get_by_role("link", name=title, exact=True).click()
        expect(tab.locator(f"#page-{page}")).to_have_attribute("data-filled", "no")

    return go


def failed(tab: Page) -> None:
    """Until the banner says so."""
    expect(tab.locator("#banner")).to_be_visible(timeout=20_000)


def full_looks(event: str, run: str, alert: str) -> Iterator[Look]:
    """Those with data."""
    for page in PAGES:
        yield Look(page.name, at(page.name))
        yield Look(f"{page.name}, as a display", at(page.name, "kiosk"))
    yield Look("health, the time picker open", then(at("health"), clicked("#range summary", "#range .menu-body")))
    yield Look("performance, one operator", at("performance", "operator=enrich"))
    yield Look("performance, compared", at("performance", "compare=previous"))
    yield Look("errors, an event open", then(at("errors", f"event={event}"), shown("#drawer")))
    yield Look("jobs, a run open", then(at("jobs", f"from=now-24h&run={run}"), shown("#run-drawer")))
    yield Look(
        "jobs, batches to retry",
        then(at("jobs", "from=now-24h"), clicked("a:has-text('Retry failed')", "#jobs-retry form")),
    )
    yield Look("alerts, one open", then(at("alerts", f"alert={alert}"), shown("#drawer")))
    asks = clicked("#drawer button:has-text('Acknowledge')", "dialog.confirm")
    yield Look("alerts, a dialog", then(at("alerts", f"alert={alert}"), shown("#drawer"), asks))
    for tab in ("incidents", "silences", "tuning", "checks"):
        yield Look(f"alerts, {tab}", at("alerts", f"tab={tab}"))
    for tab in ("replays", "dead-letters", "audit"):
        yield Look(f"replay, {tab}", at("replay", f"tab={tab}"))
    yield Look("health, chosen filters", at("health", "host=server-001&operator=enrich&refresh=never"))
    yield Look(
        "health, on a phone",
        then(lambda tab: tab.set_viewport_size(PHONE), at("health"), clicked(".toolbar-toggle", "#toolbar")),
    )  # type: ignore[arg-type]


def shown(selector: str) -> Callable[[Page], None]:
    """Waits for it."""
    return lambda tab: expect(tab.locator(selector)).to_be_visible()


def other_looks(face: Face) -> Iterator[Look]:
    """Those of a page that has none: nothing connected, loading, failed, stale and every verdict."""
    for page in PAGES:
        yield Look(f"{page.name}, nothing connected", at(page.name))
        yield Look(
            f"{page.name}, loading", without_views(lambda _route: None, page.name) if page.path != "/" else at("health")
        )
    yield Look("errors, failed", then(without_views(lambda route: route.abort(), "errors"), failed))
    yield Look(
        "health, failed", then(at("health"), lambda tab: tab.route(VIEWS, lambda route: route.abort()), reasked, failed)
    )
    for name, make in fakes.FIXTURES.items():

        def put(tab: Page, make: Callable[[float], object] = make) -> None:
            face.fake.make = make  # type: ignore[assignment]
            face.services.acted()

        yield Look(f"health, {name}", then(put, at("health")))


def reasked(tab: Page) -> None:
    """Asks for the view at once."""
    tab.evaluate("document.dispatchEvent(new CustomEvent('pulseboard:acted'))")


def chosen(looks: Iterator[Look], wanted: tuple[str, ...]) -> Iterator[Look]:
    """Those whose name begins with one of ``wanted``; all without any."""
    return (look for look in looks if not wanted or look.name.startswith(wanted))


@contextmanager
def fresh(tab: Page, url: str) -> Iterator[Page]:
    """The tab, with nothing of the look before."""
    tab.set_viewport_size(SIZE)
    yield tab
    tab.unroute_all(behavior="ignoreErrors")


def report(tab: Page, look: Look, url: str) -> int:
    """Prints what axe finds on a look in both themes; how much that is."""
    with fresh(tab, url):
        try:
            look.open(tab)
        except (Error, AssertionError) as error:
            print(f"  {look.name:36} can't be opened: {str(error).splitlines()[0]}")
            return 1
        number = 0
        lines = []
        for theme in ("dark", "light"):
            tab.evaluate("theme => { document.documentElement.dataset.bsTheme = theme; }", theme)
            found = axe.look(tab, () if theme == "dark" else ("color-contrast",))
            number += len(found.violations)
            lines += [f"    {theme}: {finding}" for finding in found.violations[:8]]
        print(f"  {look.name:36} {number or 'none'}", *lines, sep="\n" if lines else "")
        sys.stdout.flush()
        return number


def main() -> int:
    """Runs all looks in one tab over one server, or those whose name begins with an argument."""
    wanted = tuple(sys.argv[1:])
    logging.disable(logging.CRITICAL)
    expect.set_options(timeout=20_000)
    face, number, count = Face(), 0, 0
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        tab = browser.new_context(base_url=face.url, viewport=SIZE).new_page()
        print("Rules broken, by look (both themes):")
        with full(face.services):
            event = face.services.events.failures.records[0].event_id  # type: ignore[union-attr]
            run = face.services.jobs.stored[0].run_id  # type: ignore[union-attr]
            alert = face.services.alerts.stored[0].alert_id  # type: ignore[union-attr]
            for look in chosen(full_looks(event, run, alert), wanted):
                number, count = number + report(tab, look, face.url), count + 1
        for look in chosen(other_looks(face), wanted):
            number, count = number + report(tab, look, face.url), count + 1
        browser.close()
    face.stop()
    face.services.views.close()
    face.services.answers.close()
    print(f"{count} looks in two themes, {number} findings (0 wanted)")
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
