"""History through the local Athena endpoint: lines that agree with DynamoDB's, and everything that can go wrong."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from botocore.config import Config as BotoConfig

from backend.contract.catalogue import Metric
from backend.contract.history import HistoryError, MetricWanted
from backend.contract.records import Sample
from backend.contract.rollup import Merged, Stats
from backend.contract.tables import WORKGROUP
from backend.history.days import Days
from backend.history.queries import query_of
from backend.history.statements import statement
from backend.local.seed import without_notifications
from backend.settings import Config
from backend.settings_history import History
from tests.athena_engine import AthenaEngine
from tests.e2e import history_world as world
from tests.e2e.history_world import DAY, SETTINGS, START, ask, question, runner_of, series
from tests.local_stack import LocalStack

pytestmark = pytest.mark.e2e
CATALOGUE = SETTINGS.catalogue
HOUR = 3600


@pytest.fixture(scope="module")
def lake(stack: LocalStack, athena: AthenaEngine) -> Iterator[AthenaEngine]:
    """The stack's bucket and tables; what is put there starts no function, and is gone afterwards."""
    assert stack.settings.bucket == SETTINGS.bucket
    with without_notifications(stack.client("s3"), SETTINGS.bucket):
        yield athena
        world.clear(athena)


@pytest.fixture
def history(lake: AthenaEngine, athena_environment: AthenaEngine) -> Iterator[AthenaEngine]:
    """The engine as this process's AWS; tests keep apart by their environment. Misbehaves no longer afterwards."""
    yield athena_environment
    athena_environment.server.faults.set({"mode": "ok"})


def groups(*metrics: str) -> list[MetricWanted]:
    return [MetricWanted(metric, by_group=True) for metric in metrics]


def same(found: Mapping[float, Merged], expected: Mapping[float, Merged], metric: Metric) -> None:
    """Every number of every bucket, but for a histogram's newest sample, which no line shows."""
    assert list(found) == list(expected)
    for t, merged in expected.items():
        assert found[t].group_count == merged.group_count
        assert found[t].groups.keys() == merged.groups.keys()
        for name, stats in merged.groups.items():
            _same(found[t].groups[name], stats, metric)
        _same(found[t].total, merged.total, metric)


def _same(found: Stats, expected: Stats, metric: Metric) -> None:
    for name in ("count", "average", "low", "high", "last", "increase", "span"):
        a, b = getattr(found, name), getattr(expected, name)
        if (name, metric.kind) != ("last", "histogram"):
            assert (a is None) == (b is None)
            assert a is None or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9), f"{metric.key} {name}"
    assert (found.sketch and found.sketch.bins) == (expected.sketch and expected.sketch.bins)


def of_every_kind(environment: str) -> list[Sample]:
    """Gauges of three ways to combine, counters that reset, deltas, histograms with and without observations."""
    rnd, found = random.Random(7), []

    def add(metric: str, step: int, low: float, high: float, start: int = 0, **labels: object) -> None:
        values = {float(t): rnd.uniform(low, high) for t in range(start, 9000, step)}
        found.extend(series(metric, values, environment=environment, **labels))  # type: ignore[arg-type]

    for number in range(3):
        add("cpu_utilization", 50, 1, 90, -7200, host=f"host-{number}")
        add("consumer_lag_records", 70, 1, 9000, partition=str(number), topic="orders")
        add("checkpoint_duration_ms", 400, 1, 40_000, host=f"host-{number}")
    counted, value = {}, 0.0
    for t in range(-3000, 9000, 45):
        value = value + rnd.randint(0, 9) if rnd.random() > 0.03 else 0.0
        counted[float(t)] = value
    found += series("records_in", counted, environment=environment, operator="map", task="1")
    found += series("records_in", {t + 7: 2 * v for t, v in counted.items()}, environment=environment, operator="map")
    found += series("checkpoints_completed_total", counted, environment=environment)
    add("files_processed", 40, 0, 5)
    add("latency_ms", 30, 1, 900, region="eu")
    add("latency_ms", 30, 1, 900, host="without-a-label")
    add("latency_ms", 30, 1, 900, region="us", observations=[[5, 3], [50.5, 2], [700, 1]])
    return found


