"""AWS away: a real server that hangs or refuses, the journal on this machine's disk, and delivery afterwards."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.aws import Clients
from backend.contract.jobs import HEARTBEAT_SECONDS, LEASE_SECONDS
from backend.jobs.errors import LeaseUnavailable
from backend.jobs.journal import Delivered, Journal
from backend.jobs.sdk import job
from backend.jobs.tracker import SLICE_SECONDS, Tracker
from tests.backend.jobs.tracking import Tracking, tracker_of, wait_for


@pytest.fixture(scope="module")
def unreachable() -> Iterator[dict[str, Clients]]:
    """Clients of a server that takes connections and says nothing, and of one that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            ports = {"hangs": hanging.getsockname()[1], "refuses": closed.getsockname()[1]}
        yield {name: clients_at(f"http://127.0.0.1:{port}") for name, port in ports.items()}


def clients_at(endpoint: str) -> Clients:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        clients = Clients("us-east-1", timeout=0.1, attempts=1)
        for service in ("dynamodb", "sns", "s3", "cloudwatch"):
            getattr(clients, service)
    return clients


@pytest.fixture
def away(tracking: Tracking, unreachable: dict[str, Clients], request: pytest.FixtureRequest) -> Iterator[Tracker]:
    """The same worker while AWS is away; its journal is the one that ``tracking`` delivers."""
    clients = unreachable[getattr(request, "param", "refuses")]
    tracker = tracker_of(clients, tracking.settings, tracking.journal, tracking.log, limit_seconds=0.2)
    yield tracker
    tracker.close()


HOW = pytest.mark.parametrize("away", ["hangs", "refuses"], indirect=True)


def deliver(tracking: Tracking, away: Tracker) -> Delivered:
    """AWS is back. The one that was cut off no longer tries, or it might have the journal just then."""
    away.close()
    return tracking.tracker.deliver()


def kinds(journal: Journal) -> list[str]:
    return [entry["kind"] for entry in journal.entries()]


def test_a_job_without_a_batch_runs_and_is_recorded_when_aws_is_back(
    tracking: Tracking, away: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    with job("kept", tracker=away) as run:
        run.records = 5
    assert not run.recorded
    assert all("journaled in" in line for line in run.unrecorded)
    assert kinds(tracking.journal) == ["start", "end", "recovered"]
    assert sum(message.startswith("job run not recorded in time") for message in caplog.messages) == 1
    assert tracking.runs("kept") == []
    assert deliver(tracking, away) == Delivered(delivered=3)
    kept = tracking.run_of("kept")
    assert (kept.status, kept.records, kept.run_id) == ("SUCCESS", 5, run.run_id)
    assert not tracking.journal.waiting


def test_a_failure_while_aws_is_away_is_told_when_it_is_back(tracking: Tracking, away: Tracker) -> None:
    with pytest.raises(ValueError, match="own"), job("told-later", tracker=away):
        raise ValueError("own")
    assert kinds(tracking.journal) == ["start", "end", "failed", "counted"]
    assert tracking.alerts() == []
    deliver(tracking, away)
    (alert,) = tracking.alerts()
    failed = tracking.run_of("told-later")
    assert (alert["subject"], alert["title"]) == ("told-later", "Job told-later failed: own")
    assert (failed.status, failed.error_key) == ("FAILED", "")


@HOW
def test_a_start_and_an_end_are_bounded_whatever_the_other_side_does(tracking: Tracking, away: Tracker) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="x"), job("bounded", tracker=away):
        raise ValueError("x")
    # Two limits of 0.2 s; the margin is for a busy machine and far below what AWS's own time-outs come to.
    assert time.monotonic() - began < 2


@HOW
def test_a_batch_that_nobody_can_look_at_does_not_start(tracking: Tracking, away: Tracker) -> None:
    with pytest.raises(LeaseUnavailable, match="require_lease=False"), job("unknown", batch="a", tracker=away):
        pytest.fail("it ran")
    assert not tracking.journal.waiting


def test_a_batch_without_a_lease_counts_when_its_end_is_delivered(tracking: Tracking, away: Tracker) -> None:
    with job("unleased", batch="a", require_lease=False, tracker=away) as run:
        assert run.fence == 0
    deliver(tracking, away)
    assert tracking.tracker.pending("unleased", ["a", "b"]) == ["b"]


def test_a_batch_without_a_lease_takes_nothing_from_who_has_one(tracking: Tracking, away: Tracker) -> None:
    with job("both", batch="a", require_lease=False, tracker=away) as unleased:
        pass
    with job("both", batch="a", tracker=tracking.other()) as leased:
        deliver(tracking, away)
        assert tracking.tracker.pending("both", ["a"]) == ["a"]
    assert tracking.tracker.pending("both", ["a"]) == []
    assert {run.run_id: run.status for run in tracking.runs("both")} == {
        unleased.run_id: "SUCCESS", leased.run_id: "SUCCESS",
    }  # fmt: skip


def test_the_end_of_a_lease_waits_in_the_journal_and_is_refused_after_a_takeover(
    tracking: Tracking, away: Tracker
) -> None:
    for name, taken in (("waits", False), ("refused", True)):
        with job(name, batch="a", tracker=tracking.tracker) as run:
            cut_off(tracking.tracker, away)
        tracking.tracker.close()
        assert kinds(tracking.journal) == ["end"]
        assert not run.lease_lost
        if taken:
            tracking.change_batch(name, "a", "SET lease_until = :past", past={"N": "1"})
            with job(name, batch="a", tracker=tracking.other()):
                pass
        tracking.tracker = tracking.again()
        assert deliver(tracking, away) == (Delivered(refused=1) if taken else Delivered(delivered=1))
        assert [found.status for found in tracking.runs(name)] == (["FAILED", "SUCCESS"] if taken else ["SUCCESS"])


