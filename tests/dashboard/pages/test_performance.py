from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from time import process_time
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from backend.contract.anomaly import Anomaly
from dashboard.components.performance_charts import CHARTS, DRILL_CHARTS
from dashboard.data.anomalies import Noticed
from dashboard.data.models import Line
from dashboard.data.performance_data import PerformanceData
from dashboard.data.source import Source
from dashboard.html import render
from dashboard.pages.base import View
from dashboard.pages.performance import PAGE, layout, load, view
from dashboard.services import Services, build_services
from tests.dashboard import fakes
from tests.dashboard.fakes import NOW, DictStore
from tests.dashboard.performance_desk import request, services, table
from tests.memory_table import MemoryTable


@pytest.fixture(scope="module")
def slow() -> Iterator[Services]:
    built = services(table(NOW))
    yield built
    built.close()


@pytest.fixture(scope="module")
def empty() -> Iterator[Services]:
    built = services(MemoryTable())
    yield built
    built.close()


def shown(built: Services, **changes: Any) -> tuple[PerformanceData, View]:
    data = load(built, request(**changes), NOW)
    return data, view(data, NOW)


def words(made: View, *keys: str) -> str:
    """What parts of a view say, without their markup."""
    html = "".join(
        render(made.props[key]["children"], NOW) for key in keys or made.props if "children" in made.props[key]
    )
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def markup(made: View, key: str) -> str:
    return render(made.props[key]["children"], NOW)


def test_the_lead_says_what_is_slow_since_when_and_how_far_from_its_limit(slow: Services) -> None:
    text = words(shown(slow)[1], "performance-lead")
    assert re.search(r"Latency p99 is 7\.\d+ s , usually 1\.\d+ s, since 21 Nov, 14:13 UTC", text)
    assert "over the promised 5 s" in text
    assert re.search(r"Past a threshold: Consumer lag 69,\d+ records , CPU", text)
    assert "Synthetic data" in text


def test_the_cause_is_one_sentence_with_the_evidence_and_ways_to_it(slow: Services) -> None:
    made = shown(slow)[1]
    text = words(made, "card-cause")
    assert re.search(r"Cache hit rate fell to 59\.\d%, usually 9\d\.?\d*% ; enrichment latency rose to 2\d\d ms", text)
    assert "felt most at enrich" in text
    html = markup(made, "card-cause")
    assert 'href="#card-cache"' in html
    assert "operator=enrich" in html
    assert made.props["card-cause"]["data-speed"] == "slow"


def test_every_way_to_a_chart_leads_to_one_that_is_there(slow: Services) -> None:
    made = shown(slow)[1]
    targets = set(re.findall(r'href="#([^"]+)"', markup(made, "card-cause") + markup(made, "performance-lead")))
    assert len(targets) >= 8
    assert all(f'id="{target}"' in render(layout(), 0) for target in targets)


def test_operators_are_rows_that_choose_themselves(slow: Services) -> None:
    made = shown(slow)[1]
    html = markup(made, "card-operators")
    assert html.index("enrich") < html.index("orders-source"), "the slowest first"
    text = words(made, "card-operators")
    assert re.search(r"busiest enrich 9\d%, most backpressured orders-source 6\d%", text)
    assert "fewer by design" in text
    assert all(made.props[f"card-{key}"]["hidden"] for key in DRILL_CHARTS)
    assert made.props["drill-head"]["hidden"]


def test_a_chosen_operator_is_looked_at_closely_and_can_be_left(slow: Services) -> None:
    made = shown(slow, operator="enrich")[1]
    assert not any(made.props[f"card-{key}"]["hidden"] for key in DRILL_CHARTS)
    assert made.charts["chart-op-latency"]
    head = words(made, "drill-head")
    assert re.search(r"enrich latency 2\d\d ms, usually 2\d\.\d ms; busy 98% of its time; backpressured", head)
    assert 'data-set="{&quot;operator&quot;: null}"' in markup(made, "drill-head").replace("&#34;", "&quot;")
    assert 'data-here="yes"' in markup(made, "card-operators")
    assert "not filtered by operator" in words(made, "aside-checkpoints")
    assert "not filtered" not in words(made, "aside-throughput")


