"""The walk that docs/walkthrough.md describes: a red slice, a broken order, its cause, the fix, the replay.

Nothing is faked: the template on the embedded engine, the demo's order stream through the ingest API, the functions,
the dashboard as its own process, and Chromium. Only the clock's waiting is left out: the incident's orders come at
once.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.collector.sources.incidents import DEMO_FIRST
from backend.local.child import Child
from backend.local.demo_config import demo_config
from backend.local.deploy import deploy
from backend.local.engine import Engine, free_port, without_aws
from backend.local.orders import Sender, Shop
from tests.browser.conftest import ready

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

TYPE = "[events.types.order_placed]"
FIXED = f'{TYPE}\naliases = {{ customer_id = ["cust_id"] }}'
INCIDENT_SECONDS = 45.0


@dataclass(frozen=True)
class Floor:
    """The running parts."""

    engine: Engine
    dashboard: str
    api: str

    def events(self, query: str) -> list[dict[str, Any]]:
        """Events of the API's first page."""
        with urllib.request.urlopen(f"{self.api}/events?{query}&limit=500", timeout=20) as answer:
            found: list[dict[str, Any]] = json.load(answer)["events"]
            return found

    def mend(self) -> None:
        """What saving the changed ``pulseboard.toml`` does in the demo: the functions get it."""
        deploy(self.engine.client, config=demo_config(None).replace(TYPE, FIXED))


def eventually(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


QUIET = {"CollectorEnabled": "DISABLED", "ChecksEnabled": "DISABLED"}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Engine, stack, ingest API and dashboard, with an incident's orders taken."""
    place: Path = tmp_path_factory.mktemp("walk")
    config = place / "pulseboard.toml"
    config.write_text(demo_config(None), "utf-8")
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(log=place / "engine.log"))
        environment = {
            **without_aws(os.environ), **engine.environment(), "PULSEBOARD_CONFIG": str(config), "LOG_LEVEL": "WARNING",
            **deploy(engine.client, config=demo_config(None), parameters=QUIET),
        }  # fmt: skip
        ports = free_port(), free_port()
        serve = [sys.executable, "-c", "from pulseboard.cli import main; main()", "serve", "--port", str(ports[0])]
        api = [sys.executable, "-m", "backend.local.api_server", "--port", str(ports[1])]
        for name, command in (("serve", serve), ("api", api)):
            stack.enter_context(Child(name, command, environment, place / f"{name}.log"))
        floor = Floor(engine, *(f"http://127.0.0.1:{port}" for port in ports))
        assert eventually(lambda: answers(f"{floor.api}/openapi.json")), (place / "api.log").read_text()
        now = time.time()
        shop = Shop(seed=7, started=now - DEMO_FIRST - INCIDENT_SECONDS)
        sent = [sending.event for sending in shop.between(now - INCIDENT_SECONDS, now)]
        with closing(Sender(floor.api)) as sender:
            assert sender.post(sent) == len(sent)
        assert eventually(lambda: not floor.events("status=received")), "events wait for their processor"
        assert eventually(lambda: all(event["error"]["dead_lettered"] for event in floor.events("status=failed")))
        assert eventually(lambda: answers(f"{floor.dashboard}/readyz")), (place / "serve.log").read_text()
        yield floor


@pytest.fixture
def walker(chromium: Browser, floor: Floor) -> Iterator[Page]:
    context = chromium.new_context(base_url=floor.dashboard, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def slice_of(page: Page, error_type: str) -> Any:
    """The slice of an error type: slices have no text of their own, so it is found by its place in the legend."""
    names = page.locator("#body-types a.rank").all_inner_texts()
    number = next(index for index, name in enumerate(names) if error_type in name)
    return page.locator("#chart-types .slice path.surface").nth(number)


def test_from_a_spike_to_the_replay_after_the_fix(walker: Page, floor: Floor) -> None:
    broken = [event for event in floor.events("status=failed&error_type=parse_error") if event["source"] == "shop-app"]
    others = [event for event in floor.events("status=failed") if event["error"]["error_type"] != "parse_error"]
    assert len(broken) / (len(broken) + len(others)) == pytest.approx(0.8, abs=0.1)

    # The spike, and one click to what is behind it.
    walker.goto("/?theme=dark&refresh=1s")
    ready(walker, "health")
    walker.locator("#card-dlq_records a").first.click()
    ready(walker, "errors")
    expect(walker.locator("#errors-lead")).to_contain_text(f"{len(broken) + len(others)} failed events")

    # The red slice, then a sample: two clicks to a broken order.
    box = slice_of(walker, "parse_error").bounding_box()
    walker.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    expect(walker).to_have_url(re.compile("error_type=parse_error"))
    expect(walker.locator("#card-newest tbody")).not_to_contain_text("validation_error")
    walker.locator("#card-newest a.opener").first.click()
    drawer = walker.locator("#drawer")
    expect(drawer.locator("#drawer-error")).to_contain_text("customer_id")
    expect(drawer.locator("#drawer-raw")).to_contain_text('"cust_id"')
    expect(drawer.locator("#drawer-trace")).to_contain_text("Dead-letter")
    walker.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    # The cause is known: the field has a new name. The fix, then the keyboard to the Replay page with this filter.
    floor.mend()
    link = walker.locator("a[data-nav='/replay']")
    link.focus()
    link.press("Enter")
    ready(walker, "replay")
    expect(walker).to_have_url(re.compile("error_type=parse_error"))
    expect(walker.locator("#replay-rows tbody tr").first).to_be_visible()

    # A dry run says how many, the replay asks why, and once more before it sends all that match.
    walker.get_by_role("button", name="Dry run").click()
    expect(walker.locator("#order-replay [role=status]")).to_contain_text(str(len(broken)))
    walker.get_by_label("Reason").fill("cust_id is known since the fix")
    walker.get_by_label("Reason").press("Tab")
    walker.get_by_role("button", name="Replay all matching…").press("Enter")
    asked = walker.get_by_role("dialog")
    expect(asked).to_contain_text(f"{len(broken)} events match; {len(broken)} would be sent")
    asked.get_by_role("button", name=f"Replay {len(broken)}", exact=True).press("Enter")
    expect(walker).to_have_url(re.compile("replay="), timeout=60_000)
    expect(walker.locator("#page-replay")).to_contain_text("Succeeded", timeout=60_000)
    expect(walker.locator("#page-replay")).to_contain_text("cust_id is known since the fix")

    # All went through once, and what was not meant was not touched.
    ids = {event["event_id"] for event in broken}
    assert eventually(lambda: ids <= {event["event_id"] for event in floor.events("status=processed")})
    assert {event["event_id"] for event in floor.events("status=failed")} == {event["event_id"] for event in others}
    walker.locator("a[data-nav='/errors']").click()
    ready(walker, "errors")
    expect(walker.locator("#page-errors")).not_to_contain_text("parse_error missing")
    walker.goto("/errors?theme=dark")
    ready(walker, "errors")
    expect(walker.locator("#errors-lead")).to_contain_text(f"{len(others)} failed events")

    # The record of who did it.
    walker.goto("/replay?tab=audit")
    ready(walker, "replay")
    expect(walker.locator("#page-replay")).to_contain_text("cust_id is known since the fix")
    expect(walker.locator("#page-replay")).to_contain_text("local")
