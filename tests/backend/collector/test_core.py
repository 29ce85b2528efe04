"""Packing: keys, days, sizes and ids."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.collector.core import encode, pack
from backend.contract.records import Sample, make_sample, parse_sample

MIDNIGHT = 1_764_547_200  # 2025-12-01T00:00:00Z


def sample(timestamp: float, value: float = 1.0) -> Sample:
    return make_sample(timestamp=timestamp, metric_type="cpu_utilization", value=value, hostname="h", unit="%")


def decoded(body: bytes) -> list[Sample]:
    return [parse_sample(orjson.loads(line)) for line in body.splitlines()]


def test_an_object_never_mixes_utc_days() -> None:
    objects = pack(map(encode, [sample(MIDNIGHT), sample(MIDNIGHT - 0.001), sample(MIDNIGHT + 5)]))
    assert [o.key.rpartition("/")[0] for o in objects] == [
        "metrics/year=2025/month=11/day=30",
        "metrics/year=2025/month=12/day=01",
    ]
    assert [len(decoded(o.body)) for o in objects] == [1, 2]


def test_the_key_carries_the_first_second_and_the_metadata_the_spacing() -> None:
    (outgoing,) = pack(map(encode, [sample(MIDNIGHT + 7), sample(MIDNIGHT + 3.5)]), spacing=15.0)
    assert outgoing.key.startswith(f"metrics/year=2025/month=12/day=01/metrics-{MIDNIGHT + 3}-")
    assert outgoing.key.endswith(".json")
    assert outgoing.metadata == {"spacing-seconds": "15"}


def test_a_backfill_says_so_in_its_name() -> None:
    (outgoing,) = pack([encode(sample(MIDNIGHT))], backfill=True)
    assert outgoing.key.startswith(f"metrics/year=2025/month=12/day=01/backfill-{MIDNIGHT}-")


def test_the_same_content_gets_the_same_key_and_other_content_another() -> None:
    keys = [pack([encode(sample(MIDNIGHT, value))])[0].key for value in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


def test_an_identity_makes_a_repeat_overwrite_whatever_it_holds() -> None:
    keys = [pack([encode(sample(MIDNIGHT, value))], identity="x")[0].key for value in (1, 2)]
    assert keys[0] == keys[1]
    assert pack([encode(sample(MIDNIGHT))], identity="y")[0].key != keys[0]


def test_nothing_makes_no_object() -> None:
    assert pack([]) == []


@given(st.lists(st.floats(min_value=946_684_800, max_value=4e9), max_size=60), st.integers(150, 3000), st.booleans())
def test_no_sample_is_lost_or_doubled_and_sizes_hold(times: list[float], size: int, named: bool) -> None:
    samples = [sample(t, n) for n, t in enumerate(times)]
    objects = pack(map(encode, samples), max_bytes=size, identity="x" if named else None)
    found = [s for o in objects for s in decoded(o.body)]
    assert sorted(s.value for s in found) == list(range(len(times)))
    assert len({o.key for o in objects}) == len(objects)
    for outgoing in objects:
        assert len(outgoing.body) <= size or outgoing.body.count(b"\n") == 1


def test_a_line_larger_than_an_object_still_goes() -> None:
    objects = pack(map(encode, [sample(MIDNIGHT), sample(MIDNIGHT + 1)]), max_bytes=10)
    assert [len(decoded(o.body)) for o in objects] == [1, 1]


@pytest.mark.parametrize("timestamp", [MIDNIGHT, MIDNIGHT + 0.25])
def test_a_line_is_what_the_processor_reads(timestamp: float) -> None:
    given_sample = sample(timestamp)._replace(labels={"a": "ü"}, observations=[[1.5, 3]])
    assert parse_sample(orjson.loads(encode(given_sample).text)) == given_sample
