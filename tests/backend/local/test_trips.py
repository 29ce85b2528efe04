"""What is asked for reaches the synthetic source, breaches its alarm, and is over after its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.aws import Clients
from backend.collector.build import make_source
from backend.collector.sources.incidents import KIND_OF_METRIC, TRIPPED_ONLY, Incident, trip
from backend.collector.sources.synthetic import SyntheticSource
from backend.contract.alarm_state import Rule, statistic
from backend.contract.alarm_state import datum as put
from backend.contract.catalogue import load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import Sample
from backend.local.trips import HEARTBEAT, TripFile, record, trippable
from backend.processor.published import Published, publish
from backend.settings import CollectorSource, Settings

CATALOGUE = load_catalogue()
AT = 1_794_830_400.0
STEP = 15.0


def test_every_alarm_that_pages_or_makes_a_ticket_can_be_tripped() -> None:
    grave = {m.key for m in CATALOGUE.values() if m.alarm and m.alarm.severity in ("CRITICAL", "HIGH")}
    assert grave <= set(trippable(CATALOGUE))


@pytest.mark.parametrize("metric", [name for name in KIND_OF_METRIC if not CATALOGUE[name].cumulative])
def test_what_is_tripped_breaches_its_alarm_minute_after_minute(metric: str) -> None:
    alarm, name = CATALOGUE[metric].alarm, CATALOGUE[metric].cloudwatch
    assert alarm is not None
    schedule = trip(KIND_OF_METRIC[metric], AT, 300)
    source = SyntheticSource(CATALOGUE, demo_started_at=AT - 900, trips=lambda: (schedule,))
    published = Published()
    for turn in range(4 * 4):
        at = AT + 60 + turn * STEP
        publish(published, source.collect(at, at - STEP).samples, CATALOGUE)
    rule = Rule.of(alarm)
    for minute in range(int(AT) + 60, int(AT) + 300, 60):
        assert name is not None
        data = [put(minute, value, count) for value, count in published.values[name, minute].items()]
        found = statistic(rule.statistic, data)
        assert found is not None
        assert rule.breached_by(found), (minute, found)


def test_a_trip_is_over_after_its_time_and_its_counters_stay() -> None:
    schedule = trip("unreadable_records", AT, 120)
    source = SyntheticSource(CATALOGUE, demo_started_at=AT - 900, trips=lambda: (schedule,))
    calm = SyntheticSource(CATALOGUE, demo_started_at=AT - 900)
    errors = [_errors(source, at) - _errors(calm, at) for at in (AT - 1, AT + 60, AT + 120, AT + 4000)]
    assert errors == sorted(errors)
    assert (errors[0], errors[2]) == (0, errors[3])
    assert errors[3] > 50
    assert not [s for s in source.collect(AT + 4000, AT + 3985).samples if s.metric_type in TRIPPED_ONLY[1:]]


@pytest.mark.parametrize("seconds", [30.0, 300.0])
def test_no_counter_or_offset_goes_back_when_trips_begin_and_end(seconds: float) -> None:
    night = AT - 9 * 3600  # the least is produced
    schedules = [trip(kind, night + 2, seconds) for kind in ("lag_growth", "late_data", "dlq_spike")]
    source = SyntheticSource(CATALOGUE, demo_started_at=night - 900, trips=lambda: schedules)
    before: dict[tuple[str, str], float] = {}
    for at in (night + step for step in range(0, int(seconds) + 180, 5)):
        samples = [s for s in source.collect(at, at - 5).samples if CATALOGUE[s.metric_type].cumulative]
        after = {(s.metric_type, str(s.labels)): s.value for s in samples}
        assert not {key: (value, after[key]) for key, value in before.items() if after[key] < value}
        before = after


def test_an_incident_may_rise_slower_than_it_falls() -> None:
    incident = Incident("lag_growth", 10, 100, ramp=0.1, rise=40)
    assert [incident.level(at) for at in (10, 30, 50, 100, 105, 110)] == [0, 0.5, 1, 1, 0.5, 0]
    assert [incident.area(at) for at in (10, 30, 50, 100, 105, 110)] == [0, 5, 20, 70, 73.75, 75]


def _errors(source: SyntheticSource, at: float) -> float:
    (found,) = (s for s in source.collect(at, at).samples if s.metric_type == "kafka_deserialization_errors_total")
    return found.value


def test_what_is_tripped_says_so_and_is_not_left_out() -> None:
    spec = CollectorSource("synthetic", leave_out=["dlq_records"])
    schedules = (trip("dlq_records", AT, 300),)
    source = make_source(spec, Settings(), Clients("us-east-1"), demo_started_at=AT, trips=lambda: schedules)
    before, during = ([s for s in source.collect(at, at - STEP).samples if _dead(s)] for at in (AT - 60, AT + 120))
    assert before == []
    assert [sample.labels for sample in during] == [{"synthetic": "trip", "error_type": "trip"}]


def test_a_counter_that_was_tripped_says_zero_afterwards_so_that_its_alarm_ends() -> None:
    schedules = (trip("s3_upload_failures", AT, 120), trip("lambda_error_rate", AT, 120))
    source = SyntheticSource(CATALOGUE, trips=lambda: schedules)
    told = {
        at - AT: {s.metric_type: s.value for s in source.collect(at, at - STEP).samples if s.labels.get("synthetic")}
        for at in (AT + 60, AT + 600, AT + 4000)
    }
    assert told[60]["s3_upload_failures"] > 0
    assert (told[600], told[4000]) == ({"s3_upload_failures": 0}, {})


def _dead(sample: Sample) -> bool:
    return sample.metric_type == "dlq_records"


def test_a_running_source_sees_a_trip_that_is_recorded_later(tmp_path: Path) -> None:
    path = tmp_path / "trips.jsonl"
    trips = TripFile(path)
    assert list(trips()) == []
    record(path, "kafka_broker_alive_count", AT, 300)
    (schedule,) = trips()
    assert (schedule.level("broker_loss", AT + 150), schedule.level("broker_loss", AT + 301)) == (1, 0)
    path.write_text(path.read_text("utf-8") + "{broken\n", "utf-8")
    record(path, "cpu_utilization", AT, 60)
    assert len(trips()) == 2, "a line that can't be read costs only itself"


@pytest.mark.parametrize("metric", ["disk_usage", HEARTBEAT, ""])
def test_what_can_not_be_tripped_is_refused_by_name(tmp_path: Path, metric: str) -> None:
    with pytest.raises(InvalidInput, match="pulseboard trip"):
        record(tmp_path / "trips.jsonl", metric, AT, 60)
