"""The Jobs page where something is not known: it is never shown as well, as zero or as all there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.contract.jobs import JobRun
from dashboard.data.jobs_checks import dataset_freshness
from dashboard.html import render
from tests.dashboard.fakes import NOW
from tests.dashboard.job_desk import AWAY, Desk, part
from tests.dashboard.job_fakes import FakeChecks, FakeReader, jobs_check


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_nothing_of_another_environment_is_called_well_or_wrong(desk: Desk) -> None:
    view = desk.view(environment="staging")
    text = render(view.props["card-watches"]["children"], NOW)
    assert "It looks at production, not at staging" in text
    assert "No job hangs" not in text
    assert "clicks-hourly" not in text
    assert view.props["card-watches"]["data-state"] == "unknown"


def test_a_check_that_failed_of_which_no_watch_can_be_read_is_unknown_not_well() -> None:
    found = (replace(jobs_check(NOW).findings[0], details={"state": "stuck"}),)
    desk = Desk(checks=FakeChecks({"jobs": jobs_check(NOW, findings=found)}))
    view = desk.view()
    text = render(view.props["card-watches"]["children"], NOW)
    assert "What the check found can't be read: 3 jobs need somebody." in text
    assert "No job hangs" not in text
    assert view.props["card-watches"]["data-state"] == "unknown"


def test_records_that_nobody_told_are_not_none_and_told_by_some_are_not_all() -> None:
    quiet = [JobRun("load", f"q{at}", "SUCCESS", NOW - at, ended_at=NOW) for at in range(1, 4)]
    assert "records not told" in part(Desk(FakeReader(quiet)), "jobs-lead")
    told = replace(quiet[0], run_id="t", records=7)
    assert "7 records, told by 1 run" in part(Desk(FakeReader([*quiet, told])), "jobs-lead")
    assert "7 records in all" in part(Desk(FakeReader([told])), "jobs-lead")
    assert "record" not in part(Desk(FakeReader([told])), "jobs-lead", job="none")


def test_what_is_not_held_is_not_called_nothing() -> None:
    desk = Desk(FakeReader([JobRun("load", "r", "SUCCESS", NOW - 9, ended_at=NOW)]))
    month = {"from": "now-30d"}
    for name in ("jobs-lead", "card-failures"):
        assert "are not held here" in part(desk, name, **month)
        assert "are not held here" not in part(desk, name)
    assert "has failed; runs before" in part(desk, "card-failures", **month)
    for query in ({"job": "none"}, {"to": "now-20d"}):
        for name in ("body-timeline", "body-runtime"):
            text = part(desk, name, **month, **query)
            assert "No run known" in text
            assert "are not held here" in text
    assert "No run of these days is held" in part(Desk(FakeReader()), "body-timeline", **month)


def test_where_nobody_knows_of_the_check_no_dataset_is_called_fresh_here_or_on_health() -> None:
    away = FakeChecks(error=AWAY)
    for found in (None, away):
        text = part(Desk(checks=found), "card-datasets")
        assert "Fresh</span>" not in text
        assert text.count("Unknown</span>") == 4
        assert "The check of datasets is unknown" in text
    services = Desk(checks=None).services
    counted = dataset_freshness(services.jobs, None, services.shared, "production", NOW)
    assert counted == {"late": 0, "unknown": 4, "fresh": 0}


def test_nothing_to_do_is_said_only_where_somebody_looked(desk: Desk) -> None:
    desk.checks = FakeChecks({"jobs": jobs_check(NOW, findings=(), status="passed")})
    desk.__post_init__()
    assert "No job hangs" in part(desk, "card-watches")


def test_where_the_check_of_datasets_is_silent_none_is_called_fresh(desk: Desk) -> None:
    desk.checks = FakeChecks({"jobs": jobs_check(NOW)})
    desk.__post_init__()
    text = part(desk, "card-datasets")
    assert "Fresh</span>" not in text
    assert text.count("Unknown</span>") == 4
