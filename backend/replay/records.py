"""Replays as items of the table ``Replays``, and their results packed by part. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from backend.contract.errors import InvalidInput
from backend.contract.events import utc_seconds, utc_text
from backend.contract.replays import Replay, ReplayKind, ReplayResult, ReplayStatus
from backend.contract.tables import CREATED_AT, DAY, ITEM, REPLAY_ID
from backend.replay.days import Item, day_of

META: Final = "meta"
ACTIVE: Final = "active"
"""Sort key of the marker of a replay that has not ended, and its ``day``: what the sweep reads. When the replay ends
the marker loses its ``day`` and so leaves the index."""
REPLAY: Final = "replay"
RESULT: Final = "result#"
CHOSEN: Final = "chosen"
"""Sort key of what a redrive or a retry had decided to send before it began to: message ids, batches."""
AUDIT_ID: Final = "audit_id"
SENT_AT: Final = "sent_at"

LEASE_UNTIL: Final = "lease_until"
FENCE: Final = "fence"
STARTS: Final = "starts"
"""Leases taken since the last checkpoint."""
RECORDED: Final = "recorded"
"""Events of the selection, from its beginning, whose items and traces tell of the replay."""

REPLAY_ID_TEXT: Final = re.compile(r"[0-9a-f]{32}")
IDS_KEPT: Final = 100
_CODES: Final[dict[str, Literal["sent", "failed", "skipped"]]] = {"s": "sent", "f": "failed", "k": "skipped"}
_TOKEN: Final = re.compile(r"([0-9]{9})-([0-9]{1,6})")
_TIMES: Final = ("started_at", "updated_at", "finished_at")


def key_of(replay_id: str, item: str = META) -> Item:
    """The key of an item of a replay."""
    return {REPLAY_ID: {"S": replay_id}, ITEM: {"S": item}}


def replay_item(replay: Replay, audit_id: str) -> Item:
    """The item ``meta`` of a new replay."""
    item: Item = {
        **key_of(replay.replay_id),
        DAY: {"S": day_of(REPLAY, replay.created_at)},
        CREATED_AT: {"S": utc_text(replay.created_at)},
        AUDIT_ID: {"S": audit_id},
        "kind": {"S": replay.kind},
        "status": {"S": replay.status},
        "requested_by": {"S": replay.requested_by},
        "reason": {"S": replay.reason},
        "target": {"S": replay.target},
        "selection": {"S": json.dumps(kept_selection(replay.selection))},
        "error": {"S": replay.error},
        "cancel_requested": {"BOOL": replay.cancel_requested},
        "pause_requested": {"BOOL": replay.pause_requested},
        **{name: {"N": str(getattr(replay, name))} for name in ("matched", "sent", "failed", "skipped")},
        "sending_seconds": {"N": str(replay.sending_seconds)},
        **{name: {"N": "0"} for name in (LEASE_UNTIL, FENCE, STARTS, RECORDED)},
    }
    if replay.rate_per_second is not None:
        item["rate_per_second"] = {"N": str(replay.rate_per_second)}
    if replay.max_events is not None:
        item["max_events"] = {"N": str(replay.max_events)}
    return item


def active_item(replay: Replay) -> Item:
    """The marker of a replay that has not ended."""
    at = {"S": utc_text(replay.created_at)}
    return {**key_of(replay.replay_id, ACTIVE), DAY: {"S": ACTIVE}, CREATED_AT: at}


def replay_of(item: Mapping[str, Any]) -> Replay:
    """The replay of its item ``meta``."""
    times = {name: utc_seconds(item[name]["S"]) for name in _TIMES if name in item}
    return Replay(
        replay_id=item[REPLAY_ID]["S"],
        kind=cast("ReplayKind", item["kind"]["S"]),
        status=cast("ReplayStatus", item["status"]["S"]),
        requested_by=item["requested_by"]["S"],
        reason=item["reason"]["S"],
        target=item["target"]["S"],
        selection=json.loads(item["selection"]["S"]),
        created_at=utc_seconds(item[CREATED_AT]["S"]),
        matched=int(item["matched"]["N"]),
        sent=int(item["sent"]["N"]),
        failed=int(item["failed"]["N"]),
        skipped=int(item["skipped"]["N"]),
        rate_per_second=float(item["rate_per_second"]["N"]) if "rate_per_second" in item else None,
        max_events=int(item["max_events"]["N"]) if "max_events" in item else None,
        cancel_requested=item["cancel_requested"]["BOOL"],
        pause_requested=item["pause_requested"]["BOOL"],
        sending_seconds=float(item["sending_seconds"]["N"]),
        error=item["error"]["S"],
        **times,
    )


def kept_selection(selection: Mapping[str, Any]) -> dict[str, Any]:
    """The selection as it is recorded: of many ids the first and their number, the frozen pages have them all."""
    kept = dict(selection)
    for name in ("event_ids", "message_ids", "batches"):
        ids = kept.get(name)
        if ids is not None and len(ids) > IDS_KEPT:
            kept |= {name: list(ids[:IDS_KEPT]), f"{name}_total": len(ids)}
    return kept


def result_key(start: int) -> str:
    """Sort key of the part of a replay that begins with its event number ``start``, counted from 0."""
    return f"{RESULT}{start:09d}"


def result_item(replay_id: str, start: int, results: Sequence[ReplayResult], fence: int, sent_at: float) -> Item:
    """The item of a part's results. A few hundred take some 50 KB."""
    rows = [[r.event_id, r.outcome[0] if r.outcome != "skipped" else "k", r.detail, r.message_id] for r in results]
    return {
        **key_of(replay_id, result_key(start)),
        FENCE: {"N": str(fence)},
        SENT_AT: {"S": utc_text(sent_at)},
        "results": {"S": json.dumps(rows, separators=(",", ":"))},
    }


def results_of(item: Mapping[str, Any]) -> list[ReplayResult]:
    """The results of a part's item."""
    rows = json.loads(item["results"]["S"])
    return [ReplayResult(event_id, _CODES[code], detail, message_id) for event_id, code, detail, message_id in rows]


def start_of(item: Mapping[str, Any]) -> int:
    """The number of the first event of a part's item."""
    return int(item[ITEM]["S"].removeprefix(RESULT))


def token_text(start: int, taken: int) -> str:
    """The token that goes on within the part beginning at ``start``, after ``taken`` of its results."""
    return f"{start:09d}-{taken}"


def parse_token(token: str | None) -> tuple[int, int]:
    """The part and place to go on from. Raises InvalidInput for a text that is no token."""
    if not token:
        return 0, 0
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise InvalidInput("token", token, "is not a token of this list; leave it out to begin anew")
    return int(found[1]), int(found[2])
