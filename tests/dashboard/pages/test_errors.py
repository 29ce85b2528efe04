from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from backend.contract.events import EventError, EventRecord
from dashboard.components import errors_charts
from dashboard.data.errors_data import ErrorsData
from dashboard.data.request import Role, ViewRequest, parse_view_request
from dashboard.html import fill, render
from dashboard.pages.base import View
from dashboard.pages.errors import PAGE, PARAMETERS, layout, load, view
from tests.dashboard.errors_bench import services
from tests.dashboard.event_fakes import FakeInvestigation, detail, failed, several
from tests.dashboard.fakes import NOW

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def asked(role: Role = "viewer", environment: str = "production", **args: str) -> ViewRequest:
    return parse_view_request("errors", args, environment, NOW, PARAMETERS, role)


def loaded(request: ViewRequest, records: Any = None, **options: Any) -> ErrorsData:
    built, _ = services(records, now=lambda: NOW, **options)
    try:
        return load(built, request, NOW)
    finally:
        built.close()


def seen(request: ViewRequest, records: Any = None, **options: Any) -> View:
    return view(loaded(request, records, **options), NOW)


def drawn(request: ViewRequest, records: Any = None, part: str = "", **options: Any) -> str:
    """The page's HTML, or that of one part."""
    props = seen(request, records, **options).props
    return render(props[part]["children"], NOW) if part else render(fill(layout(), props), NOW)


def test_a_view_fills_every_part_of_the_layout() -> None:
    page = drawn(asked())
    assert "skeleton" not in page
    assert 'data-filled="yes"' in page


def test_the_view_is_pure() -> None:
    data = loaded(asked())
    assert view(data, NOW).charts == view(data, NOW).charts
    assert render(fill(layout(), view(data, NOW).props), NOW) == render(fill(layout(), view(data, NOW).props), NOW)
    assert view(data, NOW).as_of == NOW


def test_the_lead_says_what_fails_most_and_where() -> None:
    text = drawn(asked(), part="errors-lead")
    assert "480 failed events" in text
    assert "of them parse_error, most at parse-orders" in text


def test_events_of_a_synthetic_source_are_labelled() -> None:
    data = loaded(asked())
    shown = data.failures.newest[0].source if data.failures else ""
    labelled = render(view(replace(data, synthetic_sources=(shown,)), NOW).props["errors-lead"]["children"], NOW)
    assert "Synthetic events" in labelled
    assert "Synthetic events" not in render(view(data, NOW).props["errors-lead"]["children"], NOW)
    other = view(replace(data, synthetic_sources=("elsewhere",)), NOW)
    assert "Synthetic events" not in render(other.props["errors-lead"]["children"], NOW)


def test_a_slice_filters_the_rest_and_can_be_taken_back() -> None:
    text = drawn(asked(error_type="timeout"))
    rows = text[text.index('id="card-newest"') : text.index('id="card-entities"')]
    assert "no answer from the customer service" in rows
    assert "customer_id is missing" not in rows
    types = drawn(asked(error_type="timeout"), part="body-types")
    assert "parse_error" in types
    assert "&quot;error_type&quot;: null" in types
    assert "Remove the filter Error type" in text


def test_charts_keep_siblings_but_fade_them() -> None:
    charts = seen(asked(error_type="timeout")).charts
    colours = {trace["name"]: trace["marker"]["color"] for trace in charts["chart-failed"]}
    assert colours["timeout"].startswith("#")
    assert colours["parse_error"].startswith("rgba")
    assert charts["chart-types"][0]["labels"][0] == "parse_error"


def test_thresholds_come_from_the_catalogue_and_only_where_data_comes_near() -> None:
    labels = [trace["name"] for trace in seen(asked()).charts["chart-dlq"] if trace["type"] == "scatter"]
    assert labels == ["warning 10 a minute", "critical 100 a minute"]


