"""The verdict: no data is never healthy, silence is unknown, and every status comes with a plain reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.catalogue import load_catalogue
from backend.contract.verdict import Reading, State, amount, duration, judge, judge_signal, status_of, usual_interval

CATALOGUE = load_catalogue()
NOW = 1_795_266_037.0
states = st.sampled_from(["healthy", "degraded", "critical", "unknown", "not_connected"])


def reading(
    key: str = "consumer_lag_records",
    value: float | None = 100.0,
    age: float | None = 10.0,
    interval: float = 60.0,
    seen: bool = True,
    title: str = "Consumer lag",
    unit: str = "records",
) -> Reading:
    at = None if age is None else NOW - age
    return Reading(key, CATALOGUE[key], title, unit, value, at, interval, seen)


@pytest.mark.parametrize(
    ("key", "value", "state"),
    [
        ("consumer_lag_records", 10_000, "healthy"),
        ("consumer_lag_records", 10_001, "degraded"),
        ("consumer_lag_records", 50_001, "critical"),
        ("dlq_records", 10, "healthy"),
        ("dlq_records", 11, "degraded"),
        ("dlq_records", 101, "critical"),
        ("latency_ms", 3001, "degraded"),
        ("latency_ms", 5001, "critical"),
        ("window_completeness", 95, "healthy"),
        ("window_completeness", 94.9, "degraded"),
        ("window_completeness", 89.9, "critical"),
        ("checkpoint_failures_total", 0, "healthy"),
        ("checkpoint_failures_total", 1, "critical"),
        ("job_restarts_total", 1, "degraded"),
        ("job_restarts_total", 4, "critical"),
    ],
)
def test_a_signal_is_judged_by_the_catalogues_thresholds(key: str, value: float, state: State) -> None:
    assert judge_signal(reading(key, value), NOW).state == state
    assert judge([reading(key, value)], NOW).status == state


def test_never_seen_is_not_connected_and_left_out_and_said_so() -> None:
    verdict = judge([reading(), reading("dlq_records", None, None, seen=False, title="DLQ rate")], NOW)
    assert verdict.status == "healthy"
    assert verdict.signals[1].state == "not_connected"
    assert verdict.reasons == ("Consumer lag, the only connected signal, is within limits", "Not connected: DLQ rate")


def test_nothing_connected_is_unknown() -> None:
    verdict = judge([reading(value=None, age=None, seen=False)], NOW)
    assert (verdict.status, verdict.reasons) == ("unknown", ("No signal is connected yet",))
    assert judge([], NOW).status == "unknown"


@pytest.mark.parametrize(("age", "state"), [(180.0, "healthy"), (180.1, "unknown")])
def test_silent_for_three_intervals_is_unknown_and_shows_no_old_value(age: float, state: State) -> None:
    signal = judge_signal(reading(age=age), NOW)
    assert signal.state == state
    assert (signal.value is None) == (state == "unknown")
    assert signal.age_seconds == pytest.approx(age)


def test_one_silent_signal_keeps_the_verdict_from_healthy() -> None:
    verdict = judge([reading(), reading("dlq_records", 1, 600, title="DLQ rate")], NOW)
    assert verdict.status == "degraded"
    assert verdict.reasons == ("DLQ rate: silent for 10 min",)


def test_all_silent_is_unknown_even_if_they_were_bad() -> None:
    verdict = judge([reading(value=99_999, age=600), reading("dlq_records", None, None)], NOW)
    assert verdict.status == "unknown"
    assert all(signal.state == "unknown" for signal in verdict.signals)


def test_a_signal_without_a_complete_interval_is_not_called_silent() -> None:
    signal = judge_signal(reading(value=None, age=5), NOW)
    assert signal.state == "unknown"
    assert signal.detail == "Consumer lag: no complete interval yet"


def test_reasons_name_the_worst_first() -> None:
    verdict = judge(
        [
            reading(value=12_400),
            reading("dlq_records", None, 700, title="DLQ rate"),
            reading("latency_ms", 7250, title="Latency p99", unit="ms"),
        ],
        NOW,
    )
    assert verdict.status == "critical"
    assert verdict.reasons == (
        "Latency p99 is 7.25 s, above the critical threshold of 5 s",
        "Consumer lag is 12,400 records, above the warning threshold of 10,000 records",
        "DLQ rate: silent for 11 min",
    )


def test_sentences_read_as_english() -> None:
    low = reading("window_completeness", 88, title="Window completeness", unit="%")
    assert judge_signal(low, NOW).detail == "Window completeness is 88%, below the critical threshold of 90%"
    failed = reading("checkpoint_failures_total", 2, title="Checkpoint failures", unit="in 5 min")
    assert judge_signal(failed, NOW).detail == "Checkpoint failures: 2 in 5 min, critical above 0"
    absent = reading("job_restarts_total", None, None, seen=False, title="Job restarts")
    assert judge_signal(absent, NOW).detail == "Job restarts are not connected"


def test_a_clock_ahead_of_ours_gives_no_negative_age() -> None:
    assert judge_signal(reading(age=-30), NOW).age_seconds == 0


@given(st.lists(states, max_size=6))
def test_the_verdict_is_the_worst_and_silence_is_never_healthy(found: list[State]) -> None:
    connected = [s for s in found if s != "not_connected"]
    status = status_of(found)
    if not connected or set(connected) == {"unknown"}:
        assert status == "unknown"
    elif "critical" in connected:
        assert status == "critical"
    elif set(connected) == {"healthy"}:
        assert status == "healthy"
    else:
        assert status == "degraded"


@pytest.mark.parametrize(
    ("times", "interval"),
    [
        ([], 60),
        ([5], 60),
        ([0, 1, 2, 3], 10),
        ([0, 15, 30, 45], 15),
        ([0, 60, 120, 3720], 60),
        ([0, 300, 600], 300),
        ([0, 86400, 172800], 900),
    ],
)
def test_the_interval_is_the_median_spacing_between_ten_seconds_and_fifteen_minutes(
    times: list[float], interval: float
) -> None:
    assert usual_interval(times) == interval


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (11_100, "3 h 5 min"),
        (48 * 3600, "2 d"),
        (52 * 3600, "2 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12_400, "records", "12,400 records"),
        (0, "records/min", "0 records/min"),
        (1.2345, "%", "1.23%"),
        (999, "ms", "999 ms"),
        (1500, "ms", "1.5 s"),
        (99.848, "%", "99.8%"),
        (1, "checkpoints", "1 checkpoint"),
        (1, "processes", "1 process"),
        (1, "records/min", "1 record/min"),
        (1, "ms", "1 ms"),
        (1, "s", "1 s"),
        (1, "x budget", "1 x budget"),
        (1.02, "alerts", "1.02 alerts"),
        (999_999_999_999_999, "records", "999,999,999,999,999 records"),
        (1e15, "records", "1e+15 records"),
        (-1e308, "records", "-1e+308 records"),
        (1e308, "ms", "1e+305 s"),
    ],
)
def test_amounts_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text
