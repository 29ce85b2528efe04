from __future__ import annotations

import pytest

from backend.contract.replays import DeadLetter, DeadLetterFilter

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
