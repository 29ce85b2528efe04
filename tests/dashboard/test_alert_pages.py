"""Links of alerts: they lead to pages that show something."""

from __future__ import annotations

import json
from pathlib import Path

from backend.alerts.parsing import read
from backend.contract.alerts import ALARM_PREFIX
from backend.contract.catalogue import load_catalogue
from dashboard.pages.later import LATER
from tests.backend.alerts.test_parsing import ALARM, NOW, record

LATER_PATHS = {page.path for page in LATER}
BACKEND = Path(__file__).parents[2] / "backend"


def test_no_alarm_leads_to_a_page_that_shows_nothing_yet() -> None:
    catalogue = load_catalogue()
    pages = {}
    for key in catalogue:
        if catalogue[key].alarm is not None:
            text = json.dumps({**ALARM, "AlarmName": f"{ALARM_PREFIX}{key}"})
            found = read(record(text), catalogue, "production", NOW)
            assert found is not None
            pages[key] = found.page
    assert pages
    assert {key: page for key, page in pages.items() if page in LATER_PATHS or not page} == {}


def test_no_check_and_no_other_source_leads_to_one_either() -> None:
    sources = {path.relative_to(BACKEND): path.read_text() for path in BACKEND.rglob("*.py")}
    named = [(str(path), page) for path, text in sources.items() for page in LATER_PATHS if f'"{page}' in text]
    assert named == []
