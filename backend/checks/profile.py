"""What the payloads of one event type look like, and what has changed against what they looked like before. Pure.

What is kept of a profile holds no value of any payload, only in how many events a field varied.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MOST_FIELDS: Final = 100
MOST_DEPTH: Final = 3
MOST_NAME: Final = 100
MOST_KEPT: Final = 5_000.0
"""Events that a baseline weighs at most: older ones count less and less."""
LEAST_EVENTS: Final = 20
LEAST_KNOWN: Final = 100
"""Events of an hour, and events before it, from which on the two are compared."""
NEW_SHARE: Final = 0.05
"""A new field or type is told when it is in so many of the events ..."""
NEW_TIMES: Final = 10
"""... and in so many times more of them than before."""
USUAL_SHARE: Final = 0.95
"""A field that was in so many of the events is missed when it is in none; one varies while no value is that common."""
VARIED_SHARE: Final = 0.5
"""A field that varied in so many of the events is told when it has one value only."""
TOO_MANY: Final = "(further fields)"


@dataclass(slots=True)
class Field:
    """One field: in how many events it is, how often null, its JSON types, and in how many it was when it varied.

    ``seen`` are the values of one hour and how often they came; they are not kept.
    """

    present: float = 0.0
    nulls: float = 0.0
    types: dict[str, float] = field(default_factory=dict)
    varied: float = 0.0
    seen: Counter[str] = field(default_factory=Counter, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        types = {name: round(count, 2) for name, count in self.types.items()}
        counts = {"present": self.present, "nulls": self.nulls, "varied": self.varied}
        return {**{name: round(count, 2) for name, count in counts.items()}, "types": types}


@dataclass(slots=True)
class Profile:
    """The events of one type, field by field; nested ones as ``customer.id``, those of lists as ``items[].sku``."""

    events: float = 0.0
    fields: dict[str, Field] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "events": round(self.events, 2),
            "fields": {name: entry.as_json() for name, entry in self.fields.items()},
        }


def read_profile(record: Mapping[str, Any]) -> Profile:
    """The profile that ``as_json`` gave."""
    return Profile(record["events"], {name: Field(**entry) for name, entry in record["fields"].items()})


def profile_of(payloads: Iterable[Any]) -> Profile:
    """The profile of payloads."""
    profile = Profile()
    for payload in payloads:
        profile.events += 1
        of_event: dict[str, list[Any]] = {}
        for name, value in _flat(payload, "", 0):
            of_event.setdefault(_known(profile, name[:MOST_NAME]), []).append(value)
        for name, values in of_event.items():
            _add(profile.fields[name], values)
    for entry in profile.fields.values():
        varies = len(entry.seen) > 1 and max(entry.seen.values()) < USUAL_SHARE * entry.seen.total()
        entry.varied = entry.present if varies else 0.0
    return profile


def merged(before: Profile | None, now: Profile) -> Profile:
    """The two together; what is beyond ``MOST_KEPT`` events makes the older ones weigh less."""
    if before is None:
        return now
    weight = min(1.0, max(0.0, MOST_KEPT - now.events) / before.events) if before.events else 0.0
    joined = Profile(before.events * weight + now.events)
    for name in list(dict.fromkeys([*now.fields, *before.fields])):
        old, new = before.fields.get(name, Field()), now.fields.get(name, Field())
        types = dict.fromkeys([*new.types, *old.types], 0.0)
        entry = Field(
            old.present * weight + new.present,
            old.nulls * weight + new.nulls,
            {kind: old.types.get(kind, 0.0) * weight + new.types.get(kind, 0.0) for kind in types},
            old.varied * weight + new.varied,
        )
        # Less than half an event is left of what has not been seen for long.
        if entry.present >= 0.5 and len(joined.fields) < MOST_FIELDS:
            joined.fields[name] = entry
    return joined


def comparable(before: Profile | None, now: Profile) -> bool:
    """Whether there is enough on both sides."""
    return before is not None and before.events >= LEAST_KNOWN and now.events >= LEAST_EVENTS


def changes(before: Profile, now: Profile, null_rate_change: float) -> list[str]:
    """What is different, a sentence each: fields that are new, gone or retyped, shares of nulls, constant columns."""
    found: list[str] = []
    for name in sorted({*before.fields, *now.fields} - {TOO_MANY}):
        old, new = before.fields.get(name), now.fields.get(name)
        if new is None or not new.present:
            if old is not None and old.present >= USUAL_SHARE * before.events:
                found.append(f"{name} is gone: it was in {old.present / before.events:.0%} of the events")
            continue
        share = new.present / now.events
        if _appeared(share, 0.0 if old is None else old.present / before.events):
            found.append(f"{name} is new: it is in {share:.0%} of the events")
        elif old is not None:
            found += _of_field(name, old, new, null_rate_change)
    return found


def _of_field(name: str, old: Field, new: Field, null_rate_change: float) -> Iterator[str]:
    """What is different about a field that was there before."""
    typed, was_typed = sum(new.types.values()), sum(old.types.values())
    for kind, count in sorted(new.types.items()):
        if was_typed and _appeared(count / typed, old.types.get(kind, 0.0) / was_typed):
            usual = max(old.types, key=lambda each: old.types[each])
            yield f"{name} has become {kind} in {count / typed:.0%} of the events: it was {usual}"
    nulls, were = new.nulls / new.present, old.nulls / old.present
    if abs(nulls - were) > null_rate_change:
        yield f"{name} is null in {nulls:.0%} of the events: it was in {were:.0%}"
    varied = old.varied >= VARIED_SHARE * old.present
    if varied and len(new.seen) == 1 and new.present - new.nulls >= LEAST_EVENTS:
        yield f"{name} has one value only: it had several"


def _appeared(share: float, was: float) -> bool:
    return share >= NEW_SHARE and share > NEW_TIMES * was


def _known(profile: Profile, name: str) -> str:
    """The name of a field that the profile has from now on; beyond the most, all others are one."""
    if name not in profile.fields and len(profile.fields) >= MOST_FIELDS - 1:
        name = TOO_MANY
    profile.fields.setdefault(name, Field())
    return name


def _add(entry: Field, values: list[Any]) -> None:
    """One event's values of a field: several where it is inside of a list."""
    entry.present += 1
    if all(value is None for value in values):
        entry.nulls += 1
    for kind in dict.fromkeys(_kind(value) for value in values if value is not None):
        entry.types[kind] = entry.types.get(kind, 0.0) + 1
    entry.seen.update({json.dumps(value, sort_keys=True, default=str) for value in values if value is not None})


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The fields of a payload by path, as deep as ``MOST_DEPTH``."""
    if isinstance(value, dict) and depth < MOST_DEPTH and (value or not name):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and depth < MOST_DEPTH and any(isinstance(inner, dict) for inner in value):
        for inner in value:
            yield from _flat(inner, f"{name}[]", depth)
    else:
        yield name or "(payload)", value


def _kind(value: Any) -> str:
    """The JSON type; whole numbers and others are one."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "other")
