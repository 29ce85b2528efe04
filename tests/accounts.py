"""Accounts of their own on the session's embedded engine: a stack's names are fixed, so a second one needs another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from backend.aws import Clients
from backend.local.engine import REGION, Engine


@contextmanager
def clients_of(engine: Engine, account: str) -> Iterator[Clients]:
    """boto3 clients of an account of twelve digits: the engine takes the access key's name for it."""
    with patch.dict(os.environ, {**engine.environment(), "AWS_ACCESS_KEY_ID": account}):
        clients = Clients(REGION)
        for service in ("s3", "sqs", "sns", "dynamodb", "cloudformation", "lambda_", "cloudwatch"):
            # boto3 reads the environment when a client is made.
            getattr(clients, service)
        yield clients