def test_a_cut_reading_says_so_at_every_count() -> None:
    text = drawn(asked(**{"from": "now-6h"}), several(2600, NOW))
    assert "2,000 of the newest 2,000 failed events" in text
    assert "Only the newest 2,000 failed events were read, from" in text
    assert "Narrow the range to see all" in text
    for part in ("aside-failed", "aside-types", "card-newest", "card-entities", "card-sources"):
        assert "Of the newest 2,000" in drawn(asked(**{"from": "now-6h"}), several(2600, NOW), part=part)
    hatched = seen(asked(**{"from": "now-6h"}), several(2600, NOW)).charts["chart-failed"][-1]
    assert hatched["name"] == "not read"
    assert len(hatched["y"]) > 0


def test_a_table_cut_short_says_of_how_many() -> None:
    assert "25 of 480" in drawn(asked(), part="card-newest")
    assert "/replay?from=now-1h&amp;to=now&amp;environment=production&amp;status=failed" in drawn(
        asked(), part="card-newest"
    )
    assert "All 3" in drawn(asked(), several(3, NOW), part="card-newest")


def test_without_an_event_store_the_events_are_not_connected_and_metrics_stand() -> None:
    text = drawn(asked(), events=False)
    for part in ("body-failed", "body-types", "card-newest", "card-entities"):
        assert "Not connected yet" in drawn(asked(), events=False, part=part)
    assert "3.3" in text[text.index('id="card-operators"') :]


def test_nothing_connected_shows_no_number_at_all() -> None:
    text = drawn(asked(), events=False, metrics=False)
    assert 'class="number"' not in text
    assert "failed events in this range" not in text
    assert "Healthy" not in text
    assert seen(asked(), events=False, metrics=False).as_of is None


def test_a_quiet_range_is_none_found_not_unknown() -> None:
    text = drawn(asked(), [])
    assert "No failed event in this range." in text
    assert "Not connected" not in drawn(asked(), [], part="body-failed")


def test_filters_that_match_nothing_say_so_and_stay_removable() -> None:
    text = drawn(asked(error_type="nonsense"))
    assert "No failed event matches these filters." in text
    assert "Remove the filter Error type" in text


def test_panels_of_metrics_say_which_filters_they_do_not_know() -> None:
    request = asked(entity_id="order-10007", error_type="timeout")
    assert "Not filtered by entity<" in drawn(request, part="aside-dlq")
    assert "Rates are not filtered by error type, entity" in drawn(request, part="card-operators")


def test_another_environment_is_said_not_to_filter_events() -> None:
    assert "they are not filtered by environment" in drawn(asked(environment="staging"))
    assert "not filtered by environment" not in drawn(asked())


def test_a_status_from_the_replay_page_is_said_not_to_apply() -> None:
    assert "not filtered by status processed" in drawn(asked(status="processed"))


def test_a_display_sees_masked_ids_and_nothing_to_press() -> None:
    records = several(60, NOW)
    assert records[0].error is not None
    told = replace(records[0].error, message=f"{records[0].entity_id} is broken")
    records[0] = replace(records[0], error=told)
    text = drawn(asked("display", event=records[0].event_id, entity_id=records[0].entity_id), records)
    assert records[0].entity_id not in text
    assert "or…" in text
    for tag in ("<a ", "<button", "<form", "<select"):
        assert tag not in text
    assert "A-100" not in text


def test_a_display_sees_no_message_of_an_error() -> None:
    records = several(60, NOW)
    assert records[1].error is not None
    records[1] = replace(records[1], error=replace(records[1].error, message="card 4711 of Ann Example is refused"))
    assert "Ann Example" in drawn(asked(), records)
    text = drawn(asked("display"), records)
    assert "Ann Example" not in text
    assert "customer_id is missing" not in text
    assert ">Message<" not in text


