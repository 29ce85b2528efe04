"""The stack that walks go through."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from backend.local.athena.server import AthenaServer
from backend.local.engine import free_port
from backend.local.peers.pagerduty import ROUTING_KEY, PagerDutyPeer
from backend.local.peers.slack import TOKEN, SlackPeer
from tests.local_stack import LocalStack
from tests.permissions.asking import CONFIG
from tests.permissions.strict import strict_engine, strict_stack


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack with everything switched on: Slack, PagerDuty, Athena, another one's queue as a replay's target."""
    folder, athena_port = tmp_path_factory.mktemp("walks"), free_port()
    with (
        strict_engine(folder / "engine.log", athena_port) as engine,
        SlackPeer() as slack,
        PagerDutyPeer() as pagerduty,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in engine.environment().items():
            patch.setenv(name, value)
        queue = engine.client("sqs").create_queue(QueueName="replays-of-others")["QueueUrl"]
        secrets = engine.client("secretsmanager")
        parameters = {
            "SlackTokenSecretArn": secrets.create_secret(Name="slack", SecretString=TOKEN)["ARN"],
            "SlackApiUrl": slack.api_url,
            "PagerDutyKeySecretArn": secrets.create_secret(Name="pagerduty", SecretString=ROUTING_KEY)["ARN"],
            "PagerDutyUrl": pagerduty.url,
            "ReplayTargetQueueArns": "arn:aws:sqs:us-east-1:000000000000:replays-of-others",
        }
        config = f'{CONFIG}\n[replay.targets]\nothers = "{queue}"\n'
        with (
            AthenaServer(athena_port, engine.endpoint, folder / "athena") as athena,
            strict_stack(engine.log, config, parameters, engine) as stack,
        ):
            for peer in (slack, pagerduty):
                threading.Thread(target=peer.serve_forever, daemon=True).start()
            assert athena.port == athena_port
            yield stack
