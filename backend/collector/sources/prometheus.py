"""Scrapes Prometheus text endpoints in parallel; what does not answer is itself a sample: ``up`` = 0."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from backend.collector.exposition import Parsed, parse_exposition
from backend.collector.mapper import Mapper, Row
from backend.collector.mapping import Mapping
from backend.collector.scrape import ScrapeError, fetch
from backend.collector.sources.base import Collected
from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import DEFAULT_ENVIRONMENT, DEFAULT_REGION, Sample, make_sample
from backend.settings import Limits

SHOWN_TEXT = 80


class Target(NamedTuple):
    """A place to scrape; ``name`` is its host and port (and path where two share them), ``host`` its host."""

    url: str
    name: str
    host: str


class PrometheusSource:
    """The source ``prometheus``: every URL once per collection, each in its own thread.

    Raises InvalidInput when a URL is not http(s), or given twice.
    """

    name = "prometheus"

    def __init__(
        self,
        catalogue: Catalogue,
        urls: Sequence[str],
        mapping: Mapping,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        region: str = DEFAULT_REGION,
        limits: Limits | None = None,
    ) -> None:
        self.targets = parse_targets(urls)
        self._catalogue = catalogue
        self._mapper = Mapper(mapping)
        self._environment = environment
        self._region = region
        self._limits = limits or Limits()
        self._threads: dict[str, threading.Thread] = {}

    def collect(self, at: float, since: float | None) -> Collected:  # noqa: ARG002 - Prometheus counters are cumulative
        """One scrape of every target; ends within the time-out whatever they do."""
        answers = self._scrape()
        rows: list[Row] = []
        collected = Collected([])
        skipped = 0
        for target in self.targets:
            answer = answers.get(target.name, ScrapeError("did not end in time"))
            good = isinstance(answer, Parsed) and answer.good > 0
            collected.samples.append(self._up(target, at, good))
            if isinstance(answer, ScrapeError):
                collected.problems.append(f"{target.name} {answer}")
                continue
            mapped = self._mapper.apply(answer.series, target.name, at)
            rows += mapped.rows
            skipped += mapped.skipped
            collected.problems.extend(self._complaints(target, answer))
        samples = [self._sample(row, at) for row in self._mapper.prefixed(rows)]
        unique = {sample.metric_id: sample for sample in samples}
        if repeats := len(samples) - len(unique):
            collected.problems.append(f"{repeats} samples came from two targets and were taken once; scrape each once")
        return Collected([*collected.samples, *unique.values()], skipped, collected.problems)

    def _scrape(self) -> dict[str, Parsed | ScrapeError]:
        """What each target answered. One that outlives the deadline keeps its (daemon) thread, and is left alone
        until that ends: only a target that sends its headers byte by byte gets that far."""
        done: queue.SimpleQueue[tuple[str, Parsed | ScrapeError]] = queue.SimpleQueue()
        answers: dict[str, Parsed | ScrapeError] = {}
        for target in self.targets:
            if (old := self._threads.get(target.name)) and old.is_alive():
                answers[target.name] = ScrapeError("is still busy with the previous scrape")
                continue
            thread = threading.Thread(target=self._read, args=(target, done), name=f"scrape {target.name}", daemon=True)
            self._threads[target.name] = thread
            thread.start()
        left = len(self.targets) - len(answers)
        for _ in range(left):
            try:
                name, answer = done.get(timeout=self._limits.scrape_timeout_seconds * 2)
            except queue.Empty:
                break
            answers[name] = answer
            # Its thread has answered, though it may still be ending when the next scrape looks.
            del self._threads[name]
        return answers

    def _read(self, target: Target, done: queue.SimpleQueue[tuple[str, Parsed | ScrapeError]]) -> None:
        limits = self._limits
        try:
            text = fetch(target.url, timeout=limits.scrape_timeout_seconds, max_bytes=limits.scrape_bytes)
            done.put((target.name, parse_exposition(text, self._mapper.mapping.wanted)))
        except ScrapeError as error:
            done.put((target.name, error))
        except Exception as error:  # noqa: BLE001 - whatever one target provokes must not cost the others
            done.put((target.name, ScrapeError(f"could not be read ({type(error).__name__}: {error})")))

    def _complaints(self, target: Target, parsed: Parsed) -> list[str]:
        lines = []
        if parsed.first_bad:
            number, text = parsed.first_bad
            lines.append(
                f"{target.name} sent {parsed.bad} of {parsed.lines} lines that can't be read; "
                f"the first is line {number}: {text[:SHOWN_TEXT]!r}"
            )
        if not parsed.lines:
            lines.append(f"{target.name} answered without a single metric")
        elif parsed.good and not parsed.series:
            lines.append(
                f"{target.name} has none of the metrics of mapping {self._mapper.mapping.name}; is it the right one?"
            )
        return lines

    def _up(self, target: Target, at: float, good: bool) -> Sample:
        return self._sample(Row("up", target.host, {"target": target.name}, int(good)), at)

    def _sample(self, row: Row, at: float) -> Sample:
        return make_sample(
            timestamp=at,
            metric_type=row.metric,
            value=row.value,
            hostname=row.hostname,
            unit=self._catalogue[row.metric].unit,
            region=self._region,
            environment=self._environment,
            labels=row.labels,
        )


def parse_targets(urls: Sequence[str]) -> list[Target]:
    """URLs with the names they are reported by. Raises InvalidInput naming the URL that does not fit."""
    if not urls:
        raise InvalidInput("url", "", "is needed by the source prometheus; give --url at least once")
    parts = []
    for url in urls:
        try:
            split = urlsplit(url)
            fits = split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise InvalidInput("url", url, "must be an http or https address such as http://10.0.0.5:9249/metrics")
        if urls.count(url) > 1:
            raise InvalidInput("url", url, "is given twice; name each target once")
        # Credentials in the address never reach a label or the log.
        address, path = split.netloc.rpartition("@")[2], split._replace(scheme="", netloc="", fragment="").geturl()
        parts.append((url, address, path, split.hostname or ""))
    shared = Counter(address for _, address, _, _ in parts)
    return [Target(url, address + path if shared[address] > 1 else address, host) for url, address, path, host in parts]
