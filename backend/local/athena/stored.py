"""Where results are: objects in S3, or files here for workgroups whose results Athena manages; the newest in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backend.local.athena.errors import QueryError, RequestError
from backend.local.athena.objects import split
from backend.local.athena.results import Texts, from_csv, from_text

KEPT_BYTES: Final = 32 * 1024 * 1024
"""Of results' text, for the pages of GetQueryResults; older ones are read again."""


class Results:
    """Thread-safe. ``directory`` holds what Athena manages."""

    def __init__(self, s3: Any, directory: Path) -> None:
        self._s3 = s3
        self._directory = directory
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, list[Texts]]] = OrderedDict()
        directory.mkdir(parents=True, exist_ok=True)

    def put(self, output: str, name: str, body: bytes, rows: list[Texts]) -> str:
        """Stores a result under ``output`` (empty: managed) and says where it is.

        Raises QueryError as Athena says it when the place can't be written.
        """
        location = f"{output}{name}" if output else str(self._directory / name)
        if output:
            bucket, key = split(location)
            try:
                self._s3.put_object(Bucket=bucket, Key=key, Body=body)
            except (ClientError, BotoCoreError) as error:
                text = f"Access denied when writing output to url: {location} . {error}"
                raise QueryError(text, kind=401) from error
        else:
            Path(location).write_bytes(body)
        self._keep(location, len(body), rows)
        return location

    def rows(self, location: str) -> list[Texts]:
        """The rows of a result, its header among them. Raises RequestError when the object is gone."""
        with self._lock:
            found = self._kept.get(location)
        if found is not None:
            return found[1]
        body = self._body(location)
        rows = from_csv(body) if location.endswith(".csv") else from_text(body)
        self._keep(location, len(body), rows)
        return rows

    def _body(self, location: str) -> bytes:
        if not location.startswith("s3://"):
            return Path(location).read_bytes()
        bucket, key = split(location)
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise RequestError(f"Could not find results: {location}") from error
        return body

    def _keep(self, location: str, size: int, rows: list[Texts]) -> None:
        with self._lock:
            self._kept[location] = size, rows
            while len(self._kept) > 1 and sum(size for size, _ in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
