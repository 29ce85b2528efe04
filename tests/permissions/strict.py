"""The stack on an engine that evaluates roles and policies as AWS does, less what the engine itself does otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from backend.local.deploy import deploy
from backend.local.engine import Engine
from backend.local.template import load_template
from tests.local_stack import LocalStack

ENGINES_OWN: Final = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
    "dynamodb:PutItem": "dynamodb:TransactWriteItems",
    "dynamodb:UpdateItem": "dynamodb:TransactWriteItems",
}
"""On AWS an action covers its batches and its part of a transaction; the engine asks for actions AWS does not know."""
NAMESPACE: Final = "cloudwatch:namespace"
QUIET: Final = {"CollectorEnabled": "DISABLED", "ChecksEnabled": "DISABLED", "LogLevel": "INFO"}
"""What the tests start themselves, no schedule starts."""


@contextmanager
def strict_stack(
    log: Path, config: str, parameters: Mapping[str, str] | None = None, engine: Engine | None = None
) -> Iterator[LocalStack]:
    """The template deployed with ``config`` as its ``pulseboard.toml``, on ``engine`` where that runs already."""
    if engine is None:
        with strict_engine(log) as made, strict_stack(log, config, parameters, made) as stack:
            yield stack
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.local.deploy.template_path", lambda: without_tls(log.parent))
        outputs = deploy(engine.client, config=config, parameters={**QUIET, **(parameters or {})})
    iam = engine.client("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            iam.put_role_policy(RoleName=role["RoleName"], PolicyName=name, PolicyDocument=for_the_engine(document))
    yield LocalStack(engine, {**engine.environment(), **outputs})


def without_tls(folder: Path) -> Path:
    """The template less what refuses everything but TLS: the engine speaks HTTP on loopback."""
    template = load_template()
    for entry in template["Resources"].values():
        if entry["Type"] in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
            document = entry["Properties"]["PolicyDocument"]
            document["Statement"] = [one for one in document["Statement"] if one["Sid"] != "TlsOnly"]
    template["Resources"] = {
        name: entry
        for name, entry in template["Resources"].items()
        if entry.get("Properties", {}).get("PolicyDocument", {}).get("Statement", True)
    }
    path = folder / "template.json"
    path.write_bytes(orjson.dumps(template))
    return path


def strict_engine(log: Path, athena_port: int | None = None) -> Engine:
    """An engine that evaluates permissions, with every function's own log."""
    return Engine(log=log, athena_port=athena_port, enforce_permissions=True, level="INFO")


def for_the_engine(document: dict[str, Any]) -> str:
    """The policy with the engine's own actions wherever it has those that cover them on AWS, and without the condition
    on CloudWatch's namespaces, which the engine does not fill in."""
    for statement in document["Statement"]:
        if NAMESPACE in str(statement.get("Condition")):
            del statement["Condition"]
        given = statement["Action"]
        actions = [given] if isinstance(given, str) else given
        statement["Action"] = [*actions, *{ENGINES_OWN[action] for action in actions if action in ENGINES_OWN}]
    return orjson.dumps(document).decode()
