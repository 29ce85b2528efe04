"""The Replay page in a real browser: search, tick, replay, watch, redrive, delete, by mouse and keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.contract.replays import DeadLetterFilter, Preview, Replay, ReplayRequest
from tests.browser.conftest import Face, ready
from tests.dashboard.replay_fakes import (
    FakeAudit,
    FakeDeadLetters,
    FakeEvents,
    FakeReplays,
    entries,
    event_id,
    events,
    letters,
    replays,
)

pytestmark = pytest.mark.browser

EVIL = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
NEW = "feedfacecafe0001"


@dataclass
class ActingReplays(FakeReplays):
    """Does what it is asked to, and remembers it."""

    asked: list[ReplayRequest] = field(default_factory=list)
    steered: list[tuple[str, str, str]] = field(default_factory=list)

    def preview(self, request: ReplayRequest) -> Preview:
        """Counts 1,234."""
        return Preview(1_234, 1_200, 34, False, (), request.selection.start, request.selection.end)

    def create(self, request: ReplayRequest, by: str) -> Replay:
        """Begins to run at once."""
        self.asked.append(request)
        made = replace(self.stored[0], replay_id=NEW, status="running", requested_by=by, reason=request.reason,
                       matched=2, sent=0, failed=0, skipped=0, sending_seconds=0.0)  # fmt: skip
        self.stored.insert(0, made)
        return made

    def pause(self, replay_id: str, by: str, reason: str = "") -> Replay:
        """Pauses at once."""
        self.steered.append(("pause", replay_id, reason))
        return self.put(replay_id, status="paused")

    def put(self, replay_id: str, **changes: Any) -> Replay:
        """Changes one of those stored."""
        at = next(index for index, entry in enumerate(self.stored) if entry.replay_id == replay_id)
        self.stored[at] = replace(self.stored[at], **changes)
        return self.stored[at]


@dataclass
class ActingLetters(FakeDeadLetters):
    """Deletes and redrives what it is asked to."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def delete(self, name: str, message_ids: list[str], by: str, reason: str) -> int:
        """Takes them out."""
        self.asked.append(("delete", name, tuple(message_ids), reason))
        self.stored = [letter for letter in self.stored if letter.message_id not in message_ids]
        return len(message_ids)

    def redrive(
        self, name: str, wanted: DeadLetterFilter, by: str, reason: str, rate_per_second: float | None = None
    ) -> Replay:
        """Says that it began."""
        self.asked.append(("redrive", name, wanted, reason, rate_per_second))
        return replays(self.now)[3]


@dataclass
class Desk:
    """What the page reads and acts through."""

    events: FakeEvents
    replays: ActingReplays
    letters: ActingLetters
    audit: FakeAudit


@pytest.fixture
def desk(face: Face) -> Iterator[Desk]:
    now = time.time()
    made = Desk(
        FakeEvents(now, events(now, 180)), ActingReplays(replays(now)), ActingLetters(now, letters(now)),
        FakeAudit(entries(now)),
    )  # fmt: skip
    own: Any = face.services
    before = own.events, own.replays, own.dead_letters, own.audit
    own.events, own.replays, own.dead_letters, own.audit = made.events, made.replays, made.letters, made.audit
    own.acted()
    yield made
    own.events, own.replays, own.dead_letters, own.audit = before
    own.acted()


def opened(tab: Page, query: str = "") -> Page:
    tab.goto(f"/replay?theme=light{query}")
    ready(tab, "replay")
    return tab


def looked_again(tab: Page) -> None:
    """Asks for the view anew, as the next refresh would."""
    with tab.expect_response(re.compile("/api/v1/view/replay")):
        tab.evaluate("document.dispatchEvent(new CustomEvent('pulseboard:acted'))")


def test_a_search_is_typed_sent_with_enter_and_taken_back(tab: Page, desk: Desk) -> None:
    opened(tab)
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(100)
    tab.get_by_label("Entity", exact=True).fill("order-10399")
    tab.get_by_label("Entity", exact=True).press("Enter")
    expect(tab).to_have_url(re.compile("entity_id=order-10399"))
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(2)
    tab.get_by_role("link", name="Clear").click()
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(100)
    expect(tab.get_by_label("Entity", exact=True)).to_have_value("")
    tab.get_by_role("link", name="Next page").click()
    expect(tab.get_by_role("link", name="First page")).to_be_visible()
    assert tab.locator("#replay-rows tbody tr").count() < 100


