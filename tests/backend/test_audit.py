"""The audit log on moto: written before, finished once, found by day and filter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.settings import Settings
from tests.template_resources import create_event_tables

NOW = 1_795_259_220.0
DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[AuditLog]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients = Clients("us-east-1")
        create_event_tables(clients.dynamodb)
        yield AuditLog(clients.dynamodb, Settings(), clock)


def test_an_entry_is_there_before_its_action_and_says_so(log: AuditLog, clock: Clock) -> None:
    audit_id = log.begin("replay.create", "ops", "fixed it", "replay-1", {"matched": 3})
    entry = log.get(audit_id)
    assert (entry.outcome, entry.finished_at, entry.at) == ("started", None, NOW)
    clock.now += 5
    log.finish(audit_id, "succeeded", {"sent": 3})
    entry = log.get(audit_id)
    assert (entry.outcome, entry.finished_at, entry.subject) == ("succeeded", NOW + 5, "replay-1")
    assert entry.details == {"matched": 3, "sent": 3}
    assert entry.as_json()["details"] == {"matched": 3, "sent": 3}


def test_the_first_outcome_stands(log: AuditLog, clock: Clock) -> None:
    audit_id = log.begin("replay.create", "ops", "fixed it")
    log.finish(audit_id, "failed", {"message": "no"})
    clock.now += 5
    log.finish(audit_id, "succeeded")
    entry = log.get(audit_id)
    assert (entry.outcome, entry.finished_at, entry.details) == ("failed", NOW, {"message": "no"})


def test_an_unknown_entry_can_not_be_finished(log: AuditLog) -> None:
    with pytest.raises(KeyError):
        log.finish("audit-of-nothing", "succeeded")


def test_entries_come_newest_first_across_days(log: AuditLog, clock: Clock) -> None:
    for day in range(12):
        clock.now = NOW + day * DAY
        log.begin("replay.create", "ops", f"day {day}")
    found = log.entries(NOW, NOW + 12 * DAY)
    assert [entry.reason for entry in found] == [f"day {day}" for day in reversed(range(12))]
    assert [entry.reason for entry in log.entries(NOW, NOW + 12 * DAY, limit=2)] == ["day 11", "day 10"]


def test_a_range_has_its_start_and_not_its_end(log: AuditLog, clock: Clock) -> None:
    for second in range(3):
        clock.now = NOW + second
        log.begin("replay.create", "ops", f"second {second}")
    assert [entry.reason for entry in log.entries(NOW, NOW + 2)] == ["second 1", "second 0"]


def test_filters_hold_together_and_the_limit_counts_what_matches(log: AuditLog, clock: Clock) -> None:
    for number in range(300):
        clock.now = NOW + number
        entry = log.begin("replay.cancel" if number % 100 == 0 else "replay.create", f"user-{number % 2}", "because")
        if number % 100 == 0:
            log.finish(entry, "refused")
    everything = (NOW, NOW + 1000)
    assert [entry.at - NOW for entry in log.entries(*everything, action="replay.cancel")] == [200, 100, 0]
    assert log.entries(*everything, action="replay.cancel", who="user-1") == ()
    assert len(log.entries(*everything, outcome="refused", who="user-0", limit=2)) == 2
    assert len(log.entries(*everything, who="user-1")) == 150


@pytest.mark.parametrize("bad", [{"outcome": "lost"}, {"limit": 0}, {"limit": 1_000_000}])
def test_a_bad_filter_is_named(log: AuditLog, bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(bad))):
        log.entries(NOW, NOW + 1, **bad)  # type: ignore[arg-type]


def test_details_that_do_not_fit_are_named_and_the_others_kept(log: AuditLog) -> None:
    audit_id = log.begin("dead_letters.delete", "ops", "junk", details={"ids": ["m-1"], "bodies": "x" * 500_000})
    log.finish(audit_id, "succeeded", {"deleted": 1, "more": ["ü" * 100] * 10_000})
    details = log.get(audit_id).details
    assert (details["ids"], details["deleted"], details["cut"]) == (["m-1"], 1, ["bodies", "more"])
