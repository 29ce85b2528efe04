"""What one object becomes: every line stored, merged or quarantined with its reason."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contract.catalogue import load_catalogue
from backend.contract.records import OLDEST_TIMESTAMP
from backend.contract.rollup import decode_live
from backend.contract.sketch import Sketch
from backend.contract.tables import CLOSED_DAY, METRICS_PREFIX
from backend.history.days import SKEW_SECONDS, closed_at, day_of, day_path
from backend.processor.core import ObjectPart, Processed, process
from backend.settings import Limits, Retention

NOW = 1_795_259_220.0


def accounted(result: Processed) -> bool:
    return result.samples == result.stored + result.merged + len(result.quarantined)


def raw(result: Processed) -> list[dict[str, Any]]:
    return [item for item in result.items if "value" in item]


def live(result: Processed, metric_type: str) -> list[dict[str, Any]]:
    return [item for item in result.items if item["metric_type"]["S"].startswith(f"{metric_type}@live#")]


def reasons(result: Processed) -> list[str]:
    return [bad.reason for bad in result.quarantined]


def test_it_gives_a_sample_its_raw_and_its_live_item(run: Any, samples: Any, body: Any) -> None:
    result = run(body([samples(labels={"core": "3"}, region="eu-west-1")]))
    assert raw(result) == [
        {
            "metric_id": {"S": samples(labels={"core": "3"})["metric_id"]},
            "timestamp": {"N": "1795259210"},
            "metric_type": {"S": "cpu_utilization"},
            "value": {"N": "41.5"},
            "unit": {"S": "%"},
            "hostname": {"S": "server-001"},
            "region": {"S": "eu-west-1"},
            "environment": {"S": "production"},
            "labels": {"M": {"core": {"S": "3"}}},
            "expires_at": {"N": str(int(NOW) + 30 * 86400)},
        }
    ]
    (item,) = live(result, "cpu_utilization")
    assert item["timestamp"] == {"N": "1795259160"}
    assert item["expires_at"] == {"N": str(int(NOW) + 86400)}
    assert decode_live(item["data"]["S"]) == [("server-001", "core=3", [50], [41.5])]
    assert ("production", "cpu_utilization") in result.seen


def test_it_reads_an_array_like_lines(run: Any, samples: Any, body: Any) -> None:
    records = [samples(hostname=f"server-{n:03}") for n in range(3)]
    as_array = b" \n" + orjson.dumps(records)
    assert run(as_array).items == run(body(records)).items


def test_it_keeps_good_lines_of_a_bad_file(run: Any, samples: Any, body: Any) -> None:
    good = body([samples()])
    result = run(b"{broken\n" + good + b"\n\nnot json either\n")
    assert result.stored == 1
    assert [(bad.reason, bad.object, bad.line) for bad in result.quarantined] == [
        ("invalid_json", "metrics/a.json", 1),
        ("invalid_json", "metrics/a.json", 5),
    ]
    assert result.quarantined[0].text == "{broken"
    assert accounted(result)


def test_it_keeps_good_elements_of_a_bad_array(run: Any, samples: Any) -> None:
    good = orjson.dumps(samples(labels={"note": 'a ] in "quotes", and a comma'}))
    result = run(b"[" + good + b', {"value": NaN}, 7, {"cut off": ')
    assert result.stored == 1
    assert reasons(result) == ["not_finite", "not_an_object", "invalid_json"]
    assert accounted(result)


def test_a_file_that_is_no_json_is_quarantined_whole(run: Any) -> None:
    result = run(b"timestamp;value\n1;2\n")
    assert result.samples == 2
    assert reasons(result) == ["invalid_json", "invalid_json"]


def test_an_empty_object_holds_no_samples(run: Any) -> None:
    assert run(b"").samples == run(b" \n\n").samples == run(b"[]").samples == 0


def test_json_lines_may_begin_with_an_array(run: Any, samples: Any, body: Any) -> None:
    result = run(b"[1, 2]\n" + body([samples()]))
    assert (result.stored, reasons(result)) == (1, ["not_an_object"])


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"metric_id": None}, "missing_field", "metric_id"),
        ({"timestamp": None}, "missing_field", "timestamp"),
        ({"metric_type": None}, "missing_field", "metric_type"),
        ({"value": None}, "missing_field", "value"),
        ({"hostname": None}, "missing_field", "hostname"),
        ({"metric_id": 7}, "wrong_type", "metric_id"),
        ({"metric_id": ""}, "wrong_type", "metric_id"),
        ({"value": "41.5"}, "wrong_type", "value"),
        ({"value": True}, "wrong_type", "value"),
        ({"timestamp": "now"}, "wrong_type", "timestamp"),
        ({"labels": {"": "x"}}, "wrong_type", "labels"),
        ({"value": 1e38}, "out_of_range", "value"),
        ({"value": 1e-200}, "out_of_range", "value"),
        ({"metric_id": "é" * 1024 + "é"}, "wrong_type", "metric_id"),
        ({"environment": "環" * 200}, "out_of_range", "environment"),
        ({"metric_type": "cpu_utilisation"}, "unknown_metric", "metric_type"),
        ({"timestamp": NOW + 301}, "future", "timestamp"),
        ({"timestamp": NOW * 1000}, "future", "timestamp"),
        ({"timestamp": NOW - 7 * 86400 - 1}, "expired", "timestamp"),
        ({"timestamp": -1}, "expired", "timestamp"),
    ],
)
def test_a_bad_sample_is_quarantined_by_name(
    run: Any, samples: Any, body: Any, changes: dict[str, Any], reason: str, field: str
) -> None:
    bad = {k: v for k, v in (samples() | changes).items() if v is not None}
    result = run(body([samples(), bad, samples(hostname="server-002")]))
    assert result.stored == 2
    (refused,) = result.quarantined
    assert (refused.reason, refused.line) == (reason, 2)
    assert refused.message.startswith(field)
    assert accounted(result)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_named(run: Any, samples: Any, constant: str) -> None:
    text = json.dumps(samples()).replace("41.5", constant).encode()
    result = run(text)
    assert reasons(result) == ["not_finite"]
    assert constant in result.quarantined[0].message


def test_numbers_beyond_every_float_are_refused(run: Any, samples: Any) -> None:
    for digits in ("9" * 400, "1e999", "1" + "0" * 38):
        result = run(json.dumps(samples()).replace("41.5", digits).encode())
        assert result.stored == 0
        assert accounted(result)


def test_bytes_that_are_no_utf8_are_named(run: Any, samples: Any, body: Any) -> None:
    result = run(body([samples()]) + b'{"hostname": "caf\xe9"}\n')
    assert (result.stored, reasons(result)) == (1, ["invalid_utf8"])


def test_a_byte_order_mark_is_no_error(run: Any, samples: Any, body: Any) -> None:
    assert run(b"\xef\xbb\xbf" + body([samples()])).stored == 1


def test_of_two_lines_with_one_key_the_last_counts(run: Any, samples: Any, body: Any) -> None:
    result = run(body([samples(value=1.0), samples(hostname="server-002"), samples(value=2.0)]))
    assert (result.samples, result.stored, result.merged) == (3, 2, 1)
    assert sorted(item["value"]["N"] for item in raw(result)) == ["2.0", "41.5"]
    keys = [(item["metric_id"]["S"], item["timestamp"]["N"]) for item in result.items]
    assert len(keys) == len(set(keys))


def test_a_backfill_takes_any_date_from_2000_on(run: Any, samples: Any, body: Any) -> None:
    old = [samples(timestamp=OLDEST_TIMESTAMP), samples(timestamp=OLDEST_TIMESTAMP - 1)]
    result = run(body(old), key="metrics/year=2026/backfill-1.json")
    assert len(raw(result)) == 1
    assert reasons(result) == ["out_of_range"]
    assert result.published.values == {}


def test_known_spacing_keeps_the_first_sample_of_each_minute(run: Any, samples: Any, body: Any) -> None:
    every_15 = [samples(timestamp=NOW - 240 + 15 * n) for n in range(16)]
    kept = [int(item["timestamp"]["N"]) for item in raw(run(body(every_15), spacing_seconds=15.0))]
    in_parts = [
        int(item["timestamp"]["N"])
        for n in range(16)
        for item in raw(run(body(every_15[n : n + 1]), spacing_seconds=15.0))
    ]
    assert kept == in_parts == [int(NOW) - 240 + 60 * n for n in range(4)]


def test_unknown_spacing_keeps_samples_a_minute_apart(run: Any, samples: Any, body: Any) -> None:
    times = [NOW - 200 + offset for offset in (90, 0, 30, 59, 60, 150)]
    kept = raw(run(body([samples(timestamp=t) for t in times])))
    assert sorted(int(item["timestamp"]["N"]) for item in kept) == [int(NOW) - 200 + offset for offset in (0, 60, 150)]


def test_spacing_of_a_minute_or_more_keeps_all(run: Any, samples: Any, body: Any) -> None:
    result = run(body([samples(timestamp=NOW - 5), samples(timestamp=NOW - 65)]), spacing_seconds=60.0)
    assert len(raw(result)) == 2


def test_live_items_hold_every_sample_in_order(run: Any, samples: Any, body: Any) -> None:
    records = [samples(timestamp=NOW - offset, value=float(offset)) for offset in (10, 30.25, 20)]
    (item,) = live(run(body(records), spacing_seconds=10.0), "cpu_utilization")
    ((_, _, offsets, values),) = decode_live(item["data"]["S"])
    assert (offsets, values) == ([29.75, 40, 50], [30.25, 20.0, 10.0])


def test_histograms_carry_sum_maximum_and_sketch(run: Any, samples: Any, body: Any) -> None:
    observed = samples(
        metric_type="latency_ms", value=200.0, labels={"region": "eu"}, observations=[[100, 3], [500.0, 1]]
    )
    alone = samples(metric_type="latency_ms", value=40.0, labels={"region": "us"})
    (item,) = live(run(body([observed, alone])), "latency_ms")
    by_region = {entry.group: entry.values[0] for entry in decode_live(item["data"]["S"])}
    assert by_region["eu"][:2] == [800.0, 500.0]
    assert Sketch.from_flat(by_region["eu"][2:]).count == 4
    assert by_region["us"][:2] == [40.0, 40.0]
    assert Sketch.from_flat(by_region["us"][2:]).count == 1


def test_a_large_live_item_is_cut_below_the_item_limit(run: Any, samples: Any, body: Any) -> None:
    wide = {"note": "é" * 1000}
    result = run(body([samples(hostname=f"server-{n:04}", labels=wide) for n in range(700)]))
    items = live(result, "cpu_utilization")
    assert len(items) > 1
    assert all(len(item["data"]["S"].encode()) <= 300_000 for item in items)
    assert len({item["metric_id"]["S"] for item in items}) == len(items)
    assert sum(len(decode_live(item["data"]["S"])) for item in items) == 700


def test_late_samples_are_announced_by_their_range(run: Any, samples: Any, body: Any) -> None:
    times = [NOW - 3600, NOW - 7200, NOW - 5]
    result = run(body([samples(timestamp=t) for t in times]))
    assert result.late
    assert result.items[-1]["metric_type"] == {"S": "@late"}
    minutes = [int(t // 60 * 60) for t in (NOW - 7200, NOW - 3600)]
    assert json.loads(result.items[-1]["data"]["S"]) == {"production": {"cpu_utilization": minutes}}
    assert not run(body([samples()])).late


def test_processing_twice_gives_the_same_items(run: Any, samples: Any, body: Any) -> None:
    text = body([samples(timestamp=NOW - 30 * n, hostname=f"h{n % 3}") for n in range(40)])
    assert run(text).items == run(text).items


def test_parts_of_one_object_have_ids_of_their_own(run: Any, samples: Any, body: Any) -> None:
    first, second = (live(run(body([samples()]), start=start), "cpu_utilization")[0] for start in (0, 5_000_000))
    assert first["metric_id"] != second["metric_id"]


def test_it_counts_its_own_work_per_environment(run: Any, samples: Any, body: Any) -> None:
    records = [samples(), samples(hostname="b"), samples(hostname="c", environment="staging")]
    result = run(body(records))
    own = {
        (item["metric_type"]["S"], decode_live(item["data"]["S"])[0].values[0])
        for key in ("files_processed", "metrics_processed")
        for item in live(result, key)
    }
    assert own == {
        ("files_processed@live#production", 1),
        ("files_processed@live#staging", 1),
        ("metrics_processed@live#production", 2),
        ("metrics_processed@live#staging", 1),
    }


def test_published_values_are_those_an_alarm_means(run: Any, samples: Any, body: Any) -> None:
    lag = [samples(metric_type="consumer_lag_records", value=30_000, labels={"partition": str(n)}) for n in range(3)]
    failures = samples(metric_type="checkpoint_failures_total", value=7, labels={"job": "orders"})
    unpublished = samples(metric_type="watermark_lag_ms", value=7, labels={"operator": "o"})
    result = run(body([*lag, failures, unpublished, samples(value=20.0), samples(hostname="b", value=30.0)]))
    minute = int(NOW - 10) // 60 * 60
    assert result.published.values == {
        ("ConsumerLagRecords", minute): {90_000.0: 1},
        ("AvgCPUUtilization", minute): {20.0: 1, 30.0: 1},
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CATALOGUE = load_catalogue()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["metric_id", "timestamp", "metric_type", "value", "hostname", "labels"]), json_values
        )
        | json_values,
        max_size=6,
    ),
    st.booleans(),
)
def test_whatever_arrives_is_accounted_for(records: list[Any], as_array: bool) -> None:
    text = json.dumps(records) if as_array else "\n".join(map(json.dumps, records))
    result = process(
        text.encode(),
        ObjectPart("metrics/a.json"),
        now=NOW,
        catalogue=CATALOGUE,
        limits=Limits(),
        retention=Retention(),
    )
    assert accounted(result)
    assert result.samples == len(records) or not as_array
    assert all(math.isfinite(float(item["timestamp"]["N"])) for item in result.items)


@given(st.binary(max_size=200))
def test_bytes_never_break_it(data: bytes) -> None:
    source = ObjectPart("metrics/a.json")
    result = process(data, source, now=NOW, catalogue=CATALOGUE, limits=Limits(), retention=Retention())
    assert accounted(result)
    assert result.stored == 0


def test_an_object_that_comes_after_its_day_is_recorded_once_and_one_of_today_is_not(
    run: Any, samples: Any, body: Any
) -> None:
    def recorded(day: str, **place: Any) -> list[dict[str, Any]]:
        result = run(body([samples()]), key=f"metrics/year=2026/month=11/day={day}/metrics-1.json", **place)
        return [item for item in result.items if item["metric_type"] == {"S": "@closed-day"}]

    (item,) = recorded("20")
    assert item["timestamp"] == {"N": str(1_795_132_800)}
    assert item["data"] == {"S": "metrics/year=2026/month=11/day=20/metrics-1.json"}
    assert recorded("20") == [item], "a second delivery overwrites"
    assert recorded("21") == []
    assert recorded("20", start=5_000_000) == [], "of an object in parts the first one tells"


def test_an_object_is_told_to_history_once_its_day_may_be_compacted_and_not_before() -> None:
    day = day_of(NOW)
    source = ObjectPart(f"{METRICS_PREFIX}{day_path(day)}metrics-1.json")

    def told(now: float) -> list[str]:
        result = process(b"", source, now=now, catalogue=CATALOGUE, limits=Limits(), retention=Retention())
        return [item["data"]["S"] for item in result.items if item["metric_type"]["S"] == CLOSED_DAY]

    assert told(closed_at(day) - SKEW_SECONDS - 1) == []
    assert told(closed_at(day) - SKEW_SECONDS) == [source.key]
