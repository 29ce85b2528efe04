"""From a ``[[collect]]`` table to a source."""

from __future__ import annotations

import pytest

from backend.aws import Clients
from backend.collector.build import make_source
from backend.contract.errors import InvalidInput
from backend.settings import CollectorSource, load_settings

SETTINGS = load_settings({})
CLIENTS = Clients(SETTINGS.region)
AT = 1_795_000_000.0


def metrics(*leave_out: str) -> set[str]:
    source = make_source(CollectorSource("synthetic", leave_out=list(leave_out)), SETTINGS, CLIENTS)
    assert source.name == "synthetic"
    return {sample.metric_type for sample in source.collect(AT, AT - 60).samples}


def test_metrics_that_something_else_measures_are_left_out() -> None:
    assert metrics() - metrics("dlq_records", "timeouts") == {"dlq_records", "timeouts"}


def test_a_metric_that_does_not_exist_can_not_be_left_out() -> None:
    with pytest.raises(InvalidInput, match=r"^leave_out: 'dlq' is not in the catalogue"):
        metrics("dlq")
