"""What pages and routes are given: wired once per process, passed in everywhere."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from flask_caching.backends import SimpleCache

from backend.alerts.service import AlertService
from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.ranges import TimeRange
from backend.events.investigation import Investigation
from backend.history.athena import Athena
from backend.history.questions import Questions
from backend.history.reading import HistoryReader, Places
from backend.jobs.reader import JobReader
from backend.jobs.retries import Retries
from backend.orchestration.pipeline import Pipeline as StateMachine
from backend.replay.dead_letters import DeadLetters
from backend.replay.service import ReplayService
from backend.settings import Settings
from dashboard.access.tokens import DisplayTokens, TokenStore
from dashboard.components.chart_words import words_props
from dashboard.components.marks import left_out, noted, with_marks
from dashboard.data.alerts_marks import read_marks
from dashboard.data.alerts_sources import Alerts
from dashboard.data.anomalies import AnomalyService
from dashboard.data.executions import Pipeline
from dashboard.data.flight import SingleFlight
from dashboard.data.forecasts import ForecastService
from dashboard.data.gallery import Gallery
from dashboard.data.gallery_desk import GalleryDesk
from dashboard.data.health import HealthService
from dashboard.data.history import History
from dashboard.data.hot import HotStore
from dashboard.data.jobs_store import RunStore
from dashboard.data.ranged import RangedSeries
from dashboard.data.reader import MetricsReader
from dashboard.data.request import ViewRequest
from dashboard.data.series import SeriesService
from dashboard.data.shared_views import SharedViews
from dashboard.data.ticks import same_tick
from dashboard.data.views import KEEP_SECONDS, EncodedView, Store, ViewCache, encode
from dashboard.pages.base import Page, View
from dashboard.shared_store import shared_store

READ_CONNECTIONS: Final = 16
READ_TIMEOUT_SECONDS: Final = 10.0
EVENT_CONNECTIONS: Final = 32
TOKEN_CONNECTIONS: Final = 8
TOKEN_TIMEOUT_SECONDS: Final = 2.0
"""Whoever shows a token waits for it."""
MAX_RECENT: Final = 64
RECENT_SECONDS: Final = 120.0
MAX_READINGS: Final = 16
"""Ranges in use at once, more or less; each reading may hold thousands of records."""
MAX_VIEWS: Final = 500
"""Encoded views kept in memory: pages x ranges x environments in use, with room for absolute ranges."""
WATCH_SECONDS: Final = 1.0
"""How often a view is made anew whose history is on its way."""
AT_ONCE_SECONDS: Final = 0.001
"""That of one whose history may have come since: whoever looks waits for the view with it, and gets no older one."""

T = TypeVar("T")


@dataclass(slots=True)
class Services:
    """The dashboard's services. ``now`` is the only clock there is."""

    settings: Settings
    pages: tuple[Page, ...]
    build_id: str
    now: Callable[[], float]
    reader: MetricsReader
    hot: HotStore
    health: HealthService
    series: SeriesService
    ranged: RangedSeries
    forecasts: ForecastService
    anomalies: AnomalyService
    views: ViewCache
    answers: ViewCache
    loads: SingleFlight[Any]
    events: Investigation | None = None
    """This and the next ones are None where nothing is connected: pages say so."""
    replays: ReplayService | None = None
    dead_letters: DeadLetters | None = None
    audit: AuditLog | None = None
    tokens: DisplayTokens | None = None
    alerts: Alerts | None = None
    jobs: JobReader | None = None
    runs: RunStore | None = None
    retries: Retries | None = None
    pipeline: Pipeline | None = None
    history: History | None = None
    gallery: Gallery | None = None
    shared_views: SharedViews | None = None
    """None where views stay in this process."""
    recent: OrderedDict[str, tuple[Any, float]] = field(default_factory=OrderedDict)
    readings: OrderedDict[str, tuple[Any, float]] = field(default_factory=OrderedDict)
    watched: dict[str, int] = field(default_factory=dict)
    """Requests that await something, with the readings of history that had ended then: their views are made anew each
    second and whenever another one has ended, to show it as it comes."""
    process: str = field(default_factory=lambda: uuid4().hex[:8])
    actions: int = 0
    """Actions taken by this process: who acts sees the result at once, not what was shared before."""

    def page(self, name: str) -> Page | None:
        """The page of that name."""
        return next((page for page in self.pages if page.name == name), None)

    def refresh_seconds(self, page: Page) -> float:
        """How often the page's viewers ask for it."""
        return page.refresh_seconds or self.settings.config.refresh_seconds

    def tick_seconds(self, page: Page) -> float:
        """How long a view of the page may be shared."""
        hot = self.settings.config.hot_refresh_seconds
        return max(min(hot, page.tick_seconds or hot), page.calm_seconds)

    def view(self, request: ViewRequest) -> EncodedView:
        """The encoded view of a request, shared by all who ask for the same.

        Raises KeyError for an unknown page, the reader's error when nothing was ever read.
        """
        page = self.page(request.page)
        if page is None:
            raise KeyError(request.page)
        every = self.tick_seconds(page)
        if (ended := self.watched.get(request.key)) is not None:
            came = ended != self._ended()
            every = min(every, AT_ONCE_SECONDS if came else WATCH_SECONDS)
        key = f"{request.key}&actions={self._acted_here()}" if page.by_role else request.key
        return self.views.get(key, every, lambda: self._make(page, request))

    def load(self, request: ViewRequest) -> Any:
        """The page's data, for the first paint on the server. Raises as ``view`` does."""
        page = self.page(request.page)
        if page is None:
            raise KeyError(request.page)

        def read() -> Any:
            data = page.load(self, request, self.now())
            self.recent[request.key] = data, self.now()
            while len(self.recent) > MAX_RECENT:
                self.recent.popitem(last=False)
            return data

        # Not one that began before what it waits for had come.
        return self.loads.do(f"{request.key}&ended={self._ended()}", read)

    def shared(self, key: str, read: Callable[[], T], every: float | None = None) -> T:
        """What several views draw from, read once a refresh for all of them. Raises what ``read`` raises.

        ``key`` names what is read, with everything it depends on but the time. ``every`` is for what may be read more
        seldom only, in seconds.
        """
        every = max(self.settings.config.hot_refresh_seconds, every or 0.0)
        key = f"{key}&actions={self.actions}"

        def once() -> T:
            answer, at = self.readings.get(key, (None, None))
            if at is None or not same_tick(at, self.now(), every):
                answer = read()
                self.readings[key] = answer, self.now()
                while len(self.readings) > MAX_READINGS:
                    self.readings.popitem(last=False)
            return cast("T", answer)

        return cast("T", self.loads.do(f"shared?{key}", once))

    def latest(self, request: ViewRequest) -> Any:
        """The page's data as last loaded, at most two minutes ago; None where there is none. Never waits."""
        data, at = self.recent.get(request.key, (None, 0.0))
        return data if self.now() - at <= RECENT_SECONDS else None

    def with_trouble(self, view: EncodedView) -> EncodedView:
        """The view, marked as stale when it was made from data that could not be read again."""
        trouble = self.hot.trouble()
        if trouble is None:
            return view
        return replace(view, error=trouble[0], stale_since=trouble[1])

    def acted(self) -> None:
        """After an action: views of pages that show what can be acted on are made anew."""
        self.actions += 1
        self.recent.clear()

    def close(self) -> None:
        """Ends all worker threads."""
        self.forecasts.close()
        self.anomalies.close()
        self.ranged.close()
        self.hot.close()
        if self.runs is not None:
            self.runs.close()
        if self.history is not None:
            self.history.close()
        if self.gallery is not None:
            self.gallery.close()
        self.views.close()
        self.answers.close()

    def _make(self, page: Page, request: ViewRequest) -> EncodedView:
        now, ended = self.now(), self._ended()
        view = page.view(self.load(request), now)
        awaits = view.awaits or view.source.state == "running"
        self._watch(request.key, ended if awaits else None)
        wanted: TimeRange = request.range(now)
        props, charts = self._marked(page, request, view, now)
        props = {**props, **words_props(view.charts)}
        content = {
            "page": page.name,
            "build": self.build_id,
            "as_of": None if view.as_of is None else round(view.as_of, 3),
            "refresh_ms": int((view.refresh_seconds or self.refresh_seconds(page)) * 1000),
            "live": wanted.live,
            "source": view.source.as_json(),
            **({"awaits": True} if awaits else {}),
            "props": props,
            "charts": charts,
        }
        return self.with_trouble(encode(content, view.as_of, now, _component_json))

    def _watch(self, key: str, ended: int | None) -> None:
        if len(self.watched) > MAX_VIEWS:
            self.watched.clear()
        if ended is None:
            self.watched.pop(key, None)
        else:
            self.watched[key] = ended

    def _acted_here(self) -> str:
        """Names what was acted on by this process: another one's views, shared through Redis, know nothing of it."""
        return f"{self.process}.{self.actions}" if self.actions else "0"

    def _ended(self) -> int:
        return 0 if self.history is None else self.history.ended

    def _marked(
        self, page: Page, request: ViewRequest, view: View, now: float
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The view's props and charts, those of time with the marks of alerts and deploys and what is left out."""
        if not any(view.charts.get(name) for name in page.time_charts):
            return view.props, view.charts
        marks = read_marks(self.alerts, self.shared, request, now)
        charts = {
            name: with_marks(traces, marks) if name in page.time_charts else traces
            for name, traces in view.charts.items()
        }
        return noted(view.props, page.time_charts, left_out(marks)), charts


def build_services(
    settings: Settings,
    reader: MetricsReader,
    pages: tuple[Page, ...],
    build_id: str,
    store: Store,
    clock: Callable[[], float] = time.time,
) -> Services:
    """All services over one reader and one cache."""
    hot = HotStore(reader, settings.config.hot_refresh_seconds, clock)
    series = SeriesService(hot, clock, settings.config.retention.live_seconds)
    ranged = RangedSeries(series)
    services = Services(
        settings=settings,
        pages=pages,
        build_id=build_id,
        now=clock,
        reader=reader,
        hot=hot,
        health=HealthService(hot, settings.catalogue),
        series=series,
        ranged=ranged,
        forecasts=ForecastService(
            ranged,
            hot.seen,
            settings.catalogue,
            clock,
            busy=lambda: services.history is not None and services.history.busy(),
        ),
        anomalies=AnomalyService(series, clock),
        views=ViewCache(store, clock),
        answers=ViewCache(store, clock),
        loads=SingleFlight(),
    )
    return services


def connect_services(
    settings: Settings, pages: tuple[Page, ...], build_id: str, redis_url: str | None = None
) -> Services:
    """The services of a running dashboard: DynamoDB of the environment, views in memory or in Redis."""
    clients = Clients(settings.region, pool=READ_CONNECTIONS, timeout=READ_TIMEOUT_SECONDS)
    reader = MetricsReader(clients.dynamodb, settings.table)
    if not redis_url:
        return connect_events(build_services(settings, reader, pages, build_id, _store()))
    # What another build or stack has made is not for our viewers.
    shared = shared_store(redis_url, _store(), f"pulseboard:{settings.bucket}:{build_id}:")
    services = build_services(settings, reader, pages, build_id, shared)
    services.shared_views = shared
    return connect_events(services)


def connect_events(services: Services) -> Services:
    """The services with those of events, replays and access, over clients of their own: a long search takes none of
    the connections that the metrics are read through."""
    settings, clock = services.settings, services.now
    clients = Clients(settings.region, pool=EVENT_CONNECTIONS, timeout=READ_TIMEOUT_SECONDS)
    tokens = Clients(settings.region, pool=TOKEN_CONNECTIONS, timeout=TOKEN_TIMEOUT_SECONDS, attempts=1)
    services.events = Investigation(clients.dynamodb, clients.s3, settings, clock)
    services.audit = AuditLog(clients.dynamodb, settings, clock)
    services.alerts = AlertService(clients.dynamodb, clients.sns, settings, services.audit, clock)
    services.replays = ReplayService(
        clients.dynamodb, clients.sqs, clients.s3, services.events, services.audit, settings, clock
    )
    services.dead_letters = DeadLetters(
        clients.sqs, clients.cloudwatch, clients.dynamodb, services.events, services.audit, services.replays, settings,
        clock,
    )  # fmt: skip
    services.jobs = JobReader(clients.dynamodb, settings, clock)
    services.runs = RunStore(services.jobs, clock)
    services.retries = Retries(
        clients.dynamodb, clients.sqs, clients.s3, services.jobs, services.audit, settings, clock
    )
    services.pipeline = StateMachine(clients.stepfunctions, services.audit, settings, clock)
    services.tokens = DisplayTokens(TokenStore(tokens.dynamodb, settings.tokens_table), clock)
    connect_history(services, clients)
    return services


def connect_history(services: Services, clients: Clients) -> None:
    """Past days through Athena, for everything that reads series of any range."""
    settings, clock = services.settings, services.now
    if not settings.config.history.enabled:
        services.ranged.connect(None, settings.catalogue, services.hot.seen)
        return
    places = Places(clients.s3, clients.dynamodb, settings, clock)
    athena = Athena(settings, clients.s3)
    reader = HistoryReader(athena, places, settings)
    services.history = History(reader, clock, settings.config.history.reread_seconds)
    services.ranged.connect(services.history, settings.catalogue, services.hot.seen)
    services.gallery = GalleryDesk(Questions(athena, places, clients.athena, settings), clock)


def _store() -> Store:
    store: Store = SimpleCache(threshold=MAX_VIEWS, default_timeout=int(KEEP_SECONDS))
    return store


def _component_json(value: Any) -> Any:
    """orjson's fallback: Dash components travel as the JSON the renderer knows."""
    if hasattr(value, "to_plotly_json"):
        return value.to_plotly_json()
    raise TypeError(f"{type(value).__name__} is not JSON")
