"""Settings, read once from a mapping (the environment) and ``pulseboard.toml``, then passed to whoever needs them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from backend.alerts.routing import check_config as check_alerting
from backend.contract.build import build
from backend.contract.catalogue import Catalogue, load_catalogue
from backend.contract.errors import InvalidInput
from backend.contract.tables import (
    AGGREGATES_TABLE,
    ALERTS_TABLE,
    DATASETS_TABLE,
    EVENTS_TABLE,
    GATE_TABLE,
    JOB_RUNS_TABLE,
    LIVE_RETENTION_SECONDS,
    METRICS_TABLE,
    RAW_RETENTION_SECONDS,
    REPLAYS_TABLE,
    TOKENS_TABLE,
)
from backend.jobs.config import check_config
from backend.settings_alerts import Alerting, Checks, Maintenance, Renotify
from backend.settings_history import History, check_history
from backend.settings_jobs import Calendar, DatasetConfig, JobConfig
from backend.settings_prices import Prices, check_prices

CONFIG_NAME: Final = "pulseboard.toml"


@dataclass(frozen=True, slots=True)
class CollectorSource:
    """One source of the agent or the collector function. ``urls`` and ``mapping`` belong to ``prometheus``.

    ``leave_out`` names metrics that are not taken from it, because something else measures them.
    """

    source: str
    urls: list[str] = field(default_factory=list)
    mapping: str | None = None
    interval_seconds: float | None = None
    environment: str | None = None
    leave_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps one bad input from costing everything else."""

    object_split_bytes: int = 5_000_000
    scrape_bytes: int = 20_000_000
    scrape_timeout_seconds: float = 10.0
    future_seconds: int = 300
    spool_bytes: int = 1_000_000_000
    failure_alert_percent: float = 5.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the finest levels stay hot, in seconds; longer ones follow the tiers of the catalogue."""

    live_seconds: int = LIVE_RETENTION_SECONDS
    raw_seconds: int = RAW_RETENTION_SECONDS


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of events. ``fields`` maps a required payload field to its JSON type, ``aliases`` to other names of it.

    ``operator`` is who handles it: what its errors are counted under.
    """

    fields: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, Any] = field(default_factory=dict)
    operator: str = "event-processor"
    late_seconds: float | None = None
    expected_interval_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plugins:
    """The four plug-ins by dotted path, ``package.module:name``; empty is the built-in one (docs/plugins.md)."""

    event_schema: str = ""
    key_layout: str = ""
    replay_message: str = ""
    aggregate: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """How events are taken and kept. ``shards`` are those of the day indexes; entity keys are logged by their name."""

    retention_days: int = 90
    late_seconds: float = 300.0
    shards: int = 8
    event_bytes: int = 262_144
    body_bytes: int = 4_000_000
    body_events: int = 1_000
    depth: int = 32
    entity_keys: list[str] = field(default_factory=lambda: ["order_id", "customer_id", "session_id", "dlq"])
    synthetic_sources: list[str] = field(default_factory=list)
    types: dict[str, EventType] = field(default_factory=dict)
    plugins: Plugins = field(default_factory=Plugins)


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    """Bounds of replays. ``max_replays`` stops loops; ``targets`` adds queues (name to URL) to the processor's own."""

    max_events: int = 100_000
    rate_per_second: float = 100.0
    max_replays: int = 5
    slice_seconds: float = 600.0
    targets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Access:
    """What raw payloads never show: field names at any depth, compared without case."""

    redacted_fields: list[str] = field(
        default_factory=lambda: ["password", "secret", "token", "authorization", "card_number", "cvv", "iban"]
    )


