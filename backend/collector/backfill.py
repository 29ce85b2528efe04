"""Files of samples that someone else recorded: JSON Lines, a JSON array, or ``timestamp,value`` CSV. Pure.

Bad rows are told by line number and value and kept out; they never cost the good ones.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import orjson

from backend.contract.catalogue import Catalogue
from backend.contract.errors import InvalidInput
from backend.contract.records import OLDEST_TIMESTAMP, Sample, metric_id, parse_sample

AHEAD_SECONDS = 300
TIMESTAMP = "timestamp"
VALUE = "value"


class Defaults(NamedTuple):
    """What the rows do not say themselves."""

    metric: str | None
    hostname: str | None
    unit: str | None
    environment: str
    region: str
    zone: ZoneInfo


@dataclass(slots=True)
class Imported:
    """``rows`` seen = ``samples`` + ``rejected``; a rejected row is (line number, what is wrong)."""

    rows: int = 0
    samples: list[Sample] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)


def read_file(data: bytes, defaults: Defaults, catalogue: Catalogue, now: float) -> Imported:
    """The samples of a file. Raises InvalidInput when the file as a whole can't be read."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("file", f"byte {error.start}", "is not UTF-8; convert the file first") from error
    first = text.lstrip()[:1]
    if not first:
        raise InvalidInput("file", "", "is empty; it needs at least one row")
    imported = Imported()
    rows = _json_rows(text, first) if first in "[{" else _csv_rows(text)
    for number, row in rows:
        imported.rows += 1
        try:
            if isinstance(row, InvalidInput):
                raise row
            imported.samples.append(_sample(row, defaults, catalogue, now))
        except InvalidInput as error:
            imported.rejected.append((number, str(error)))
    return imported


def _json_rows(text: str, first: str) -> Iterator[tuple[int, object]]:
    """(number, record): of an array its element's number, else its line's."""
    if first == "[":
        try:
            yield from enumerate(orjson.loads(text), 1)
        except orjson.JSONDecodeError as error:
            raise InvalidInput("file", str(error), "is not a JSON array; mend it or write one object a line") from error
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError:
                yield number, InvalidInput("line", line.strip(), "is not JSON", "invalid_json")


def _csv_rows(text: str) -> Iterator[tuple[int, object]]:
    reader = csv.reader(io.StringIO(text))
    header = [name.strip().lower() for name in next(reader)]
    missing = {TIMESTAMP, VALUE} - set(header)
    if missing:
        raise InvalidInput(
            "file", ",".join(header), f"lacks the column {min(missing)}; the first line names the columns"
        )
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                yield reader.line_num, InvalidInput("row", ",".join(cells), f"must have {len(header)} cells")
            else:
                yield reader.line_num, _csv_record(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        raise InvalidInput("file", f"line {reader.line_num}", f"is not CSV ({error})") from error


def _csv_record(cells: dict[str, str]) -> object:
    record: dict[str, object] = {name: text for name, text in cells.items() if text}
    try:
        record[VALUE] = float(cells[VALUE])
    except ValueError:
        return InvalidInput(VALUE, cells[VALUE], "must be a number")
    return record


def _sample(row: object, defaults: Defaults, catalogue: Catalogue, now: float) -> Sample:
    """A checked sample: fields of the row before ``defaults``, its id derived unless it brings one."""
    if not isinstance(row, dict):
        return parse_sample(row)
    record = dict(row)
    if TIMESTAMP in record:
        record[TIMESTAMP] = _epoch(record[TIMESTAMP], defaults.zone)
    metric_type = record.setdefault("metric_type", defaults.metric)
    if not isinstance(metric_type, str) or metric_type not in catalogue:
        remedy = "is not in the catalogue (docs/metrics.md); give it in the row or as --metric"
        raise InvalidInput("metric_type", metric_type, remedy)
    if record.setdefault("hostname", defaults.hostname) is None:
        raise InvalidInput("hostname", None, "is required; give it in the row or as --host")
    record.setdefault("environment", defaults.environment)
    record.setdefault("region", defaults.region)
    record["unit"] = record.get("unit") or defaults.unit or catalogue[metric_type].unit
    derived = "metric_id" not in record
    sample = parse_sample({"metric_id": "-", **record})
    if not OLDEST_TIMESTAMP <= sample.timestamp <= now + AHEAD_SECONDS:
        raise InvalidInput(TIMESTAMP, row.get(TIMESTAMP), "lies before the year 2000 or in the future")
    if derived:
        identity = metric_id(sample.hostname, sample.metric_type, sample.labels, sample.timestamp)
        return sample._replace(metric_id=identity)
    return sample


def _epoch(value: object, zone: ZoneInfo) -> object:
    """Epoch seconds of an ISO 8601 text (in ``zone`` where it names none) or a number written as text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        remedy = "must be epoch seconds or a date and time such as 2026-11-03 14:05:00"
        raise InvalidInput(TIMESTAMP, value, remedy) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def unique(samples: Iterable[Sample]) -> list[Sample]:
    """Each sample once: what stands last in a file is what counts. An id may be one series', so its time counts too."""
    return list({(s.metric_id, s.timestamp, s.environment, s.region): s for s in samples}.values())