def test_a_display_shows_the_operators_that_fit_and_says_of_how_many() -> None:
    records = [
        replace(record, error=EventError("timeout", "slow", f"operator-{number % 12:02}", NOW - 5))
        for number, record in enumerate(several(60, NOW))
    ]
    shown = drawn(asked("display"), records, metrics=False)
    assert "Worst 6 of 12" in shown
    assert "Worst" not in drawn(asked(), records, metrics=False)


def test_both_time_charts_have_a_legend_whose_colours_are_the_donuts() -> None:
    content = seen(asked())
    donut = content.charts["chart-types"][0]
    tones = dict(zip(donut["labels"], donut["marker"]["colors"], strict=True))
    for name in ("failed", "dlq"):
        bars = [trace for trace in content.charts[f"chart-{name}"] if "meta" in trace]
        assert {trace["name"]: trace["marker"]["color"] for trace in bars}.items() <= tones.items()
        body = render(content.props[f"body-{name}"]["children"], NOW)
        for trace in bars:
            assert f'--swatch:{trace["marker"]["color"]}"></span><a' in body
            assert f">{trace['name']}</a>" in body
    assert "<a" not in render(seen(asked("display")).props["body-dlq"]["children"], NOW)


def test_vertical_axes_say_what_they_count() -> None:
    page = orjson.dumps(layout(), default=lambda component: component.to_plotly_json()).decode()
    assert '"text":"events a bar"' in page
    assert '"text":"a minute"' in page


@pytest.mark.parametrize("role", ["viewer", "display"])
def test_only_operators_are_sent_payloads(role: Role) -> None:
    event_id = several(3, NOW)[0].event_id
    for who, shown in ((role, False), ("operator", True)):
        content = seen(asked(who, event=event_id), several(3, NOW))  # type: ignore[arg-type]
        raw = orjson.dumps(content.props, default=lambda component: component.to_plotly_json()).decode()
        assert ("A-100" in raw) is shown
        assert ("data-post" in raw) is shown
        assert "4111" not in raw


def test_the_queries_follow_the_filters_and_the_open_event() -> None:
    record = several(3, NOW)[0]
    text = drawn(asked(error_type="timeout"), part="card-insights")
    assert "filter error_type = &quot;timeout&quot;" in text or 'filter error_type = "timeout"' in text
    assert "region=us-east-1" in text
    opened = drawn(asked(event=record.event_id), several(3, NOW), part="card-insights")
    assert f'correlation_id = "{record.correlation_id}"' in opened


def twice(now: int, before: int) -> list[EventRecord]:
    """So many failed events in the last hour, and so many in the one before it."""
    return [
        *(replace(failed(number), received_at=NOW - 1 - number % 3000) for number in range(now)),
        *(replace(failed(5000 + number), received_at=NOW - 3601 - number % 3000) for number in range(before)),
    ]


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (48, 40, "48 failed events</strong> (40 in the period before: 20% more now)"),
        (30, 40, "30 failed events</strong> (40 in the period before: 25% fewer now)"),
        (40, 2, "40 failed events</strong> (2 in the period before: 20 times as many now)"),
        (40, 40, "(40 in the period before: as many now)"),
        (40, 0, "40 failed events</strong> (none in the period before)"),
        (0, 40, "No failed event in this range (40 in the period before)."),
        (2100, 40, "2,000 of the newest 2,000 failed events</strong> (40 in the period before)"),
        (40, 2100, "40 failed events</strong> (at least 2,000 in the period before)"),
    ],
)
def test_the_lead_counts_against_the_period_before(now: int, before: int, words: str) -> None:
    assert words in drawn(asked(compare="previous"), twice(now, before), "errors-lead")


def test_a_cut_reading_of_the_period_before_is_said() -> None:
    text = drawn(asked(compare="previous"), twice(40, 2100), "errors-lead")
    assert "Of its failed events only the newest 2,000 are known, from" in text