def test_a_tick_stays_with_its_event_when_new_ones_push_it_down(tab: Page, desk: Desk) -> None:
    opened(tab)
    second = desk.events.stored[1]
    tab.locator(f"#pick-{second.event_id}").check()
    fresh = replace(desk.events.stored[0], event_id=event_id(9_000), received_at=time.time())
    desk.events.stored.insert(0, fresh)
    looked_again(tab)
    expect(tab.locator("#replay-rows tbody tr").first).to_have_id(f"row-{fresh.event_id}")
    expect(tab.locator("#replay-rows input:checked")).to_have_count(1)
    expect(tab.locator(f"#pick-{second.event_id}")).to_be_checked()
    expect(tab.locator("#replay-rows tbody tr").nth(2)).to_have_id(f"row-{second.event_id}")


def test_a_ticked_row_that_leaves_the_page_stays_chosen_and_is_replayed(tab: Page, desk: Desk) -> None:
    opened(tab)
    record = desk.events.stored[0]
    chosen = [desk.events.stored[number].event_id for number in (1, 98)]
    for ident in chosen:
        tab.locator(f"#pick-{ident}").check()
    expect(tab.locator(".ticked")).to_contain_text("2 ticked")
    fresh = [replace(record, event_id=event_id(9_000 + n), received_at=time.time()) for n in range(99)]
    desk.events.stored[:0] = fresh
    looked_again(tab)
    expect(tab.locator(f"#pick-{chosen[0]}")).to_have_count(0)
    expect(tab.locator("#replay-rows input:checked")).to_have_count(0)
    expect(tab.locator(".ticked")).to_contain_text("2 ticked, 2 of them not in the rows shown")
    tab.get_by_role("link", name="Next page").click()
    expect(tab.locator("#replay-rows input:checked")).to_have_count(2)
    expect(tab.locator(".ticked")).to_have_text(re.compile("^2 ticked(?!,)"))
    tab.get_by_role("link", name="First page").click()
    expect(tab.locator("#replay-rows input:checked")).to_have_count(0)
    tab.get_by_role("button", name="Dry run").click()
    expect(tab.locator("#replay-panel [role=status]")).to_contain_text("Of the 2 ticked: 1,234 events match")
    tab.get_by_label("Reason", exact=True).fill("the two of them")
    tab.get_by_role("button", name="Replay ticked (2)").click()
    expect(tab).to_have_url(re.compile(f"replay={NEW}"))
    assert set(desk.replays.asked[0].selection.event_ids) == set(chosen)
    tab.go_back()
    expect(tab.get_by_role("button", name="Replay ticked (0)")).to_be_disabled()


def test_ticks_end_with_the_search_or_when_they_are_cleared(tab: Page, desk: Desk) -> None:
    opened(tab)
    first = tab.locator(f"#pick-{event_id(0)}")
    expect(tab.get_by_role("button", name="Replay ticked (0)")).to_be_disabled()
    expect(tab.get_by_role("button", name="Clear ticks")).to_have_count(0)
    first.check()
    tab.get_by_role("button", name="Clear ticks").press("Enter")
    expect(first).not_to_be_checked()
    expect(tab.locator(".ticked")).to_contain_text("0 ticked")
    first.check()
    kind = desk.events.stored[0].event_type
    tab.locator(f"#row-{event_id(0)}").get_by_role("link", name=kind).click()
    expect(tab).to_have_url(re.compile(f"event_type={kind}"))
    expect(tab.get_by_role("button", name="Replay ticked (0)")).to_be_disabled()
    expect(first).not_to_be_checked()


def test_a_search_that_finds_nothing_any_more_keeps_what_was_ticked(tab: Page, desk: Desk) -> None:
    opened(tab, "&status=failed")
    ident = next(record.event_id for record in desk.events.stored if record.status == "failed")
    tab.locator(f"#pick-{ident}").check()
    desk.events.stored = []
    looked_again(tab)
    expect(tab.locator("#replay-rows")).to_contain_text("No event matches")
    expect(tab.get_by_role("button", name="Replay ticked (1)")).to_be_enabled()
    tab.get_by_role("button", name="Clear ticks").click()
    expect(tab.locator("#order-replay")).to_be_hidden()


def test_replaying_all_asks_first_with_its_number_and_has_it_typed(tab: Page, desk: Desk) -> None:
    opened(tab, "&status=failed")
    tab.locator("#replay-rows input").first.check()
    tab.get_by_label("Reason", exact=True).fill("all of them")
    tab.get_by_role("button", name="Replay all matching…").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("1,234 events match; 1,200 would be sent, 34 left out")
    tab.keyboard.press("Escape")
    assert desk.replays.asked == []
    tab.get_by_role("button", name="Replay all matching…").click()
    dialog.get_by_label("Type 1200 to confirm").fill("1200")
    dialog.get_by_role("button", name="Replay 1,200").click()
    expect(tab).to_have_url(re.compile(f"replay={NEW}"))
    (asked,) = desk.replays.asked
    assert (asked.selection.event_ids, asked.selection.status, asked.confirm) == ((), "failed", 1_200)


