"""The Alerts page: what is open first, nothing unknown shown as well, and actions for operators alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.contract.alerts import AlertEvent
from backend.contract.errors import InvalidInput
from dashboard.components.alerts import flags, page_address
from dashboard.data.alerts import MOST_ALERTS, ON_DISPLAYS, TABS
from dashboard.data.request import Role
from dashboard.html import fill, render
from dashboard.pages.alerts import PAGE
from tests.dashboard import fakes
from tests.dashboard.alert_desk import AlertDesk, request
from tests.dashboard.alert_fakes import FakeAlerts, alert
from tests.dashboard.fakes import NOW

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def desk() -> AlertDesk:
    return AlertDesk()


def titles(page: str) -> list[str]:
    return re.findall(r'class="opener"[^>]*>([^<]*)</a>', page)


# ---------------------------------------------------------------------------------- list
def test_open_alerts_come_first_the_worst_on_top_then_those_that_are_over(desk: AlertDesk) -> None:
    found = titles(desk.part("alerts-rows"))
    assert found[:3] == ["Checkpoint failed", "Dead letters rise: 148 a minute", "Memory usage above 85 %"]
    assert found[6] == "Duplicates above 10 a minute"
    assert found[7:] == [f"Latency p99 above 5 s ({number})" for number in range(4)]


def test_state_and_severity_are_word_shape_and_colour_and_flags_are_said(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows")
    for look, word in (("critical", "Critical"), ("high", "High"), ("medium", "Medium"), ("low", "Low"),
                       ("firing", "Open"), ("acknowledged", "Acknowledged"), ("healthy", "Resolved"),
                       ("flapping", "Flapping"), ("silenced", "Silenced"), ("unknown", "Source silent"),
                       ("silenced", "Noise")):  # fmt: skip
        assert f'data-state="{look}"></span><span class="badge-word">{word}</span>' in page, word
    assert "61,200 records" in page
    assert "by ana@example.com" in page


def test_filters_of_the_address_hold_for_open_and_resolved_ones(desk: AlertDesk) -> None:
    assert titles(desk.part("alerts-rows", severity="LOW")) == ["Duplicates above 10 a minute"]
    assert titles(desk.part("alerts-rows", state="acknowledged")) == ["Checkpoint failed"]
    assert titles(desk.part("alerts-rows", rule="jobs:job_failed")) == ["orders-daily/2026-05: the run failed"]
    assert len(titles(desk.part("alerts-rows", state="resolved"))) == 4
    assert titles(desk.part("alerts-rows", environment="staging")) == ["Disk nearly full"]


@pytest.mark.parametrize(("name", "value"), [("severity", "WORST"), ("state", "asleep"), ("tab", "x"), ("hours", "25")])
def test_an_address_that_means_nothing_is_refused_by_its_name(desk: AlertDesk, name: str, value: str) -> None:
    tab = {"tab": "checks"} if name == "hours" else {}
    with pytest.raises(InvalidInput, match=f"{name}: '{value}' must be one of"):
        desk.view(**{**tab, name: value})


def test_counts_are_of_all_that_is_open_and_other_environments_are_not_kept_secret(desk: AlertDesk) -> None:
    page = desk.part("alerts-counts", severity="LOW")
    assert re.findall(r'class="number">(\d+)<', page) == ["2", "3", "1", "1"]
    assert "1 open in staging" in page


def test_a_list_that_is_cut_says_so(desk: AlertDesk) -> None:
    desk.service.stored = [
        alert(NOW, f"Over {number}", state="resolved", opened_at=NOW - number, resolved_at=NOW)
        for number in range(1, MOST_ALERTS + 50)
    ]
    page = desk.part("alerts-rows")
    assert len(titles(page)) == MOST_ALERTS
    assert "newest 200, cut" in page
    assert "Nothing is open" in page


def test_rows_are_made_anew_when_what_they_show_has_changed(desk: AlertDesk) -> None:
    before = desk.part("alerts-rows")
    first = desk.service.stored[0]
    desk.service.stored[0] = replace(first, state="acknowledged", acknowledged_by="carl@example.com")
    desk.services.acted()
    after = desk.part("alerts-rows")
    assert "carl@example.com" not in before.replace("Marked as noise by carl@example.com", "")
    assert "by carl@example.com" in after


# -------------------------------------------------------------------------------- drawer
def test_the_drawer_says_what_is_wrong_who_was_told_and_where_to_look(desk: AlertDesk) -> None:
    first = desk.service.stored[0]
    page = desk.html(alert=first.alert_id)
    assert "148 records/min" in page
    assert "should have been acknowledged by" in page
    assert "503 Service Unavailable; next try" in page
    assert "Not delivered" in page
    start = round((first.opened_at - 900) * 1000)
    assert f'href="/errors?error_type=timeout&amp;from={start}&amp;environment=production"' in page
    assert 'href="/runbooks/dlq_records"' in page
    assert f'href="/replay?correlation_id=checkout-8800&amp;from={start}&amp;environment=production"' in page
    assert 'href="/alerts?rule=pulseboard-dlq_records&amp;from=now-7d&amp;environment=production"' in page
    assert "incident=inc-1" in page
    assert page.index("Opened</strong>") < page.index("Delivery failed</strong>") < page.index("Note</strong>")


def test_an_alert_that_there_is_not_says_so(desk: AlertDesk) -> None:
    assert "There is no such alert" in desk.html(alert="nope")


@pytest.mark.parametrize("page", ["https://evil.example", "//evil.example/x", "javascript:alert(1)", "", "errors",
                                  "/\\evil.example", "http://[::1"])  # fmt: skip
def test_a_page_that_leads_elsewhere_is_no_page(page: str) -> None:
    assert page_address(alert(NOW, "x", page=page)) == ""


def test_a_resolved_alert_opens_its_page_at_its_own_time() -> None:
    over = alert(NOW, "x", page="/errors", state="resolved", resolved_at=NOW - 60)
    assert page_address(over).endswith(f"&to={round((NOW - 60 + 900) * 1000)}&environment=production")


def test_addresses_of_an_alerts_source_are_links_cut_to_their_host_and_no_other_scheme_is(desk: AlertDesk) -> None:
    labels = {"runbook_url": "https://wiki.example/disk?x=1", "generator_url": "javascript://prometheus/%0aalert(1)"}
    desk.service.stored.append(alert(NOW, "Disk", source="alertmanager", labels=labels))
    page = desk.html(alert=desk.service.stored[-1].alert_id)
    link = re.search(r'<a [^>]*href="https://wiki.example/disk[^>]*>([^<]*)</a>', page)
    assert link is not None
    assert 'rel="noreferrer noopener"' in link[0]
    assert link[1] == "Runbook on wiki.example"
    assert 'href="javascript' not in page
    assert "<dt>generator_url</dt><dd>javascript://" in page.lower()


def test_operators_are_offered_what_can_be_done_now(desk: AlertDesk) -> None:
    opened = desk.part("drawer-action", alert=desk.service.stored[0].alert_id)
    for name in ("alert-acknowledge", "alert-resolve", "alert-noise", "alert-silence"):
        assert f"/api/v1/actions/{name}" in opened
    assert opened.count("data-reason") == 4
    over = desk.part("drawer-action", alert=desk.service.stored[-1].alert_id)
    assert "alert-noise" in over
    assert "alert-acknowledge" not in over
    assert "alert-silence" not in over


# ------------------------------------------------------------------------- the other tabs
def test_an_incident_shows_its_timeline_and_its_form_to_operators(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="incidents", incident="inc-1")
    assert "incident-follow-up" in page
    assert page.count("<textarea") == 3
    assert "https://slack.example.com/archives/C1/p1" in page
    seen = desk.part("alerts-rows", "viewer", tab="incidents", incident="inc-00")
    assert "A quota was reached." in seen
    assert "<textarea" not in seen


def test_an_incident_beyond_the_newest_opens_too(desk: AlertDesk) -> None:
    first = desk.service.happened[0]
    desk.service.happened = [replace(first, incident_id=f"inc-{at}") for at in range(100, 200)]
    assert "Follow-up" in desk.part("alerts-rows", tab="incidents", incident="inc-199")
    assert "There is no such incident" in desk.part("alerts-rows", tab="incidents", incident="inc-9")


def test_links_of_an_incident_are_named_and_its_alert_is_linked_once(desk: AlertDesk) -> None:
    links = {name: f"https://pb.example/{name}" for name in ("alert", "page", "runbook")}
    desk.service.happened = [replace(desk.service.happened[0], links=links)]
    page = desk.part("alerts-rows", tab="incidents", incident="inc-1")
    words = re.findall(r">([^<]*)</a>", page[page.index("Links of the incident") :])
    assert words[:5] == ["Its alert", "Errors of that time", "Health of that time", "Page of its alert", "Runbook"]


def test_the_list_of_incidents_says_whose_follow_up_is_missing(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="incidents")
    assert titles(page) == ["Dead letters rise: 148 a minute", "Brokers alive below 3", "Firehose failed puts"]
    words = re.findall(r'badge-word">(Not yet|Missing|Done)<', page)
    assert words == ["Not yet", "Missing", "Done"]


def test_silences_run_come_and_end_and_those_of_the_configuration_are_ended_there(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="silences")
    assert page.index(">Running<") < page.index("Known, a fix") < page.index(">Coming<") < page.index("Brokers upgrade")
    assert page.index(">Ended<") < page.index("ended by carl@example.com")
    assert page.count("actions/silence-end") == 1
    assert "in the configuration" in page
    assert 'id="new-silence"' in page
    for rule in ("pulseboard-verdict", "pulseboard-kafka_broker_alive_count", "checks:canary", "checks:job_hung",
                 "checks:dataset_late", "jobs:job_failed"):  # fmt: skip
        assert f'<option value="{rule}"' in page
    assert 'value="checks:jobs"' not in page, "nothing fires as it"


def test_a_rule_with_more_than_five_false_ones_a_week_wants_to_be_tuned(desk: AlertDesk) -> None:
    page = desk.part("alerts-rows", tab="tuning")
    assert page.count("Tune me") == 1
    assert page.index("Week 47 of 2026") < page.index("Tune me") < page.index("Week 46 of 2026")
    assert "6 of 14, 43%" in page


# ------------------------------------------------------------------------------ who looks
@pytest.mark.parametrize("role", ["viewer", "display"])
@pytest.mark.parametrize("tab", TABS)
def test_viewers_and_displays_are_offered_no_action(desk: AlertDesk, role: Role, tab: str) -> None:
    page = desk.html(role, tab=tab, alert=desk.service.stored[0].alert_id, incident="inc-1")
    assert "/api/v1/actions" not in page
    assert "data-post" not in page


def test_a_display_shows_what_is_open_without_links_and_names_and_as_much_as_fits(desk: AlertDesk) -> None:
    desk.service.stored += [alert(NOW, f"More {number}", noise="carl@example.com") for number in range(20)]
    page = desk.html("display", tab="tuning", alert=desk.service.stored[0].alert_id)
    assert page.count('id="wall-') == ON_DISPLAYS
    assert "and 13 more" in page
    for hidden in ("<a ", "<button", "<input", "ana@example.com", "carl@example.com"):
        assert hidden not in page, hidden


@pytest.mark.parametrize("tab", TABS)
def test_what_is_not_connected_says_so_and_shows_no_number(tab: str) -> None:
    services = fakes.services(pages=(PAGE,), now=lambda: NOW)
    view = PAGE.view(services.load(request(tab=tab)), NOW)
    page = render(fill(PAGE.layout(), view.props), NOW)
    assert "Not connected yet" in page
    assert ">0<" not in page
    assert view.as_of is None


@pytest.mark.parametrize("tab", TABS)
def test_nothing_there_is_said_in_words(tab: str) -> None:
    desk = AlertDesk(FakeAlerts(NOW, figures=()))
    page = desk.html(tab=tab)
    assert "note-title" in page
    assert "healthy" not in desk.part("alerts-rows", tab="checks")


def test_only_the_open_tab_is_read(desk: AlertDesk) -> None:
    desk.view(tab="tuning")
    desk.view(tab="incidents")
    assert desk.service.reads == ["weeks", "incidents"]


def test_words_from_outside_are_text(desk: AlertDesk) -> None:
    first = replace(
        desk.service.stored[0], title=HOSTILE, description=HOSTILE, rule=HOSTILE, source=HOSTILE, runbook=HOSTILE,
        correlation_id=HOSTILE, labels={HOSTILE: HOSTILE}, acknowledged_by=HOSTILE, silenced_by=HOSTILE,
        events=(AlertEvent(NOW, HOSTILE, HOSTILE, HOSTILE),),
    )  # fmt: skip
    desk.service.stored = [first]
    desk.service.happened = [replace(desk.service.happened[0], title=HOSTILE, links={HOSTILE: "javascript:alert(1)"})]
    desk.service.quiet = [replace(desk.service.quiet[0], reason=HOSTILE, rule=HOSTILE, created_by=HOSTILE)]
    desk.service.figures = tuple(replace(one, rule=HOSTILE) for one in desk.service.figures)
    queries = [{"alert": first.alert_id}, {"tab": "incidents", "incident": "inc-1"}, {"tab": "silences"},
               {"tab": "tuning"}]  # fmt: skip
    for query in queries:
        page = desk.html(**query)
        assert "&lt;img" in page
        assert "<img" not in page
        assert 'href="javascript' not in page


def test_the_view_is_pure(desk: AlertDesk) -> None:
    data = desk.services.load(request())
    first, second = (render(fill(PAGE.layout(), PAGE.view(data, NOW).props), NOW) for _ in range(2))
    assert first == second


def test_a_silenced_alert_says_why_not_by_which_id(desk: AlertDesk) -> None:
    quiet = desk.service.quiet[0]
    desk.service.stored.append(alert(NOW, "Quiet", silenced_by=quiet.silence_id))
    said = desk.part("drawer-said", alert=desk.service.stored[-1].alert_id)
    assert "nobody is told: Known, a fix is on its way." in said


def test_an_alarm_that_another_alert_speaks_for_is_not_said_to_be_silenced() -> None:
    covered = alert(NOW, "Job failures above 0 runs", silenced_by="covered by jobs:job_failed")
    ((look, word, sentence),) = flags(covered)
    assert (look, word) == ("silenced", "Told by another")
    assert "jobs:job_failed" in sentence
