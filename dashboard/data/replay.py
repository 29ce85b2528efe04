"""What the Replay page shows: one dataclass for each of its tabs, read by ``load`` for the open one only."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.errors import InvalidInput
from backend.contract.event_query import FIELDS, parse_query
from backend.contract.events import EventPage, EventQuery, Findings
from backend.contract.redaction import redacted
from backend.contract.replays import (
    FINISHED,
    UNREADABLE,
    AuditEntry,
    DeadLetter,
    DeadLetterFilter,
    Listing,
    QueueState,
    Replay,
    ReplayResult,
)
from dashboard.data.open_event import OpenEvent, open_event
from dashboard.data.replay_sources import Limits, Replays, Shared, Sources
from dashboard.data.request import STEP_SECONDS, ViewRequest

logger = logging.getLogger(__name__)

Tab = Literal["search", "replays", "dead-letters", "audit", "overview"]
TABS: Final[tuple[Tab, ...]] = ("search", "replays", "dead-letters", "audit")
PARAMETERS: Final = (
    "tab", "event", "replay", "queue", "token", "entity_id", "correlation_id", "event_type", "source", "status",
    "error_type", "time", "text", "action", "who", "outcome",
)  # fmt: skip
"""The page's own parameters; ``operator`` is common to all pages."""
PAGE_EVENTS: Final = 100
PAGE_RESULTS: Final = 100
RECENT: Final = 50
ON_DISPLAYS: Final = 8
"""Replays that a display shows: as many as fit without scrolling."""
AUDIT_LIMIT: Final = 200
KNOWN_SECONDS: Final = 60.0
RECENT_SECONDS: Final = 15.0
LISTING_SECONDS: Final = 30.0
"""Listing a queue counts as a receive of every message seen, so it is done no more often than this."""


@dataclass(frozen=True, slots=True)
class SearchData:
    """A search's answer. ``types``, ``sources`` and ``operators`` are suggestions, ``targets`` what may be sent to."""

    query: EventQuery
    page: EventPage
    findings: Findings
    types: tuple[str, ...]
    sources: tuple[str, ...]
    operators: tuple[str, ...]
    targets: tuple[str, ...]
    continued: bool
    """Whether this is a later page of the search."""


@dataclass(frozen=True, slots=True)
class ReplaysData:
    """The newest replays, and the chosen one with a page of its results. ``missing``: the chosen one's id is wrong."""

    recent: tuple[Replay, ...]
    chosen: Replay | None = None
    results: tuple[ReplayResult, ...] = ()
    next_token: str | None = None
    continued: bool = False
    missing: str | None = None

    @property
    def moving(self) -> bool:
        """Whether anything shown changes by the second."""
        shown = self.recent if self.chosen is None else (self.chosen,)
        return any(entry.status not in (*FINISHED, "paused") for entry in shown)


@dataclass(frozen=True, slots=True)
class QueuesData:
    """The dead-letter queues, and a sample of the chosen one: ``messages`` is what the filter leaves of it."""

    queues: tuple[QueueState, ...]
    chosen: str | None = None
    wanted: DeadLetterFilter = field(default_factory=DeadLetterFilter)
    listing: Listing | None = None
    messages: tuple[DeadLetter, ...] = ()
    missing: str | None = None
    problem: str = ""
    """Why there is no sample of the chosen queue now."""


@dataclass(frozen=True, slots=True)
class AuditData:
    """Entries of the log in the shown range, newest first, for operators; ``cut``: there are more."""

    entries: tuple[AuditEntry, ...]
    start: float
    end: float
    cut: bool


