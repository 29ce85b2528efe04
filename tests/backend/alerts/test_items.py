"""Alerts as items: what was delivered is part of the timeline, and no text is too long for an item."""

from __future__ import annotations

from typing import Any

import pytest

from backend.alerts.items import DELIVERY, alert_of, alert_text, delivery_text
from backend.contract.alerts import Alert, Delivery

ALERT = Alert("f" * 32, 0.0, "open", "jobs:job_failed", "HIGH", "Load failed", "jobs", 0.0)


@pytest.mark.parametrize(
    ("delivery", "told"),
    [
        (Delivery("slack"), []),
        (Delivery("slack", "ts", 5.0), [(5.0, "delivered", "slack")]),
        (Delivery("slack", "ts", 5.0, problem="no edit"), [(5.0, "delivered", "slack: no edit")]),
        (Delivery("slack", "", None, problem="refused", failed_at=9.0), [(9.0, "delivery_failed", "slack: refused")]),
        (
            Delivery("slack", "ts", 5.0, problem="refused", failed_at=9.0),
            [(5.0, "delivered", "slack"), (9.0, "delivery_failed", "slack: refused")],
        ),
    ],
)
def test_the_timeline_says_what_arrived_and_what_was_given_up(delivery: Delivery, told: list[Any]) -> None:
    item = {"data": {"S": alert_text(ALERT)}, f"{DELIVERY}slack": {"S": delivery_text(delivery)}}
    assert [(event.at, event.kind, event.text) for event in alert_of(item).events] == told


def test_the_largest_labels_fit_an_item_and_half_a_character_is_kept() -> None:
    labels = {f"label-{number}": "\U0001f600" * 1_000 for number in range(30)} | {"half": "\ud800"}
    text = alert_text(Alert(**{**{name: getattr(ALERT, name) for name in ALERT.__slots__}, "labels": labels}))
    assert len(text.encode()) < 400_000
    assert alert_of({"data": {"S": text}}).labels == labels
