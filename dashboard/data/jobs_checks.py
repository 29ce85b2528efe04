"""What the checks of jobs and datasets tell the Jobs page and the Health page: watches, and states of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.contract.checks import CHECKS, CheckResult, Standing
from backend.contract.jobs import DatasetState, DatasetStatus, Watch, WatchState
from dashboard.data.checks import CHECKS_SECONDS, LATEST_CHECKS, standing_in
from dashboard.data.jobs_sources import Checks, Jobs
from dashboard.data.replay_sources import Shared

SLOW_SECONDS: Final = 15.0
"""Plans, datasets and results of checks change with heartbeats and minutes."""
WATCHES: Final[tuple[WatchState, ...]] = ("none_succeeded", "hung", "lost", "missed")
"""The worst first."""
DATASET_STATES: Final[tuple[DatasetState, ...]] = ("late", "unknown", "fresh")
"""The worst first."""


def dataset_freshness(
    jobs: Jobs | None, checks: Checks | None, shared: Shared, environment: str, now: float
) -> dict[str, int] | None:
    """How many datasets are late, unknown and fresh; None where nothing is connected.

    Where the check has not looked of late, all are unknown. Raises what the readers raise.
    """
    if jobs is None:
        return None
    found = shared("jobs datasets", jobs.datasets, SLOW_SECONDS)
    latest = None if checks is None else shared(LATEST_CHECKS, checks.latest_checks, CHECKS_SECONDS)
    looked = standing_of("datasets", latest, environment, now)
    states = [state_as_of(entry, looked) for entry in found if entry.environment == environment]
    return {str(state): states.count(state) for state in DATASET_STATES}


def state_as_of(status: DatasetStatus, looked: Standing | None) -> DatasetState:
    """A dataset's state is as good as the look at it: where nobody looked of late, or who did can't be asked, nobody
    knows."""
    blind = looked is None or looked.status == "unknown" or status.state not in DATASET_STATES
    return "unknown" if blind else status.state


def watches_of(result: CheckResult) -> tuple[Watch, ...]:
    """The watches of the newest result of the check ``jobs``, the worst first."""
    found = [watch for finding in result.findings if (watch := _watch(finding.details, finding.sentence, result.at))]
    return tuple(sorted(found, key=lambda watch: (WATCHES.index(watch.state), watch.since)))


def _watch(details: Mapping[str, Any], sentence: str, at: float) -> Watch | None:
    state = next((state for state in WATCHES if state == details.get("state")), None)
    if state is None:
        return None
    texts = {name: str(details.get(name) or "") for name in ("job_name", "run_id", "run_key", "batch")}
    since = details.get("since")
    began = float(since) if isinstance(since, int | float) else at
    return Watch(state=state, since=began, sentence=sentence, **texts)


def standing_of(name: str, found: Mapping[str, CheckResult] | None, environment: str, now: float) -> Standing | None:
    """How one of the checks stands in an environment; None where the newest results are not known."""
    check = next(check for check in CHECKS if check.name == name)
    return None if found is None else standing_in(environment, check, found.get(name), now)
