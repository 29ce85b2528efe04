"""An alarm's state is CloudWatch's: the user guide's own examples, and what the product's alarms make of data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.alarm_state import Datum, Rule, State, datum, evaluate, evaluated_from, statistic
from backend.contract.catalogue import load_catalogue

NOW = 1_795_000_020.0
END = 1_795_000_020 // 60 * 60
CATALOGUE = load_catalogue()


def rule(datapoints: int, periods: int, missing: str, **changes: object) -> Rule:
    values: dict[str, object] = {
        "statistic": "max",
        "comparison": ">",
        "threshold": 1.0,
        "period_seconds": 60,
        "periods": periods,
        "datapoints": datapoints,
        "missing": missing,
    }
    return Rule(**values | changes)  # type: ignore[arg-type]


def pictured(picture: str, period: int = 60) -> list[Datum]:
    """Data as the guide draws them, the newest to the right: X breaching, 0 not, - missing."""
    points = picture.split()
    return [
        datum(END - (len(points) - place) * period, 2.0 if point == "X" else 0.0)
        for place, point in enumerate(points)
        if point != "-"
    ]


@pytest.mark.parametrize(
    ("datapoints", "picture", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, "0 - X - X", "OK", "OK", "OK", "OK"),
        (3, "0 - - - -", "OK", "OK", "OK", "OK"),
        (3, "- - - - -", "INSUFFICIENT_DATA", "retain", "ALARM", "OK"),
        (3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (3, "- - X - -", "ALARM", "retain", "ALARM", "OK"),
        (2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
        (2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
        (2, "- - - X -", "ALARM", "retain", "ALARM", "OK"),
    ],
)
@pytest.mark.parametrize("current", ["OK", "ALARM"])
def test_it_agrees_with_both_tables_of_the_user_guide(
    datapoints: int, picture: str, missing: str, ignore: str, breaching: str, not_breaching: str, current: State
) -> None:
    found = {
        treatment: evaluate(rule(datapoints, 3, treatment), pictured(picture), NOW, current).state
        for treatment in ("missing", "ignore", "breaching", "notBreaching")
    }
    kept = current if ignore == "retain" else ignore
    assert found == {"missing": missing, "ignore": kept, "breaching": breaching, "notBreaching": not_breaching}


@pytest.mark.parametrize("picture", ["- - - - X", "- - - X -"])
def test_one_breaching_datapoint_is_not_enough_before_it_is_old_enough(picture: str) -> None:
    assert evaluate(rule(3, 3, "missing"), pictured(picture), NOW, "OK").state == "OK"


def test_a_period_of_five_minutes_slides_by_a_minute() -> None:
    spread = rule(1, 1, "notBreaching", statistic="sum", threshold=3.0, period_seconds=300)
    data = [datum(END - 240, 2.0), datum(END + 30, 2.0)]
    assert evaluate(spread, data, END, "OK").state == "OK"
    assert evaluate(spread, data, END + 59, "OK").state == "OK", "the minute that is filling does not count"
    assert evaluate(spread, data, END + 60, "OK").state == "ALARM"
    assert evaluate(spread, data, END + 180, "OK").state == "OK", "the first one has left the five minutes"


def test_it_needs_no_data_from_before_the_evaluation_range() -> None:
    chosen = rule(2, 3, "missing")
    old = [datum(evaluated_from(chosen, NOW) - 1, 2.0)]
    assert evaluate(chosen, old, NOW, "OK").state == "INSUFFICIENT_DATA"


def test_statistics_weigh_values_by_their_counts() -> None:
    data = [datum(0, 10.0, 98), datum(1, 100.0, 1), datum(2, 1000.0, 1)]
    assert statistic("avg", data) == pytest.approx(20.8)
    assert (statistic("sum", data), statistic("min", data), statistic("max", data)) == (2080, 10, 1000)
    assert (statistic("p50", data), statistic("p99", data), statistic("p99.5", data)) == (10, 100, 1000)
    assert statistic("sum", []) is None


def test_published_statistics_count_like_values_but_have_no_percentile() -> None:
    data = [Datum(0, samples=4, total=20, low=1, high=9)]
    assert (statistic("avg", data), statistic("max", data), statistic("p99", data)) == (5, 9, None)
    assert statistic("p99", [datum(0, -1.0)]) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 50)), min_size=1, max_size=20))
def test_a_percentile_is_a_published_value_that_lies_between_the_extremes(pairs: list[tuple[float, int]]) -> None:
    data = [datum(0, value, count) for value, count in pairs]
    p50, p99 = statistic("p50", data), statistic("p99", data)
    assert {p50, p99} <= {value for value, _ in pairs}
    assert p50 is not None
    assert p99 is not None
    assert p50 <= p99


def test_the_reason_names_datapoints_threshold_and_what_it_takes() -> None:
    found = evaluate(rule(2, 3, "missing"), pictured("0 0 X 0 X"), NOW, "OK")
    assert found.reason.startswith("Threshold Crossed: 2 out of the last 3 datapoints [2 (")
    assert "were greater than the threshold (1) (minimum 2 datapoints for the state ALARM)" in found.reason
    calm = evaluate(rule(2, 3, "missing"), pictured("0 0 X 0 0"), NOW, "OK").reason
    assert "2 out of the last 3 datapoints" in calm
    assert "were not greater than the threshold (1)" in calm
    assert evaluate(rule(2, 3, "missing"), [], NOW, "OK").reason.startswith("Insufficient Data: no datapoint within")


def test_the_period_of_what_is_collected_seldom_comes_from_the_stack() -> None:
    lag, spike = CATALOGUE["consumer_lag_records"].alarm, CATALOGUE["dlq_records"].alarm
    assert lag is not None
    assert spike is not None
    assert (Rule.of(lag).period_seconds, Rule.of(lag, 300).period_seconds) == (60, 300)
    assert Rule.of(spike, 300).period_seconds == 60


@pytest.mark.parametrize(("key", "breaching"), [("dlq_records", 150.0), ("consumer_lag_records", 60_000.0)])
def test_one_sample_beyond_the_threshold_alarms_nobody_and_two_minutes_do(key: str, breaching: float) -> None:
    alarm = CATALOGUE[key].alarm
    assert alarm is not None
    calm = [datum(END - 60 * age, breaching * 0.5) for age in range(1, 8)]
    once = [datum(END - 60, breaching)]
    assert evaluate(Rule.of(alarm), [*calm[1:], *once], NOW, "OK").state == "OK"
    assert evaluate(Rule.of(alarm), [*calm[2:], *once, datum(END - 120, breaching)], NOW, "OK").state == "ALARM"


def test_a_heartbeat_that_stops_alarms_after_five_minutes() -> None:
    alarm = CATALOGUE["alert_consumer_heartbeat"].alarm
    assert alarm is not None
    beats = [datum(END - 60 * age - 30, 1.0) for age in range(6)]
    assert evaluate(Rule.of(alarm), beats, END, "OK").state == "OK"
    assert evaluate(Rule.of(alarm), beats, END + 6 * 60, "OK").state == "OK"
    assert evaluate(Rule.of(alarm), beats, END + 8 * 60, "OK").state == "ALARM"