def test_lines_from_history_are_those_that_dynamodb_would_have(history: AthenaEngine) -> None:
    samples = of_every_kind("agree")
    world.put_samples(history, "agree-1", samples)
    # The same samples in a second object, as a delivery that was repeated leaves them.
    world.put_samples(history, "agree-2", samples)
    metrics = sorted({sample.metric_type for sample in samples})

    for step in (60, HOUR):
        found = ask(question("agree", *groups(*metrics), step=step))

        assert sorted(found) == metrics
        for key in metrics:
            same(found[key], world.as_merged(CATALOGUE[key], samples, START, START + 86400, step), CATALOGUE[key])


def test_percentiles_are_of_all_observations_and_no_average_of_percentiles(history: AthenaEngine) -> None:
    quick, slow = {0.0: 10.0}, {1.0: 1000.0}
    world.put_samples(
        history,
        "percentiles",
        series("latency_ms", quick, environment="pct", region="eu", observations=[[10, 990]])
        + series("latency_ms", slow, environment="pct", region="us", observations=[[1000, 10]]),
    )

    total = ask(question("pct", *groups("latency_ms")))["latency_ms"][float(START)].total

    assert total.sketch is not None
    p95 = total.sketch.quantile(0.95)
    assert p95 is not None
    assert abs(p95 - 10) < 0.2
    assert (10 + 1000) / 2 > 500, "what the average of both regions' p95 would say"


def test_jumping_clocks_gaps_wrong_types_and_a_host_that_reports_twice(history: AthenaEngine) -> None:
    good = series("cpu_utilization", {0: 10.0, 30: 30.0, 7200: 50.0}, environment="odd")
    again = [replace_id(sample) for sample in series("cpu_utilization", {0: 10.0}, environment="odd")]
    jumped = series("cpu_utilization", {3 * 86400.0: 99.0}, environment="odd")
    counter = series("records_in", {0: 5.0, 10: 7.0, 3600: 9.0, 3610: 1.0}, environment="odd", operator="map")
    lines: list[Mapping[str, object] | str] = [sample.as_json() for sample in [*good, *again, *jumped, *counter]]
    bad = {"metric_id": "x", "timestamp": START + 5, "metric_type": "cpu_utilization", "hostname": "host-1"}
    lines += [{**bad, "environment": "odd", "value": None}, {**bad, "environment": "odd", "value": 1e300}]
    world.put_lines(history, "odd", lines)

    found = ask(question("odd", *groups("cpu_utilization", "records_in")))

    cpu = found["cpu_utilization"]
    assert [t - START for t in cpu] == [0, 7200], "a gap stays one, and a clock that is days ahead is in no bucket"
    assert (cpu[START].total.count, cpu[START].total.average) == (2, 20.0)
    records = found["records_in"]
    assert records[START].total.increase == 2
    # An hour is too long for a predecessor: that sample begins anew, and the fall after it is a reset.
    assert records[START + HOUR].total.increase == 1


def replace_id(sample: Sample) -> Sample:
    return sample._replace(metric_id=f"again-{sample.metric_id}")


def test_growth_goes_on_over_the_border_of_a_day_and_of_a_year(history: AthenaEngine) -> None:
    times = {86400.0 - 90: 10.0, 86400.0 - 30: 14.0, 86400.0 + 30: 19.0}
    samples = series("records_in", times, environment="border", operator="map")
    world.put_samples(history, "border", samples)

    found = ask(question("border", *groups("records_in"), start=86400, end=2 * 86400))

    assert {t - START: m.total.increase for t, m in found["records_in"].items()} == {86400: 5}