@dataclass(frozen=True, slots=True)
class ReplayData:
    """One look at the page. A tab's part is None where it is not open or its service not connected."""

    request: ViewRequest
    tab: Tab
    at: float
    environment: str
    """The environment whose events these are, whichever the address names."""
    limits: Limits
    search: SearchData | None = None
    replays: ReplaysData | None = None
    queues: QueuesData | None = None
    audit: AuditData | None = None
    event: OpenEvent | None = None
    synthetic_sources: tuple[str, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether a generator's events are among those found."""
        return self.search is not None and any(
            event.source in self.synthetic_sources for event in self.search.page.events
        )

    @property
    def acts(self) -> bool:
        """Whether who looks may act."""
        return self.request.role == "operator"


def load(sources: Sources, request: ViewRequest, now: float) -> ReplayData:
    """Reads what the open tab shows. Raises InvalidInput naming the parameter that is wrong."""
    tab = _tab(request)
    data = ReplayData(
        request, tab, now, sources.environment, sources.limits, synthetic_sources=sources.synthetic_sources
    )
    if tab == "search":
        data = replace(data, search=_search(sources, request, now))
    elif tab == "replays":
        data = replace(data, replays=_replays(sources, request))
    elif tab == "dead-letters":
        data = replace(data, queues=_queues(sources, request))
    elif tab == "audit":
        data = replace(data, audit=_audit(sources, request, now))
    else:
        overview = replace(request, parameters=())
        data = replace(data, replays=_overview(sources, overview), queues=_queues(sources, overview))
    opened = open_event(sources.events, request.get("event"), request.role, sources.redacted_fields)
    return replace(data, event=opened)


def _tab(request: ViewRequest) -> Tab:
    """The open tab. A display has no way to change it and sees what can be read from across the room."""
    if request.role == "display":
        return "overview"
    named = request.get("tab") or "search"
    tab = next((tab for tab in TABS if tab == named), None)
    if tab is None:
        raise InvalidInput("tab", named, f"must be one of {', '.join(TABS)}")
    return tab


def query_of(request: ViewRequest, now: float) -> EventQuery:
    """The search of the address, its range widened to a grid: pages and replays of it name the same events.

    Raises InvalidInput naming the parameter that is wrong.
    """
    values = {name: request.get(name) for name in FIELDS} | {"operator": request.operator}
    query = parse_query({**values, "time": request.get("time"), "from": request.start, "to": request.end}, now)
    return replace(
        query,
        start=math.floor(query.start / STEP_SECONDS) * STEP_SECONDS,
        end=math.ceil(query.end / STEP_SECONDS) * STEP_SECONDS,
    )


def _search(sources: Sources, request: ViewRequest, now: float) -> SearchData | None:
    events = sources.events
    if events is None:
        return None
    query, token = query_of(request, now), request.get("token")

    def read() -> tuple[EventPage, Findings]:
        page = events.search(query, PAGE_EVENTS, token)
        return page, events.findings(page.events, query)

    page, findings = sources.shared(f"search {query} {token}", read)
    types, names = sources.shared("known types and sources", events.known, KNOWN_SECONDS)
    targets = () if sources.replays is None else sources.replays.targets()
    return SearchData(query, page, findings, types, names, sources.operators, targets, token is not None)


def _replays(sources: Sources, request: ViewRequest) -> ReplaysData | None:
    if sources.replays is None:
        return None
    wanted, token = request.get("replay"), request.get("token")
    if wanted is None:
        return ReplaysData(_recent(sources.replays, sources.shared))
    try:
        chosen = sources.replays.get(wanted)
    except KeyError:
        return ReplaysData(_recent(sources.replays, sources.shared), missing=wanted)
    results, following = sources.replays.results(wanted, token, PAGE_RESULTS)
    return ReplaysData((), chosen, results, following, token is not None)


def _overview(sources: Sources, request: ViewRequest) -> ReplaysData | None:
    found = _replays(sources, request)
    return None if found is None else replace(found, recent=found.recent[:ON_DISPLAYS])


def _recent(replays: Replays, shared: Shared) -> tuple[Replay, ...]:
    """The newest replays. Days of them are read now and then, those that go on each time."""
    recent = shared("recent replays", lambda: replays.recent(RECENT), RECENT_SECONDS)
    return tuple(entry if entry.status in FINISHED else replays.get(entry.replay_id) for entry in recent)


def _queues(sources: Sources, request: ViewRequest) -> QueuesData | None:
    letters = sources.dead_letters
    if letters is None:
        return None
    queues = sources.shared("dead-letter queues", letters.queues)
    wanted = DeadLetterFilter(
        error_type=request.get("error_type"),
        event_type=request.get("event_type"),
        entity_id=request.get("entity_id"),
        operator=request.operator,
        text=request.get("text") if request.role == "operator" else None,
    )
    chosen = request.get("queue")
    if chosen is None:
        return QueuesData(queues, wanted=wanted)
    if chosen not in {queue.name for queue in queues}:
        return QueuesData(queues, wanted=wanted, missing=chosen)

    # Every filter looks at the one sample: a listing of its own would count one more receive of each message.
    def look() -> Listing:
        return letters.listing(chosen, DeadLetterFilter())

    try:
        listing = sources.shared(f"listing {chosen}", look, LISTING_SECONDS)
    except InvalidInput as error:
        # Somebody else looks or redrives: the address is right all the same.
        return QueuesData(queues, chosen, wanted, problem=str(error))
    except (BotoCoreError, ClientError) as error:
        logger.warning("the queue %s can't be looked into: %s", chosen, error)
        return QueuesData(queues, chosen, wanted, problem=UNREADABLE)
    shown = tuple(_shown(letter, sources, request) for letter in listing.messages if wanted.takes(letter))
    return QueuesData(queues, chosen, wanted, listing, shown)


def _shown(letter: DeadLetter, sources: Sources, request: ViewRequest) -> DeadLetter:
    """The message as who looks may see it: its body redacted for operators, for others not at all."""
    if request.role != "operator":
        return replace(letter, body="")
    try:
        body = json.dumps(redacted(json.loads(letter.body), sources.redacted_fields), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        body = "This is not JSON, so secrets in it can't be told apart: it is not shown."
    return replace(letter, body=body)


def _audit(sources: Sources, request: ViewRequest, now: float) -> AuditData | None:
    if sources.audit is None or request.role != "operator":
        return None
    wanted = request.range(now)
    entries = sources.audit.entries(
        wanted.start,
        wanted.end,
        action=request.get("action"),
        who=request.get("who"),
        outcome=request.get("outcome"),
        limit=AUDIT_LIMIT + 1,
    )
    return AuditData(entries[:AUDIT_LIMIT], wanted.start, wanted.end, len(entries) > AUDIT_LIMIT)
