from __future__ import annotations

import pytest

from backend.contract.catalogue import load_catalogue
from dashboard.data.performance_cause import (
    Cause,
    Evidence,
    Role,
    explained,
    find,
    find_then,
    judge,
    slow_since,
    stretch_of,
)
from dashboard.data.points import Points

CATALOGUE = load_catalogue()
START, STEP, SLOW_FROM = 0.0, 10.0, 3000.0
END = 3590.0
METRICS: dict[Role, str] = {
    "latency": "latency_ms", "cpu": "cpu_usage_percentage", "enrichment": "enrichment_latency_ms",
    "cache": "cache_hit_rate", "collection": "gc_pause_time_ms", "checkpoints": "checkpoint_duration_ms",
    "servers": "cpu_utilization", "load": "records_in", "operator": "operator_latency_ms",
    "busy": "busy_time_ms_per_second", "lag": "consumer_lag_records",
}  # fmt: skip
USUAL: dict[Role, float] = {
    "latency": 1200, "cpu": 34, "enrichment": 24, "cache": 93, "collection": 18, "checkpoints": 2400, "servers": 26,
    "load": 1500, "operator": 28, "busy": 450, "lag": 1800,
}  # fmt: skip
BAD: dict[Role, float] = {
    "latency": 6500, "cpu": 64, "enrichment": 234, "cache": 58, "collection": 90, "checkpoints": 9000, "servers": 60,
    "load": 3000, "operator": 290, "busy": 950, "lag": 60_000,
}  # fmt: skip


def line(usual: float, late: float | None = None, since: float = SLOW_FROM) -> Points:
    """An hour of values every ten seconds with a small ripple; ``late`` from ``since`` on."""
    times = [START + i * STEP for i in range(360)]
    return [(t, (usual if late is None or t < since else late) * (1 + 0.01 * (i % 3 - 1))) for i, t in enumerate(times)]


def evidence(role: Role, points: Points | None, operator: str = "") -> Evidence:
    return Evidence(role, role, role, CATALOGUE[METRICS[role]], points, STEP, operator)


def found(*up: Role, latency: Points | None = None, missing: tuple[Role, ...] = ()) -> Cause:
    """What is found where the suspects in ``up`` went bad with latency, and nobody measures those in ``missing``."""
    suspects = [
        evidence(role, None if role in missing else line(USUAL[role], BAD[role] if role in up else None))
        for role in METRICS
        if role != "latency"
    ]
    slow = line(USUAL["latency"], BAD["latency"]) if latency is None else latency
    return find(evidence("latency", slow), suspects, START, END)


def roles(cause: Cause) -> list[str]:
    return [step.role for step in cause.causes]


def test_latency_as_usual_needs_no_cause_whatever_else_is_up() -> None:
    cause = found("cpu", "lag", latency=line(USUAL["latency"]))
    assert (cause.speed, cause.since, cause.causes) == ("usual", None, ())


def test_a_slowdown_has_its_beginning_its_value_and_its_usual_one() -> None:
    cause = found()
    assert cause.speed == "slow"
    assert cause.since == pytest.approx(SLOW_FROM, abs=2 * STEP)
    assert cause.latency.now == pytest.approx(6500, rel=0.02)
    assert cause.latency.usual == pytest.approx(1200, rel=0.02)
    assert cause.latency.threshold == 3000
    assert not cause.whole_range


def test_a_slowdown_as_long_as_the_range_is_told_as_such_and_judged_by_thresholds_alone() -> None:
    cause = found(latency=line(BAD["latency"]))
    assert (cause.speed, cause.whole_range, cause.latency.usual) == ("slow", True, None)
    assert [step.finding for step in cause.steps if step.role == "enrichment"] == ["unknown"]
    assert [step.finding for step in cause.steps if step.role == "checkpoints"] == ["usual"]


@pytest.mark.parametrize(("value", "speed"), [(9000.0, "slow"), (1200.0, "usual")])
def test_two_values_tell_what_is_past_a_threshold_and_not_what_is_usual(value: float, speed: str) -> None:
    cause = found(latency=[(END - 300, value), (END, value)])
    assert (cause.speed, cause.since, cause.whole_range, cause.latency.usual) == (speed, None, False, None)


def test_one_quick_value_does_not_end_a_slowdown() -> None:
    slow = line(USUAL["latency"], BAD["latency"])
    slow[-10] = (slow[-10][0], 500.0)
    since = slow_since(evidence("latency", slow), END)
    assert since == pytest.approx(SLOW_FROM, abs=2 * STEP)


def test_one_slow_value_is_no_slowdown() -> None:
    quiet = line(USUAL["latency"])
    quiet[-1] = (quiet[-1][0], 9000.0)
    assert slow_since(evidence("latency", quiet), END) is None


def test_latency_may_be_slow_below_every_threshold() -> None:
    assert found(latency=line(400, 1500)).speed == "slow"


def test_cpu_alone_is_the_cause() -> None:
    assert roles(found("cpu")) == ["cpu"]


def test_slow_lookups_explain_more_than_the_cpu() -> None:
    assert roles(found("cpu", "enrichment")) == ["enrichment", "cpu"]


