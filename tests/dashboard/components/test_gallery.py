"""The section "Ask history" in each of its looks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from backend.contract.questions import QUESTIONS
from dashboard.components.gallery import MOST_ROWS, props, section
from dashboard.data.gallery import GalleryData, Reading
from dashboard.data.request import ViewRequest
from dashboard.data.source import Source
from dashboard.html import render
from tests.dashboard.gallery_fakes import DONE, START, answer, asked

REQUEST = ViewRequest("capacity", "production", "now-24h", host="server-002")
IDLE = GalleryData(REQUEST, 1_795_270_500, True, None, 10_000_000_000, 0.05)


def drawn(data: GalleryData, part: str = "gallery-answer") -> str:
    children: Any = props(data)[part]["children"]
    return "".join(render(child, START) for child in ([children] if isinstance(children, str) else children))


def having(source: Source = DONE, **changes: Any) -> GalleryData:
    found = answer() if source.state == "done" else None
    return replace(IDLE, reading=replace(Reading(asked(), source, "SELECT 1 < 2", found), **changes))


def test_the_section_is_filled_by_its_own_ids() -> None:
    frame = render(section(), 0)

    for name in props(IDLE):
        assert f'id="{name}"' in frame


def test_every_question_is_a_link_that_says_when_it_was_asked_and_what_it_may_cost() -> None:
    listed = drawn(IDLE, "gallery-questions")

    for question in QUESTIONS:
        assert question.title in listed
        assert f"ask={question.name}&amp;asked=1795270500" in listed
    assert "at most 10 GB a question, $0.05" in drawn(IDLE, "gallery-aside")
    assert "up to the workgroup's limit" in drawn(replace(IDLE, limit_bytes=None), "gallery-aside").replace(
        "&#x27;", "'"
    )
    assert "Nothing asked yet" in drawn(IDLE)


def test_without_athena_nothing_can_be_chosen() -> None:
    nothing = GalleryData(REQUEST, 0)

    assert "<a " not in drawn(nothing, "gallery-questions")
    assert "Not connected" in drawn(nothing)


def test_a_running_question_can_be_cancelled_and_is_looked_at_again_soon() -> None:
    running = having(Source("history", "running", key="key-1", since=START))

    assert json.dumps({"key": "key-1"}).replace('"', "&quot;") in drawn(running)
    assert "/api/v1/history/cancel" in drawn(running)
    assert running.running
    assert not having().running


def test_a_failure_is_said_in_words_and_as_text() -> None:
    failed = drawn(having(Source("history", "failed", error="TABLE_NOT_FOUND: <b>metrics</b>")))

    assert "No answer" in failed
    assert "&lt;b&gt;metrics" in failed
    assert "<table" not in failed
    assert "Cancelled" in drawn(having(Source("history", "cancelled")))


def test_an_answer_is_a_table_with_units_its_cost_its_sql_and_its_files() -> None:
    shown = drawn(having())

    assert "12.3 MB scanned, $0.00006" in shown
    assert '<th scope="col" data-kind="number">Average<span class="unit"> (%)</span></th>' in shown
    assert '<td data-kind="number">41.2</td>' in shown
    assert '<td data-kind="number">–</td>' in shown  # not known, not zero
    assert "SELECT 1 &lt; 2" in shown
    assert f"/api/v1/history/ask/cpu_by_host.csv?from={int(START * 1000)}&amp;to=" in shown
    assert "cpu_by_host.parquet?" in shown
    assert "All 2 rows" in shown


def test_a_long_answer_says_how_many_rows_it_shows_of_how_many() -> None:
    long = answer(rows=tuple((f"h{n}", 1.0, 1.0, 1.0, 1) for n in range(1432)))
    shown = drawn(having(answer=long))

    assert shown.count("<tr>") == MOST_ROWS + 1
    assert "200 of 1,432 rows" in shown
    assert "200 of more than 1,432 rows" in drawn(having(answer=replace(long, cut=True)))


def test_an_answer_without_rows_is_not_a_zero() -> None:
    empty = drawn(having(answer=answer(rows=())))

    assert "No rows" in empty
    assert "<table" not in empty


def test_filters_that_a_question_does_not_follow_are_said() -> None:
    counts, jobs = asked("counts_by_type", host="a"), asked("job_history", host="a")

    assert "all environments, host a" in drawn(having(asked=counts, answer=None))
    assert "production. Not filtered by host" in drawn(having(asked=jobs, answer=None))
