"""Who is told, and when nobody is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from backend.alerts.routing import DELIVERY_FAILED, check_config, maintenance, quiet_until, routes
from backend.contract.alerts import Alert
from backend.contract.errors import InvalidInput
from backend.settings_alerts import Alerting, Maintenance, QuietHours, Routes

ALERT = Alert("f" * 32, 0.0, "open", "pulseboard-dlq_records", "HIGH", "t", "cloudwatch", 0.0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_severities_have_their_routes_and_an_alarm_its_own_besides() -> None:
    assert routes(ALERT, "", Alerting()) == ("slack", "pagerduty")
    assert routes(ALERT, "email", Alerting()) == ("slack", "pagerduty", "email")
    assert routes(replace(ALERT, severity="MEDIUM"), "", Alerting()) == ("email",)


def test_a_transport_that_fails_is_told_of_by_the_others_and_by_mail() -> None:
    failed = replace(ALERT, rule=DELIVERY_FAILED, labels={"transport": "slack"})
    assert routes(failed, "", Alerting(routes=Routes(high=["slack"]))) == ("pagerduty", "email")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T21:59:00+01:00", None),
        ("2026-11-21T22:00:00+01:00", "2026-11-22T06:00:00+01:00"),
        ("2026-11-22T05:59:00+01:00", "2026-11-22T06:00:00+01:00"),
        ("2026-11-22T06:00:00+01:00", None),
        # The night in which clocks are put forward has its end in summer time.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T06:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T06:00:00+01:00"),
    ],
)
def test_quiet_hours_go_over_midnight_and_changes_of_clocks(now: str, until: str | None) -> None:
    found = quiet_until(QuietHours("22:00-06:00", "Europe/Berlin"), at(now))
    assert found == (at(until) if until else None)


def test_maintenance_windows_of_the_configuration_are_silences() -> None:
    window = Maintenance("2026-11-21T22:00:00+01:00", "2026-11-22T02:00:00+01:00", "upgrade", environment="production")
    (silence,) = maintenance(Alerting(maintenance=[window]))
    assert silence.covers(ALERT, at("2026-11-21T23:00:00+01:00"))
    assert not silence.covers(replace(ALERT, environment="test"), at("2026-11-21T23:00:00+01:00"))
    assert not silence.covers(ALERT, at("2026-11-22T02:00:00+01:00"))


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (Alerting(quiet_hours=QuietHours("late")), "alerts.quiet_hours.hours", "late"),
        (Alerting(quiet_hours=QuietHours("22:00-06:00", "Berlin")), "alerts.quiet_hours.time_zone", "Berlin"),
        (Alerting(maintenance=[Maintenance("2026-11-21", "x", "r")]), "alerts.maintenance[0].starts", "2026-11-21"),
        (
            Alerting(maintenance=[Maintenance("2026-11-22T00:00:00Z", "2026-11-21T00:00:00Z", "r")]),
            "alerts.maintenance[0].ends",
            "2026-11-21T00:00:00Z",
        ),
        (Alerting(routes=Routes(low=["pager"])), "alerts.routes.low", "pager"),
        (
            Alerting(quiet_hours=QuietHours(except_severities=["critical"])),
            "alerts.quiet_hours.except_severities",
            "critical",
        ),
    ],
)
def test_what_can_not_be_used_is_named(config: Alerting, field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_config(config)
    assert (caught.value.field, value in str(caught.value)) == (field, True)
