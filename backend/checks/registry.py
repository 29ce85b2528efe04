"""Which code a check is, and which numbers its result publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from backend.checks import canary, daily, datasets, invariants, jobs, quality, ratios, reconciliation, sampling
from backend.checks.world import Run
from backend.contract.checks import CHECKS, Check, CheckResult
from backend.events.own_metrics import Measured


def own_number(check: Check, result: CheckResult) -> Iterable[Measured]:
    """The result's number under the check's metric; none where there is none to tell."""
    return () if result.value is None else (Measured(check.metric, result.value, {}),)


class Entry(NamedTuple):
    """A check, what runs it, and what its result measures."""

    check: Check
    run: Run
    measured: Callable[[Check, CheckResult], Iterable[Measured]] = own_number


RUNS: Final[Mapping[str, Run]] = MappingProxyType(
    {
        "reconciliation": reconciliation.run,
        "daily": daily.run,
        "invariants": invariants.run,
        "sampling": sampling.run,
        "quality": quality.run,
        "canary": canary.run,
        "jobs": jobs.run,
        "datasets": datasets.run,
        "ratios": ratios.run,
    }
)
MEASURED: Final = MappingProxyType({"quality": quality.measured, "ratios": ratios.measured})
"""Checks that publish more than one number."""

REGISTRY: Final[Mapping[str, Entry]] = MappingProxyType(
    {check.name: Entry(check, RUNS[check.name], MEASURED.get(check.name, own_number)) for check in CHECKS}
)
"""Every check by its name."""