def test_a_cache_that_misses_explains_slow_lookups() -> None:
    assert roles(found("cpu", "enrichment", "cache", "operator")) == ["cache", "enrichment", "cpu", "operator"]


def test_a_cache_that_misses_explains_nothing_where_lookups_are_fast() -> None:
    assert roles(found("cache")) == []


def test_a_cache_that_misses_is_told_where_nobody_measures_lookups() -> None:
    assert roles(found("cache", missing=("enrichment",))) == ["cache"]


@pytest.mark.parametrize("role", ["collection", "checkpoints", "servers", "load", "operator", "busy"])
def test_what_else_is_up_is_a_cause_too(role: Role) -> None:
    assert roles(found(role)) == [role]


def test_a_backlog_follows_from_others_and_is_no_cause() -> None:
    cause = found("lag")
    assert roles(cause) == []
    assert [step.finding for step in cause.steps if step.role == "lag"] == ["up"]


def test_no_cause_says_what_was_looked_at_and_what_nobody_measures() -> None:
    cause = found(missing=("cache", "collection"))
    assert cause.causes == ()
    assert [step.role for step in cause.unknown] == ["cache", "collection"]
    assert {step.why_unknown for step in cause.unknown} == {"no source measures it"}


def test_latency_that_nobody_measures_or_that_fell_silent_is_not_known() -> None:
    assert find(evidence("latency", None), [], START, END).speed == "unknown"
    assert find(evidence("latency", []), [], START, END).latency.why_unknown == "nothing was reported in this range"
    assert find(evidence("latency", line(6500)), [], START, END + 600).latency.why_unknown == "silent"


def test_a_silent_suspect_is_not_cleared() -> None:
    step = judge(evidence("cpu", line(34)), SLOW_FROM, END + 600)
    assert (step.finding, step.why_unknown) == ("unknown", "silent")


def test_what_is_missing_to_a_whole_counts_where_high_is_good() -> None:
    assert judge(evidence("cache", line(93, 86)), SLOW_FROM, END).finding == "up"
    assert judge(evidence("cache", line(93, 98)), SLOW_FROM, END).finding == "usual"


def test_what_lies_within_the_usual_noise_is_not_up() -> None:
    noisy = [(t, v * (3.0 if i % 2 else 1.0)) for i, (t, v) in enumerate(line(100, 130))]
    assert judge(evidence("enrichment", noisy), SLOW_FROM, END).finding == "usual"


def test_a_value_past_its_warning_is_up_although_it_is_as_usual() -> None:
    step = judge(evidence("cpu", line(80)), SLOW_FROM, END)
    assert (step.finding, step.threshold) == ("up", 70)


def passing(role: Role, start: float = 1500.0, end: float = 2100.0, every: int = 1) -> Evidence:
    """Bad from ``start`` to ``end`` only, each ``every``-th value of the line."""
    quiet, bad = line(USUAL[role]), line(BAD[role])
    points = [(b if start <= b[0] < end else q) for q, b in zip(quiet, bad, strict=True)][::every]
    return Evidence(role, role, role, CATALOGUE[METRICS[role]], points, STEP * every)


@pytest.mark.parametrize("every", [1, 30])
def test_an_incident_that_is_over_is_found_with_its_cause_at_its_worst(every: int) -> None:
    latency = passing("latency", every=every)
    stretch = stretch_of(latency)
    assert stretch is not None
    assert (stretch.start, stretch.end, stretch.past, stretch.lasts) == (1500, 2100, "critical", False)
    suspects = [passing("cache", every=every), passing("enrichment", every=every), evidence("cpu", line(34))]
    cause = find_then(latency, suspects, stretch)
    assert (cause.speed, roles(cause), cause.unknown) == ("slow", ["cache", "enrichment"], ())
    assert cause.latency.now == pytest.approx(6500, rel=0.02)
    assert cause.latency.usual == pytest.approx(1200, rel=0.02)
    assert cause.causes[0].now == pytest.approx(58, rel=0.02)


def test_a_range_that_begins_in_the_incident_learns_what_is_usual_from_after_it() -> None:
    latency = passing("latency", 0, 600)
    stretch = stretch_of(latency)
    assert stretch is not None
    cause = find_then(latency, [passing("enrichment", 0, 600)], stretch)
    assert (roles(cause), cause.whole_range) == (["enrichment"], False)
    assert cause.causes[0].usual == pytest.approx(24, rel=0.02)


def test_of_several_stretches_the_worst_is_told_and_one_slow_value_is_none() -> None:
    points = [(t, 9000.0 if 2000 <= t < 2200 else value) for t, value in passing("latency", 300, 600).points or []]
    points[300] = (points[300][0], 20_000.0)
    stretch = stretch_of(evidence("latency", points))
    assert stretch is not None
    assert (stretch.start, stretch.value) == (2000, 9000)
    assert stretch_of(evidence("latency", line(1200))) is None
    assert stretch_of(evidence("latency", [])) is None


def test_nothing_that_is_up_explains_nothing() -> None:
    assert explained([]) == ()
