"""What the API, the forms and the command line may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from backend.replay.request import parse_replay_request, wants_dry_run
from backend.settings import Config, ReplayLimits, Settings

NOW = 1_795_259_220.0
SETTINGS = Settings(
    event_queue_url="https://sqs/events",
    config=Config(replay=ReplayLimits(max_events=5_000, targets={"shadow": "https://sqs/shadow"})),
)


def parse(**body: Any) -> Any:
    return parse_replay_request({"selection": {"status": "failed"}, "reason": "fixed it", **body}, NOW, SETTINGS)


def test_little_is_needed() -> None:
    request = parse()
    assert (request.selection.status, request.selection.start, request.selection.end) == ("failed", NOW - 3600, NOW)
    assert (request.target, request.rate_per_second, request.max_events, request.confirm) == (
        "event-processor", 100.0, None, None,
    )  # fmt: skip


def test_forms_send_texts() -> None:
    request = parse(rate_per_second="25", max_events="1000", confirm="1234", target="shadow", dry_run="")
    assert (request.rate_per_second, request.max_events, request.confirm) == (25.0, 1000, 1234)
    assert request.target == "shadow"


def test_zero_is_no_limit() -> None:
    assert parse(rate_per_second=0).rate_per_second is None


def test_a_dry_run_needs_no_reason() -> None:
    assert parse(reason=None, dry_run=True).reason == ""
    assert (wants_dry_run({"dry_run": "true"}), wants_dry_run({})) == (True, False)


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"selection": None}, "selection", "must be an object of filters"),
        ({"selection": {"entity": "order-1"}}, "selection.entity", "is not known; use entity_id"),
        ({"selection": {"status": "lost"}}, "status", "must be one of"),
        ({"max_event": 3}, "max_event", "is not known; use selection, reason"),
        ({"reason": ""}, "reason", "must say why"),
        ({"reason": "  x "}, "reason", "must say why"),
        ({"reason": "x" * 501}, "reason", "must say why"),
        ({"reason": "a\nb\nc"}, "reason", "must say why"),
        ({"reason": 12345}, "reason", "must say why"),
        ({"target": "https://sqs/elsewhere"}, "target", "use event-processor, shadow"),
        ({"target": ["event-processor"]}, "target", "use event-processor, shadow"),
        ({"rate_per_second": "fast"}, "rate_per_second", "must be a number"),
        ({"rate_per_second": -1}, "rate_per_second", "must be a number"),
        ({"rate_per_second": float("nan")}, "rate_per_second", "must be a number"),
        ({"rate_per_second": 0.01}, "rate_per_second", "at least 0.1"),
        ({"rate_per_second": True}, "rate_per_second", "must be a number"),
        ({"max_events": 0}, "max_events", "between 1 and 5000"),
        ({"max_events": 5_001}, "max_events", "between 1 and 5000"),
        ({"max_events": 1.5}, "max_events", "must be a whole number"),
        ({"max_events": {}}, "max_events", "must be a whole number"),
        ({"confirm": "yes"}, "confirm", "must be a whole number"),
        ({"dry_run": "perhaps"}, "dry_run", "must be true or false"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        parse(**body)
    assert refused.value.field == field


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidInput, match="body: 'list' must be a JSON object"):
        parse_replay_request([], NOW, SETTINGS)  # type: ignore[arg-type]
