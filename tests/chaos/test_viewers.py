"""A page under fault may be old, and has to say so; it may not be empty where there was something."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.viewers import Look, judge, look_of

BEFORE = {"health": Look("health", 100.0, 200, None, 95.0, frozenset({"chart-lag"}))}


def view(**changes: Any) -> dict[str, Any]:
    return {
        "as_of": 95.0,
        "charts": {"chart-lag": [{"y": [1.0, None]}], "chart-dlq": [{"y": []}]},
        "props": {"card-lag": {"children": {"className": "spark-line"}}, "card-dlq": {"children": "No line yet"}},
    } | changes


def test_a_look_knows_what_is_drawn_and_how_old_it_is() -> None:
    look = look_of("health", 100.0, 200, {"x-pulseboard-stale": "12"}, view())
    assert look.drawn == {"chart-lag", "card-lag"}
    assert look.stale == 12.0
    assert look.age == 12.0


def test_an_old_picture_that_says_so_is_fine() -> None:
    seen = judge([Look("health", 200.0, 200, 60.0, 95.0, frozenset())], BEFORE)
    assert seen.fine
    assert seen.worst_age == 105.0


@pytest.mark.parametrize(
    "look",
    [
        Look("health", 101.0, 503),
        Look("health", 101.0, 0),
        Look("health", 101.0, 200, None, 95.0, frozenset()),
        Look("health", 101.0, 200, None, None, frozenset({"chart-lag"})),
    ],
    ids=["unavailable", "no answer", "emptied", "no age"],
)
def test_what_must_not_be_is_named(look: Look) -> None:
    seen = judge([look], BEFORE)
    assert not seen.fine
    assert all(problem.startswith("health: ") for problem in seen.problems)


def test_an_empty_chart_beside_a_panel_that_says_why_is_fine() -> None:
    assert judge([Look("health", 101.0, 200, None, 95.0, frozenset(), said=True)], BEFORE).fine
