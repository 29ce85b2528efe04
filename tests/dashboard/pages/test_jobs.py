"""The Jobs page over fakes: what needs somebody, charts, groups, batches, datasets, drawer, roles and looks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from backend.contract.jobs import JobRun
from dashboard.components.jobs_charts import row_labels
from dashboard.data.request import Role
from dashboard.html import render
from tests.dashboard.fakes import NOW
from tests.dashboard.job_desk import AWAY, Desk, checks, full_reader, part, request
from tests.dashboard.job_fakes import HOSTILE, FakeChecks, FakeReader, jobs_check


@pytest.fixture
def desk() -> Desk:
    return Desk()


def key(reader: FakeReader, run_id: str) -> str:
    return next(run.run_key for run in reader.stored if run.run_id == run_id)


# ------------------------------------------------------------------ what needs somebody
def test_watches_come_worst_first_with_word_time_link_and_runbook(desk: Desk) -> None:
    text = part(desk, "card-watches")
    assert text.index("None succeeded") < text.index("Hung") < text.index("Missed")
    assert "100 started, none succeeded in 60 min" in text
    assert 'href="/runbooks/none_succeeded"' in text
    assert 'href="/runbooks/job_hung"' in text
    assert "job=returns-load" in text
    assert desk.view().props["card-watches"]["data-state"] == "critical"


@pytest.mark.parametrize("found", [{}, {"jobs": jobs_check(NOW - 900, findings=(), status="passed")}])
def test_a_check_that_did_not_run_is_unknown_not_well(desk: Desk, found: dict[str, Any]) -> None:
    desk.checks = FakeChecks(found)
    desk.__post_init__()
    view = desk.view()
    text = render(view.props["card-watches"]["children"], NOW)
    assert "unknown" in text
    assert "No job hangs" not in text
    assert view.props["card-watches"]["data-state"] == "unknown"


def test_findings_of_another_shape_do_no_harm(desk: Desk) -> None:
    odd = replace(jobs_check(NOW).findings[0], details={"state": "hung", "since": "soon"})
    desk.checks = FakeChecks(
        {"jobs": jobs_check(NOW, findings=(odd, replace(odd, details={"state": ["hung"], "since": None})))}
    )
    desk.__post_init__()
    assert "Needs somebody now" in part(desk, "card-watches")


# ------------------------------------------------------------------------- runs
def test_the_lead_counts_what_the_filters_leave(desk: Desk) -> None:
    assert "1 running" in part(desk, "jobs-lead", job="orders-backfill")
    assert "4 succeeded" in part(desk, "jobs-lead", job="orders-backfill")
    assert "2 failed" in part(desk, "jobs-lead", job="orders-backfill")


def test_it_says_how_many_match_and_whether_all_are_held(desk: Desk) -> None:
    words = part(desk, "aside-runs", job="orders-backfill")
    assert re.search(r"7 runs of \d+ in this range", words)
    assert "held" not in words
    assert "are not held here" in part(desk, "aside-runs", **{"from": "now-30d"})


def test_the_timeline_has_a_bar_for_each_run_that_a_click_opens(desk: Desk) -> None:
    view = desk.view(job="orders-backfill")
    rows, *traces = view.charts["chart-timeline"]
    assert rows["y"] == ["orders-backfill"]
    bars = {trace["name"]: trace for trace in traces}
    assert {name: len(trace["y"]) for name, trace in bars.items()} == {"Succeeded": 4, "Running": 1, "Failed": 2}
    assert bars["Failed"]["customdata"][0] == key(desk.reader, "bf05-1")
    assert view.props["plot-timeline"]["data-click"] == "run"


def test_a_run_too_short_to_be_seen_is_drawn_wider_but_not_into_the_future() -> None:
    runs = [JobRun("load", f"r{at}", "SUCCESS", NOW - at - 2, ended_at=NOW - at) for at in (0, 40_000)]
    view = Desk(reader=FakeReader(runs)).view(from_="now-24h")
    (bars,) = (trace for trace in view.charts["chart-timeline"] if trace["name"] == "Succeeded")
    drawn = dict(zip(bars["base"], bars["x"], strict=True))
    assert all(width > 100_000 for width in drawn.values())
    assert {round(base / 1000 - NOW) for base in drawn} >= {-40_002}
    assert max(base + width for base, width in drawn.items()) <= 1000 * NOW


def test_many_runs_are_joined_by_the_worst_and_it_is_said() -> None:
    at = NOW - 86_000
    stored = [
        JobRun(f"job-{number % 60:02d}", f"r{number}", "FAILED" if number == 5 else "SUCCESS", at + number * 20,
               ended_at=at + number * 20 + 15)
        for number in range(4_000)
    ]  # fmt: skip
    desk = Desk(reader=FakeReader(stored))
    view = desk.view(from_="now-24h")
    assert sum(len(trace["y"]) for trace in view.charts["chart-timeline"]) <= 50 * 240
    assert view.props["plot-timeline"]["data-click"] == "job"
    words = render(view.props["aside-timeline"]["children"], NOW)
    assert "10 more are left out" in words
    assert "worst of" in words
    failed = [trace for trace in view.charts["chart-timeline"] if trace["name"] == "Failed"]
    assert not failed or len(failed[0]["y"]) == 1


def test_the_trend_of_the_chosen_job_stands_against_its_limit(desk: Desk) -> None:
    traces = desk.view(job="stock-snapshot").charts["chart-runtime"]
    names = [trace["name"] for trace in traces]
    assert names[-1].startswith("limit 25 s")
    assert {"Succeeded", "p50", "p95"} <= set(names)
    assert "p95" in part(desk, "body-runtime", job="stock-snapshot")


def test_long_names_of_jobs_are_cut_beside_their_rows_and_whole_in_the_hover() -> None:
    names = ["orders-load", *(f"{'n' * 150}-{number}" for number in range(2)), f"<b>bold</b>{'x' * 30}"]
    stored = [JobRun(name, "r", "SUCCESS", NOW - 60 * at, ended_at=NOW) for at, name in enumerate(names, 1)]
    rows, runs = Desk(reader=FakeReader(stored)).view().charts["chart-timeline"]
    labels = rows["y"]
    assert labels[0] == "orders-load"
    assert len(set(labels)) == 4
    assert all(len(label.replace("&lt;", "<").replace("&gt;", ">")) <= 22 for label in labels)
    assert labels[1] == f"{'n' * 13}…nnnnnn-0"
    assert sorted(runs["y"]) == sorted(labels)
    assert any(text.startswith(names[1]) for text in runs["hovertext"])


def test_names_that_are_cut_to_the_same_stay_apart() -> None:
    names = [f"{'n' * 40}{letter}{'m' * 40}" for letter in "abc"]
    labels = row_labels(names)
    assert labels == row_labels(names[::-1])
    assert len(set(labels.values())) == 3
    assert all(len(label) <= 22 for label in labels.values())


def test_a_display_has_as_many_rows_as_can_be_read_the_failing_and_running_first() -> None:
    stored = [JobRun(f"job-{at:02d}", "r", "SUCCESS", NOW - 60 * at, ended_at=NOW - 1) for at in range(1, 34)]
    stored += [
        JobRun("going", "r", "STARTED", NOW - 9_000, heartbeat_at=NOW),
        JobRun("failed", "r", "FAILED", NOW - 9_900, ended_at=NOW - 9_890),
    ]
    watches = tuple(
        replace(finding, sentence=f"late-{number} has been running for 3 h; its limit is 1 h",
                details={**finding.details, "job_name": f"late-{number}"})
        for number, finding in enumerate([jobs_check(NOW).findings[0]] * 7)
    )  # fmt: skip
    desk = Desk(FakeReader(stored), FakeChecks({"jobs": jobs_check(NOW, findings=watches)}))
    view = desk.view("display")
    assert view.charts["chart-timeline"][0]["y"][:3] == ["failed", "going", "job-01"]
    assert len(view.charts["chart-timeline"][0]["y"]) == 14
    assert "and 21 more jobs" in render(view.props["aside-timeline"]["children"], NOW)
    text = part(desk, "card-watches", "display")
    assert text.count("late-") == 10, "the name once a row, and in the title of the words"
    assert ">Has been running for 3 h; its limit is 1 h<" in text
    assert "and 2 more" in text


def test_the_panels_beside_the_runs_follow_job_and_dataset_and_say_what_they_do_not(desk: Desk) -> None:
    watches = part(desk, "card-watches", dataset="clicks", text="died")
    assert "clicks-hourly" in watches
    assert "returns-load" not in watches
    assert "2 more outside the filters; not filtered by text" in watches
    assert "No job of this selection hangs" in part(desk, "card-watches", job="orders-load")
    assert desk.view(job="orders-load").props["card-watches"]["data-state"] == "healthy"
    sets = part(desk, "card-datasets", job="clicks-hourly", run_status="FAILED")
    assert re.findall(r'id="dataset-(\w+)"', sets) == ["clicks"]
    assert "1 dataset; 3 more outside the filters; not filtered by status" in sets
    assert "No dataset matches" in part(desk, "card-datasets", dataset="none")
    assert "filter" not in part(desk, "card-watches") + part(desk, "card-datasets")
    query = {"job": "orders-backfill", "dataset": "orders", "run_status": "FAILED"}
    for name in ("aside-runtime", "card-batches"):
        assert "not filtered by dataset, status" in part(desk, name, **query)
        assert "filter" not in part(desk, name, job="orders-backfill")


def test_a_limit_far_above_the_runs_is_said_and_does_not_flatten_them() -> None:
    stored = [JobRun("quick", f"r{at}", "SUCCESS", NOW - 60 * at, ended_at=NOW - 60 * at + 5, limit_seconds=3600.0)
              for at in range(1, 5)]  # fmt: skip
    desk = Desk(reader=FakeReader(stored))
    assert not any(trace["name"].startswith("limit") for trace in desk.view().charts["chart-runtime"])
    assert "limit 60 min, not shown" in part(desk, "body-runtime")
    assert "seconds a run" in part(desk, "aside-runtime")


@pytest.mark.parametrize(("minutes", "said", "height"), [(40, "minutes a run", 40.0), (300, "hours a run", 5.0)])
def test_long_runs_are_drawn_in_minutes_or_hours(minutes: float, said: str, height: float) -> None:
    start = NOW - 20_000
    run = JobRun("slow", "r", "SUCCESS", start, ended_at=start + 60 * minutes, limit_seconds=120.0 * minutes)
    desk = Desk(reader=FakeReader([run]))
    points, limit = desk.view().charts["chart-runtime"]
    assert (points["y"], limit["y"]) == ([height], [2 * height, 2 * height])
    assert said in part(desk, "aside-runtime")


def test_failures_are_grouped_and_a_group_filters_the_runs(desk: Desk) -> None:
    text = part(desk, "card-failures")
    assert "no answer from &lt;n&gt; within &lt;n&gt; s" in text
    group = re.search(r'id="failure-([0-9a-f]{12})"', part(desk, "card-failures", job="orders-backfill"))
    assert group is not None
    assert "2 runs of" in part(desk, "aside-runs", failure=group[1])
    assert "aria-current" in part(desk, "card-failures", failure=group[1])


def test_the_grid_asks_again_when_runs_have_changed_and_is_never_made_anew(desk: Desk) -> None:
    before = desk.view().props["jobs-grid"]
    assert desk.view().props["jobs-grid"]["data-version"] == before["data-version"]
    desk.reader.stored.append(JobRun("orders-load", "fresh", "SUCCESS", NOW + 1, ended_at=NOW + 2))
    desk.clock[0] += 12
    after = desk.view().props["jobs-grid"]
    assert after["data-version"] != before["data-version"]
    assert json.dumps(after["children"].to_plotly_json()) == json.dumps(before["children"].to_plotly_json())


# --------------------------------------------------------------------- batches, datasets
def test_batches_say_how_far_the_job_is(desk: Desk) -> None:
    text = part(desk, "card-batches")
    assert "4 of 12" in text
    assert "4 succeeded, 1 running, 1 failed, 6 pending" in text
    assert text.count("batch-cell") == 12


def test_the_retry_form_lists_exactly_what_will_run_and_what_not_and_why(desk: Desk) -> None:
    text = part(desk, "jobs-retry", retry="orders-backfill")
    ticked = re.findall(r'value="(2026-\d\d)"', text)
    assert ticked == ["2026-05", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]
    assert "2026-06" in text
    assert "is running now" in text
    assert 'data-post="/api/v1/actions/job-retry"' in text
    assert part(desk, "jobs-retry") == ""


def test_datasets_come_late_ones_first_and_unknown_is_unknown(desk: Desk) -> None:
    text = part(desk, "card-datasets")
    assert text.index("clicks") < text.index("loyalty") < text.index("customers")
    assert "3 h 24 min of 90 min" in text
    assert "never loaded; SLA 60 min" in text
    assert text.count("as expected") == 1, "what was never loaded is not as expected"
    assert "1,204 records, fewer than expected: usually 6,900 to 10,400 (median and MAD of 4 weeks)" in text
    assert "Mon to Fri 06:00 to 22:00 Europe/Berlin, 2 holidays" in text
    assert "not enough history" in text


# ------------------------------------------------------------------------------ drawer
def test_a_run_opens_with_its_error_as_text_its_attempts_and_where_to_look(desk: Desk) -> None:
    opened = desk.view(run=key(desk.reader, "bf05-2")).props
    text = "".join(render(opened[f"run-{name}"]["children"], NOW) for name in ("head", "error", "action", "trace"))
    assert opened["run-drawer"]["hidden"] is False
    assert HOSTILE not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "2 attempts of batch 2026-05" in text
    assert "/errors?" in text
    assert "correlation_id=backfill-05" in text
    assert 'href="/runbooks/job_failed"' in text


def test_a_hanging_run_says_that_its_heartbeat_is_old(desk: Desk) -> None:
    text = render(desk.view(run=key(desk.reader, "hung0001")).props["run-error"]["children"], NOW)
    assert "Past its limit of 60 min" in text
    assert "the worker may be gone" in text


def test_a_failed_run_is_not_called_complete_and_its_time_is_that_of_the_grid() -> None:
    run = JobRun("load", "r", "FAILED", NOW - 60, ended_at=NOW - 58.8, progress=1.0)
    text = render(Desk(reader=FakeReader([run])).view(run=run.run_key).props["run-facts"]["children"], NOW)
    assert "1.2 s" in text
    assert "100%" not in text


def test_whole_texts_of_errors_are_for_operators(desk: Desk) -> None:
    failed = next(run for run in desk.reader.stored if "Traceback" in run.error and run.started_at > NOW - 80_000)
    for role, whole in (("operator", True), ("viewer", False)):
        text = render(desk.view(role, run=failed.run_key).props["run-error"]["children"], NOW)  # type: ignore[arg-type]
        assert ("Traceback" in text) is whole


@pytest.mark.parametrize("wrong", ["nonsense", "2026-11-21T10:00:00.000Z#gone"])
def test_a_run_that_is_not_there_says_so(desk: Desk, wrong: str) -> None:
    assert "not among those held" in part(desk, "run-error", run=wrong)
    assert "no such run" in part(desk, "run-error", run=wrong, job="orders-load")


# -------------------------------------------------------------------------- who looks
@pytest.mark.parametrize("role", ["viewer", "display"])
def test_viewers_and_displays_are_offered_no_action(desk: Desk, role: Role) -> None:
    text = desk.html(role, retry="orders-backfill")
    assert "data-post" not in text
    assert "Retry failed" not in text
    assert 'type="checkbox"' not in text


def test_displays_have_no_links_grid_drawer_or_words_of_errors(desk: Desk) -> None:
    text = desk.html("display", run=key(desk.reader, "bf05-2"))
    for hidden in ("<a ", "<button", "<form", "ran out of memory", "no answer from"):
        assert hidden not in text
    assert "jobs-grid" not in desk.view("display").props


# -------------------------------------------------------------------- nothing, or trouble
def test_nothing_connected_nothing_recorded_and_nothing_matching_look_different() -> None:
    desk = Desk()
    services: Any = desk.services
    services.runs = services.jobs = services.alerts = services.retries = None
    assert desk.html().count("Not connected yet") >= 5
    none = Desk(reader=FakeReader(), checks=None)
    assert "No run yet" in part(none, "body-timeline")
    assert "No dataset yet" in part(none, "card-datasets")
    assert "No run matches" in part(Desk(), "body-timeline", job="no-such-job")


def test_what_cannot_be_read_beside_the_runs_says_so_and_the_rest_stands() -> None:
    found = checks()
    found.error = AWAY
    desk = Desk(reader=full_reader(), checks=found)
    assert "can't be read now (EndpointConnectionError)" in part(desk, "card-watches").replace("It can", "can")
    assert "running" in part(desk, "jobs-lead")


def test_runs_that_cannot_be_read_again_stay_with_their_age(desk: Desk) -> None:
    desk.view()
    desk.reader.error = AWAY
    desk.clock[0] += 30
    view = desk.view()
    assert view.as_of == NOW
    assert "Job runs can't be read now" in render(view.props["jobs-lead"]["children"], NOW)
    assert view.charts["chart-timeline"]


def test_synthetic_runs_are_labelled(desk: Desk) -> None:
    assert "Synthetic runs" not in part(desk, "jobs-lead")
    desk.reader.stored.append(JobRun("made-up", "s1", "SUCCESS", NOW - 60, ended_at=NOW - 50, synthetic=True))
    desk.clock[0] += 12
    assert "Synthetic runs" in part(desk, "jobs-lead")


def test_the_same_data_give_the_same_view(desk: Desk) -> None:
    data = desk.services.load(request())
    assert repr(desk.services.pages[0].view(data, NOW)) == repr(desk.services.pages[0].view(data, NOW))
