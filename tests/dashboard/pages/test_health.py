from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from backend.contract.verdict import State
from dashboard.components.health import signal
from dashboard.data.models import Compared, HealthData, Incident
from dashboard.data.request import ViewRequest
from dashboard.html import fill, render
from dashboard.pages.health import GOLDEN, PAGE, layout, stale_after, view
from tests.dashboard import fakes
from tests.dashboard.alert_fakes import FakeAlerts
from tests.dashboard.fakes import NOW
from tests.dashboard.job_fakes import FakeReader


def drawn(data: HealthData, part: str = "") -> str:
    """The page's HTML, or that of one part."""
    props = view(data, NOW).props
    if part:
        return render(props[part]["children"], NOW)
    return render(fill(layout(), props), NOW)


@pytest.mark.parametrize("name", fakes.FIXTURES)
def test_every_state_fills_every_part_of_the_layout(name: str) -> None:
    data = fakes.FIXTURES[name](NOW)
    page = drawn(data)
    assert "skeleton" not in page
    assert f'data-status="{data.verdict.status}"' in page
    for key in GOLDEN:
        assert page.count(f'id="card-{key}"') == 1


def test_the_view_is_pure() -> None:
    data = fakes.critical(NOW)
    assert drawn(data) == drawn(data)
    assert view(data, NOW).as_of == data.as_of


def test_the_reason_is_a_plain_sentence_and_the_rest_is_counted() -> None:
    text = drawn(fakes.critical(NOW), "verdict")
    assert "Consumer lag is 61,200 records, above the critical threshold of 50,000 records." in text
    assert "and 1 more reason below" in text


def test_open_alerts_lead_to_their_list_and_are_unknown_where_they_cant_be_read() -> None:
    alerts = FakeAlerts.busy(NOW)
    services = fakes.services(pages=(PAGE,), now=lambda: NOW)
    services.alerts = alerts
    card = render(view(services.load(ViewRequest("health", "production")), NOW).props["card-alerts"]["children"], NOW)
    assert 'href="/alerts?severity=CRITICAL&amp;environment=production"' in card
    assert "7 open" in card
    alerts.error = EndpointConnectionError(endpoint_url="http://dynamodb")
    services.acted()
    data = services.load(ViewRequest("health", "production"))
    assert "Can't be read now" in drawn(data, "card-alerts")
    assert "None open" not in drawn(data, "card-alerts")
    assert 'data-status="healthy"' in drawn(data)


@pytest.mark.parametrize("error", [KeyError("state"), TypeError("an unexpected keyword argument"), ValueError("time")])
def test_a_record_of_another_version_takes_a_panel_but_not_the_verdict(error: Exception) -> None:
    services: Any = fakes.services(pages=(PAGE,), now=lambda: NOW)
    services.alerts, services.jobs = FakeAlerts(NOW, error=error), FakeReader(error=error)
    data = services.load(ViewRequest("health", "production"))
    assert (
        data.verdict == fakes.services(pages=(PAGE,), now=lambda: NOW).load(ViewRequest("health", "production")).verdict
    )
    assert f"The alerts can't be read ({type(error).__name__})" in drawn(data, "card-alerts")
    assert f"The datasets can't be read ({type(error).__name__})" in drawn(data, "card-datasets")


def test_a_display_counts_open_alerts_without_links() -> None:
    services = fakes.services(pages=(PAGE,), now=lambda: NOW)
    services.alerts = FakeAlerts.busy(NOW)
    data = services.load(ViewRequest("health", "production", role="display"))
    assert "<a" not in drawn(data, "card-alerts")


def test_a_signal_never_seen_is_not_connected_and_shows_no_number() -> None:
    card = next(c for c in fakes.partly(NOW).signals if c.key == "dlq_records")
    text = render(signal(card, NOW), NOW)
    assert "Not connected yet" in text
    assert 'class="number"' not in text
    assert "Healthy" not in text


def test_a_silent_signal_shows_its_past_but_no_current_value() -> None:
    card = next(c for c in fakes.partly(NOW).signals if c.key == "latency_ms")
    text = render(signal(card, NOW), NOW)
    assert "Silent for 12 min" in text
    assert "spark-line" in text
    assert 'class="number"' not in text


@pytest.mark.parametrize("state", fakes.STATES)
def test_state_is_a_word_as_well_as_a_shape(state: State) -> None:
    words = {"healthy": "Healthy", "degraded": "Degraded", "critical": "Critical", "unknown": "Unknown"}
    card = replace(fakes.health(NOW).signals[0], state=state)
    text = render(signal(card, NOW), NOW)
    assert words.get(state, "Not connected yet") in text
    assert f'class="shape" data-state="{state}"' in re.sub(r' aria-hidden="true"', "", text)


def test_parts_without_data_are_not_connected_never_zero() -> None:
    data = fakes.health(NOW)
    for part in ("card-alerts", "card-datasets"):
        assert "Not connected yet" in drawn(data, part)
        assert ">0<" not in drawn(data, part)


