"""Asks Athena the ready-made questions: what ``contract.questions`` names, over the days as they lie just now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.questions import Answer, Asked, rows_of
from backend.contract.tables import WORKGROUP
from backend.history.athena import billed
from backend.history.days import Days, LateObjects
from backend.history.errors import request_error
from backend.history.gallery import days_asked, question_statement
from backend.history.reading import Runner
from backend.history.series import Place
from backend.settings import Settings

if TYPE_CHECKING:
    from datetime import date

    from mypy_boto3_athena import AthenaClient

    from backend.history.statements import Statement

MOST_ROWS: Final = 50_000
"""Rows of an answer that are kept; more than people and spreadsheets read."""


class PlaceSource(Protocol):
    """Where samples lie: ``backend.history.reading.Places``."""

    def place(self, first: date, last: date) -> Place:
        """Of the UTC days ``first`` to ``last``. Raises HistoryError."""


class Questions:
    """Answers them, one statement each. Thread-safe."""

    def __init__(self, athena: Runner, places: PlaceSource, workgroups: AthenaClient, settings: Settings) -> None:
        self._athena = athena
        self._places = places
        self._workgroups = workgroups
        self._settings = settings

    def answer(self, asked: Asked, stop: threading.Event) -> Answer:
        """The answer; it ends soon once ``stop`` is set. Raises InvalidInput and HistoryError."""
        from pyathena.formatter import DefaultParameterFormatter

        made = self._statement(asked)
        sql: str = DefaultParameterFormatter().format(made.sql, dict(made.values))
        result = self._athena.run(made, stop)
        table = result.table.slice(0, MOST_ROWS)
        lines = zip(*(column.to_pylist() for column in table.columns), strict=True)
        rows = rows_of(asked.question, table.column_names, lines)
        return Answer(asked, rows, result.table.num_rows > MOST_ROWS, result.cost, sql)

    def limits(self) -> tuple[int | None, float]:
        """Bytes that one question may scan, None where the workgroup has no limit, and their price in US dollars.

        Raises HistoryError where the workgroup can't be read.
        """
        try:
            found = self._workgroups.get_work_group(WorkGroup=WORKGROUP)
        except (BotoCoreError, ClientError) as error:
            raise request_error(error) from error
        limit = found["WorkGroup"].get("Configuration", {}).get("BytesScannedCutoffPerQuery")
        most = None if limit is None else int(limit)
        return most, billed(most or 0, self._settings.config.prices.athena_terabyte, reused=False)

    def _statement(self, asked: Asked) -> Statement:
        place = Place(Days(), LateObjects(), self._settings.bucket)
        if asked.question.subject == "metrics":
            place = self._places.place(*days_asked(asked))
        return question_statement(asked, self._settings.catalogue, place)
