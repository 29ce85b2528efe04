"""Recurring failures and datasets of the Jobs page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from dash import html

from backend.contract.jobs import DatasetState, DatasetStatus
from backend.contract.verdict import duration
from dashboard.components.jobs import unfiltered, unheld, unsure
from dashboard.components.links import set_link
from dashboard.components.replay import cell, heading, table
from dashboard.components.states import badge, note, shape
from dashboard.components.text import count
from dashboard.components.times import ago, exact, stamp
from dashboard.data.jobs import JobsData
from dashboard.data.jobs_checks import DATASET_STATES
from dashboard.data.jobs_failures import FailureGroup
from dashboard.data.models import HealthData
from dashboard.data.request import ViewRequest

Children = list[Any]
STATES: Final[dict[DatasetState, tuple[str, str]]] = {
    "late": ("critical", "Late"),
    "unknown": ("unknown", "Unknown"),
    "fresh": ("healthy", "Fresh"),
}
"""State of a dataset -> the state whose shape and colour it wears, and its word."""
DATASETS_SHOWN: Final = 100
ROWS_KEPT: Final = 500
DATASET_COLUMNS: Final = ("Dataset", "State", "Freshness", "Last success", "Records", "Volume", "Expected")
DATASET_NUMBERS: Final = ("Freshness", "Records")


def failures(data: JobsData) -> Children:
    """Failed runs whose errors say the same, as one row each that filters the grid."""
    runs = data.runs
    if runs is None:
        return [
            heading("Recurring failures"),
            note("Not connected yet", "Errors will be grouped here.", "not-connected"),
        ]
    if not runs.groups:
        if runs.whole:
            return [heading("Recurring failures"), note("None", "No run of this selection has failed.", "empty")]
        words: Children = ["No run of this selection that is held has failed; ", *unheld(runs.held), "."]
        return [heading("Recurring failures"), note("None known", words, "empty")]
    more = f"{len(runs.groups)} most frequent of {len(runs.groups) + runs.more_groups:,}" if runs.more_groups else ""
    chosen = data.request.get("failure")
    most = runs.groups[0].count
    items = [_group(group, chosen == group.key, most, data.request) for group in runs.groups]
    return [heading("Recurring failures", html.Span(more, className="aside")), html.Ol(items, className="failures")]


@lru_cache(maxsize=ROWS_KEPT)
def _group(group: FailureGroup, chosen: bool, most: int, request: ViewRequest) -> html.Li:
    words: Any = group.message
    if request.role == "display":
        words = group.message.split(":", 1)[0]
    else:
        changes = {"failure": None if chosen else group.key, "run": None}
        here = {"aria-current": "true"} if chosen else {}
        words = set_link(group.message, request, changes, title="Only these failures", **here)
    jobs = ", ".join(group.jobs) + (f" and {count(group.more_jobs, 'more job')}" if group.more_jobs else "")
    times: Children = ["last ", ago(group.last_at)]
    if group.count > 1:
        times += [", first ", stamp(group.first_at)]
    return html.Li(
        [
            html.Span(f"{group.count:,}", className="failure-count"),
            html.Div(
                [html.P(words, className="failure-words"), html.P([jobs, ": ", *times], className="failure-jobs")]
            ),
        ],
        style={"--part": f"{100 * group.count / most:.1f}%"},
        id=f"failure-{group.key}",
    )


def datasets(data: JobsData) -> Children:
    """Every dataset with its freshness against its SLA, the worst first; and when that was looked at."""
    title, found = "Datasets", data.datasets
    if found is None:
        text = data.problems.get("datasets") or "Datasets will be held against their freshness targets here."
        kind = "error" if "datasets" in data.problems else "not-connected"
        return [heading(title), note("Can't be read" if kind == "error" else "Not connected yet", text, kind)]
    warned: Children = []
    standing = data.checking
    if standing is None:
        why = data.problems.get("checks") or "It is not connected."
        warned = [unsure(f"The check of datasets is unknown: {why}")]
    elif standing.status == "unknown":
        warned = [unsure(f"The check of datasets is unknown: {standing.sentence}")]
    if not found:
        text = "A dataset appears once a job that names one has run, or the configuration names it."
        return [heading(title), *warned, note("No dataset yet", text, "empty")]
    here = data.datasets_here
    worst = sorted(here, key=lambda status: (DATASET_STATES.index(data.state_of(status)), status.dataset))
    rows = [_dataset(status, data.state_of(status), data.request) for status in worst[:DATASETS_SHOWN]]
    cut = f"first {DATASETS_SHOWN} of {len(here):,}" if len(here) > DATASETS_SHOWN else count(len(here), "dataset")
    cut = "; ".join([cut, *unfiltered(data, found, here)])
    looked: Children = [] if standing is None or standing.at is None else [", looked ", ago(standing.at)]
    aside = html.Span([cut, *looked], className="aside")
    return [
        heading(title, aside),
        *warned,
        table(DATASET_COLUMNS, rows, "datasets-found", "Datasets", DATASET_NUMBERS)
        if rows
        else note("No dataset matches", "None has this name or is loaded by this job.", "empty"),
    ]


def freshness_card(data: HealthData) -> Children:
    """How many datasets are late, unknown and fresh, for the Health page."""
    counts = data.dataset_freshness
    title: Any = "Dataset freshness"
    if data.datasets_problem:
        return [heading(title), note("Can't be read", data.datasets_problem, "error")]
    if counts is None:
        text = "Datasets will be held against their freshness targets here."
        return [heading(title), note("Not connected yet", text, "not-connected")]
    if not any(counts.values()):
        return [heading(title), note("No dataset yet", "None has been loaded or configured.", "empty")]
    if data.links:
        title = html.A(title, href="/jobs", className="card-link", **{"data-nav": "/jobs"})
    worst = next(state for state in DATASET_STATES if counts.get(state))
    look, word = STATES[worst]
    said = "All fresh" if worst == "fresh" else f"{counts[worst]:,} {word.lower()}"
    rows = [
        html.Div([html.Dt(STATES[state][1]), html.Dd(f"{counts.get(state, 0):,}")], **{"data-state": STATES[state][0]})
        for state in DATASET_STATES
    ]
    return [heading(title, badge(look, said)), html.Dl(rows, className="facts")]


@lru_cache(maxsize=ROWS_KEPT)
def _dataset(status: DatasetStatus, state: DatasetState, request: ViewRequest) -> html.Tr:
    look, word = STATES[state]
    name: Any = status.dataset
    if request.role != "display":
        name = set_link(name, request, {"dataset": status.dataset, "run": None}, title="Only runs of this dataset")
    last: Any = "never" if status.last_success_at is None else exact(status.last_success_at)
    cells = [
        cell("Dataset", name, "name-cell"),
        cell("State", badge(look, word)),
        cell("Freshness", _against_sla(status), "number-cell"),
        cell("Last success", last, "when"),
        cell("Records", "" if status.records is None else f"{status.records:,}", "number-cell"),
        cell("Volume", _volume(status), "words-cell volume-cell"),
        cell("Expected", status.calendar or "always", "words-cell"),
    ]
    return html.Tr(cells, id=f"dataset-{status.dataset}", **{"data-state": look})


def _against_sla(status: DatasetStatus) -> str:
    sla = status.sla_minutes
    if status.freshness_minutes is not None:
        return _minutes(status.freshness_minutes) + ("" if sla is None else f" of {_minutes(sla)}")
    unknown = "never loaded" if status.last_success_at is None else "unknown"
    return unknown + ("" if sla is None else f"; SLA {_minutes(sla)}")


def _minutes(minutes: float) -> str:
    return duration(minutes * 60)


def _volume(status: DatasetStatus) -> Any:
    finding = status.volume
    if finding is None and status.sla_minutes is None:
        return "not judged: the dataset is not configured"
    if finding is None:
        return status.volume_note or ("unknown" if status.last_success_at is None else "as expected")
    side = "fewer" if finding.records < finding.expected else "more"
    words = (
        f"{count(finding.records, 'record')}, {side} than expected: usually {finding.low:,.0f} to {finding.high:,.0f} "
        f"({finding.method})"
    )
    return [html.Span([shape("degraded"), exact(finding.hour)], className="late", **{"data-state": "degraded"}),
            f" {words}"]  # fmt: skip
