"""The Jobs page's head, what needs somebody now, its filters and what is said beside its charts and its grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html

from backend.contract.checks import WATCH_KINDS, Standing
from backend.contract.jobs import JOB_TYPES, Watch
from backend.contract.verdict import duration
from dashboard.components.jobs_charts import COLOURS, P50, P95, STATUS_WORDS
from dashboard.components.links import runbook_address, set_link
from dashboard.components.replay import address_form, choice_field, named, text_field
from dashboard.components.states import badge, note, shape
from dashboard.components.text import count, took
from dashboard.components.times import ago, lasting, stamp
from dashboard.data.jobs import JobsData, RunCounts, RunsData
from dashboard.data.jobs_lines import Trend
from dashboard.data.jobs_query import FILTERS
from dashboard.data.jobs_store import Held

Children = list[Any]
WATCHES: Final = {
    "none_succeeded": ("critical", "None succeeded"),
    "hung": ("critical", "Hung"),
    "lost": ("critical", "Heartbeat lost"),
    "missed": ("degraded", "Missed"),
}
"""State of a watch -> the state whose shape and colour it wears, and its word."""
OBEYED: Final = ("job", "dataset")
"""Filters that panels of more than runs follow too."""
FILTER_WORDS: Final = {
    "dataset": "dataset", "batch": "batch", "type": "type", "run_status": "status", "text": "text",
    "failure": "failure group",
}  # fmt: skip
RUN_STATES: Final = {"STARTED": "running", "SUCCESS": "healthy", "FAILED": "critical"}
WATCHES_SHOWN: Final = 8
DISPLAY_WATCHES: Final = 5


def lead(data: JobsData) -> Children:
    """The heading, and how the runs of the range stand in one line."""
    head: Children = [html.H1("Jobs")]
    runs = data.runs
    if runs is None:
        return [*head, html.P("Did every job run, and on time?", className="purpose")]
    numbers = runs.counts
    failed: Any = f"{numbers.failed:,} failed"
    if numbers.failed and data.request.role != "display":
        failed = set_link(failed, data.request, {"run_status": "FAILED", "run": None})
    parts = [
        html.Span([shape("running"), f"{numbers.running:,} running"], **{"data-state": "running"}),
        html.Span([shape("healthy"), f"{numbers.succeeded:,} succeeded"], **{"data-state": "healthy"}),
        html.Span(
            [shape("critical" if numbers.failed else "no_data"), failed],
            **{"data-state": "critical" if numbers.failed else "no_data"},
        ),
    ]
    if numbers.matching:
        parts.append(html.Span(_records(numbers), className="lead-records"))
    if not runs.whole:
        parts.append(html.Span(unheld(runs.held), className="partial"))
    lines: Children = [html.P(parts, className="tallies")]
    if runs.held.trouble:
        lines.append(html.P([f"{runs.held.trouble}. Last read ", ago(runs.held.read_at), "."], className="lead-note"))
    if runs.synthetic:
        text = "Synthetic runs: recorded by a generator, not by real jobs."
        lines.append(html.P(text, className="synthetic synthetic-events"))
    return [*head, *lines]


def _records(numbers: RunCounts) -> str:
    if numbers.records is None:
        return "records not told"
    words = count(numbers.records, "record")
    return f"{words} in all" if numbers.told == numbers.matching else f"{words}, told by {count(numbers.told, 'run')}"


def unheld(held: Held) -> Children:
    """From when on runs are held, where the range begins before it: what is not held is not nothing."""
    if not held.complete:
        return ["older runs are still being read, held from ", stamp(held.since), " on"]
    most = f", only the newest {len(held.columns):,} runs" if held.cut else ""
    return ["runs before ", stamp(held.since), f" are not held here{most}"]


def watches(data: JobsData) -> Children:
    """What needs somebody now, the worst first; or in words that nothing does, or that nobody looked."""
    head = [html.H2("Needs somebody now")]
    standing = data.watching
    if standing is None:
        text = data.problems.get("checks") or "Hung, lost and missed runs will be named here."
        title, kind = (
            ("Can't be read", "error") if "checks" in data.problems else ("Not connected yet", "not-connected")
        )
        return [html.Header(head, className="card-head"), note(title, text, kind)]
    looked: Children = [] if standing.at is None else ["looked ", ago(standing.at)]
    words: Children = [*(f"{text}; " for text in unfiltered(data, data.watches, data.watches_here)), *looked]
    top = html.Header([*head, *([html.Span(words, className="aside")] if words else [])], className="card-head")
    found = data.watches_here
    unsure = [] if data.watched else [_unsure(standing)]
    if not found:
        which = "No job of this selection" if data.watches else "No job"
        quiet = html.P([shape("healthy"), f"{which} hangs, has lost its worker, or was missed."], className="all-well",
                       **{"data-state": "healthy"})  # fmt: skip
        return [top, *(unsure or [quiet])]
    most = DISPLAY_WATCHES if data.request.role == "display" else WATCHES_SHOWN
    items = [_watch(watch, data) for watch in found[:most]]
    if len(found) > most:
        items.append(html.Li(f"and {len(found) - most:,} more", className="watch-more"))
    return [top, *unsure, html.Ul(items, className="watches")]


def _unsure(standing: Standing) -> html.P:
    what = "The check of jobs is unknown" if standing.status == "unknown" else "What the check found can't be read"
    return unsure(f"{what}: {standing.sentence}")


def unsure(sentence: str) -> html.P:
    """Why nobody knows what stands, or does not stand, below."""
    return html.P([shape("unknown"), f"{sentence.rstrip('.')}."], className="unsure", **{"data-state": "unknown"})


def _watch(watch: Watch, data: JobsData) -> html.Li:
    state, word = WATCHES[watch.state]
    name: Any = watch.job_name + (f" {watch.batch}" if watch.batch else "")
    runbook: Children = []
    if data.request.role != "display":
        changes = {"job": watch.job_name, "batch": watch.batch or None, "run_status": None, "text": None,
                   "failure": None, "run": watch.run_key or None}  # fmt: skip
        name = set_link(name, data.request, changes, **({"data-opens": watch.run_key} if watch.run_key else {}))
        runbook = [html.A("Runbook", href=runbook_address(WATCH_KINDS[watch.state]), className="watch-runbook")]
    return html.Li(
        [
            badge(state, word),
            html.Span(name, className="watch-job"),
            html.Span(_words(watch), className="watch-words", title=watch.sentence),
            html.Span(["for ", lasting(watch.since)], className="watch-since"),
            *runbook,
        ],
        **{"data-state": state},
    )


def _words(watch: Watch) -> str:
    """The sentence without the job's name, which stands before it: what is cut off at its end says more."""
    for what in (f"{watch.job_name} {watch.batch}".strip(), watch.job_name):
        rest = watch.sentence.removeprefix(what)
        if rest != watch.sentence and rest[:1] in (" ", ":"):
            rest = rest.lstrip(": ")
            return rest[:1].upper() + rest[1:]
    return watch.sentence


