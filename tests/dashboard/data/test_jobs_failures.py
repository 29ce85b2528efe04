from __future__ import annotations

import re
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.jobs import JobRun
from dashboard.data import jobs_columns
from dashboard.data.jobs_columns import columns_of, empty
from dashboard.data.jobs_errors import MAX_LENGTH, group_key, normalised
from dashboard.data.jobs_failures import failure_groups
from dashboard.data.jobs_query import RunQuery, matching

WORDS = st.text(string.ascii_letters, min_size=1, max_size=9).filter(lambda word: not re.fullmatch("[a-fA-F]+", word))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no answer within 30 s", "no answer within <n> s"),
        ("no answer from 10.0.3.17:443", "no answer from <n>:<n>"),
        ("request 5f3ac0de99 failed", "request <hex> failed"),
        ("pointer 0xDEADBEEF", "pointer <hex>"),
        ("run 6f9619ff-8b86-d011-b42d-00c04fc964ff is gone", "run <id> is gone"),
        ("nothing for 2026-11-21T14:05:07.123Z", "nothing for <date>"),
        ("month 2026-05 is empty", "month <date> is empty"),
        ("late at 14:05:07", "late at <time>"),
        ("key 'amount' and \"net\" and `tax`", "key <text> and <text> and <text>"),
        ("can't read the row's end", "can't read the row's end"),
        ("order-10377 has no owner", "<id> has no owner"),
        ("GET https://example.com/a?b=1 said 503", "GET <url> said <n>"),
        ("first line 1\nTraceback 2", "first line <n>"),
        ("", "no message"),
    ],
)  # fmt: skip
def test_what_varies_is_replaced_by_what_it_is(message: str, expected: str) -> None:
    assert normalised("", message) == expected


def test_the_type_is_named_once() -> None:
    assert normalised("ValueError", "ValueError: bad 3") == "ValueError: bad <n>"
    assert normalised("ValueError", "bad 3") == "ValueError: bad <n>"
    assert normalised("ValueError", "") == "ValueError"


@given(st.text(max_size=400))
def test_any_text_becomes_a_short_one_without_digits(message: str) -> None:
    text = normalised("", message)
    assert 0 < len(text) <= MAX_LENGTH
    assert not re.search(r"\d", text)
    assert "\n" not in text


@given(st.lists(WORDS, min_size=1, max_size=6), st.integers(0, 10**9), st.integers(0, 10**9))
def test_messages_that_differ_in_numbers_alone_are_one_group(words: list[str], one: int, other: int) -> None:
    first, second = (f"{' '.join(words)} {number} of {number + 1}" for number in (one, other))
    assert normalised("E", first) == normalised("E", second)


def failed(at: float, job: str, error: str, kind: str = "TimeoutError") -> JobRun:
    return JobRun(job, f"r{at}", "FAILED", at, ended_at=at + 1, error=error, error_type=kind)


def test_groups_count_when_and_where_the_most_frequent_first() -> None:
    runs = [
        *(failed(100.0 + number, "load", f"no answer within {number} s") for number in range(4)),
        failed(900.0, "export", "no answer within 77 s"),
        failed(500.0, "load", "bad row", "ValueError"),
        JobRun("load", "ok", "SUCCESS", 50.0, ended_at=60.0),
    ]
    columns = columns_of(runs, empty().words)
    groups, number = failure_groups(columns)
    assert number == 2
    assert [(group.message, group.count) for group in groups] == [
        ("TimeoutError: no answer within <n> s", 5), ("ValueError: bad row", 1)
    ]  # fmt: skip
    assert (groups[0].first_at, groups[0].last_at, groups[0].jobs) == (100.0, 900.0, ("load", "export"))
    asked = RunQuery(0.0, 1_000.0, "production", {"failure": groups[0].key})
    assert matching(columns, asked).sum() == 5
    assert matching(columns, replace(asked, values={"failure": group_key("no such message")})).sum() == 0


def test_a_text_is_read_as_its_run_comes_in_and_never_for_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = columns_of([failed(float(at), "load", f"row {at} is bad") for at in range(9)], empty().words)

    def never(*_: str) -> str:
        raise AssertionError("a held text was normalised again")

    monkeypatch.setattr(jobs_columns, "normalised", never)
    ((group,), _) = failure_groups(columns)
    found = matching(columns, RunQuery(0.0, 1_000.0, "production", {"failure": group.key}))
    assert (group.count, found.sum()) == (9, 9)


def test_no_failed_run_is_no_group() -> None:
    assert failure_groups(empty()) == ((), 0)
