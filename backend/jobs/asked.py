"""Batches that retries have asked for and nobody has taken up yet, as the recorded retries tell."""

from __future__ import annotations

from typing import Final

from backend.contract.jobs import MOST_BATCHES, BatchState
from backend.contract.replays import FINISHED, Replay
from backend.contract.tables import JOB_NAME
from backend.replay.selection import Selections
from backend.replay.store import ReplayStore

ASKED_SECONDS: Final = 3 * 86_400.0
"""A request that nobody took up for so long is likely lost, with its queue or its workers: it may be made again."""


def asked_at(store: ReplayStore, selections: Selections, job_name: str, now: float) -> dict[str, float]:
    """Batches of a job to when they were last asked for (epoch s), of the last ``ASKED_SECONDS``.

    Those of a retry that goes on are all asked for, or will be; of one that has ended only those that it sent.
    Raises what boto3 raises.
    """
    found: dict[str, float] = {}
    for replay in store.retries(now - ASKED_SECONDS, now):
        if replay.selection.get(JOB_NAME) == job_name:
            for batch in _asked_by(store, selections, replay):
                found.setdefault(batch, replay.created_at)
    return found


def is_waiting(state: BatchState, at: float | None) -> bool:
    """Whether a batch that was asked for ``at`` has not been taken up since; never for None."""
    return at is not None and (state.updated_at is None or state.updated_at <= at)


def _asked_by(store: ReplayStore, selections: Selections, replay: Replay) -> list[str]:
    names = list(replay.selection.get("batches", ()))
    # The record has the first names only.
    whole = len(names) >= replay.matched
    if replay.status not in FINISHED:
        return names if whole else selections.batches(replay.replay_id)
    if whole and not replay.failed:
        return names[: replay.done]
    # Some requests may not have been sent: the results have what was.
    results, _ = store.results(replay.replay_id, None, MOST_BATCHES)
    return [result.event_id for result in results if result.outcome == "sent"]
