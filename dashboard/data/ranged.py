"""Series over any range: what DynamoDB holds at once, what is older from Athena as soon as it is there.

The one way in which pages with a time range read series: they ask for all they show in one call, so that history is
asked once for all of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.contract.catalogue import Catalogue
from backend.contract.history import HistoryAnswer, HistoryQuestion
from backend.contract.rollup import OTHER
from dashboard.data.bands import Bands, bands_of, inside, joined
from dashboard.data.history import Look
from dashboard.data.points import Points
from dashboard.data.ranged_merge import (
    Need,
    closed_until,
    continued,
    days_text,
    in_hours,
    need_of,
    question_of,
    today_of,
)
from dashboard.data.series import SeriesAnswer, SeriesRequest, merged_lines
from dashboard.data.source import LIVE, Source

OFF: Final = "It is switched off (history.enabled in pulseboard.toml)"
MOST_LINES: Final = 512
"""Answers whose lines are kept ready: a page's refresh draws them again every few seconds."""
READERS: Final = 8
"""Series read at a time: each waits for DynamoDB longer than it computes."""
MOST_ASKED: Final = 128
Seen = Callable[[], frozenset[tuple[str, str]]]
"""All (environment, metric_type) that ever arrived."""


class SeriesSource(Protocol):
    """Where hot lines are read: ``dashboard.data.series.SeriesService``."""

    def answer(self, request: SeriesRequest) -> SeriesAnswer:
        """The lines of a request."""

    def bands(self, request: SeriesRequest) -> Bands | None:
        """How the groups of a fleet spread; None where lines show each of them."""


class Past(Protocol):
    """Where history is read in the background: ``dashboard.data.history.History``."""

    def look(self, question: HistoryQuestion) -> Look:
        """How far a question is; begins it where nobody has."""