def test_both_time_charts_draw_the_period_before_as_a_dotted_line_with_a_word() -> None:
    view_of = seen(asked(compare="previous"), twice(40, 30))
    for name in ("failed", "dlq"):
        (line,) = [trace for trace in view_of.charts[f"chart-{name}"] if trace.get("line", {}).get("dash") == "dot"]
        assert line["line"]["color"] not in errors_charts.COLOURS.values()
        legend = render(view_of.props[f"body-{name}"]["children"], NOW)
        assert "period before, all types" in legend
    assert sum(value or 0 for value in view_of.charts["chart-failed"][-1]["y"]) == 30


def test_what_is_not_known_of_the_period_before_is_said_and_not_drawn() -> None:
    view_of = seen(asked("viewer", "production", **{"compare": "previous", "from": "now-2h"}), twice(40, 0))
    legend = render(view_of.props["body-dlq"]["children"], NOW)
    assert "no data of the period before" in legend
    quiet = render(seen(asked(compare="previous"), twice(40, 0)).props["body-failed"]["children"], NOW)
    assert "none in the period before" in quiet


def test_events_older_than_they_are_kept_are_no_period_before() -> None:
    text = drawn(
        asked("viewer", "production", **{"compare": "previous", "from": "now-90d"}), twice(40, 0), "errors-lead"
    )
    assert "40 failed events</strong> (no data of the period before)" in text


def test_without_comparing_nothing_is_read_or_said_of_the_period_before() -> None:
    built, source = services(twice(40, 30), now=lambda: NOW)
    try:
        data = load(built, asked(), NOW)
        compared = load(built, asked(compare="previous"), NOW)
    finally:
        built.close()
    assert source.reads == [(NOW - 3600, NOW), (NOW - 7200, NOW - 3600)]
    plain = view(data, NOW)
    assert data.before is None
    assert "period before" not in render(fill(layout(), plain.props), NOW)
    assert [len(view(compared, NOW).charts[f"chart-{name}"]) - len(plain.charts[f"chart-{name}"])
            for name in ("failed", "dlq", "types")] == [1, 1, 0]  # fmt: skip


def test_synthetic_events_of_the_period_before_are_labelled_too() -> None:
    data = loaded(asked(compare="previous"), twice(0, 3))
    assert data.before is not None
    assert data.before.failures is not None
    source = data.before.failures.reading.events[0].source
    assert replace(data, synthetic_sources=(source,)).synthetic
    assert not replace(data, synthetic_sources=("another",)).synthetic


def test_filters_and_viewers_share_one_reading() -> None:
    built, source = services(now=lambda: NOW)
    for request in (asked(), asked(error_type="timeout"), asked("operator", entity_id="order-10007")):
        load(built, request, NOW)
    assert len(source.reads) == 1
    load(built, asked(**{"from": "now-6h"}), NOW)
    assert len(source.reads) == 2
    built.close()


def test_everything_events_say_is_text() -> None:
    error = EventError(EVIL, EVIL, EVIL, NOW - 5)
    record = replace(
        failed(1, NOW), entity_id=EVIL, event_type=EVIL, source=EVIL, correlation_id=EVIL, raw_key=EVIL, error=error
    )
    source = FakeInvestigation([record], {record.event_id: detail(record, {EVIL: EVIL}, headers={EVIL: EVIL})})
    built, _ = services(now=lambda: NOW)
    built.events = source  # type: ignore[assignment]
    data = load(built, asked("operator", event=record.event_id, source=EVIL), NOW)
    built.close()
    text = render(fill(layout(), view(data, NOW).props), NOW)
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;") > 15


def test_the_page_can_be_encoded_whole() -> None:
    content = seen(asked("operator", event=several(480, NOW)[5].event_id))
    raw = orjson.dumps([content.props, content.charts], default=lambda component: component.to_plotly_json())
    assert len(raw) < 400_000


def test_the_page_names_its_filters() -> None:
    assert PAGE.by_role
    assert set(PAGE.filters) == {"environment", "range", "operator"}
    assert "event" in PAGE.parameters