def cut_off(tracker: Tracker, away: Tracker) -> None:
    """From here on the tracker writes where nobody answers."""
    tracker._store, tracker._signals = away._store, away._signals


def test_delivering_twice_and_a_start_after_its_end_change_nothing(tracking: Tracking, away: Tracker) -> None:
    with pytest.raises(ValueError, match="x"), job("twice", tracker=away):
        raise ValueError("x")
    entries = list(tracking.journal.entries())
    deliver(tracking, away)
    once = tracking.run_of("twice")
    for entry in [*entries, *reversed(entries)]:
        tracking.journal.add(entry)
    assert deliver(tracking, away).delivered == 2 * len(entries)
    assert tracking.run_of("twice") == once


def test_the_next_start_delivers_what_waits(tracking: Tracking, away: Tracker) -> None:
    with job("first", tracker=away):
        pass
    # It does not hold up the start for long: on a busy machine the delivery ends behind it.
    with job("second", tracker=tracking.tracker):
        wait_for(lambda: [run.status for run in tracking.runs("first")] == ["SUCCESS"])


def test_the_heartbeat_delivers_what_waits(tracking: Tracking, away: Tracker) -> None:
    tracker = tracking.again(beat_seconds=0.01)
    with job("running", tracker=tracker):
        with job("away", tracker=away):
            pass
        wait_for(lambda: [run.status for run in tracking.runs("away")] == ["SUCCESS"])
    tracker.close()


def test_a_long_journal_is_delivered_a_part_at_a_time_between_heartbeats(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    monkeypatch.setattr(tracking.tracker._deliverer, "deliver", given.append)
    tracking.tracker.deliver_quietly()
    assert given == [SLICE_SECONDS]
    assert HEARTBEAT_SECONDS + SLICE_SECONDS < LEASE_SECONDS / 2


def test_a_heartbeat_that_is_lost_is_said_and_the_next_one_counts(tracking: Tracking, away: Tracker) -> None:
    tracker = tracking.other(beat_seconds=0.01)
    with job("missed", tracker=tracker) as run:
        store = tracker._store
        cut_off(tracker, away)
        wait_for(lambda: run.unrecorded)
        tracker._store = store
        run.records = 9
        wait_for(lambda: tracking.run_of("missed").records == 9)
    tracker.close()
    assert run.unrecorded[0].startswith("heartbeat: ")
    assert tracking.run_of("missed").status == "SUCCESS"


def test_a_journal_that_cannot_be_written_is_said_and_stops_no_job(tracking: Tracking, away: Tracker) -> None:
    (tracking.journal.folder.parent / "file").write_text("")
    away.journal = Journal(tracking.journal.folder.parent / "file" / "journal")
    with job("lost", tracker=away) as run:
        pass
    assert any("lost: the journal can't be written" in line for line in run.unrecorded)


def test_what_can_never_be_delivered_is_put_aside_and_holds_nothing_up(tracking: Tracking, away: Tracker) -> None:
    with job("behind", tracker=away):
        pass
    path = tracking.journal.folder / "jobs.jsonl"
    good = path.read_text()
    unknown = {**json.loads(good.splitlines()[0]), "kind": "?"}
    bad = ["{cut", "[]", json.dumps({"kind": "start"}), json.dumps(unknown)]
    path.write_text("\n".join(bad) + "\n" + good)
    assert deliver(tracking, away) == Delivered(delivered=3, refused=4)
    assert (tracking.journal.folder / "refused.jsonl").read_text().splitlines() == bad
    assert tracking.run_of("behind").status == "SUCCESS"


def test_a_lease_that_comes_after_its_job_was_told_no_is_given_back(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracking.other(limit_seconds=0.05)
    take = tracker._store.take

    def slow(*arguments: Any, **named: Any) -> Any:
        taken = take(*arguments, **named)
        time.sleep(0.1)
        return taken

    monkeypatch.setattr(tracker._store, "take", slow)
    with pytest.raises(LeaseUnavailable), job("late", batch="a", tracker=tracker):
        pytest.fail("it ran")
    wait_for(lambda: [run.status for run in tracking.runs("late")] == ["FAILED"])
    with job("late", batch="a", tracker=tracking.tracker) as run:
        assert run.attempt == 2


def test_a_journal_shared_by_processes_is_delivered_by_one_of_them(tmp_path: Path) -> None:
    journal, sent = Journal(tmp_path), list[int]()
    for number in range(3):
        journal.add({"number": number})

    def send(entry: dict[str, Any]) -> None:
        sent.append(entry["number"])
        if entry["number"] == 0:
            # Another process: one that delivers is told to leave it, one that adds loses nothing.
            assert Journal(tmp_path).deliver(send).left == 3
            Journal(tmp_path).add({"number": 3})

    assert journal.deliver(send) == Delivered(delivered=3)
    assert journal.deliver(send) == Delivered(delivered=1)
    assert sent == [0, 1, 2, 3]
    assert replace(Delivered(), left=0) == journal.deliver(send)
