from __future__ import annotations

import json
import re
from pathlib import Path

from backend.alerts.parsing import read
from backend.contract.alerts import ALARM_PREFIX
from backend.contract.catalogue import load_catalogue
from dashboard.pages import PAGES
from tests.backend.alerts.test_parsing import ALARM, NOW, record

PATHS = {page.path for page in PAGES}
BACKEND = Path(__file__).parents[2] / "backend"
NAMED = re.compile(r'page=f?"(/[a-z]*)')


def test_every_alarm_leads_to_a_page_there_is() -> None:
    catalogue = load_catalogue()
    pages = {}
    for key in catalogue:
        if catalogue[key].alarm is not None:
            text = json.dumps({**ALARM, "AlarmName": f"{ALARM_PREFIX}{key}"})
            found = read(record(text), catalogue, "production", NOW)
            assert found is not None
            pages[key] = found.page
    assert pages
    assert {key: page for key, page in pages.items() if page not in PATHS} == {}
    assert (pages["latency_ms"], pages["cpu_utilization"]) == ("/performance", "/capacity")


def test_every_page_that_a_check_names_is_there() -> None:
    named = {page for path in BACKEND.rglob("*.py") for page in NAMED.findall(path.read_text())}
    assert "/performance" in named
    assert named <= PATHS