def test_a_fleet_has_its_worst_by_name_the_others_as_one_and_bands_of_all(history: AthenaEngine) -> None:
    samples = [
        sample
        for number in range(30)
        for sample in series("cpu_utilization", {0.0: float(number)}, environment="fleet", host=f"host-{number:02}")
    ]
    world.put_samples(history, "fleet", samples)
    asked = question("fleet", MetricWanted("cpu_utilization", by_group=True, pinned=("host-03",), bands=True))

    merged = ask(asked)["cpu_utilization"][float(START)]

    assert sorted(merged.groups) == ["host-03", *(f"host-{n}" for n in range(11, 30)), "other"]
    assert merged.groups["other"].average == sum(n for n in range(11) if n != 3) / 10
    assert (merged.total.average, merged.group_count) == (14.5, 30)
    bands = world.ask_bands(asked)["cpu_utilization"][float(START)]
    assert bands.group_count == 30
    assert bands.bands is not None
    assert bands.bands.count == 30


def test_a_metric_is_one_line_where_no_groups_are_wanted(history: AthenaEngine) -> None:
    hosts = [series("cpu_utilization", {0.0: v}, environment="one", host=f"h{v}") for v in (10.0, 30.0)]
    world.put_samples(history, "one", [sample for one in hosts for sample in one])

    merged = ask(question("one", MetricWanted("cpu_utilization")))["cpu_utilization"][float(START)]

    assert (merged.groups, merged.total.average, merged.group_count) == ({}, 20.0, 2)


def test_a_range_without_partitions_is_empty_and_costs_the_least_there_is(history: AthenaEngine) -> None:
    asked = question("agree", *groups("cpu_utilization"), start=-40 * 86400, end=-30 * 86400)
    (made,) = world.statements(asked).values()

    result = runner_of().run(made)

    assert result.rows() == []
    assert (result.cost.scanned_bytes, result.cost.dollars) == (0, 10_000_000 * 5 / 1e12)


def test_a_column_that_came_in_the_middle_of_a_month_is_none_before(history: AthenaEngine) -> None:
    first = DAY - timedelta(days=20)
    lines = [
        {"metric_id": f"m{n}", "timestamp": START - 20 * 86400 + n, "metric_type": "cpu_utilization", "value": 5.0,
         "hostname": "host-1", "environment": "grown"}
        for n in range(2)
    ]  # fmt: skip
    world.put_lines(history, "grown-old", lines, first)
    later = {**lines[0], "timestamp": START - 19 * 86400, "metric_id": "n", "labels": {"rack": "7"}, "colour": "red"}
    world.put_lines(history, "grown-new", [later], first + timedelta(days=1))

    asked = question("grown", *groups("cpu_utilization"), start=-20 * 86400, end=-18 * 86400, step=HOUR)
    found = ask(asked)["cpu_utilization"]

    assert [merged.total.average for merged in found.values()] == [5.0, 5.0]


def test_an_object_that_can_not_be_read_is_named(history: AthenaEngine) -> None:
    broken = date(2025, 3, 2)
    key = world.put_lines(history, "broken", ['{"metric_id": "x", "timestamp": '], broken)
    start = (broken - DAY).days * 86400

    with pytest.raises(HistoryError, match="metrics-broken") as caught:
        ask(question("broken", *groups("cpu_utilization"), start=start, end=start + 86400))

    assert caught.value.kind == "data"
    assert key in str(caught.value)
    assert not caught.value.transient


def test_parquet_that_can_not_be_read_is_named(history: AthenaEngine) -> None:
    broken = date(2025, 4, 2)
    world.put(history, "history/metrics/year=2025/month=04/day=02/generation=0/part.parquet", b"PAR1 this is none")
    start = (broken - DAY).days * 86400
    asked = question("broken", *groups("cpu_utilization"), start=start, end=start + 86400)

    with pytest.raises(HistoryError, match=r"generation=0/part\.parquet") as caught:
        ask(asked, days=Days({broken: 0}))

    assert caught.value.kind == "data"


@pytest.mark.parametrize(("mode", "kind"), [("throttle", "throttled"), ("fail", "failed")])
def test_athena_that_throttles_or_fails_is_said_and_may_pass(history: AthenaEngine, mode: str, kind: str) -> None:
    history.server.faults.set({"mode": mode})

    with pytest.raises(HistoryError) as caught:
        runner_of().run(world.anything(mode))

    assert (caught.value.kind, caught.value.transient) == (kind, True)
    assert "\n" not in str(caught.value)


