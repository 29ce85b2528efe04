"""The query gallery: what the address asks of history, and how far the answer is. Pure but for ``load``.

A question is asked once, of a range that stands still: ``ask`` names it, ``asked`` is when it was chosen. A page that
is left open asks Athena nothing again, and whoever is sent the link sees the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from backend.contract.errors import InvalidInput
from backend.contract.questions import BY_NAME, Answer, Asked
from backend.contract.ranges import LONGEST_SECONDS, parse_time
from dashboard.data.request import STEP_SECONDS, ViewRequest
from dashboard.data.source import Source

if TYPE_CHECKING:
    from dashboard.services import Services

ASK: Final = "ask"
ASKED: Final = "asked"
PARAMETERS: Final = (ASK, ASKED)
AHEAD_SECONDS: Final = 4 * STEP_SECONDS
"""How far before the clock a choice may be: who asks again chooses later than the choice before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a question is. ``answer`` is there when ``source.state`` is done, and only then.

    ``sql`` is the text as Athena gets it, values and all; "" where it was never made.
    """

    asked: Asked
    source: Source
    sql: str = ""
    answer: Answer | None = None


class Gallery(Protocol):
    """Where questions are asked: ``dashboard.data.gallery_desk``."""

    def ask(self, asked: Asked, since: float = 0.0, wait: float = 0.0) -> Reading:
        """How far the question is, after at most ``wait`` seconds; it is asked in the background where nobody has
        asked it yet, or where somebody chose it later (``since``, epoch s) than it was asked."""

    def limits(self) -> tuple[int | None, float]:
        """What one question may scan at most, bytes, and what that costs, US dollars; None where it is not known."""

    def cancel(self, key: str) -> bool:
        """Stops the question of a reading's ``source.key``; False where none of that name is being asked."""

    def close(self) -> None:
        """Stops all questions."""


@dataclass(frozen=True, slots=True)
class GalleryData:
    """What the section shows. ``reading`` None: nothing is asked. ``limit_bytes`` None: the limit is not known."""

    request: ViewRequest
    asked_at: int
    """What links to other questions carry, epoch s: on a grid, so that all who choose one now ask the same."""
    connected: bool = False
    reading: Reading | None = None
    limit_bytes: int | None = None
    limit_dollars: float = 0.0
    again_at: int = 0
    """What *Ask again* carries, epoch s: later than what the address has, up to what an address may have."""

    @property
    def running(self) -> bool:
        """Whether a question is being answered."""
        return self.reading is not None and self.reading.source.state == "running"


def asked_of(request: ViewRequest, now: float) -> Asked | None:
    """The question of the address with its range, None where it has none.

    Raises InvalidInput naming ``ask``, ``asked``, ``from`` or ``to``.
    """
    name = request.get(ASK)
    if name is None:
        return None
    if name not in BY_NAME:
        raise InvalidInput(ASK, name, f"is not a question; use {', '.join(BY_NAME)}", "unknown_question")
    wanted = request.range(chosen(request, now) or _hour(request, now))
    # On the same grid as a fixed range's ends, so that a download by fixed ends finds the answer.
    start = wanted.start // STEP_SECONDS * STEP_SECONDS
    end = -(-wanted.end // STEP_SECONDS) * STEP_SECONDS
    return Asked(BY_NAME[name], start, end, request.environment, request.host or "")


def _hour(request: ViewRequest, now: float) -> float:
    """The "now" of an address written by hand: the end of the last full hour, or of this one where it begins in it."""
    last = now // 3600 * 3600
    return last if parse_time(request.start, last, "from") < last else last + 3600


def load(services: Services, request: ViewRequest, now: float) -> GalleryData:
    """The question of the address and how far its answer is. Raises as ``asked_of`` does."""
    asked, chosen_at = asked_of(request, now), chosen(request, now) or 0
    asked_at = int(now // STEP_SECONDS * STEP_SECONDS)
    again_at = min(max(asked_at, chosen_at + STEP_SECONDS), int(now) + AHEAD_SECONDS)
    gallery = services.gallery
    if gallery is None:
        return GalleryData(request, asked_at)
    size, dollars = gallery.limits()
    reading = gallery.ask(asked, chosen_at) if asked else None
    return GalleryData(request, asked_at, True, reading, size, dollars, again_at)


def chosen(request: ViewRequest, now: float) -> int | None:
    """When the question was chosen, epoch s; None where the address does not say. Raises InvalidInput."""
    text = request.get(ASKED)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and now - LONGEST_SECONDS <= int(text) <= now + AHEAD_SECONDS):
        raise InvalidInput(ASKED, text, "must be the epoch second at which the question was asked")
    return int(text)
