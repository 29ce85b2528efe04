"""Words and links of messages."""

from __future__ import annotations

from typing import Any

import pytest

from backend.alerts.transports import text
from backend.alerts.transports.links import links_of, shown
from backend.alerts.transports.retry_after import retry_after
from backend.contract.catalogue import load_catalogue


def test_a_cut_is_seen_and_counts_what_there_was() -> None:
    assert text.cut("a\tb\nc", 10) == "a\tb\nc"
    assert text.cut("x" * 1_000_000, 100) == "x" * 64 + "… (cut, 1,000,000 characters in all)"
    assert len(text.cut("x" * 1_000_000, 100)) == 100
    assert text.one_line("  a \r\n b ", 10) == "a b"
    assert text.one_line("x" * 30, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("fields", "word"),
    [({}, "Open"), ({"flapping": True}, "Open; comes and goes"),
     ({"state": "acknowledged", "acknowledged_by": "ada", "acknowledged_at": 1_795_259_280.0},
      "Acknowledged by ada 2026-11-21 11:08 UTC"),
     ({"unknown_since": 1_795_259_280.0},
      "Open; ❔ its source says nothing since 2026-11-21 11:08 UTC, so it stays open"),
     ({"state": "resolved", "resolved_at": 1_795_259_820.0, "unknown_since": 1.0},
      "✅ Resolved 2026-11-21 11:17 UTC, open for 10 min")],
)  # fmt: skip
def test_states_are_words(fields: Any, word: str, message: Any) -> None:
    assert text.state_text(message(alert=fields)) == word


def test_a_value_is_said_against_the_alarms_threshold(alert: Any) -> None:
    catalogue = load_catalogue()
    assert text.value_text(alert(), catalogue) == "240 records, alerts above 100 records"
    assert text.value_text(alert(metric="", value=12.0, unit="files"), catalogue) == "12 files"
    assert text.value_text(alert(value=None), catalogue) == ""


def test_links_open_what_the_alert_is_about(alert: Any) -> None:
    links = links_of(alert(page="/jobs", runbook="a/../b", environment="a&b"), "https://pb.example/")
    assert links["page"] == "https://pb.example/jobs?environment=a%26b&from=1795258320000"
    assert links["runbook"] == "https://pb.example/runbooks/a%2F..%2Fb"
    assert links_of(alert(), "") == {}
    assert set(links_of(alert(page="", runbook=""), "https://pb.example")) == {"alert"}


def test_only_web_addresses_are_shown() -> None:
    long = "https://pb.example/" + "x" * 3_000
    assert shown({"page": "javascript:alert(1)", "runbook": long, "alert": "https://x", "other": "https://y"}) == [
        ("alert", "Acknowledge", "https://x")
    ]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("-5", 0.0), ("1e9", 3600.0), ("nan", None), ("soon", None), (None, None),
     ("Thu, 01 Jan 1970 00:01:00 GMT", 50.0), ("Wed, 31 Dec 1969 00:00:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 10.0) == seconds