def test_what_is_throttled_for_a_moment_is_tried_again(history: AthenaEngine) -> None:
    history.server.faults.set({"mode": "throttle"})
    timer = threading.Timer(0.05, lambda: history.server.faults.set({"mode": "ok"}))
    timer.start()

    patient = world.Athena(SETTINGS, world.Clients(SETTINGS.region).s3, poll_seconds=0.01, backoff_seconds=0.1)
    assert patient.run(world.anything("again")).rows() == [{"one": 1}]
    timer.join()


def test_a_slow_query_is_stopped_after_its_time(history: AthenaEngine) -> None:
    history.server.faults.set({"mode": "slow", "seconds": 60})
    hasty = replace(SETTINGS, config=Config(history=History(timeout_seconds=0.1)))

    with pytest.raises(HistoryError, match=r"more than 0\.1 s") as caught:
        runner_of(hasty).run(world.anything("slow"))

    assert caught.value.kind == "timeout"
    assert state_of(history, caught.value.query_id) == "CANCELLED"


def test_a_query_that_is_cancelled_ends_in_athena_too(history: AthenaEngine) -> None:
    history.server.faults.set({"mode": "slow", "seconds": 60})
    stop = threading.Event()
    known = history.server.executions.newest_first(WORKGROUP)

    def stop_once_started() -> None:
        while history.server.executions.newest_first(WORKGROUP) == known:
            pass
        stop.set()

    watching = threading.Thread(target=stop_once_started)
    watching.start()
    with pytest.raises(HistoryError) as caught:
        runner_of().run(world.anything("cancel"), stop)
    watching.join()

    assert caught.value.kind == "cancelled"
    assert state_of(history, caught.value.query_id) == "CANCELLED"


def state_of(history: AthenaEngine, query_id: str) -> str:
    """Once the query has ended."""
    client = history.client()
    while True:
        state = str(client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"])
        if state not in ("QUEUED", "RUNNING"):
            return state


def test_results_that_can_not_be_reached_and_tables_that_are_missing(history: AthenaEngine) -> None:
    client = history.engine.client("athena")
    away = {"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/results/"}}
    client.create_work_group(Name="away", Configuration=away)
    elsewhere = world.Athena(SETTINGS, world.Clients(SETTINGS.region).s3, workgroup="away", poll_seconds=0.01)

    with pytest.raises(HistoryError, match="result bucket") as caught:
        elsewhere.run(world.anything("away"))
    assert caught.value.kind == "results"

    missing = statement(query_of("missing", "SELECT * FROM infra_monitoring_db.none"), {})
    with pytest.raises(HistoryError, match=r"docs/deploy\.md") as caught:
        runner_of().run(missing)
    assert caught.value.kind == "missing"


def test_a_query_over_the_workgroups_limit_says_what_to_do(history: AthenaEngine) -> None:
    world.put_samples(history, "limit", series("cpu_utilization", {0: 1.0}, environment="limit"))
    # AWS takes no limit below 10 MB; the endpoint keeps to any.
    client = history.session.client(
        "athena", endpoint_url=history.engine.endpoint, config=BotoConfig(parameter_validation=False)
    )
    results = {"ResultConfiguration": {"OutputLocation": history.staging}, "BytesScannedCutoffPerQuery": 10}
    client.create_work_group(Name="small", Configuration=results)
    small = world.Athena(SETTINGS, world.Clients(SETTINGS.region).s3, workgroup="small", poll_seconds=0.01)
    (made,) = world.statements(question("limit", *groups("cpu_utilization"))).values()

    with pytest.raises(HistoryError, match="narrow the range") as caught:
        small.run(made)

    assert caught.value.kind == "limit"


def test_hostile_names_find_nothing_and_break_nothing(history: AthenaEngine) -> None:
    text = "x' OR '1'='1'; DROP TABLE metrics; -- %s %(x)s {samples} \\"
    world.put_samples(history, "hostile", series("cpu_utilization", {0: 1.0}, environment="hostile", host=text))

    found = ask(question("hostile", MetricWanted("cpu_utilization", by_group=True, pinned=(text,))))

    assert list(found["cpu_utilization"][float(START)].groups) == [text]
    assert ask(question(text, *groups("cpu_utilization"))) == {}
