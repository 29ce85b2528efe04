"""What somebody asked the demo to get wrong: lines in its directory that the synthetic source reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backend.collector.sources.incidents import KIND_OF_METRIC, Schedule, trip
from backend.contract.catalogue import Alarm, Catalogue
from backend.contract.errors import InvalidInput

TRIPS: Final = "trips.jsonl"
TRIPS_VARIABLE: Final = "PULSEBOARD_DEMO_TRIPS"
"""Path of that file, for the agent."""
HEARTBEAT: Final = "alert_consumer_heartbeat"
"""Tripped by switching the consumer's schedule off: it is the silence that alarms."""
SPARE_SECONDS: Final = 120
"""Longer than the alarm looks back: for the way of the samples and the minute that is filling."""
LONGEST_SECONDS: Final = 3600.0


def trippable(catalogue: Catalogue) -> dict[str, float]:
    """Metric to the seconds for which it is tripped, so that its alarm has time to fire."""
    names = [*KIND_OF_METRIC, HEARTBEAT]
    alarms = {name: alarm for name in names if (alarm := catalogue[name].alarm)}
    return {name: _seconds(alarm) for name, alarm in sorted(alarms.items())}


def _seconds(alarm: Alarm) -> float:
    return float(alarm.periods * alarm.period_seconds + SPARE_SECONDS)


def record(path: Path, metric: str, at: float, seconds: float) -> None:
    """Adds one line. Raises InvalidInput for a metric that can't be tripped this way."""
    if metric not in KIND_OF_METRIC:
        raise InvalidInput("metric", metric, "can't be tripped; `pulseboard trip` lists what can")
    line = json.dumps({"metric": metric, "at": at, "seconds": seconds})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


class TripFile:
    """The trips of a file, read again when it has grown. A file that is not there holds none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = -1
        self._trips: tuple[Schedule, ...] = ()

    def __call__(self) -> Sequence[Schedule]:
        """Every trip so far. A line that can't be read is no trip: whoever wrote it is told by ``record``."""
        try:
            size = self._path.stat().st_size
            if size != self._size:
                lines = self._path.read_text("utf-8").splitlines()
                self._trips = tuple(found for line in lines if (found := _parsed(line)))
                self._size = size
        except FileNotFoundError:
            pass
        return self._trips


def _parsed(line: str) -> Schedule | None:
    try:
        entry = json.loads(line)
        return trip(KIND_OF_METRIC[entry["metric"]], float(entry["at"]), float(entry["seconds"]))
    except (ValueError, KeyError, TypeError):
        return None
