"""SLOs: attainment from counts, burn only where there is enough data, and a sentence that says it all."""

from __future__ import annotations

import pytest

from backend.contract.bucket import buckets
from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import Merged
from backend.contract.sketch import Sketch
from backend.contract.slo import (
    BurnRate,
    SloCard,
    Tally,
    burn_rate,
    completeness_tallies,
    event_tallies,
    latency_tallies,
    slo_card,
    slo_cards,
)

CATALOGUE = load_catalogue()
LATENCY = CATALOGUE["latency_ms"]
NOW = 1_795_266_000.0
EVEN = Tally(990, 1000)
"""Exactly the 1 % that the budget allows."""


def minutes(tally: Tally, count: int = 360) -> dict[float, Tally]:
    return {NOW - 60 * (i + 1): tally for i in range(count)}


def hours(tally: Tally, count: int = 720) -> dict[float, Tally]:
    return {NOW - 3600 * (i + 1): tally for i in range(count)}


def burns(card: SloCard) -> dict[str, BurnRate]:
    return {burn.name: burn for burn in card.burn}


def test_latency_is_attained_by_counts_of_the_sketch() -> None:
    values = [100.0] * 990 + [6000.0] * 10
    pack = [sum(values), max(values), *Sketch.of([v, 1] for v in values).flat()]
    merged = buckets(LATENCY, {("eu", "h"): {NOW - 30: pack}}, NOW - 60, NOW)
    (tally,) = latency_tallies(LATENCY, merged).values()
    assert (tally.good, tally.total) == (990, 1000)
    card = slo_card(LATENCY, {}, {NOW - 3600: tally}, NOW)
    assert card.attained_percent == pytest.approx(99)
    assert card.budget_left_percent == pytest.approx(0)


def test_completeness_is_attained_by_records_at_the_operators_that_drop() -> None:
    def merged(metric: str, **grown: float) -> dict:  # type: ignore[type-arg]
        samples = {(name, "h"): {NOW - 90: 0.0, NOW - 30: by} for name, by in grown.items()}
        return buckets(CATALOGUE[metric], samples, NOW - 60, NOW)  # type: ignore[return-value]

    late = merged("late_records_dropped", window=20.0)
    came = merged("records_in", window=1000.0, source=50_000.0)
    assert list(completeness_tallies(late, came, {}).values()) == [Tally(980, 1000)]
    assert list(completeness_tallies(merged("late_records_dropped", window=0.0), came, {}).values()) == [
        Tally(1000, 1000)
    ]


def test_where_only_a_percentage_is_known_it_counts_as_a_ratio() -> None:
    gauge = buckets(CATALOGUE["window_completeness"], {("w", "h"): {NOW - 30: 95.0}}, NOW - 60, NOW)
    (tally,) = completeness_tallies({}, {}, gauge).values()
    assert (tally.good / tally.total, tally.counted) == (0.95, False)


def counted(name: str, values: dict[float, float]) -> dict[float, Merged]:
    return dict(buckets(CATALOGUE[name], {("shop", "h"): values}, NOW - 300, NOW))


def test_events_are_good_unless_they_become_dead_letters() -> None:
    taken = counted("events_ingested", {NOW - 170: 60.0, NOW - 110: 40.0})
    failed = counted("events_failed", {NOW - 290: 7.0, NOW - 110: 10.0, NOW - 50: 5.0})
    tallies = event_tallies(taken, failed)
    assert sum(tally.total for tally in tallies.values()) == 100
    # Events that failed before the first of these came are none of them.
    assert sum(tally.good for tally in tallies.values()) == 85


def test_dead_letters_of_other_pipelines_burn_nothing_of_the_events_budget() -> None:
    level = {
        "events_ingested": counted("events_ingested", {NOW - ago: 100.0 for ago in (170, 110, 50)}),
        "dlq_records": counted("dlq_records", {NOW - ago: 50.0 for ago in (170, 110, 50)}),
        "events_failed": counted("events_failed", {NOW - 110: 3.0}),
    }
    card = slo_cards(CATALOGUE, level, level, NOW)[2]
    assert card.attained_percent == pytest.approx(99)


def test_more_dead_letters_than_events_are_no_more_than_all_of_them() -> None:
    card = slo_card(CATALOGUE["events_ingested"], {}, {NOW - 3600: Tally(-50, 10)}, NOW)
    assert card.attained_percent == 0


def test_what_never_sent_anything_is_not_connected() -> None:
    cards = slo_cards(CATALOGUE, {}, {}, NOW)
    assert [(card.key, card.state, card.attained_percent) for card in cards] == [
        ("latency_ms", "not_connected", None),
        ("window_completeness", "not_connected", None),
        ("events_ingested", "not_connected", None),
    ]
    assert [card.target_percent for card in cards] == [99, 99, 99.9]


