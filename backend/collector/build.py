"""From settings to sources and to the bucket: the one place where the collector is wired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.aws import Clients
from backend.collector.core import CONTENT_TYPE, Outgoing
from backend.collector.mapping import load_mapping, ready_mappings
from backend.collector.sources.base import Collected, Source
from backend.collector.sources.host import HostSource
from backend.collector.sources.incidents import Schedule
from backend.collector.sources.prometheus import PrometheusSource
from backend.collector.sources.synthetic import TRIP, TRIP_LABEL, SyntheticSource
from backend.contract.errors import InvalidInput
from backend.settings import CollectorSource, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOURCES: Final = ("synthetic", "host", "prometheus", "cloudwatch")
SCHEDULE_SECONDS: Final = 300.0
"""How often the collector function runs; what a source without an interval covers there."""
DEMO_VARIABLE: Final = "PULSEBOARD_DEMO_STARTED"
"""Epoch seconds: the synthetic source then shows the demo's incidents."""
SEED_VARIABLE: Final = "PULSEBOARD_SEED"
"""The synthetic source's seed; whoever writes to one bucket must use one seed, or its counters jump."""
DEFAULT_SEED: Final = 7


class LeavingOut:
    """A source less the metrics that something else measures; what somebody trips on purpose stays."""

    def __init__(self, source: Source, metrics: Sequence[str]) -> None:
        self._source = source
        self._metrics = frozenset(metrics)

    @property
    def name(self) -> str:
        """The source's own."""
        return self._source.name

    def collect(self, at: float, since: float | None) -> Collected:
        """What the source collects, without those metrics."""
        collected = self._source.collect(at, since)
        kept = [
            sample
            for sample in collected.samples
            if sample.metric_type not in self._metrics or sample.labels.get(TRIP_LABEL) == TRIP
        ]
        return replace(collected, samples=kept)


def make_source(
    spec: CollectorSource,
    settings: Settings,
    clients: Clients,
    *,
    demo_started_at: float | None = None,
    seed: int = DEFAULT_SEED,
    hostname: str | None = None,
    trips: Callable[[], Sequence[Schedule]] = tuple,
) -> Source:
    """The source that ``spec`` describes. Raises InvalidInput naming what it lacks.

    ``trips`` is what goes wrong in the synthetic source because somebody asked for it.
    """
    source = _named(spec, settings, clients, demo_started_at=demo_started_at, seed=seed, hostname=hostname, trips=trips)
    for metric in spec.leave_out:
        if metric not in settings.catalogue:
            raise InvalidInput("leave_out", metric, "is not in the catalogue; see docs/metrics.md for the names")
    return LeavingOut(source, spec.leave_out) if spec.leave_out else source


def _named(
    spec: CollectorSource,
    settings: Settings,
    clients: Clients,
    *,
    demo_started_at: float | None,
    seed: int,
    hostname: str | None,
    trips: Callable[[], Sequence[Schedule]],
) -> Source:
    environment, region = spec.environment or settings.config.environment, settings.region
    match spec.source:
        case "synthetic":
            return SyntheticSource(
                settings.catalogue,
                environment=environment,
                region=region,
                seed=seed,
                interval_seconds=spec.interval_seconds or SCHEDULE_SECONDS,
                demo_started_at=demo_started_at,
                trips=trips,
            )
        case "host":
            return HostSource(settings.catalogue, environment=environment, region=region, hostname=hostname)
        case "prometheus":
            if not spec.mapping:
                raise InvalidInput("mapping", spec.mapping, f"is needed; use {', '.join(ready_mappings())} or a file")
            mapping = load_mapping(spec.mapping, settings.catalogue)
            limits = settings.config.limits
            return PrometheusSource(
                settings.catalogue, spec.urls, mapping, environment=environment, region=region, limits=limits
            )
        case "cloudwatch":
            from backend.collector.sources.cloudwatch import CloudWatchSource

            return CloudWatchSource(clients.cloudwatch, settings.catalogue, environment=environment, region=region)
    raise InvalidInput("source", spec.source, f"is unknown; use {', '.join(SOURCES)}")


def s3_put(client: S3Client, bucket: str) -> Callable[[Outgoing], None]:
    """What puts an object into ``bucket``; it raises botocore's errors."""

    def put(outgoing: Outgoing) -> None:
        client.put_object(
            Bucket=bucket,
            Key=outgoing.key,
            Body=outgoing.body,
            Metadata=dict(outgoing.metadata),
            ContentType=CONTENT_TYPE,
        )

    return put


def write_all(objects: Sequence[Outgoing], client: S3Client, bucket: str) -> None:
    """Puts objects one after the other, for a person who waits.

    Raises InvalidInput when the bucket does not take one; doing it all again overwrites what had arrived.
    """
    put = s3_put(client, bucket)
    for number, outgoing in enumerate(objects):
        try:
            put(outgoing)
        except (ClientError, BotoCoreError) as error:
            remedy = f"does not take objects after {number} of {len(objects)} ({error}); run `pulseboard doctor`"
            raise InvalidInput("bucket", bucket, remedy) from error