@pytest.mark.parametrize("ticked", [False, True])
def test_the_enter_key_in_a_field_starts_nothing(tab: Page, desk: Desk, ticked: bool) -> None:
    opened(tab)
    if ticked:
        tab.locator("#replay-rows input").first.check()
    tab.get_by_label("Reason", exact=True).fill("pressed by accident")
    tab.get_by_label("Reason", exact=True).press("Enter")
    said = "Of the 1 ticked: " if ticked else "All matching: "
    expect(tab.locator("#replay-panel [role=status]")).to_contain_text(f"{said}1,234 events match")
    assert desk.replays.asked == []
    opened(tab, "&tab=dead-letters&queue=event-processor-dlq")
    tab.get_by_label("Reason", exact=True).fill("pressed by accident")
    tab.get_by_label("Reason", exact=True).press("Enter")
    looked_again(tab)
    assert tab.get_by_role("dialog").count() == 0
    assert desk.letters.asked == []


def test_ticked_events_are_replayed_and_watched_to_their_end(tab: Page, desk: Desk) -> None:
    opened(tab, "&status=failed")
    chosen = [record.event_id for record in desk.events.stored if record.status == "failed"][1:3]
    for ident in chosen:
        tab.locator(f"#pick-{ident}").check()
    tab.get_by_label("Reason", exact=True).fill("customer_id is read again")
    tab.get_by_label("Events a second").fill("50")
    tab.get_by_role("button", name="Replay ticked (2)").click()
    expect(tab).to_have_url(re.compile(f"tab=replays.*replay={NEW}|replay={NEW}.*tab=replays"))
    (asked,) = desk.replays.asked
    assert set(asked.selection.event_ids) == set(chosen)
    assert (asked.selection.status, asked.rate_per_second, asked.target) == (None, 50.0, "event-processor")
    expect(tab.locator(".run .badge").first).to_have_text("Running")
    expect(tab.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "0")
    desk.replays.put(NEW, sent=1)
    expect(tab.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "1")
    desk.replays.put(NEW, sent=2, status="succeeded", finished_at=time.time())
    expect(tab.locator(".run .badge").first).to_have_text("Succeeded")
    expect(tab.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_dry_run_says_the_count_and_keeps_what_was_typed(tab: Page, desk: Desk) -> None:
    opened(tab)
    tab.get_by_label("Events a second").fill("20")
    tab.get_by_role("button", name="Dry run").click()
    expect(tab.locator("#replay-panel [role=status]")).to_contain_text("All matching: 1,234 events match")
    expect(tab.get_by_label("Events a second")).to_have_value("20")
    assert desk.replays.asked == []
    tab.get_by_label("Reason", exact=True).fill("being typed")
    desk.events.stored = desk.events.stored[3:]
    looked_again(tab)
    expect(tab.locator(f"#row-{desk.events.stored[0].event_id}")).to_be_visible()
    expect(tab.get_by_label("Reason", exact=True)).to_have_value("being typed")


def test_pausing_asks_for_a_reason_by_keyboard_alone(tab: Page, desk: Desk) -> None:
    opened(tab, "&tab=replays")
    tab.locator("#replay-rows tbody a").first.focus()
    tab.keyboard.press("Enter")
    tab.locator(".run").get_by_role("button", name="Pause").focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("It can be resumed")
    tab.keyboard.type("let the database breathe")
    tab.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(tab.locator(".run .badge").first).to_have_text("Paused")
    expect(tab.get_by_role("button", name="Resume")).to_be_visible()
    assert desk.replays.steered == [("pause", "4f1c09d2a7be4c13", "let the database breathe")]


def test_an_event_opens_beside_the_list_and_escape_goes_back(tab: Page, desk: Desk) -> None:
    opened(tab)
    link = tab.locator(f"#row-{event_id(2)} a").first
    link.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#drawer")).to_be_visible()
    expect(tab.locator("#drawer-raw")).to_contain_text("[redacted]")
    tab.keyboard.press("Escape")
    expect(tab.locator("#drawer")).to_be_hidden()
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(100)
    expect(link).to_be_focused()


def test_ticked_dead_letters_are_deleted_after_a_question(tab: Page, desk: Desk) -> None:
    opened(tab, "&tab=dead-letters")
    tab.get_by_role("link", name="Look inside event-processor-dlq").click()
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(47)
    ident = desk.letters.stored[2].message_id
    expect(tab.get_by_role("button", name="Delete ticked (0)")).to_be_disabled()
    tab.locator(f"#letter-{ident}").check()
    tab.get_by_label("Reason", exact=True).fill("test messages")
    tab.get_by_role("button", name="Delete ticked (1)").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(tab.locator("#replay-rows tbody tr")).to_have_count(46)
    assert desk.letters.asked == [("delete", "event-processor-dlq", (ident,), "test messages")]


def test_a_redrive_takes_the_filter_along(tab: Page, desk: Desk) -> None:
    opened(tab, "&tab=dead-letters&queue=event-processor-dlq")
    tab.get_by_label("Error type").select_option("timeout")
    tab.get_by_role("button", name="Filter", exact=True).click()
    expect(tab.locator(".scanned")).to_contain_text("of them match the filter")
    tab.get_by_label("Reason", exact=True).fill("enrichment is back")
    tab.get_by_role("button", name="Redrive all matching…").click()
    expect(tab.get_by_role("dialog")).to_contain_text("that match the filter?")
    assert desk.letters.asked == []
    tab.get_by_role("dialog").get_by_role("button", name="Redrive all matching").click()
    expect(tab).to_have_url(re.compile("replay=e803b6419dd14a55"))
    assert desk.letters.asked[0][1:4] == (
        "event-processor-dlq", DeadLetterFilter(error_type="timeout"), "enrichment is back",
    )  # fmt: skip


def test_ticked_dead_letters_are_redriven_by_their_ids_alone(tab: Page, desk: Desk) -> None:
    opened(tab, "&tab=dead-letters&queue=event-processor-dlq")
    ident = desk.letters.stored[1].message_id
    tab.locator(f"#letter-{ident}").check()
    desk.letters.stored = [letter for letter in desk.letters.stored if letter.message_id != ident]
    tab.get_by_label("Reason", exact=True).fill("enrichment is back")
    tab.get_by_role("button", name="Redrive ticked (1)").click()
    expect(tab).to_have_url(re.compile("replay=e803b6419dd14a55"))
    assert desk.letters.asked[0][1:3] == ("event-processor-dlq", DeadLetterFilter(message_ids=(ident,)))


def test_every_tab_is_there_again_when_one_comes_back_to_it(tab: Page, desk: Desk) -> None:
    opened(tab)
    marks = {"Replays": "#run-4f1c09d2a7be4c13", "Dead letters": "#queue-event-processor-dlq",
             "Audit log": "#entry-audit-0", "Search": f"#row-{event_id(0)}"}  # fmt: skip
    for _ in range(2):
        for name, mark in marks.items():
            tab.locator("#replay-tabs").get_by_role("link", name=name).click()
            expect(tab.locator(mark)).to_be_visible()
    tab.get_by_role("link", name="Health", exact=True).click()
    expect(tab.locator("#page-health")).to_have_attribute("data-filled", "yes")
    tab.get_by_role("link", name="Replay", exact=True).click()
    expect(tab.locator(f"#row-{event_id(0)}")).to_be_visible()


def test_whatever_is_stored_is_shown_as_text(tab: Page, desk: Desk) -> None:
    first = desk.events.stored[0]
    desk.events.stored = [replace(first, entity_id=EVIL, event_type=EVIL, source=EVIL, correlation_id=EVIL)]
    desk.replays.stored = [replace(desk.replays.stored[0], reason=EVIL, requested_by=EVIL, selection={"source": EVIL})]
    letter = desk.letters.stored[0]
    desk.letters.stored = [replace(letter, entity_id=EVIL, error_message=EVIL, body='{"a": "%s"}' % EVIL)]  # noqa: UP031
    desk.audit.stored = [replace(desk.audit.stored[0], who=EVIL, reason=EVIL, subject=EVIL, details={EVIL: EVIL})]
    for query in ("", "&tab=replays", "&tab=dead-letters&queue=event-processor-dlq", "&tab=audit"):
        opened(tab, query)
        expect(tab.locator("#replay-rows")).to_contain_text("<script>")
        assert tab.evaluate("window.pwned") is None
        assert tab.locator("#replay-rows script, #replay-rows img").count() == 0


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
def test_a_kiosk_shows_queues_and_replays_without_scrolling_or_anything_to_press(
    tab: Page, desk: Desk, size: tuple[int, int]
) -> None:
    running = desk.replays.stored[0]
    desk.replays.stored = [replace(running, replay_id=f"r-{number:02}") for number in range(30)]
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    tab.goto("/replay?kiosk&theme=dark")
    ready(tab, "replay")
    expect(tab.locator("#queue-event-processor-dlq")).to_be_visible()
    assert tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == list(size)
    last = tab.locator("#replay-rows tbody tr").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= size[1]
    assert tab.locator("button, select, input, nav a, main a, header a").count() == 0


@pytest.mark.parametrize("query", ["", "&tab=replays&replay=4f1c09d2a7be4c13", "&tab=audit",
                                   "&tab=dead-letters&queue=event-processor-dlq"])  # fmt: skip
def test_a_phone_never_scrolls_sideways(tab: Page, desk: Desk, query: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    opened(tab, query)
    expect(tab.locator("#replay-rows td").first).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