@dataclass(frozen=True, slots=True)
class RangedAnswers:
    """``answers`` in the order of the requests; ``source`` says whether history is in them, and what it cost."""

    answers: tuple[SeriesAnswer, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the newest question for the bands of a metric was answered with."""

    question: HistoryQuestion
    answer: HistoryAnswer


class RangedSeries:
    """Answers requests of any range; thread-safe, never waits for Athena. Live alone until history is connected."""

    def __init__(self, series: SeriesSource) -> None:
        self._series = series
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="ranged")
        self._catalogue: Catalogue | None = None
        self._past: Past | None = None
        self._seen: Seen = frozenset
        self._lock = threading.Lock()
        self._lines: OrderedDict[tuple[str, float, str, str, str | None], dict[str, Points]] = OrderedDict()
        self._asked: OrderedDict[tuple[str, float, float, str], _Asked] = OrderedDict()

    def connect(self, past: Past | None, catalogue: Catalogue, seen: Seen) -> None:
        """Where history is read from now on. None: it is switched off, which pages say where they would have asked.

        ``seen`` tells which metrics ever came: of others nothing is asked.
        """
        self._past, self._catalogue, self._seen = past, catalogue, seen

    def read(self, requests: Sequence[SeriesRequest], now: float) -> RangedAnswers:
        """The answers to ``requests``, which share their range and environment: at once, history in them as soon as
        it is there. Raises the hot reader's error where nothing was ever read."""
        answers = self._hot(requests)
        return self._with_history(requests, answers, [self._need(answer, now) for answer in answers])

    def completed(self, request: SeriesRequest, now: float) -> RangedAnswers:
        """One request as DynamoDB answers it, with history for what it does not hold at all: what programs are given,
        for whom steps must not change while history comes. Raises as ``read`` does."""
        answer = self._series.answer(request)
        need = self._need(answer, now)
        return self._with_history([request], [answer], [None if need is None or need.fine else need])

    def _with_history(
        self, requests: Sequence[SeriesRequest], answers: Sequence[SeriesAnswer], needs: Sequence[Need | None]
    ) -> RangedAnswers:
        open_ones = [(request, need) for request, need in zip(requests, needs, strict=True) if need is not None]
        if not open_ones or self._catalogue is None:
            return RangedAnswers(tuple(answers), LIVE)
        spreads = {answer.request.metric.key for answer in answers if _may_be_fleet(answer)}
        question = question_of(open_ones, self._catalogue, spreads)
        days = days_text(question.start, question.end)
        if self._past is None:
            return RangedAnswers(tuple(answers), Source("live", "failed", error=OFF, days=days))
        look = self._past.look(question)
        if look.answer is not None:
            self._remember(requests[0], _Asked(question, look.answer))
        whole = [
            answer if need is None else self._whole(answer, need, question, look)
            for answer, need in zip(answers, needs, strict=True)
        ]
        return RangedAnswers(tuple(whole), _source(look, days, hot=_reaches_past(answers, needs)))

    def close(self) -> None:
        """Ends the reading threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hot(self, requests: Sequence[SeriesRequest]) -> list[SeriesAnswer]:
        """What DynamoDB holds, in hours where the range is long: each of some thirty metrics is read beside the others,
        and of many days no more than a chart shows."""

        def answer(request: SeriesRequest) -> SeriesAnswer:
            return replace(self._series.answer(in_hours(request)), request=request)

        return list(self._pool.map(answer, requests))

    def bands(self, request: SeriesRequest, now: float) -> Bands | None:
        """How the groups of a fleet spread over the range; of history what was read for the same range before.

        Raises as ``read`` does.
        """
        with self._lock:
            asked = self._asked.get(_place(request, request.metric.key))
        older, joint = None, 0.0
        if asked is not None:
            joint = min(closed_until(now), asked.question.end)
            older = bands_of(asked.answer.bands.get(request.metric.key, {}), "history", asked.question.step)
            older = inside(older, request.range.start, request.range.end)
        in_steps = in_hours(request)
        if older is not None and in_steps != request and joint < request.range.end:
            in_steps = today_of(request, joint)
        return joined(older, self._series.bands(in_steps), joint)

    def _need(self, answer: SeriesAnswer, now: float) -> Need | None:
        if (answer.request.environment, answer.request.metric.key) not in self._seen():
            return None
        return need_of(answer, now)

    def _whole(self, hot: SeriesAnswer, need: Need, question: HistoryQuestion, look: Look) -> SeriesAnswer:
        if look.answer is None:
            return hot
        older = self._older(hot.request, look, look.answer)
        today = self._series.answer(today_of(hot.request, need.joint)) if need.today else None
        return continued(hot, older, need.joint, question.step, today)

    def _older(self, request: SeriesRequest, look: Look, answer: HistoryAnswer) -> dict[str, Points]:
        """The lines of history, made once for each answer."""
        key = (look.key, look.read_at, request.metric.key, request.stat, request.group)
        with self._lock:
            if key in self._lines:
                self._lines.move_to_end(key)
                return self._lines[key]
        lines = merged_lines(request, answer.buckets.get(request.metric.key, {}))
        with self._lock:
            self._lines[key] = lines
            while len(self._lines) > MOST_LINES:
                self._lines.popitem(last=False)
        return lines

    def _remember(self, request: SeriesRequest, asked: _Asked) -> None:
        with self._lock:
            for place in (_place(request, one.metric) for one in asked.question.metrics if one.bands):
                self._asked[place] = asked
                self._asked.move_to_end(place)
            while len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)


def _place(request: SeriesRequest, metric: str) -> tuple[str, float, float, str]:
    return request.environment, request.range.start, request.range.end, metric


def _may_be_fleet(answer: SeriesAnswer) -> bool:
    """Whether a metric has more groups than lines; of hosts of which nothing is hot, only history knows."""
    if answer.request.group is not None:
        return False
    if not answer.lines:
        return answer.request.metric.kind == "gauge" and answer.request.metric.group_by == "hostname"
    return any(name == OTHER for name, _ in answer.lines)


def _reaches_past(answers: Sequence[SeriesAnswer], needs: Sequence[Need | None]) -> bool:
    """Whether DynamoDB's lines are part of what is shown once history is there."""
    return any(
        need is None or any(points[-1][0] >= need.joint for _, points in answer.lines)
        for answer, need in zip(answers, needs, strict=True)
        if answer.lines
    )


def _source(look: Look, days: str, *, hot: bool) -> Source:
    if look.state != "done":
        return Source("live", look.state, error=look.error, days=days, key=look.key, since=look.since)
    if look.answer is None or not look.answer.cost.statements:
        # No day before holds anything: all there is is live.
        return LIVE
    cost = look.answer.cost
    return Source(
        "both" if hot else "history",
        "done",
        cost.scanned_bytes,
        cost.dollars,
        cost.reused,
        days=days,
        note=f"Not read again: {look.trouble}" if look.trouble else "",
        key=look.key,
    )
