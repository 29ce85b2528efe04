"""Athena's API: an action and its JSON to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from backend.local.athena.catalog import CATALOG, Catalog, Column, Table
from backend.local.athena.engine import Progress
from backend.local.athena.errors import RequestError
from backend.local.athena.executions import Execution, Executions
from backend.local.athena.objects import split
from backend.local.athena.results import page
from backend.local.athena.statements import classify
from backend.local.athena.stored import Results

PRIMARY: Final = "primary"
MAX_SQL_BYTES: Final = 262_144
MAX_RESULTS: Final = 1000
MAX_LISTED: Final = 50

Json = dict[str, Any]


class Service:
    """The actions that are served, by name. ``workgroups`` is the embedded engine's client of its own Athena, which
    keeps what CloudFormation says of them."""

    def __init__(self, executions: Executions, results: Results, catalog: Catalog, s3: Any, workgroups: Any) -> None:
        self._executions = executions
        self._results_of = results
        self._catalog = catalog
        self._s3 = s3
        self._workgroups = workgroups
        self._actions: dict[str, Callable[[Json], Json]] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": lambda asked: {"QueryExecution": self._one(asked).as_json()},
            "BatchGetQueryExecution": self._batch,
            "GetQueryResults": self._results,
            "StopQueryExecution": self._stop,
            "ListQueryExecutions": self._list,
            "GetWorkGroup": lambda asked: {"WorkGroup": self._workgroup(asked.get("WorkGroup"))},
            "ListWorkGroups": self._list_workgroups,
            "ListDataCatalogs": lambda _: {"DataCatalogsSummary": [{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}]},
            "GetDataCatalog": lambda _: {"DataCatalog": {"Name": "AwsDataCatalog", "Type": "GLUE"}},
            "GetDatabase": self._database,
            "ListDatabases": self._list_databases,
            "GetTableMetadata": self._table_metadata,
            "ListTableMetadata": self._list_table_metadata,
        }

    def answer(self, action: str, asked: Json) -> Json:
        """Raises RequestError."""
        served = self._actions.get(action)
        if served is None:
            raise RequestError(f"{action} is not served by the local Athena endpoint")
        return served(asked)

    def _start(self, asked: Json) -> Json:
        sql = asked.get("QueryString")
        if not isinstance(sql, str) or not sql.strip():
            raise RequestError("QueryString must not be empty")
        if len(sql.encode()) > MAX_SQL_BYTES:
            raise RequestError(f"QueryString has more than {MAX_SQL_BYTES} bytes")
        workgroup = self._workgroup(asked.get("WorkGroup") or PRIMARY)
        configuration = workgroup.get("Configuration") or {}
        limit = configuration.get("BytesScannedCutoffPerQuery")
        managed = (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled", False)
        statement = classify(sql)
        execution = Execution(
            asked,
            workgroup["Name"],
            "" if str(managed).lower() == "true" else self._output(asked, configuration),
            statement.type,
            statement.kind,
            progress=Progress(limit_bytes=int(limit) if limit else None),
        )
        return {"QueryExecutionId": self._executions.submit(execution)}

    def _output(self, asked: Json, configuration: Mapping[str, Any]) -> str:
        """Where the result goes: the workgroup's word counts before the caller's when it is enforced."""
        own = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
        given = (asked.get("ResultConfiguration") or {}).get("OutputLocation")
        enforced = str(configuration.get("EnforceWorkGroupConfiguration", False)).lower() == "true"
        location = str((own or given if enforced else given or own) or "")
        if not location:
            raise RequestError(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        if not location.startswith("s3://"):
            raise RequestError(f"outputLocation is not a valid S3 path: {location}")
        bucket, _ = split(location)
        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise RequestError(f"Unable to verify/create output bucket {bucket}") from error
        return location if location.endswith("/") else location + "/"

    def _workgroup(self, name: object) -> Json:
        try:
            found: Json = self._workgroups.get_work_group(WorkGroup=str(name or PRIMARY))["WorkGroup"]
        except ClientError as error:
            raise RequestError(f"WorkGroup {name} is not found.") from error
        if found.get("State") == "DISABLED":
            raise RequestError(f"WorkGroup {name} is disabled.")
        # Dates of the engine's answer can't be sent on as they are.
        return {key: value for key, value in found.items() if key != "CreationTime"}

    def _list_workgroups(self, _asked: Json) -> Json:
        found = self._workgroups.list_work_groups()["WorkGroups"]
        return {"WorkGroups": [{key: value for key, value in one.items() if key != "CreationTime"} for one in found]}

    def _one(self, asked: Json) -> Execution:
        return self._executions.get(asked.get("QueryExecutionId"))

    def _batch(self, asked: Json) -> Json:
        found, missing = [], []
        for id_ in asked.get("QueryExecutionIds") or ():
            try:
                found.append(self._executions.get(id_).as_json())
            except RequestError as refused:
                code = "INVALID_INPUT"
                missing.append({"QueryExecutionId": id_, "ErrorCode": code, "ErrorMessage": str(refused)})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def _results(self, asked: Json) -> Json:
        execution = self._one(asked)
        if execution.state in ("QUEUED", "RUNNING"):
            raise RequestError(f"Query has not yet finished. Current state: {execution.state}")
        if execution.state != "SUCCEEDED":
            raise RequestError(f"Query did not finish successfully. Final query state: {execution.state}")
        size = _size(asked, MAX_RESULTS)
        outcome = execution.outcome
        rows = self._results_of.rows(outcome.location) if outcome.updated is None else []
        return page(outcome.columns, rows, _start_of(asked), size, outcome.updated)

    def _stop(self, asked: Json) -> Json:
        self._executions.stop(asked.get("QueryExecutionId"))
        return {}

    def _list(self, asked: Json) -> Json:
        ids = self._executions.newest_first(self._workgroup(asked.get("WorkGroup"))["Name"])
        return _paged("QueryExecutionIds", ids, asked)

    def _database(self, asked: Json) -> Json:
        name = str(asked.get("DatabaseName", "")).lower()
        entry = self._catalog.database(name)
        if entry is None:
            raise RequestError(f"Database {name} not found", "MetadataException")
        return {"Database": _database_json(entry)}

    def _list_databases(self, asked: Json) -> Json:
        return _paged("DatabaseList", [_database_json(entry) for entry in self._catalog.databases()], asked)

    def _table_metadata(self, asked: Json) -> Json:
        database, name = str(asked.get("DatabaseName", "")).lower(), str(asked.get("TableName", "")).lower()
        table = self._catalog.table(database, name)
        if table is None:
            raise RequestError(
                f"EntityNotFoundException: Table {CATALOG}.{database}.{name} not found", "MetadataException"
            )
        return {"TableMetadata": _table_json(table)}

    def _list_table_metadata(self, asked: Json) -> Json:
        tables = self._catalog.tables(str(asked.get("DatabaseName", "")).lower())
        return _paged("TableMetadataList", [_table_json(table) for table in tables], asked)


def _size(asked: Json, most: int) -> int:
    size = asked.get("MaxResults", most)
    if not isinstance(size, int) or not 1 <= size <= most:
        raise RequestError(f"MaxResults is more than maximum allowed length {most}.")
    return size


def _start_of(asked: Json) -> int:
    token = str(asked.get("NextToken") or "0")
    if not token.isascii() or not token.isdigit():
        raise RequestError("NextToken is not valid")
    return int(token)


def _paged(name: str, values: Sequence[Any], asked: Json) -> Json:
    start, size = _start_of(asked), _size(asked, MAX_LISTED)
    more = {"NextToken": str(start + size)} if start + size < len(values) else {}
    return {name: list(values[start : start + size]), **more}


def _database_json(entry: Mapping[str, Any]) -> Json:
    return {
        "Name": entry["Name"],
        "Description": entry.get("Description") or "",
        "Parameters": entry.get("Parameters") or {},
    }


def _table_json(table: Table) -> Json:
    def columns(found: Sequence[Column]) -> list[Json]:
        return [{"Name": one.name, "Type": one.hive_type, "Comment": one.comment} for one in found]

    storage = table.entry.get("StorageDescriptor") or {}
    about = {
        "location": table.location,
        "inputformat": storage.get("InputFormat") or "",
        "outputformat": storage.get("OutputFormat") or "",
        "serde.serialization.lib": table.serde,
    }
    return {
        "Name": table.name,
        "TableType": table.entry.get("TableType") or "EXTERNAL_TABLE",
        "Columns": columns(table.columns),
        "PartitionKeys": columns(table.keys),
        "Parameters": {**table.parameters, **about},
    }
