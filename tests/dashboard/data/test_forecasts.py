"""Outlooks: made in the background once an hour, bounded for any fleet, tried again after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from backend.contract.catalogue import load_catalogue
from backend.contract.rollup import OTHER
from dashboard.data import forecasts as module
from dashboard.data.bands import QUANTILES, Bands
from dashboard.data.forecast import HOUR, Shortage
from dashboard.data.forecasts import AGAIN_SECONDS, CHECK_SECONDS, MOST_OUTLOOKS, ForecastService, Outlook
from dashboard.data.limits import FLEET
from dashboard.data.points import Points
from dashboard.data.ranged import OFF, RangedAnswers
from dashboard.data.series import ALL, SeriesAnswer, SeriesRequest
from dashboard.data.source import LIVE, Source
from tests.dashboard.data.feeding import ENVIRONMENT, NOW, Clock

CATALOGUE = load_catalogue()
LINE: Points = [(NOW - 2 * HOUR, 50.0), (NOW - HOUR, 51.0)]
SEEN = frozenset({(ENVIRONMENT, "disk_usage"), (ENVIRONMENT, "files_processed"), ("staging", "cpu_utilization")})


class Ranged:
    """Answers every request with the same hosts; ``sources`` are what the readings say of history, one after the
    other."""

    def __init__(self, hosts: int = 3) -> None:
        self.hosts = hosts
        self.sources: list[Source] = []
        self.asked: list[Sequence[SeriesRequest]] = []
        self.error: Exception | None = None
        self.line = LINE
        self.gate = threading.Event()
        self.gate.set()

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        self.gate.wait(10)
        self.asked.append(requests)
        if self.error:
            raise self.error
        answers = tuple(self._answer(request) for request in requests)
        return RangedAnswers(answers, self.sources.pop(0) if self.sources else LIVE)

    def bands(self, request: SeriesRequest, now: float) -> Bands | None:
        return Bands("1h", HOUR, self.hosts, (LINE,) * len(QUANTILES)) if self.hosts > 20 else None

    def _answer(self, request: SeriesRequest) -> SeriesAnswer:
        names = [f"host-{number:02}" for number in range(min(self.hosts, 20))] + ([OTHER] if self.hosts > 20 else [])
        lines = [(request.group, self.line)] if request.group else [(name, self.line) for name in names]
        return SeriesAnswer(request, "1h", HOUR, tuple(lines), LINE[-1][0])


class Bench:
    def __init__(self, ranged: Ranged) -> None:
        self.ranged = ranged
        self.clock = Clock()
        self.busy: list[int] = []
        self.service = ForecastService(ranged, lambda: SEEN, CATALOGUE, self.clock, pause=0, busy=self._busy)

    def _busy(self) -> bool:
        """Whether history is read for a page: the first time that it is asked. It keeps what was read until then."""
        self.busy.append(len(self.ranged.asked))
        return len(self.busy) == 1

    def made(self, host: str | None = None) -> Outlook:
        """The outlook once it is there and nothing is under way."""
        waited = threading.Event()
        for _ in range(1000):
            outlook, making = self.service.outlook(ENVIRONMENT, host)
            if outlook is not None and not making:
                return outlook
            waited.wait(0.005)
        raise AssertionError("no outlook within five seconds")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are not really forecast here."""
    monkeypatch.setattr(module, "forecast", lambda points, end, falls: Shortage(len(points) * HOUR, 48 * HOUR))


@pytest.fixture
def make() -> Iterator[Callable[[Ranged], Bench]]:
    benches: list[Bench] = []

    def bench(ranged: Ranged) -> Bench:
        benches.append(Bench(ranged))
        return benches[-1]

    yield bench
    for one in benches:
        one.ranged.gate.set()
        one.service.close()


def test_a_look_never_waits_and_what_was_made_serves_the_whole_hour(make: Callable[[Ranged], Bench]) -> None:
    bench = make(Ranged())
    bench.ranged.gate.clear()
    assert bench.service.outlook(ENVIRONMENT) == (None, True)
    bench.ranged.gate.set()
    outlook = bench.made()
    assert (outlook.at, outlook.error) == (NOW, "")
    bench.clock.now += CHECK_SECONDS - 1
    assert bench.service.outlook(ENVIRONMENT) == (outlook, False)
    bench.clock.now += HOUR - CHECK_SECONDS + 1
    assert bench.service.outlook(ENVIRONMENT) == (outlook, True)
    assert bench.made().at == NOW + HOUR