def unfiltered(data: JobsData, all_: Sequence[Any] | None, here: Sequence[Any]) -> list[str]:
    """What a panel that knows jobs and datasets only says of the page's filters: how many it leaves out, and which
    filters it does not follow."""
    left = len(all_ or ()) - len(here)
    said = [f"{left:,} more outside the filters"] if left else []
    return [*said, *ignored(data, OBEYED)]


def ignored(data: JobsData, obeyed: Sequence[str]) -> list[str]:
    """Which of the page's filters a panel does not follow."""
    others = [FILTER_WORDS[name] for name in FILTERS if name not in obeyed and data.request.get(name)]
    return [f"not filtered by {', '.join(others)}"] if others else []


def filter_form(data: JobsData) -> Children:
    """The filters of runs; none for a display."""
    runs, request = data.runs, data.request
    if runs is None or request.role == "display":
        return []
    statuses = {str(status): word for status, word in STATUS_WORDS.items()}
    controls = [
        text_field("jobs-job", "job", "Job", request.get("job"), runs.known["job"]),
        choice_field("jobs-status", "run_status", "Status", request.get("run_status"), statuses),
        text_field("jobs-dataset", "dataset", "Dataset", request.get("dataset"), runs.known["dataset"]),
        choice_field("jobs-type", "type", "Type", request.get("type"), named(JOB_TYPES)),
        text_field("jobs-batch", "batch", "Batch", request.get("batch")),
        text_field("jobs-text", "text", "Text", request.get("text")),
    ]
    return [address_form(controls, request, FILTERS, "Filter")]


