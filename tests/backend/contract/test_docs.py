"""The metrics reference: rendered from the catalogue, and told from one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract import docs
from backend.contract.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_the_committed_reference_is_the_catalogues() -> None:
    committed = Path(__file__).parents[3] / docs.TARGET
    assert committed.read_text("utf-8") == docs.render(CATALOGUE)


def test_every_metric_and_alarm_has_its_row() -> None:
    text = docs.render(CATALOGUE)
    for metric in CATALOGUE.values():
        assert f"| `{metric.key}` |" in text
        if metric.alarm:
            assert f"| `{metric.cloudwatch}` | {metric.alarm.severity} |" in text


def test_a_reference_that_differs_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert docs.main(["--check"]) == 1
    assert "python -m backend.contract.docs" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    docs.TARGET.write_text("other", "utf-8")
    assert docs.main(["--check"]) == 1