@dataclass(frozen=True, slots=True)
class Config:
    """What a user may set: ``pulseboard.toml``, defaults built in. ``environment`` is the one shown by default."""

    environment: str = "production"
    thresholds: dict[str, Any] = field(default_factory=dict)
    collect: list[CollectorSource] = field(default_factory=lambda: [CollectorSource("synthetic")])
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    events: Events = field(default_factory=Events)
    replay: ReplayLimits = field(default_factory=ReplayLimits)
    access: Access = field(default_factory=Access)
    jobs: dict[str, JobConfig] = field(default_factory=dict)
    datasets: dict[str, DatasetConfig] = field(default_factory=dict)
    alerts: Alerting = field(default_factory=Alerting)
    checks: Checks = field(default_factory=Checks)
    history: History = field(default_factory=History)
    prices: Prices = field(default_factory=Prices)
    refresh_seconds: float = 60.0
    hot_refresh_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how they behave. Names as CloudFormation passes them to the functions."""

    bucket: str = "infra-monitoring-pipeline-data"
    table: str = METRICS_TABLE
    region: str = "us-east-1"
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    alerts_topic_arn: str = ""
    warnings_topic_arn: str = ""
    events_table: str = EVENTS_TABLE
    gate_table: str = GATE_TABLE
    aggregates_table: str = AGGREGATES_TABLE
    replays_table: str = REPLAYS_TABLE
    tokens_table: str = TOKENS_TABLE
    job_runs_table: str = JOB_RUNS_TABLE
    datasets_table: str = DATASETS_TABLE
    alerts_table: str = ALERTS_TABLE
    event_queue_url: str = ""
    event_dead_letter_queue_url: str = ""
    alert_queue_url: str = ""
    alert_dead_letter_queue_url: str = ""
    replay_queue_url: str = ""
    retry_queue_url: str = ""
    email_topic_arn: str = ""
    slack_token_secret: str = ""
    slack_api_url: str = "https://slack.com/api/"
    pagerduty_key_secret: str = ""
    pagerduty_url: str = "https://events.pagerduty.com"
    watchdog_url: str = ""
    api_url: str = ""
    state_machine_arn: str = ""
    config: Config = field(default_factory=Config)
    catalogue: Catalogue = field(default_factory=load_catalogue)


VARIABLES: Final = {
    "bucket": "S3_BUCKET",
    "table": "DYNAMODB_TABLE",
    "region": "REGION",
    "queue_url": "QUEUE_URL",
    "dead_letter_queue_url": "DEAD_LETTER_QUEUE_URL",
    "alerts_topic_arn": "ALERTS_TOPIC_ARN",
    "warnings_topic_arn": "WARNINGS_TOPIC_ARN",
    "events_table": "EVENTS_TABLE",
    "gate_table": "GATE_TABLE",
    "aggregates_table": "AGGREGATES_TABLE",
    "replays_table": "REPLAYS_TABLE",
    "tokens_table": "TOKENS_TABLE",
    "job_runs_table": "JOB_RUNS_TABLE",
    "datasets_table": "DATASETS_TABLE",
    "alerts_table": "ALERTS_TABLE",
    "event_queue_url": "EVENT_QUEUE_URL",
    "event_dead_letter_queue_url": "EVENT_DEAD_LETTER_QUEUE_URL",
    "alert_queue_url": "ALERT_QUEUE_URL",
    "alert_dead_letter_queue_url": "ALERT_DEAD_LETTER_QUEUE_URL",
    "replay_queue_url": "REPLAY_QUEUE_URL",
    "retry_queue_url": "RETRY_QUEUE_URL",
    "email_topic_arn": "EMAIL_TOPIC_ARN",
    "slack_token_secret": "SLACK_TOKEN_SECRET",
    "slack_api_url": "SLACK_API_URL",
    "pagerduty_key_secret": "PAGERDUTY_KEY_SECRET",
    "pagerduty_url": "PAGERDUTY_URL",
    "watchdog_url": "WATCHDOG_URL",
    "api_url": "PULSEBOARD_API_URL",
    "state_machine_arn": "STATE_MACHINE_ARN",
}
"""Field of Settings to the environment variable that sets it."""


def load_settings(environ: Mapping[str, str], config_path: Path | None = None) -> Settings:
    """Settings of the environment and of ``pulseboard.toml`` (``config_path``, ``PULSEBOARD_CONFIG`` or ./).

    Raises InvalidInput naming the variable or the TOML field that is wrong.
    """
    values = {name: environ[variable] for name, variable in VARIABLES.items() if environ.get(variable)}
    if "region" not in values and (region := environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")):
        values["region"] = region
    config = replace(load_config(config_path or _config_path(environ)), **_config_overrides(environ))
    return Settings(**values, config=config, catalogue=load_catalogue().with_overrides(config.thresholds))


def load_config(path: Path | None) -> Config:
    """The validated ``pulseboard.toml``; the defaults where there is none."""
    if path is None:
        return Config()
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(
            CONFIG_NAME, str(path), f"can't be read ({error.strerror}); check PULSEBOARD_CONFIG"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(CONFIG_NAME, str(error), "is not valid TOML; mend the line it names") from error
    sources = data.get("collect", [])
    if not isinstance(sources, list):
        raise InvalidInput(f"{CONFIG_NAME}.collect", sources, "must be tables; write [[collect]] before each")
    data["collect"] = [build(CollectorSource, entry, f"collect[{index}]") for index, entry in enumerate(sources)] or [
        CollectorSource("synthetic")
    ]
    _build_event_types(data)
    _build_named(data, "jobs", JobConfig)
    _build_named(data, "datasets", DatasetConfig)
    _build_maintenance(data)
    config = build(Config, data, CONFIG_NAME)
    _check_positive(config, CONFIG_NAME)
    for index, source in enumerate(config.collect):
        _check_positive(source, f"collect[{index}]")
    check_config(config.jobs, config.datasets)
    check_alerting(config.alerts)
    check_history(config.history)
    check_prices(config.prices)
    return config


JSON_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array")


def _build_event_types(data: dict[str, Any]) -> None:
    """Turns the tables under ``[events.types.<name>]`` into EventType in place."""
    events = data.get("events")
    types = events.get("types") if isinstance(events, dict) else None
    if not isinstance(events, dict) or not isinstance(types, dict):
        return
    built = {name: build(EventType, entry, f"events.types.{name}") for name, entry in types.items()}
    for name, event_type in built.items():
        where = f"events.types.{name}"
        _check_positive(event_type, where)
        for key, kind in event_type.fields.items():
            if kind not in JSON_TYPES:
                raise InvalidInput(f"{where}.fields.{key}", kind, f"must be one of {', '.join(JSON_TYPES)}")
        for key, others in event_type.aliases.items():
            if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
                raise InvalidInput(f"{where}.aliases.{key}", others, 'must be a list of names, such as ["cust_id"]')
    data["events"] = {**events, "types": built}


def _build_named(data: dict[str, Any], name: str, cls: type[Any]) -> None:
    """Turns the tables under ``[<name>.<key>]`` into dataclasses in place."""
    tables = data.get(name)
    if isinstance(tables, dict):
        data[name] = {key: build(cls, entry, f"{name}.{key}") for key, entry in tables.items()}
        for key, built in data[name].items():
            _check_positive(built, f"{name}.{key}")


def _build_maintenance(data: dict[str, Any]) -> None:
    """Turns the tables of ``[[alerts.maintenance]]`` into Maintenance in place."""
    alerts = data.get("alerts")
    windows = alerts.get("maintenance") if isinstance(alerts, dict) else None
    if isinstance(alerts, dict) and isinstance(windows, list):
        built = [build(Maintenance, entry, f"alerts.maintenance[{index}]") for index, entry in enumerate(windows)]
        data["alerts"] = {**alerts, "maintenance": built}


_PARTS: Final = (Limits, Retention, Events, ReplayLimits, Alerting, Renotify, Checks, Calendar)
"""Tables inside tables whose numbers are looked at too. In a remediation 0 means off."""


def _check_positive(part: Any, where: str) -> None:
    """Every number that may be set is a length, a size or a share: zero and below would switch something off."""
    for entry in fields(part):
        value = getattr(part, entry.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
            raise InvalidInput(f"{where}.{entry.name}", value, "must be above 0")
        if isinstance(value, _PARTS):
            _check_positive(value, f"{where}.{entry.name}")


def _config_overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """The fields of Config that one variable can set: ``PULSEBOARD_`` and the field's name in capitals."""
    values: dict[str, Any] = {}
    if environment := environ.get("PULSEBOARD_ENVIRONMENT"):
        values["environment"] = environment
    for name in ("refresh_seconds", "hot_refresh_seconds"):
        variable = f"PULSEBOARD_{name.upper()}"
        if text := environ.get(variable):
            try:
                values[name] = float(text)
            except ValueError:
                raise InvalidInput(variable, text, "must be a number of seconds") from None
            if not 0.1 <= values[name] <= 86400:
                raise InvalidInput(variable, text, "must lie between 0.1 and 86400 seconds")
    return values


def _config_path(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("PULSEBOARD_CONFIG"):
        return Path(named)
    local = Path(CONFIG_NAME)
    return local if local.exists() else None