def test_alerts_and_datasets_are_counted_once_they_are_connected() -> None:
    data = replace(fakes.health(NOW), open_alerts={"CRITICAL": 2, "LOW": 1}, dataset_freshness={"fresh": 4})
    assert "3 open<" in drawn(data, "card-alerts")
    assert "Fresh" in drawn(data, "card-datasets")


def test_nothing_at_all_is_unknown_without_a_green_word() -> None:
    page = drawn(fakes.empty(NOW))
    assert "Healthy" not in page
    assert "healthy" not in page.replace('class="page health"', "").replace('id="page-health"', "")
    assert view(fakes.empty(NOW), NOW).as_of is None


def test_a_burn_rate_is_the_slower_window_and_unknown_without_both() -> None:
    burning = drawn(fakes.critical(NOW), "card-slos")
    assert "19.4×" in burning
    assert "it is gone in 1 h 20 min" in burning
    assert "too little data" in drawn(fakes.partly(NOW), "card-slos")


def test_windows_that_say_the_same_say_it_once_and_as_the_most_urgent() -> None:
    card = fakes.slos(burn=(22.0, 19.4))[0]
    page, *others = card.burn
    alike = replace(others[0], state="ticket", sentence=page.sentence)
    different = replace(others[1], state="ticket", sentence="the budget is gone on Monday")
    text = drawn(replace(fakes.health(NOW), slos=(replace(card, burn=(page, alike, different)),)), "card-slos")
    burning = text[text.index('class="burning"') :]
    assert burning.count(f"<span>{page.sentence}</span>") == 1
    assert burning.count('data-state="critical"') == burning.count('data-state="degraded"') == 1
    assert burning.index("critical") < burning.index("degraded") < burning.rindex("the budget is gone on Monday")


def test_an_overspent_budget_is_zero_left_not_less() -> None:
    card = replace(fakes.slos()[0], budget_left_percent=-340.0)
    text = drawn(replace(fakes.health(NOW), slos=(card,)), "card-slos")
    assert ">0%<" in text
    assert "-340" not in text


def test_the_strip_reads_as_text_and_counts_only_recorded_days() -> None:
    text = drawn(fakes.health(NOW), "card-days")
    assert "24 of 28 recorded days healthy" in text
    assert "9 Nov: critical, not healthy for 95 min" in text
    assert text.count('class="day"') == 30


def test_an_open_incident_counts_on_and_a_closed_one_says_how_long() -> None:
    text = drawn(fakes.critical(NOW), "card-incidents")
    assert 'data-open="true"' in text
    assert "open, " in text
    assert "96 min" in text
    assert text.count("<li") == 5


def test_no_incident_and_no_history_are_different_things() -> None:
    quiet = replace(fakes.health(NOW), incidents=())
    assert "No incident in the recorded time" in drawn(quiet, "card-incidents")
    assert "No history yet" in drawn(fakes.empty(NOW), "card-incidents")


def test_synthetic_data_is_labelled_and_real_data_is_not() -> None:
    assert "Synthetic data" in drawn(fakes.health(NOW))
    assert "Synthetic" not in drawn(replace(fakes.health(NOW), synthetic=False))


@pytest.mark.parametrize(
    ("change", "why", "words"),
    [
        (0.12, "", "12% higher than the period before"),
        (-0.3, "", "30% lower than the period before"),
        (11.0, "", "12 times as high as the period before"),
        (0.0, "", "as in the period before"),
        (math.inf, "", "was zero in the period before"),
        (None, "no data of the period before", "no data of the period before"),
    ],
)
def test_a_card_is_told_against_the_period_before_where_that_is_compared(
    change: float | None, why: str, words: str
) -> None:
    card = fakes.critical(NOW).signals[0]
    line = replace(card.sparkline, values=(1.0, 2.0)) if card.sparkline and not why else None
    text = render(signal(replace(card, before=Compared(line, change, why)), NOW), NOW)
    assert f">{words}</p>" in text
    assert ("The period before, dotted" in text) == (line is not None)
    assert "period before" not in render(signal(card, NOW), NOW)


def test_names_from_outside_are_text() -> None:
    hostile: Any = "<img src=x onerror=alert(1)>"
    page = drawn(replace(fakes.health(NOW), environment=hostile, datasets_problem=hostile))
    assert "<img" not in page


def test_data_is_too_old_after_three_of_its_own_intervals() -> None:
    assert stale_after(replace(fakes.health(NOW), interval_seconds=300)) == 900
    assert stale_after(replace(fakes.health(NOW), interval_seconds=10)) == 180


def test_the_page_knows_which_filters_it_applies() -> None:
    assert set(PAGE.filters) == {"environment", "range"}


def test_dead_letters_lead_to_the_errors_page_but_not_on_a_display() -> None:
    reason = "DLQ rate is 412 records/min, above the critical threshold of 100 records/min"
    open_one = Incident(NOW - 600, None, "critical", reason)
    data = replace(fakes.critical(NOW), incidents=(open_one,))
    linked = replace(data, links=True)
    assert 'href="/errors"' in drawn(linked, "card-dlq_records")
    assert f'href="/errors?from={round(NOW - 1500) * 1000}&amp;environment=production"' in drawn(
        linked, "card-incidents"
    )
    assert "<a " not in drawn(data)
