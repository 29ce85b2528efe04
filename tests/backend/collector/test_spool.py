"""The spool: whole objects only, in order, bounded, one owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.collector.core import Outgoing
from backend.collector.spool import Spool, SpoolFull
from backend.contract.errors import InvalidInput

OpenSpool = Callable[[Path, int], Spool]
FIRST = Outgoing("metrics/year=2026/month=11/day=03/metrics-1-a.json", b"one\n", {"spacing-seconds": "15"})
SECOND = Outgoing("metrics/year=2026/month=11/day=03/metrics-0-b.json", b"two\n")


def test_objects_come_back_as_they_were_in_the_order_written(open_spool: OpenSpool, tmp_path: Path) -> None:
    spool = open_spool(tmp_path, 100)
    spool.add(FIRST)
    spool.add(SECOND)
    assert [spool.read(entry) for entry in spool.pending()] == [FIRST, SECOND]
    assert (spool.count, spool.bytes) == (2, 8)
    spool.remove(spool.pending()[0])
    assert (spool.count, spool.bytes) == (1, 4)


def test_a_new_owner_finds_what_the_old_one_left(open_spool: OpenSpool, tmp_path: Path) -> None:
    old = open_spool(tmp_path, 100)
    old.add(FIRST)
    old.close()
    new = open_spool(tmp_path, 100)
    new.add(SECOND)
    assert [new.read(entry) for entry in new.pending()] == [FIRST, SECOND]
    assert (new.count, new.bytes) == (2, 8)


def test_what_was_not_written_whole_is_no_object(open_spool: OpenSpool, tmp_path: Path) -> None:
    (tmp_path / "00000000000000000001,,metrics,x.partial").write_bytes(b"half a li")
    spool = open_spool(tmp_path, 100)
    assert spool.pending() == []
    assert not list(tmp_path.glob("*.partial"))


def test_order_survives_a_clock_that_went_back(
    open_spool: OpenSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(tmp_path, 100)
    spool.add(FIRST)
    spool.close()
    monkeypatch.setattr("backend.collector.spool.time.time_ns", lambda: 5)
    spool = open_spool(tmp_path, 100)
    spool.add(SECOND)
    assert [spool.read(entry) for entry in spool.pending()] == [FIRST, SECOND]


def test_it_takes_no_more_than_its_size(open_spool: OpenSpool, tmp_path: Path) -> None:
    spool = open_spool(tmp_path, 5)
    spool.add(FIRST)
    with pytest.raises(SpoolFull, match="4 of 5 bytes"):
        spool.add(SECOND)
    assert spool.count == 1


def test_two_agents_cannot_share_it(open_spool: OpenSpool, tmp_path: Path) -> None:
    with_lock = open_spool(tmp_path, 5)
    with pytest.raises(InvalidInput, match="in use by another agent"):
        open_spool(tmp_path, 5)
    with_lock.close()
    assert open_spool(tmp_path, 5).count == 0


def test_a_folder_that_cannot_be_used_is_named(open_spool: OpenSpool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="writable --spool"):
        open_spool(tmp_path / "file" / "spool", 5)