def test_only_what_is_connected_here_is_read_and_a_host_narrows_what_is_per_host(
    make: Callable[[Ranged], Bench],
) -> None:
    bench = make(Ranged())
    groups = [prospect.group for prospect in bench.made().prospects]
    assert groups == ["host-00", "host-01", "host-02", ALL]
    assert [prospect.group for prospect in bench.made("host-01").prospects] == ["host-01"]
    asked = {request.metric.key for requests in bench.ranged.asked for request in requests}
    assert asked == {"disk_usage", "files_processed"}


def test_a_fleet_costs_a_few_forecasts_whatever_its_size(make: Callable[[Ranged], Bench]) -> None:
    groups = [prospect.group for prospect in make(Ranged(10_000)).made().prospects]
    assert groups == [*(f"host-{number:02}" for number in range(5)), FLEET, ALL]


def test_one_host_is_not_forecast_twice(make: Callable[[Ranged], Bench]) -> None:
    assert [prospect.group for prospect in make(Ranged(1)).made().prospects] == ["host-00"]


def test_what_a_page_waits_for_is_read_before_anything_else(
    make: Callable[[Ranged], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    bench = make(Ranged())
    bench.made()
    assert bench.busy == [0, 0], "busy at first, then not; nothing was read before"


def test_history_is_waited_for_in_the_background(
    make: Callable[[Ranged], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranged = Ranged()
    done = Source("both", "done", scanned_bytes=5)
    ranged.sources = [replace(done, state="running"), done]
    bench = make(ranged)
    monkeypatch.setattr(bench.service._closing, "wait", lambda _: False)
    assert bench.made().source == done
    assert len(ranged.asked) == 2


def test_a_failure_is_told_and_tried_again_and_never_takes_what_was_there(make: Callable[[Ranged], Bench]) -> None:
    bench = make(Ranged())
    bench.ranged.error = RuntimeError("no table")
    assert bench.made().error == "RuntimeError: no table"
    bench.ranged.error = None
    assert bench.made().error, "not at once"
    bench.clock.now += AGAIN_SECONDS
    assert bench.service.outlook(ENVIRONMENT)[1]
    good = bench.made()
    assert good.error == ""
    bench.clock.now += HOUR
    bench.ranged.error = RuntimeError("again")
    assert bench.made() == good
    bench.clock.now += AGAIN_SECONDS
    bench.ranged.error = None
    assert bench.service.outlook(ENVIRONMENT) == (good, True), "tried again before the next hour"
    assert bench.made().at == NOW + HOUR


def test_days_that_come_to_history_later_are_taken_in_and_else_nothing_is_fitted_again(
    make: Callable[[Ranged], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[Points] = []
    monkeypatch.setattr(module, "forecast", lambda points, end, falls: fitted.append(points))
    ranged = Ranged()
    bench = make(ranged)
    made, once = bench.made(), len(fitted)
    bench.clock.now += CHECK_SECONDS
    assert bench.service.outlook(ENVIRONMENT) == (made, True)
    assert (bench.made() is made, len(ranged.asked), len(fitted)) == (True, 2, once)
    ranged.line = [(NOW - 90 * HOUR, 48.0), *LINE]
    bench.clock.now += CHECK_SECONDS
    assert (bench.made() is made, len(fitted)) == (False, 2 * once)


@pytest.mark.parametrize(("error", "again"), [("Athena is busy", True), (OFF, False)])
def test_history_that_failed_is_asked_again_within_the_hour_unless_it_is_off(
    make: Callable[[Ranged], Bench], error: str, again: bool
) -> None:
    ranged = Ranged()
    ranged.sources = [Source("live", "failed", error=error)]
    bench = make(ranged)
    assert bench.made().source.error == error
    bench.clock.now += AGAIN_SECONDS
    assert (bench.made().source == LIVE) is again


def test_whoever_asks_for_many_hosts_waits_alone_and_none_is_made_that_nobody_holds(
    make: Callable[[Ranged], Bench],
) -> None:
    bench = make(Ranged())
    bench.made()
    bench.ranged.gate.clear()
    for number in range(3 * MOST_OUTLOOKS):
        bench.service.outlook(ENVIRONMENT, f"host-{number}")
    bench.service.outlook("staging")
    bench.ranged.gate.set()
    bench.made(f"host-{3 * MOST_OUTLOOKS - 1}")
    assert len(bench.ranged.asked) <= MOST_OUTLOOKS + 2
    hosts = [requests for requests in bench.ranged.asked if requests[0].group not in (None, ALL)]
    assert {request.metric.key for requests in hosts for request in requests} == {"disk_usage"}
