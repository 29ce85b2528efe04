"""The local Athena endpoint beside the embedded engine, for tests that speak PyAthena."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from backend.local.engine import REGION, Engine

if TYPE_CHECKING:
    from backend.local.athena.server import AthenaServer

BUCKET = "athena-tests"
STAGING = f"s3://{BUCKET}/athena-results/"


@dataclass(frozen=True, slots=True)
class AthenaEngine:
    """Engine and endpoint. ``environment`` is what a process needs to use both; ``bucket`` exists."""

    engine: Engine
    server: AthenaServer
    environment: Mapping[str, str]
    bucket: str = BUCKET
    staging: str = STAGING

    @property
    def url(self) -> str:
        """Where the endpoint answers."""
        return self.server.url

    @property
    def session(self) -> boto3.Session:
        """Credentials and region; the endpoints come from ``environment``."""
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def client(self, attempts: int = 3) -> Any:
        """A boto3 client of Athena."""
        config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        return self.session.client("athena", endpoint_url=self.url, config=config)

    def finished(self, id_: str) -> dict[str, Any]:
        """An execution once it is over."""
        execution = self.server.executions.get(id_)
        wait_until(lambda: execution.finished)
        return execution.as_json()

    def connect(self, **options: Any) -> Any:
        """A connection of PyAthena; use it while ``environment`` is in the environment (``athena_environment``)."""
        import pyathena

        given = {"s3_staging_dir": self.staging, "poll_interval": 0.01, "session": self.session, **options}
        return pyathena.connect(**given)

    def put(self, key: str, body: bytes | str) -> int:
        """Stores an object and says how many bytes it has."""
        data = body.encode() if isinstance(body, str) else body
        self.engine.client("s3").put_object(Bucket=self.bucket, Key=key, Body=data)
        return len(data)

    def table(
        self,
        database: str,
        name: str,
        columns: Mapping[str, str],
        keys: Mapping[str, str],
        location: str,
        *,
        parquet: bool = False,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """Creates or replaces a table in Glue, and its database. ``location`` is a prefix of the bucket."""
        glue = self.engine.client("glue")
        if database not in [entry["Name"] for entry in glue.get_databases()["DatabaseList"]]:
            glue.create_database(DatabaseInput={"Name": database})
        if name in [entry["Name"] for entry in glue.get_tables(DatabaseName=database)["TableList"]]:
            glue.delete_table(DatabaseName=database, Name=name)
        serde = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" if parquet else _JSON
        glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "StorageDescriptor": {
                    "Columns": _columns(columns),
                    "Location": f"s3://{self.bucket}/{location}",
                    "SerdeInfo": {"SerializationLibrary": serde},
                },
                "PartitionKeys": _columns(keys),
                "Parameters": dict(parameters or {}),
            },
        )


_JSON = "org.openx.data.jsonserde.JsonSerDe"

DAYS = {"year": "int", "month": "int", "day": "int"}
METRIC_COLUMNS = {
    "metric_id": "string",
    "timestamp": "double",
    "metric_type": "string",
    "value": "double",
    "unit": "string",
    "hostname": "string",
    "region": "string",
    "environment": "string",
    "labels": "map<string,string>",
    "observations": "array<array<double>>",
}


def projection(names: Sequence[str] = ("year", "month", "day")) -> dict[str, str]:
    """The projection of integers that the product's tables use."""
    ranges = {"year": ("2020,2040", ""), "month": ("1,12", "2"), "day": ("1,31", "2"), "generation": ("0,9999", "")}
    found = {"projection.enabled": "true"}
    for name in names:
        limits, digits = ranges[name]
        found |= {f"projection.{name}.type": "integer", f"projection.{name}.range": limits}
        if digits:
            found[f"projection.{name}.digits"] = digits
    return found


def _columns(types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in types.items()]


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Returns once it holds; fails when it does not for too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def athena(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaEngine]:
    """The endpoint on the session's embedded engine."""
    from backend.local.athena.server import AthenaServer

    engine.client("s3").create_bucket(Bucket=BUCKET)
    directory: Path = tmp_path_factory.mktemp("athena")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine.environment().items():
            patch.setenv(name, value)
        server = AthenaServer(0, engine.endpoint, directory)
    with server:
        yield AthenaEngine(
            engine,
            server,
            {
                **engine.environment(),
                "AWS_ENDPOINT_URL_ATHENA": server.url,
                "AWS_ENDPOINT_URL_S3": engine.endpoint,
                "AWS_ATHENA_S3_STAGING_DIR": STAGING,
                "AWS_ATHENA_WORK_GROUP": "primary",
            },
        )


@pytest.fixture
def athena_environment(athena: AthenaEngine, monkeypatch: pytest.MonkeyPatch) -> AthenaEngine:
    """The same, with this process's environment pointing at it, as a program's would."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in athena.environment.items():
        monkeypatch.setenv(name, value)
    return athena
