from __future__ import annotations

from dataclasses import replace

import pytest

from backend.contract.replays import DeadLetter, DeadLetterFilter, Replay

LETTER = DeadLetter(
    "m-1", 0.0, 3, '{"event_id": "ab"}', event_type="order_placed", entity_id="order-1", error_type="parse_error",
    operator="billing",
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (DeadLetterFilter(), True),
        (DeadLetterFilter(error_type="parse_error", operator="billing"), True),
        (DeadLetterFilter(error_type="parse_error", entity_id="order-2"), False),
        (DeadLetterFilter(event_type="order_paid"), False),
        (DeadLetterFilter(text='"ab"'), True),
        (DeadLetterFilter(text="cd"), False),
        (DeadLetterFilter(message_ids=("m-1", "m-2")), True),
        (DeadLetterFilter(message_ids=("m-2",)), False),
    ],
)
def test_a_filter_takes_what_all_its_parts_take(wanted: DeadLetterFilter, taken: bool) -> None:
    assert wanted.takes(LETTER) is taken


def test_time_left_never_promises_more_than_the_limit_allows() -> None:
    first = Replay("r-1", "replay", "running", "ann", "fixed", "event-processor", {}, 0.0, 1_000, sent=200,
                   rate_per_second=100.0, sending_seconds=1.0)  # fmt: skip
    assert first.measured_rate == 200
    assert first.seconds_left == 8.0
    assert replace(first, sending_seconds=4.0).seconds_left == 16.0
    assert replace(first, rate_per_second=None).seconds_left == 4.0
    assert replace(first, status="succeeded").seconds_left is None