def test_an_operator_that_nobody_reported_is_said_to_be_so(slow: Services) -> None:
    made = shown(slow, operator="<script>alert(1)</script>")[1]
    assert "No operator of this name reported in this range." in words(made, "drill-head")
    assert all(made.props[f"card-{key}"]["hidden"] for key in DRILL_CHARTS)
    assert "<script>" not in markup(made, "drill-head")


def test_a_display_has_nothing_to_press(slow: Services) -> None:
    made = shown(slow, role="display", operator="enrich")[1]
    for key in ("performance-lead", "card-cause", "card-operators", "drill-head"):
        assert "<a " not in markup(made, key)
    assert "enrich" in words(made, "card-cause")


def test_what_a_screen_without_scrolling_has_no_room_for_is_counted(slow: Services) -> None:
    data, made = shown(slow, role="display")
    evidence = markup(made, "card-cause")
    up = [step for step in data.cause.steps if step.finding == "up"]
    assert evidence.count("<li") == 8
    assert all(f'data-role="{step.role}"' in evidence for step in up[:6])
    assert re.search(r"4 more .*(up|as usual)", words(made, "card-cause"))
    rows = data.operators.rows or ()
    many = replace(data.operators, rows=tuple(replace(rows[0], name=f"operator-{i}") for i in range(12)))
    table = view(replace(data, operators=many), NOW)
    assert "The slowest 4 of 12." in words(table, "card-operators")
    assert markup(table, "card-operators").count("<tr") == 5


def test_thresholds_and_the_promise_are_drawn_from_the_catalogue(slow: Services) -> None:
    charts = shown(slow)[1].charts
    said = {key: {t["text"][0] for t in charts[f"chart-{key}"] if t["mode"] == "text"} for key in CHARTS}
    assert said["latency"] == {"warning 3 s", "critical and promised 5 s"}
    assert said["regions"] == {"critical 10 s"}
    assert "warning 10 s" in said["checkpoints"]
    assert said["throughput"] == set()


def test_all_charts_are_charts_of_time() -> None:
    ids = set(re.findall(r'"?id"?[=:]\s*"(chart-[a-z-]+)"', render(layout(), 0)))
    assert set(PAGE.time_charts) == {f"chart-{key}" for key in (*CHARTS, *DRILL_CHARTS)}
    assert ids <= set(PAGE.time_charts)


def test_an_empty_account_says_not_connected_and_no_number(empty: Services) -> None:
    data, made = shown(empty)
    text = words(made)
    assert text.count("Not connected") == len(CHARTS) + 1
    assert "Latency is not known: no source measures it." in text
    assert "Not known: there is no latency to explain." in text
    assert (made.as_of, data.cause.speed) == (None, "unknown")
    assert not any(made.charts.values())
    assert {made.props[f"plot-{key}"]["className"] for key in CHARTS} == {"plot plot-empty"}


def test_a_filter_that_nothing_passes_says_what_was_asked_for(slow: Services) -> None:
    made = shown(slow, host="server-999")[1]
    assert "server-999 reported none of it in this range." in words(made, "body-cpu")
    assert words(made, "body-latency").strip() == ""


def test_only_the_filter_that_a_chart_applies_is_named_where_it_is_empty(slow: Services) -> None:
    made = shown(slow, host="server-999", operator="enrich")[1]
    assert words(made, "body-cpu").strip() == "No data server-999 reported none of it in this range."


def test_the_period_before_is_dotted_behind_and_named_once(slow: Services) -> None:
    made = shown(slow, start="now-10m", compare=True)[1]
    assert [t["line"].get("dash") for t in made.charts["chart-latency"][:3]] == ["dot"] * 3
    assert "Dotted lines: the period before" in words(made, "performance-lead")


def test_anomalies_are_rings_and_their_method_is_told(slow: Services) -> None:
    found = (Anomaly(NOW - 60, 7000.0, 1200.0, 900.0, 1500.0, 8.0),)
    noticed: Any = SimpleNamespace(
        found=lambda asked, _now: tuple(
            Noticed(() if i else found, "ready" if one.request.metric.key.startswith("latency") else "not_enough")
            for i, one in enumerate(asked)
        ),
    )
    made = shown(replace(slow, anomalies=noticed))[1]
    assert "unusual values: need a day of history" in words(made, "aside-lag")
    assert "still learning" in words(shown(slow)[1], "aside-lag")
    ringed = [key for key, traces in made.charts.items() if any(t.get("name") == "unusual" for t in traces)]
    assert len(ringed) == 1
    aside = markup(made, ringed[0].replace("chart", "aside"))
    assert "1 unusual" in aside
    assert "docs/adr/0025" in aside


