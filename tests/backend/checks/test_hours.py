"""Hour by hour: where events are missing, and when nobody can say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.checks.daily import judge_day
from backend.checks.hours import Evidence, Hour, Indexed, Orphan, finding_of, hours_of, rows
from backend.checks.reconciliation import judge

HOUR = 1_795_258_800.0
"""2026-11-21 11:00 UTC."""
KEYS = [f"events/{number}.json" for number in range(10)]
INDEXED = [Indexed(key, HOUR + 60, "processed") for key in KEYS]
WHOLE = Evidence({HOUR: 10.0}, INDEXED, frozenset(KEYS), (), HOUR - 86400, HOUR - 86400)


def hours(evidence: Evidence, settled_before: float = HOUR + 7200) -> list[Hour]:
    return hours_of(evidence, HOUR, HOUR + 3600, settled_before)


def test_an_hour_whose_events_are_all_processed_or_dead_lettered_matches() -> None:
    (hour,) = hours(replace(WHOLE, indexed=[*INDEXED[:9], replace(INDEXED[9], status="failed")]))
    assert hour.counts.match_percent == 100
    assert dict(hour.counts.counts) == {
        "ingested": 10, "stored": 10, "indexed": 10, "processed": 9, "dead_lettered": 1,
    }  # fmt: skip
    judged = judge([hour], 99.9)
    assert (judged.status, judged.sentence) == ("passed", "All events of 1 hour are accounted for")


@pytest.mark.parametrize(
    ("evidence", "place"),
    [
        (replace(WHOLE, stored=frozenset(KEYS[:9])), "indexed but not in S3"),
        (replace(WHOLE, indexed=INDEXED[:9], orphans=[Orphan(KEYS[9], HOUR + 60, True)]), "in S3 but not indexed"),
        (replace(WHOLE, indexed=[*INDEXED[:9], replace(INDEXED[9], status="received")]), "neither processed nor"),
        (replace(WHOLE, ingested={HOUR: 11.0}), "neither in S3 nor indexed"),
        (replace(WHOLE, external={HOUR: 11}), "outside count is 11"),
    ],
)
def test_one_missing_event_is_found_and_said_where(evidence: Evidence, place: str) -> None:
    found = hours(evidence)
    judged = judge(found, 99.9)
    assert judged.status == "failed"
    assert judged.value == pytest.approx(90, abs=1)
    (finding,) = judged.findings
    assert finding.subject == "2026-11-21 11:00"
    assert place in finding.sentence
    assert "1 missing" in finding_of(found[0]).sentence


def test_what_is_on_its_way_is_no_loss() -> None:
    (hour,) = hours(replace(WHOLE, indexed=INDEXED[:5]), settled_before=HOUR + 3599)
    assert not hour.judged
    assert judge([hour], 99.9).status == "unknown"


def test_an_hour_without_events_is_no_hour_that_matches() -> None:
    (hour,) = hours(replace(WHOLE, ingested={}, indexed=(), stored=frozenset()))
    assert hour.empty
    assert hour.counts.match_percent is None
    assert judge([hour], 99.9).status == "unknown"


def test_objects_past_their_time_to_live_make_an_hour_unknown_not_lost() -> None:
    gone = [Orphan(key, HOUR + 60, False) for key in KEYS]
    (hour,) = hours(replace(WHOLE, indexed=(), orphans=gone))
    judged = judge([hour], 99.9)
    assert judged.status == "unknown"
    assert "10 objects have neither index nor gate" in judged.sentence


def test_reading_that_was_cut_is_not_taken_for_the_whole() -> None:
    (unread,) = hours(replace(WHOLE, indexed_from=HOUR + 3600))
    assert unread.counts.counts["indexed"] is None
    (unlisted,) = hours(replace(WHOLE, stored_from=HOUR + 3600))
    assert (unlisted.counts.counts["stored"], unlisted.judged) == (None, False)
    (unseen,) = hours(replace(WHOLE, ingested={}, indexed_from=HOUR + 3600))
    judged = judge_day([unseen], 99.9, began_before=True)
    assert (judged.status, judged.findings) == ("unknown", ())


def test_an_event_counted_an_hour_late_is_not_missing_in_that_hour() -> None:
    later = HOUR + 3600
    evidence = replace(WHOLE, ingested={HOUR: 9.0, later: 1.0})
    first, second = hours_of(evidence, HOUR, later + 3600, later + 7200)
    assert (first.missing.total, second.missing.total) == (0, 0)
    assert rows([first])[0]["match_percent"] == 100


def test_an_hour_without_the_ingests_count_hides_nothing_of_the_next_and_is_named() -> None:
    later = HOUR + 3600
    first, second = hours_of(replace(WHOLE, ingested={later: 8.0}), HOUR, later + 3600, later + 7200)
    assert (first.missing.total, second.missing.total) == (0, 8)
    judged = judge([first], 99.9)
    assert judged.sentence == "All events found in 1 hour are accounted for; 1 hour without the ingest's own count"


def test_a_day_with_an_empty_hour_has_failed_unless_the_outside_count_says_so() -> None:
    evidence = replace(WHOLE, ingested={HOUR: 10.0})
    day = hours_of(evidence, HOUR, HOUR + 7200, HOUR + 9000)
    judged = judge_day(day, 99.9, began_before=True)
    assert (judged.status, judged.findings[0].sentence) == ("failed", "no event was received")
    quiet = hours_of(replace(evidence, external={HOUR: 10, HOUR + 3600: 0}), HOUR, HOUR + 7200, HOUR + 9000)
    assert judge_day(quiet, 99.9, began_before=True).status == "passed"


def test_the_hours_before_a_pipelines_first_event_are_none_of_its_first_day() -> None:
    day = hours_of(WHOLE, HOUR - 3600, HOUR + 3600, HOUR + 7200)
    assert judge_day(day, 99.9, began_before=False).status == "passed"
    assert judge_day(day, 99.9, began_before=True).status == "failed"
    nothing = hours_of(replace(WHOLE, ingested={}, indexed=(), stored=frozenset()), HOUR, HOUR + 3600, HOUR + 7200)
    assert judge_day(nothing, 99.9, began_before=False).status == "unknown"
