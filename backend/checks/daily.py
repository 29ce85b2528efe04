"""Daily: is every hour of the last settled day there, and does it match, also with what an outside counter says?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from backend.checks.counting import reach_note, read_evidence
from backend.checks.hours import DAY_SECONDS, HOUR_SECONDS, Evidence, Hour, hour_text, hours_of, rows
from backend.checks.reconciliation import UNIT, Judged, judge, late_limit
from backend.checks.world import World
from backend.contract.checks import CheckResult, Finding
from backend.contract.errors import InvalidInput
from backend.contract.events import utc_text

NAME: Final = "daily"
SETTING: Final = "checks.external_count"
ExternalCount = Callable[[float, float, str], int]
"""Start and end of an hour (epoch s, the end exclusive) and the environment, to how many events there should be."""


def run(world: World, now: float) -> CheckResult:
    """Compares the 24 hours of the newest UTC day that is settled as a whole."""
    settled_before = now - late_limit(world.settings.config)
    end = settled_before // DAY_SECONDS * DAY_SECONDS
    start = end - DAY_SECONDS
    evidence, problem = _with_external(world, read_evidence(world, start, end), start, end)
    hours = hours_of(evidence, start, end, settled_before)
    began_before = bool(world.levels.hours("events_ingested", start - DAY_SECONDS, start))
    least = world.settings.config.checks.match_percent
    judged = judge_day(hours, least, began_before, "; ".join(filter(None, (reach_note(evidence, start), problem))))
    sentence = f"{utc_text(start)[:10]}: {judged.sentence}"
    return CheckResult(
        NAME, now, judged.status, sentence, judged.value, UNIT, start, end, judged.findings, {"hours": rows(hours)}
    )


def judge_day(hours: Sequence[Hour], least_percent: float, began_before: bool, note: str = "") -> Judged:
    """As ``judge``, and an hour without any event has failed too, unless the outside count says so. Pure.

    On the first day of a pipeline (nothing ``began_before``) the hours before its first event are none of it.
    """
    first = next((index for index, hour in enumerate(hours) if not hour.empty), len(hours))
    of_it = hours if began_before else hours[first:]
    absent = [hour for hour in of_it if hour.empty and hour.counts.settled and hour.counts.external != 0]
    judged = judge(of_it, least_percent, note)
    if not absent:
        return judged
    findings = tuple(Finding(hour_text(hour.counts.hour), "no event was received") for hour in absent)
    words = f"no event in {len(absent)} of {len(of_it)} hours"
    sentence = f"{words}; {judged.sentence}" if judged.status == "failed" else words + (f"; {note}" if note else "")
    value = judged.value if judged.status == "failed" else 0.0
    return Judged("failed", sentence, value, (*judged.findings, *findings))


def external_count(path: str) -> ExternalCount:
    """The outside counter of a dotted path. Raises InvalidInput naming the setting."""
    module, _, attribute = path.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(SETTING, path, f"can't be loaded ({error}); write package.module:name") from error
    if not callable(found):
        raise InvalidInput(SETTING, path, "can't be called; name a function of (hour_start, hour_end, environment)")
    counter: ExternalCount = found
    return counter


def _with_external(world: World, evidence: Evidence, start: float, end: float) -> tuple[Evidence, str]:
    """The evidence with what the outside counter says of each hour, and what it could not say."""
    path = world.settings.config.checks.external_count
    if not path:
        return evidence, ""
    count = external_count(path)
    said: dict[float, int] = {}
    problems: list[str] = []
    for hour in range(int(start), int(end), HOUR_SECONDS):
        try:
            said[float(hour)] = int(count(float(hour), float(hour + HOUR_SECONDS), world.environment))
        except Exception as error:
            world.logger.exception("outside count failed", extra={"hour": hour_text(hour)})
            problems.append(f"{hour_text(hour)}: {error}")
    problem = f"the outside count failed for {len(problems)} hours ({problems[0][:200]})" if problems else ""
    return replace(evidence, external=said), problem