def test_what_reports_every_five_minutes_is_stale_later_and_a_fixed_range_never(slow: Services) -> None:
    data, _ = shown(slow)
    seldom = replace(data, panels={key: replace(panel, spacing=300.0) for key, panel in data.panels.items()})
    fixed = replace(seldom, range=replace(seldom.range, live=False))
    after = [view(made, NOW).props["page-performance"]["data-stale-after"] for made in (data, seldom, fixed)]
    assert after == ["180", "900", ""]


def test_while_history_runs_the_page_asks_again_in_a_second(slow: Services) -> None:
    data, made = shown(slow)
    assert made.refresh_seconds is None
    running = view(replace(data, source=Source("both", "running", key="k")), NOW)
    assert (running.refresh_seconds, running.source.key) == (1.0, "k")


def test_who_comes_after_the_incident_is_told_of_it(slow: Services) -> None:
    start, end = (str(int((NOW + after) * 1000)) for after in (-1800, 600))
    past = load(slow, request(start=start, end=end), NOW)
    lead = words(view(past, NOW), "performance-lead")
    assert re.search(r"p99 was [\d.]+ s at 2\d Nov, .*, usually .*past critical from .* to the end of this", lead)
    stretch = past.cause.stretch
    assert stretch is not None
    over = replace(stretch, start=NOW - 1500, end=NOW - 1200, slow_from=NOW - 1500, lasts=False)
    quiet = replace(past.cause, speed="usual", causes=(), stretch=over, then=False)
    made = view(replace(past, cause=quiet, range=replace(past.range, live=True)), NOW)
    assert re.search(r", as usual.*; it was past critical from .* to", words(made, "performance-lead"))
    assert "Nothing to explain now: latency is as usual; it was past critical" in words(made, "card-cause")
    assert f"from={(NOW - 3300) * 1000:.0f}&amp;to={(NOW + 600) * 1000:.0f}" in markup(made, "performance-lead")


def test_evidence_says_which_of_it_a_host_filters(slow: Services) -> None:
    aside = words(shown(slow, host="taskmanager-1")[1], "card-cause")
    assert "only CPU of workers, GC pauses, CPU of servers filtered by host" in aside
    assert "filtered" not in words(shown(slow)[1], "card-cause")


def test_operators_say_that_no_host_filters_them(slow: Services) -> None:
    assert "not filtered by host" in words(shown(slow, host="taskmanager-1")[1], "card-operators")
    assert "not filtered" not in words(shown(slow)[1], "card-operators")


def test_equal_data_gives_equal_bytes_a_second_later(slow: Services) -> None:
    data, made = shown(slow)
    later = view(data, NOW + 1)
    assert _bytes(made) == _bytes(later)


def test_a_view_of_many_points_costs_little_and_travels_light(slow: Services, record_property: Any) -> None:
    data, _ = shown(slow)
    lines = tuple(Line(f"line-{i}", NOW - 3600, 5.0, tuple(float(j * i % 97) for j in range(720))) for i in range(10))
    six = ("latency", "throughput", "regions", "cpu", "gc", "lag")
    wide = replace(data, panels={k: replace(p, lines=lines) if k in six else p for k, p in data.panels.items()})
    began = process_time()
    made = view(wide, NOW)
    record_property("view_ms", 1000 * (process_time() - began))
    assert sum(len(trace["y"]) for trace in made.charts["chart-latency"]) >= 7200
    assert not any("x" in t for t in made.charts["chart-latency"] if t["mode"] == "lines" and t["name"][:4] == "line")


def test_the_page_is_found_by_its_own_address_and_applies_four_filters() -> None:
    built = build_services(fakes.services().settings, MemoryTable(), (PAGE,), "b", DictStore(), lambda: NOW)  # type: ignore[arg-type]
    page = built.page("performance")
    built.close()
    assert page is not None
    assert (page.path, page.compares, page.by_role) == ("/performance", True, True)
    assert page.filters == ("environment", "range", "host", "operator")


def _bytes(made: View) -> bytes:
    content = {"props": made.props, "charts": made.charts}
    return orjson.dumps(content, default=lambda part: part.to_plotly_json(), option=orjson.OPT_NON_STR_KEYS)
