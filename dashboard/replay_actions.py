"""What the actions of the Errors and Replay pages do: bodies to the services' calls, their results to one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from backend.contract.errors import InvalidInput
from backend.contract.event_query import MAX_IDS, MAX_TEXT
from backend.contract.replays import DeadLetterFilter, Preview, Replay
from backend.replay.request import check_rate, parse_replay_request, wants_dry_run
from dashboard.components.text import count
from dashboard.services import Services

Body = Mapping[str, Any]
Content = dict[str, Any]
T = TypeVar("T")

PAGE: Final = "/replay"
FILTERS: Final = ("error_type", "event_type", "entity_id", "operator", "text")


def create(services: Services, body: Body, who: str) -> Content:
    """Starts a replay, or with ``dry_run`` counts what it would send."""
    service = connected(services.replays, "Replays")
    wanted = parse_replay_request(body, services.now(), services.settings)
    if wants_dry_run(body):
        return _preview(service.preview(wanted), services.settings.config.replay.max_replays)
    replay = service.create(wanted, who)
    return _started(replay, f"Replay of {count(replay.matched, 'event')} started")


def cancel(services: Services, body: Body, who: str) -> Content:
    """Ends a replay for good."""
    replay = _steer(connected(services.replays, "Replays").cancel, body, who)
    return _steered(replay, "is cancelled" if replay.status == "cancelled" else "is being cancelled")


def pause(services: Services, body: Body, who: str) -> Content:
    """Holds a replay."""
    replay = _steer(connected(services.replays, "Replays").pause, body, who)
    return _steered(replay, "is paused" if replay.status == "paused" else "is being paused")


def resume(services: Services, body: Body, who: str) -> Content:
    """Goes on with a replay that was held."""
    replay = _steer(connected(services.replays, "Replays").resume, body, who)
    return _steered(replay, "goes on")


def redrive(services: Services, body: Body, who: str) -> Content:
    """Sends a dead-letter queue's messages back: all, those of a filter, or those named."""
    service = connected(services.dead_letters, "Dead-letter queues")
    _only(body, ("queue", "message_ids", "reason", "rate_per_second", *FILTERS))
    texts = {name: _text(body, name) for name in FILTERS}
    if "message_ids" in body and not body["message_ids"]:
        raise InvalidInput("message_ids", body["message_ids"], "is empty; leave it out to choose without it")
    wanted = DeadLetterFilter(**texts, message_ids=_message_ids(body))
    rate = _rate(body, services.settings.config.replay.rate_per_second)
    replay = service.redrive(_queue(body), wanted, who, body["reason"], rate)
    return _started(replay, f"Redrive of {_queue(body)} started")


def delete(services: Services, body: Body, who: str) -> Content:
    """Deletes named messages of a dead-letter queue for good; filters beside them mean nothing here."""
    service = connected(services.dead_letters, "Dead-letter queues")
    ids = _message_ids(body)
    if not ids:
        raise InvalidInput("message_ids", [], "must name the messages; tick them")
    deleted = service.delete(_queue(body), list(ids), who, body["reason"])
    gone = "" if deleted == len(ids) else f" of {len(ids)}; the others were not found, look again"
    return {"message": f"{count(deleted, 'message')} deleted{gone}", "deleted": deleted, "asked": len(ids)}


def connected(service: T | None, what: str) -> T:
    """The service. Raises InvalidInput where this dashboard has none."""
    if service is None:
        raise InvalidInput("service", what, "are not connected to this dashboard", "not_connected")
    return service


def _preview(preview: Preview, max_replays: int) -> Content:
    verb = "matches" if preview.matched == 1 else "match"
    sentence = f"{preview.how_exact}{count(preview.matched, 'event')} {verb}; {preview.would_send:,} would be sent"
    if preview.skipped:
        sentence += f", {preview.skipped:,} left out at the cap of {count(max_replays, 'replay')} each"
    if preview.capped:
        sentence += ", the rest is more than is taken at once"
    return {
        "message": f"{sentence}. Nothing was sent",
        "found": sentence,
        "matched": preview.matched,
        "would_send": preview.would_send,
        "skipped": preview.skipped,
        "capped": preview.capped,
        "sample": [record.as_json() for record in preview.sample],
    }


def _started(replay: Replay, sentence: str) -> Content:
    go = {"tab": "replays", "replay": replay.replay_id, "event": None, "queue": None, "token": None}
    return {"message": sentence, "replay_id": replay.replay_id, "matched": replay.matched, "at": PAGE, "go": go}


def _steer(call: Callable[[str, str, str], Replay], body: Body, who: str) -> Replay:
    _only(body, ("replay_id", "reason"))
    replay_id = _named(body, "replay_id", "must be a replay's id")
    try:
        return call(replay_id, who, body["reason"])
    except KeyError:
        raise InvalidInput("replay_id", replay_id, "is not the id of a replay", "not_found") from None


def _steered(replay: Replay, what: str) -> Content:
    return {"message": f"The {replay.kind} {what}", "replay": replay.as_json()}


def _queue(body: Body) -> str:
    return _named(body, "queue", "must be the name of a dead-letter queue")


def _named(body: Body, name: str, remedy: str) -> str:
    text = _text(body, name)
    if text is None:
        raise InvalidInput(name, body.get(name), remedy)
    return text


def _text(body: Body, name: str) -> str | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise InvalidInput(name, value, f"must be printable text of at most {MAX_TEXT} characters")
    return value


def _message_ids(body: Body) -> tuple[str, ...]:
    ids = body.get("message_ids") or []
    if (
        not isinstance(ids, list)
        or len(ids) > MAX_IDS
        or not all(isinstance(i, str) and 0 < len(i) <= 100 for i in ids)
    ):
        raise InvalidInput("message_ids", ids, f"must be a list of at most {MAX_IDS} message ids")
    return tuple(dict.fromkeys(ids))


def _rate(body: Body, usual: float) -> float | None:
    """Events a second; None, without a limit, for 0."""
    value = body.get("rate_per_second")
    if value is None or value == "":
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidInput("rate_per_second", value, "must be a number, 0 or above")
    return check_rate(value)


def _only(body: Body, known: tuple[str, ...]) -> None:
    """A filter that is misspelt would choose too much."""
    for name, value in body.items():
        if name not in known:
            raise InvalidInput(name, value, f"is not known; use {', '.join(known)}")
