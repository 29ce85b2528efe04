"""The function ``data-collector``: every source once per schedule event, stamped with the schedule's own time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from backend.aws import Clients
from backend.collector.build import DEFAULT_SEED, DEMO_VARIABLE, SCHEDULE_SECONDS, SEED_VARIABLE, make_source, s3_put
from backend.collector.core import Outgoing, encode, pack
from backend.collector.sources.base import Source
from backend.contract.catalogue import CLOUDWATCH_NAMESPACE, Catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import make_sample
from backend.settings import load_settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

FUNCTION: Final = "data-collector"
logger = Logger(service=FUNCTION)


class Collector:
    """One container's collector: ``sources`` with their interval (s), and where objects go."""

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        put: Callable[[Outgoing], None],
        cloudwatch: Callable[[], CloudWatchClient],
        catalogue: Catalogue,
        *,
        environment: str,
        region: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._sources = sources
        self._put = put
        self._cloudwatch = cloudwatch
        self._catalogue = catalogue
        self._environment = environment
        self._region = region
        self._untold = 0

    def run(self, at: float, *, receipt: bool = False) -> dict[str, Any]:
        """Collects at ``at`` and writes one object per source; a second run for the same time overwrites the first.

        ``receipt`` asks the processor to record when it has written each of them. A source that fails costs only
        itself. Raises the first error of a put, or of a source when all failed.
        """
        objects: list[Outgoing] = []
        errors: list[Exception] = []
        totals = {"samples": 0, "skipped": 0, "problems": 0}
        for index, (source, interval) in enumerate(self._sources):
            try:
                collected = source.collect(at, None)
            except Exception as error:
                logger.exception("Source failed", source=source.name)
                errors.append(error)
                continue
            for problem in collected.problems:
                logger.warning("Collection problem", source=source.name, problem=problem)
            identity = f"{FUNCTION}/{index}/{source.name}/{at:.0f}"
            objects += pack(map(encode, collected.samples), identity=identity, spacing=interval, receipt=receipt)
            totals["samples"] += len(collected.samples)
            totals["skipped"] += collected.skipped
            totals["problems"] += len(collected.problems)
        if errors and len(errors) == len(self._sources):
            raise errors[0]
        self._put_all(objects)
        self._put_own(at)
        logger.info("Collected", extra={"objects": len(objects), **totals})
        ended = {"at": at, "ended_at": self._clock()}
        return {**totals, **ended, "objects": [outgoing.key for outgoing in objects]}

    def _put_all(self, objects: Sequence[Outgoing]) -> None:
        failures: list[Exception] = []
        for outgoing in objects:
            try:
                self._put(outgoing)
            except Exception as error:
                logger.exception("Upload failed", key=outgoing.key)
                failures.append(error)
        if failures:
            self._tell(len(failures))
            raise failures[0]

    def _tell(self, failures: int) -> None:
        """Straight to CloudWatch, since S3 is what failed; what can't be told is a sample of the next object."""
        metric = self._catalogue["s3_upload_failures"]
        self._untold += failures
        try:
            self._cloudwatch().put_metric_data(
                Namespace=CLOUDWATCH_NAMESPACE,
                MetricData=[{"MetricName": metric.cloudwatch or metric.key, "Value": self._untold, "Unit": "Count"}],
            )
        except Exception:
            logger.exception("S3 upload failures could not be reported", failures=self._untold)
        else:
            self._untold = 0

    def _put_own(self, at: float) -> None:
        """What CloudWatch was not told, once S3 takes objects again; kept until this one arrived."""
        if not self._untold:
            return
        metric = self._catalogue["s3_upload_failures"]
        sample = make_sample(
            timestamp=at,
            metric_type=metric.key,
            value=self._untold,
            unit=metric.unit,
            hostname=FUNCTION,
            environment=self._environment,
            region=self._region,
        )
        self._put_all(pack([encode(sample)], identity=f"{FUNCTION}/own/{at:.0f}"))
        self._untold = 0


def time_of(event: Mapping[str, Any], now: float) -> float:
    """The time to collect for. An execution of the state machine hands over its ``input``, which a schedule or a person
    may have given a time, and when it was ``started_at``: the same for each of its tries. Raises InvalidInput."""
    given = event.get("input")
    if isinstance(given, Mapping) and given.get("time") is not None:
        return schedule_time(given, now)
    if event.get("started_at") is not None:
        return schedule_time({"time": event["started_at"]}, now)
    return schedule_time(event, now)


def schedule_time(event: Mapping[str, Any], now: float) -> float:
    """Epoch seconds of the event's ``time`` (ISO 8601), ``now`` where it has none. Raises InvalidInput."""
    text = event.get("time")
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput("time", text, "must be ISO 8601 with a zone, as EventBridge sends it")
    return float(int(moment.timestamp()))


@cache
def _collector() -> Collector:
    settings = load_settings(os.environ)
    clients = Clients(settings.region)
    demo = os.environ.get(DEMO_VARIABLE)
    started, seed = float(demo) if demo else None, int(os.environ.get(SEED_VARIABLE) or DEFAULT_SEED)
    sources: list[tuple[Source, float]] = []
    wrong: list[InvalidInput] = []
    for spec in settings.config.collect:
        try:
            source = make_source(spec, settings, clients, demo_started_at=started, seed=seed)
        except InvalidInput as error:
            logger.error("Source can't be made", source=spec.source, error_message=str(error))
            wrong.append(error)
        else:
            sources.append((source, spec.interval_seconds or SCHEDULE_SECONDS))
    if wrong and not sources:
        raise wrong[0]
    return Collector(
        sources,
        s3_put(clients.s3, settings.bucket),
        lambda: clients.cloudwatch,
        settings.catalogue,
        environment=settings.config.environment,
        region=settings.region,
    )


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """EventBridge's schedule event or an execution's in; the keys written and what was counted out."""
    return _collector().run(time_of(event, time.time()), receipt=bool(event.get("execution")))
