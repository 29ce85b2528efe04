"""No secret is committed: what `make check` runs over every file of the repository finds one that is planted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.supply_chain.scan import BASELINE, committed, known, scan

PLANTED = {
    "an access key of AWS": 'key = "AKIA' + 'QYLPMN5HHHFPZAM2"',
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a token of Slack": 'token = "xoxb-' + '263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"',
    "a password in an address": 'url = "https://ops:' + 'correcthorse9@db.example.com/orders"',
    "a password by its name": 'password = "' + 'correct-horse-9-battery"',
}


@pytest.mark.parametrize("line", PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_found(line: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.py"
    path.write_text(f"{line}\n")
    assert len(scan([str(path)])) >= 1


def test_what_is_no_secret_passes(tmp_path: Path) -> None:
    path = tmp_path / "settings.py"
    path.write_text('TABLE = "InfraMetrics"\nTOKEN_HEADER = "X-Pulseboard-Token"\n')
    assert scan([str(path)]) == {}


def test_everything_that_was_let_through_was_looked_at_and_is_no_secret() -> None:
    results = json.loads(BASELINE.read_text("utf-8"))["results"]
    assert sum(map(len, results.values())) == len(known())
    assert set(results) <= set(committed()), "of files that are gone"
