"""Deploying, and taking away: what ``make deploy`` and ``make teardown`` do, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from backend.deployment.changes import losses, summary, table
from backend.deployment.parameters import check, differences, settle, with_retention
from backend.deployment.plan import Plan
from backend.deployment.retained import retained
from backend.deployment.stack import POLL_SECONDS, DeploymentError, Stack
from backend.deployment.upload import CodeBucket, newest_package
from backend.local.template import load_template

CODE_BUCKET: Final = "CodeBucket"
BUCKET_NAME: Final = "BucketName"
CODE_KEY: Final = "CodeKey"
DASHBOARD_KEY: Final = "DashboardTemplateKey"
DASHBOARD_TEMPLATE: Final = "dashboard.yaml"
DASHBOARD_IMAGE: Final = "DashboardImage"


@dataclass(frozen=True, slots=True)
class Console:
    """How people are spoken to: ``say`` prints a line, ``ask`` puts a question and gives whether they agree."""

    say: Callable[[str], None]
    ask: Callable[[str], bool]
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to deploy. ``retention_days`` is ``events.retention_days`` of the configuration in the package.

    ``package`` is the functions' zip, or the directory of which the newest is taken. ``adopt`` takes tables and buckets
    that an earlier stack left behind into this one.
    """

    plan: Plan
    region: str
    template: Path
    package: Path
    retention_days: int
    allow_replacement: bool = False
    adopt: bool = False
    poll: float = POLL_SECONDS


def deploy(clients: Clients, wanted: Wanted, console: Console) -> Mapping[str, str]:
    """Puts the stack into being or updates it, and returns its outputs.

    Raises InvalidInput for what is wrong with what was asked, DeploymentError where it does not come about or would
    lose data without leave.
    """
    stack = Stack(clients.cloudformation, wanted.plan.stack, console.say, poll=wanted.poll)
    state = stack.state()
    previous: Mapping[str, str] = (state.parameters or {}) if state.exists else {}
    template = load_template(wanted.template)
    declared = template["Parameters"]
    # Before anything is uploaded for it.
    check(declared, wanted.plan.parameters)
    given = _given(clients, wanted, declared, previous)
    parameters = settle(declared, given, previous)
    bucket = CodeBucket(clients.s3, given[CODE_BUCKET], wanted.region)
    console.say(f"Stack {stack.name} in {wanted.region}: {'update' if state.exists else 'new'}")
    for difference in differences(declared, given, previous) if state.exists else ():
        console.say(f"  parameter {difference}")
    adopted = given.get(BUCKET_NAME, previous.get(BUCKET_NAME)) if wanted.adopt else None
    prepared = stack.prepare(
        bucket.url(bucket.put_template(wanted.template, adopted)),
        parameters,
        name=f"pulseboard-{int(time.time() * 1000)}",
        nested=bool(given.get(DASHBOARD_IMAGE, previous.get(DASHBOARD_IMAGE))),
        adopt=wanted.adopt,
    )
    if prepared is None:
        console.say("Nothing to change: the stack is as it should be.")
        return state.outputs or {}
    change_set, changes = prepared
    console.say("")
    console.say(table(changes, colour=console.colour))
    console.say(f"\n{summary(changes)}")
    lost = losses(changes)
    if lost and not wanted.allow_replacement:
        stack.discard(change_set)
        raise DeploymentError(
            f"{'; '.join(lost)}. Nothing was changed. Back up first (docs/backup.md), then say ALLOW_REPLACEMENT=1"
        )
    for sentence in lost:
        console.say(f"DATA: {sentence}")
    if not console.ask("Carry this out?"):
        stack.discard(change_set)
        raise DeploymentError("not carried out; nothing was changed")
    outputs = stack.execute(change_set).outputs or {}
    _say_outputs(outputs, console)
    return outputs


def teardown(clients: Clients, name: str, console: Console, *, poll: float = POLL_SECONDS) -> list[str]:
    """Deletes the stack, says what stays, and returns the commands that would remove that too.

    Raises InvalidInput where there is no such stack, DeploymentError where it does not go.
    """
    stack = Stack(clients.cloudformation, name, console.say, poll=poll)
    if not stack.state().status:
        raise InvalidInput("stack", name, "does not exist in this region; nothing to remove")
    kept = retained(stack.template(), stack.resources())
    console.say(f"Stack {name} will be deleted: functions, queues with what waits in them, alarms, roles, logs.")
    for entry in kept:
        console.say(f"  stays: {entry.name} ({entry.resource})")
    if not console.ask("Delete it?"):
        raise DeploymentError("not carried out; nothing was changed")
    stack.delete()
    removals = [entry.removal for entry in kept]
    console.say(f"Stack {name} is gone. The bucket and the tables hold what can't be made again, and stay.")
    console.say("When you are sure that nobody needs it any more:")
    for command in removals:
        console.say(f"  {command}")
    return removals


def _given(
    clients: Clients, wanted: Wanted, declared: Mapping[str, Any], previous: Mapping[str, str]
) -> dict[str, str]:
    """The parameters of the plan, with the keys of what is uploaded for them."""
    given = dict(with_retention(wanted.plan.parameters, previous, wanted.retention_days))
    name = wanted.plan.code_bucket or given.get(CODE_BUCKET) or previous.get(CODE_BUCKET, "")
    if not name:
        raise InvalidInput("code_bucket", None, "is needed the first time: CODE_BUCKET=name, or in deploy.toml")
    bucket = CodeBucket(clients.s3, name, wanted.region)
    bucket.check()
    given[CODE_BUCKET] = name
    if CODE_KEY not in given:
        package = wanted.package if wanted.package.is_file() else newest_package(wanted.package)
        given[CODE_KEY] = bucket.put_package(package)
    elif not bucket.holds(given[CODE_KEY]):
        raise InvalidInput(CODE_KEY, given[CODE_KEY], f"is not in {name}; leave it out to upload the newest package")
    beside = wanted.template.with_name(DASHBOARD_TEMPLATE)
    if DASHBOARD_KEY in declared and DASHBOARD_KEY not in given and beside.exists():
        given[DASHBOARD_KEY] = bucket.put_template(beside)
    return given


def _say_outputs(outputs: Mapping[str, str], console: Console) -> None:
    console.say("\nDone. Outputs:")
    width = max((len(name) for name in outputs), default=0)
    for name, value in sorted(outputs.items()):
        console.say(f"  {name:<{width}}  {value}")
    console.say("\nNext: the dashboard (docs/deploy.md, step 5), then `pulseboard doctor` with the variables it names.")
