"""The Jobs page in a real browser: the grid's rows come in blocks, stay in place over a refresh, open by mouse and
keyboard; batches are run again from the page."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.contract.jobs import JobRun
from tests.browser.conftest import Face, ready
from tests.dashboard.job_desk import checks, connect, full_reader
from tests.dashboard.job_fakes import FakeReader, FakeRetries

pytestmark = pytest.mark.browser
SUITE = "dash_ag_grid"


@pytest.fixture
def reader(face: Face) -> Iterator[FakeReader]:
    """The services behind the page, with runs of this very day."""
    now = time.time()
    held = full_reader(now)
    connect(face.services, held, checks(now), FakeRetries(held.known))
    yield held
    services: Any = face.services
    services.runs = services.jobs = services.retries = services.alerts = None


def rows(tab: Page) -> Any:
    return tab.locator("#jobs-grid .ag-center-cols-container .ag-row")


def test_runs_are_filtered_sorted_refreshed_and_opened(tab: Page, face: Face, reader: FakeReader) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto("/?from=now-24h")
    ready(tab)
    assert not any(SUITE in url for url in asked), "only the Jobs page carries the grid"

    # To the page without loading anew: its suite comes on demand.
    tab.get_by_role("link", name="Jobs").click()
    ready(tab, "jobs")
    expect(rows(tab).first).to_contain_text(re.compile("Succeeded|Running|Failed"), timeout=30_000)

    # A filter of the address, and the order of a column's head.
    tab.get_by_label("Job", exact=True).fill("orders-backfill")
    tab.get_by_role("button", name="Filter").click()
    expect(rows(tab)).to_have_count(7)
    tab.get_by_role("columnheader", name="Duration").click()
    expect(tab).to_have_url(re.compile("sort=-duration"))
    expect(rows(tab).first).to_contain_text("2026-0")

    # A refresh brings what is new, and leaves the order and the focus where they are.
    tab.get_by_role("columnheader", name="Duration").focus()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#jobs-grid .ag-cell-focus")).to_have_count(1)
    reader.stored.append(
        JobRun("orders-backfill", "bf07", "FAILED", time.time() - 3, batch="2026-07", ended_at=time.time(),
               error="<b>bold</b>", error_type="Error")
    )  # fmt: skip
    face.services.runs._tried_at = 0.0  # type: ignore[union-attr]
    face.services.acted()
    tab.evaluate("document.dispatchEvent(new CustomEvent('pulseboard:acted'))")
    expect(rows(tab)).to_have_count(8)
    expect(tab.locator("#jobs-grid .ag-cell-focus")).to_have_count(1)
    expect(tab).to_have_url(re.compile("sort=-duration"))

    # A row opens by keyboard, closes by Escape; an error's markup is text.
    tab.locator("#jobs-grid .ag-row", has_text="<b>bold</b>").locator(".ag-cell").first.click()
    drawer = tab.locator("#run-drawer")
    expect(drawer).to_contain_text("<b>bold</b>")
    expect(drawer).to_contain_text("2026-07")
    tab.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    tab.get_by_role("columnheader", name="Duration").focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(drawer).to_be_visible()
    expect(tab).to_have_url(re.compile("run="))


def test_failed_batches_are_run_again_from_the_page(tab: Page, face: Face, reader: FakeReader) -> None:
    tab.goto("/jobs?from=now-24h")
    ready(tab, "jobs")
    tab.get_by_role("link", name="Retry failed batches…").click()
    form = tab.locator("#jobs-retry form")
    form.get_by_label("2026-12").uncheck()
    form.get_by_role("button", name="Dry run").click()
    expect(form.locator("[role=status]")).to_contain_text("6 batches would run: 2026-05, 2026-07")
    form.get_by_label("Reason").fill("the disk is larger now")
    form.get_by_role("button", name="Run ticked again…").click()
    dialog = tab.locator("dialog")
    expect(dialog).to_contain_text("Run 6 batches of orders-backfill again?")
    dialog.get_by_role("button", name="Run 6 again").click()
    expect(tab.get_by_text("6 batches of orders-backfill asked to run again")).to_be_visible()
    service: Any = face.services.retries
    [(job, batches, who, reason, _)] = service.asked
    assert (job, who, reason) == ("orders-backfill", "local", "the disk is larger now")
    assert batches == ["2026-05", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]
