"""How anything that the runner works off begins: recorded, put to the runner, and its end in the audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from backend.audit import AuditLog, Outcome
from backend.contract.errors import InvalidInput
from backend.contract.replays import Replay
from backend.replay.store import ReplayStore

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Starter:
    """Records replays, redrives and retries, and has the runner take them up."""

    def __init__(self, sqs: SQSClient, store: ReplayStore, queue_url: str) -> None:
        self._sqs = sqs
        self._store = store
        self._queue_url = queue_url

    def start(self, replay: Replay, audit_id: str) -> Replay:
        """Puts a new replay on record and starts it."""
        self._store.add(replay, audit_id)
        self.wake(replay.replay_id)
        return replay

    def wake(self, replay_id: str) -> None:
        """Has a runner take up the replay. If the message can't be sent, the next minute's sweep takes it up."""
        try:
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps({"replay_id": replay_id}))
        except (ClientError, BotoCoreError):
            return


class Recorded:
    """A block whose end is put into the audit log: refused for InvalidInput, failed for what else goes wrong."""

    def __init__(self, audit: AuditLog, audit_id: str, *, succeeds: bool = False) -> None:
        self._audit = audit
        self._audit_id = audit_id
        self._succeeds = succeeds

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if error is not None:
            outcome: Outcome = "refused" if isinstance(error, InvalidInput) else "failed"
            self._audit.finish(self._audit_id, outcome, {"message": str(error)})
        elif self._succeeds:
            self._audit.finish(self._audit_id, "succeeded")
