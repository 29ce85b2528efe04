"""Which bytes of which object are processed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from backend.contract.tables import BACKFILL_NAME
from backend.processor.reading import Format


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """An S3 object, or the bytes ``start`` to ``end`` (exclusive) of one.

    ``spacing_seconds`` is how far apart one series' samples are at their producer, where known. ``modified`` is when
    the object was written (epoch seconds): the time of the processor's samples about itself, equal at every delivery.
    ``receipt`` is whether its producer waits to hear that all of it is written.
    """

    key: str
    start: int = 0
    end: int | None = None
    format: Format | None = None
    spacing_seconds: float | None = None
    first_line: int = 1
    modified: float | None = None
    receipt: bool = False

    @property
    def backfill(self) -> bool:
        """Whether its name says that old samples are meant to be there."""
        return self.key.rpartition("/")[2].startswith(BACKFILL_NAME)

    @property
    def origin(self) -> tuple[str, int]:
        """What ids of the items that only this part gives are made of."""
        return self.key, self.start