def test_an_even_pace_uses_the_budget_up_and_does_not_page() -> None:
    card = slo_card(LATENCY, minutes(EVEN), hours(EVEN), NOW)
    assert card.attained_percent == pytest.approx(99)
    assert card.budget_left_percent == pytest.approx(0, abs=1e-9)
    assert [burn.long_rate for burn in card.burn] == pytest.approx([1, 1, 1])
    assert {burn.state for burn in card.burn} <= {"ok", "ticket"}


def test_a_fast_burn_pages_and_says_what_how_fast_and_until_when() -> None:
    bad = Tally(750, 1000)
    card = slo_card(LATENCY, minutes(bad, 60), {**hours(Tally(1000, 1000)), NOW - 3600: bad}, NOW)
    burn = burns(card)["1 h and 5 min"]
    assert (burn.state, burn.long_rate, burn.short_rate) == ("page", pytest.approx(25), pytest.approx(25))
    # 250 of the 7,190 bad records that 719 hours may have are spent; the rest lasts 720 h x 0.965 / 25.
    sentence = "Records under 5 s: the budget burns at 25.0 times its even pace and is gone in 27 h 47 min"
    assert burn.sentence == sentence
    assert (card.state, card.detail) == ("critical", burn.sentence)


@pytest.mark.parametrize(("bad", "said"), [(250, "2.5"), (9990, "99.9"), (9996, "100"), (100_000, "1,000")])
def test_how_fast_it_burns_has_a_decimal_only_where_one_matters(bad: int, said: str) -> None:
    metric, tally = CATALOGUE["events_ingested"], Tally(100_000 - bad, 100_000)
    card = slo_card(metric, minutes(tally), hours(tally), NOW)
    said_at = {burn.sentence.partition(" times ")[0].rpartition(" at ")[2] for burn in card.burn}
    assert said_at == {said}


def test_a_burn_that_is_over_does_not_page() -> None:
    fine = {**minutes(Tally(800, 1000), 60), **minutes(Tally(1000, 1000), 5)}
    card = slo_card(LATENCY, fine, hours(Tally(1000, 1000)), NOW)
    assert burns(card)["1 h and 5 min"].state == "ok"


def test_a_slow_burn_is_a_ticket() -> None:
    slow = Tally(985, 1000)
    card = slo_card(LATENCY, minutes(slow), {**hours(Tally(1000, 1000)), **hours(slow, 73)}, NOW)
    assert burns(card)["3 d and 6 h"].state == "ticket"
    assert card.state == "degraded"


def test_a_spent_budget_is_said_to_be_gone() -> None:
    card = slo_card(LATENCY, minutes(Tally(500, 1000)), hours(Tally(500, 1000)), NOW)
    assert card.budget_left_percent == pytest.approx(-4900)
    assert card.state == "critical"
    assert card.detail.endswith("times its even pace and is gone")


@pytest.mark.parametrize(
    ("tallies", "enough"),
    [
        ([], False),
        ([Tally(500, 1000)] * 2, False),
        ([Tally(10, 33)] * 3, False),
        ([Tally(10, 34)] * 3, True),
        ([Tally(0, 0)] * 5, False),
        ([Tally(0.9, 1, counted=False)] * 3, True),
        ([Tally(0.9, 1, counted=False)] * 2, False),
    ],
)
def test_too_little_data_is_never_a_burn(tallies: list[Tally], enough: bool) -> None:
    assert (burn_rate(tallies, 0.01) is not None) is enough


def test_windows_without_enough_data_say_so() -> None:
    card = slo_card(LATENCY, minutes(Tally(0, 1000), 2), hours(Tally(0, 1000), 2), NOW)
    assert {burn.state for burn in card.burn} == {"not_enough_data"}
    assert burns(card)["1 h and 5 min"].sentence == "Not enough data in these windows"


def test_a_card_says_how_much_of_the_period_it_covers() -> None:
    assert slo_card(LATENCY, {}, hours(EVEN, 48), NOW).covered_days == pytest.approx(2)
    assert slo_card(LATENCY, {}, hours(EVEN, 800), NOW).covered_days == pytest.approx(30, abs=0.1)


def test_hours_without_data_are_not_covered() -> None:
    long_ago = {NOW - 29 * 86_400: EVEN}
    assert slo_card(LATENCY, {}, {**long_ago, **hours(EVEN, 23)}, NOW).covered_days == 1


def test_a_budget_of_a_silent_source_is_unknown_unless_it_is_gone() -> None:
    fine, gone = Tally(1000, 1000), Tally(500, 1000)
    silent = {t: tally for t, tally in hours(fine).items() if t < NOW - 10 * 86_400}
    card = slo_card(LATENCY, {}, silent, NOW)
    assert (card.state, card.attained_percent, card.detail) == ("unknown", 100, "No data for 10 d 1 h")
    assert slo_card(LATENCY, {}, dict.fromkeys(silent, gone), NOW).state == "critical"
    assert slo_card(LATENCY, {NOW - 5 * 3600: fine}, silent, NOW).state == "healthy"


def test_a_metric_without_a_target_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="has no SLO"):
        slo_card(CATALOGUE["cpu_utilization"], {}, {}, NOW)