def timeline_aside(runs: RunsData) -> Children:
    """What the timeline leaves out or joins."""
    line = runs.timeline
    words = []
    if line.worst_first and line.more_jobs:
        words.append(f"failing and running ones first, and {count(line.more_jobs, 'more job')}")
    elif line.more_jobs:
        words.append(f"the {len(line.jobs)} jobs that ran last, {line.more_jobs:,} more are left out")
    if line.slot:
        words.append(f"each bar shows the worst of {duration(line.slot)}")
    return [html.Span("; ".join(words), className="aside")] if words else []


def status_legend(runs: RunsData) -> Children:
    """Colours of the timeline in words."""
    shown = {bar.status for bar in runs.timeline.bars}
    return [_legend([(STATUS_WORDS[status], COLOURS[status]) for status in STATUS_WORDS if status in shown])]


def trend_title(trend: Trend | None, data: JobsData) -> Children:
    """Whose runs the trend shows."""
    if trend is None:
        return ["Runtime"]
    chosen = data.request.get("job") == trend.job
    title: Any = trend.job
    if not chosen and data.request.role != "display":
        title = set_link(trend.job, data.request, {"job": trend.job, "run": None}, title="Only runs of this job")
    return ["Runtime of ", title]


def trend_unit(trend: Trend | None, data: JobsData) -> Children:
    """What the trend's axis counts, and which filters it does not follow: it is of all runs of its job."""
    if trend is None or not trend.points:
        return []
    return [html.Span("; ".join([f"{trend.unit[1]} a run", *ignored(data, ("job",))]), className="aside")]


def trend_words(trend: Trend) -> Children:
    """The percentiles and the limit in numbers, and colours in words."""
    hidden = "" if trend.limit_near else ", not shown"
    facts = [
        f"p50 {_took(trend.p50)}",
        f"p95 {_took(trend.p95)}",
        "no limit is set" if trend.limit is None else f"limit {duration(trend.limit)}{hidden}",
    ]
    if trend.cut:
        facts.append(f"newest {len(trend.points):,} runs")
    late = trend.limit is not None and trend.p95 is not None and trend.p95 > trend.limit
    said: Children = [html.Span(", ".join(facts))]
    if late:
        said.append(html.Span([shape("degraded"), "p95 is past the limit"], className="late",
                              **{"data-state": "degraded"}))  # fmt: skip
    lines = [("p50", P50), ("p95", P95)] if len(trend.percentiles) > 1 else []
    return [html.P(said, className="trend-facts"), _legend(lines)]


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return took(seconds)


def _legend(entries: list[tuple[str, str]]) -> html.Ul:
    return html.Ul(
        [html.Li([html.Span(className="swatch", style={"background": colour}), word]) for word, colour in entries],
        className="chart-legend",
    )


def grid_words(runs: RunsData, data: JobsData) -> Children:
    """How many match of how many, and how far back memory goes."""
    numbers = runs.counts
    words: Children = [f"{count(numbers.matching, 'run')} of {numbers.ranged:,} in this range"]
    if numbers.matching == numbers.ranged:
        words = [count(numbers.matching, "run"), " in this range"]
    chips: Children = []
    if data.request.get("failure") is not None:
        chips.append(set_link("of one failure group: show all", data.request, {"failure": None}, className="clear"))
    parts: Children = [html.Span(words), *chips]
    if not runs.whole:
        parts.append(html.Span(unheld(runs.held), className="partial"))
    return [html.Span(parts, className="aside grid-words")]


def worst_state(data: JobsData) -> str:
    """The state whose colour the card of watches wears."""
    states = [WATCHES[watch.state][0] for watch in data.watches_here]
    if data.watching is None:
        return "not_connected"
    if states:
        return "critical" if "critical" in states else "degraded"
    return "healthy" if data.watched else "unknown"
