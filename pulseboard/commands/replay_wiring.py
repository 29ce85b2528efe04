"""What the commands about replays work with: the same services as the API and the pages."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from backend.audit import AuditLog
from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.events.investigation import Investigation
from backend.replay.dead_letters import DeadLetters
from backend.replay.service import ReplayService
from backend.settings import Settings, load_settings

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Wired:
    """The services over the environment's AWS."""

    settings: Settings
    replays: ReplayService
    letters: DeadLetters
    audit: AuditLog

    def who(self) -> str:
        """Who acts, for the audit log: the AWS caller, or the user of this machine where AWS does not say."""
        try:
            config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
            sts = boto3.client("sts", region_name=self.settings.region, config=config)
            return str(sts.get_caller_identity()["Arn"])
        except (ClientError, BotoCoreError):
            return f"{getpass.getuser()} (command line)"


def wire() -> Wired:
    """The services, wired from the environment. Raises InvalidInput where it does not say where things are."""
    settings = load_settings(os.environ)
    for variable, url in (
        ("EVENT_QUEUE_URL", settings.event_queue_url),
        ("REPLAY_QUEUE_URL", settings.replay_queue_url),
    ):
        if not url:
            raise InvalidInput(
                variable, url, 'is not set; take it from the stack\'s outputs, or eval "$(pulseboard env)"'
            )
    clients = Clients(settings.region)
    events = Investigation(clients.dynamodb, clients.s3, settings)
    audit = AuditLog(clients.dynamodb, settings)
    replays = ReplayService(clients.dynamodb, clients.sqs, clients.s3, events, audit, settings)
    letters = DeadLetters(clients.sqs, clients.cloudwatch, clients.dynamodb, events, audit, replays, settings)
    return Wired(settings, replays, letters, audit)


def known(act: Callable[[str], Answer], replay_id: str) -> Answer:
    """What ``act`` gives for a replay. Raises InvalidInput where there is no such replay."""
    try:
        return act(replay_id)
    except KeyError:
        raise InvalidInput("replay_id", replay_id, "is not known; pulseboard replay list shows them") from None
