"""What the states decide: processed or not, and valid or not; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.orchestration.document import (
    Receipt,
    checked_processing,
    checked_quality,
    generated_of,
    listed,
    required_metrics,
)
from backend.settings import CollectorSource

AT = 1_795_000_000.0
KEYS = ["metrics/a.json", "metrics/b.json"]
DOCUMENT: dict[str, Any] = {
    "requested_by": "somebody",
    "generated": {"at": AT, "ended_at": AT + 2, "samples": 60, "objects": KEYS, "problems": 0},
}
RECEIPTS = [
    Receipt(KEYS[0], 50, 50, 0, 0, ("cpu_utilization", "disk_usage")),
    Receipt(KEYS[1], 10, 9, 1, 0, ("memory_usage",)),
]
REQUIRED = ("cpu_utilization", "memory_usage")


def processed(receipts: list[Receipt]) -> dict[str, Any]:
    return checked_processing(DOCUMENT, receipts, AT + 10, 300)


def test_it_is_complete_with_the_last_receipt() -> None:
    document = processed(RECEIPTS)
    assert document["requested_by"] == "somebody"
    part = document["processing"]
    assert (part["status"], part["missing"], part["samples"], part["stored"], part["merged"]) == (
        "complete", [], 60, 59, 1,
    )  # fmt: skip
    assert part["metrics"] == ["cpu_utilization", "disk_usage", "memory_usage"]
    assert "failure" not in document


def test_it_waits_within_the_deadline_and_then_fails_naming_what_lacks() -> None:
    waiting = checked_processing(DOCUMENT, RECEIPTS[:1], AT + 302, 300)
    assert (waiting["processing"]["status"], waiting["processing"]["missing"]) == ("waiting", [KEYS[1]])
    assert "failure" not in waiting
    failed = checked_processing(waiting, RECEIPTS[:1], AT + 302.1, 300)
    assert failed["processing"]["status"] == "failed"
    assert failed["failure"]["Cause"].startswith("1 of 2 objects were not processed within 300 s: metrics/b.json;")


def test_what_comes_at_the_last_moment_is_complete_all_the_same() -> None:
    assert checked_processing(DOCUMENT, RECEIPTS, AT + 9_999, 300)["processing"]["status"] == "complete"


def test_many_missing_objects_are_counted_rather_than_named() -> None:
    assert listed([str(number) for number in range(8)]) == "0, 1, 2, 3, 4 and 3 more"


@pytest.mark.parametrize(
    "part", [None, {}, {"at": AT, "ended_at": AT, "samples": 1, "objects": "key"}, {"at": AT, "objects": []}]
)
def test_another_collectors_answer_is_refused_by_name(part: Any) -> None:
    with pytest.raises(InvalidInput, match=r"generated: .*data-collector"):
        generated_of({"generated": part})


def test_good_data_pass() -> None:
    document = checked_quality(processed(RECEIPTS), REQUIRED, 5.0)
    assert (document["quality"]["status"], document["quality"]["missing"]) == ("passed", [])
    assert "failure" not in document


@pytest.mark.parametrize(
    ("receipts", "required", "cause"),
    [
        ([RECEIPTS[0], replace(RECEIPTS[1], samples=8)], REQUIRED,
         "the collector wrote 60 samples and the processor read 58"),
        ([RECEIPTS[0], replace(RECEIPTS[1], stored=6, quarantined=4)], REQUIRED,
         "4 of 60 samples were quarantined (6.7 %)"),
        (RECEIPTS, (*REQUIRED, "network_in"), "required metrics are missing: network_in"),
    ],
)  # fmt: skip
def test_bad_data_fail_saying_what_is_wrong(receipts: list[Receipt], required: tuple[str, ...], cause: str) -> None:
    document = checked_quality(processed(receipts), required, 5.0)
    assert document["quality"]["status"] == "failed"
    assert document["failure"] == {"Error": "DataQualityFailed", "Cause": cause}


def test_a_share_at_the_limit_passes() -> None:
    receipts = [RECEIPTS[0], replace(RECEIPTS[1], stored=6, quarantined=3)]
    assert checked_quality(processed(receipts), REQUIRED, 5.0)["quality"]["status"] == "passed"


def test_an_execution_without_samples_is_no_success() -> None:
    empty = {"generated": {**DOCUMENT["generated"], "samples": 0, "objects": []}}
    document = checked_quality(checked_processing(empty, [], AT + 3, 300), (), 5.0)
    assert document["failure"]["Cause"] == "the collector brought no samples"


def test_what_was_not_looked_at_is_not_validated() -> None:
    with pytest.raises(InvalidInput, match="processing"):
        checked_quality(DOCUMENT, REQUIRED, 5.0)


def test_required_is_what_the_configured_sources_always_bring() -> None:
    catalogue = load_catalogue()
    sources = [
        CollectorSource("host"),
        CollectorSource("prometheus", leave_out=["up"]),
        CollectorSource("synthetic", environment="staging"),
        CollectorSource("cloudwatch"),
    ]
    assert required_metrics(sources, catalogue, "production") == ["cpu_utilization", "memory_usage", "disk_usage"]
    assert "network_in" in required_metrics([CollectorSource("synthetic")], catalogue, "production")
