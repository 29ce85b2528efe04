"""One CloudFormation stack: its state, change sets, their execution and its removal, as they are followed by people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from backend.deployment.changes import Change, parse_change
from backend.deployment.events import StackEvent, first_failure, line, parse_event, parse_refusal
from backend.local.template import parse_template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

POLL_SECONDS: Final = 3.0
CHANGE_SET_SECONDS: Final = 300.0
STACK_SECONDS: Final = 3600.0
_NOTHING: Final = ("didn't contain changes", "No updates are to be performed")
_DONE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE")
_NEVER_CREATED: Final = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
_DEPLOYABLE: Final = (
    *_NEVER_CREATED, "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)  # fmt: skip


class DeploymentError(RuntimeError):
    """What was asked for did not come about; the message says what failed first, why, and how things are now."""


@dataclass(frozen=True, slots=True)
class StackState:
    """What is there. ``status`` is empty where there is no stack."""

    stack_id: str = ""
    status: str = ""
    parameters: Mapping[str, str] | None = None
    outputs: Mapping[str, str] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is anything to update."""
        return self.status not in ("", *_NEVER_CREATED)


class Stack:
    """A stack by its name. ``say`` takes the lines that people follow; ``poll`` is how often is asked, seconds."""

    def __init__(
        self,
        cloudformation: CloudFormationClient,
        name: str,
        say: Callable[[str], None],
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._api = cloudformation
        self._say = say
        self._poll = poll

    def state(self, stack_id: str | None = None) -> StackState:
        """The stack as it is now; by its id also after it was deleted."""
        try:
            found = self._api.describe_stacks(StackName=stack_id or self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return StackState()
            raise
        return StackState(
            stack_id=found.get("StackId", ""),
            status=found["StackStatus"],
            parameters={p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", ())},
            outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", ())},
        )

    def prepare(
        self,
        template_url: str,
        parameters: Sequence[Mapping[str, Any]],
        *,
        name: str,
        nested: bool,
        adopt: bool = False,
    ) -> tuple[str, list[Change]] | None:
        """A change set's id with what it would do; None where there is nothing to change.

        ``nested`` looks into nested stacks too. ``adopt`` takes tables and buckets of the template's names that are
        there, from an earlier stack or a restored backup, into the stack as they are. Raises DeploymentError where the
        stack can't be changed now, or CloudFormation refuses the template.
        """
        state = self.state()
        if state.status and state.status not in _DEPLOYABLE:
            raise DeploymentError(_not_now(self.name, state.status))
        answer = self._api.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if state.exists else "CREATE",
            TemplateURL=template_url,
            Parameters=list(parameters),  # type: ignore[arg-type]
            Capabilities=["CAPABILITY_IAM"],
            IncludeNestedStacks=nested,
            ImportExistingResources=adopt,
            # It may call a name taken that is to be adopted. Without it such a failure comes later, and is rolled back.
            DisableValidation=adopt,
        )
        change_set = answer["Id"]
        described = self._wait_for(change_set)
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            found = self._refusal(ChangeSetName=change_set) if "DescribeEvents" in reason else None
            self.discard(change_set)
            if any(text in reason for text in _NOTHING):
                return None
            raise DeploymentError(f"CloudFormation refuses the change: {_because(found, reason)}; nothing was changed")
        return change_set, list(self._changes(change_set))

    def discard(self, change_set: str) -> None:
        """Takes a change set back, and the empty stack that one for a new stack makes."""
        self._api.delete_change_set(ChangeSetName=change_set)
        if self.state().status == "REVIEW_IN_PROGRESS":
            self._api.delete_stack(StackName=self.name)

    def execute(self, change_set: str) -> StackState:
        """Carries a change set out and follows it to its end. Raises DeploymentError where it does not come about."""
        before = {event.event_id for event in self._events(self.name)}
        started = self.state()
        self._api.execute_change_set(ChangeSetName=change_set)
        return self._follow(started.stack_id, before)

    def delete(self) -> StackState:
        """Deletes the stack and follows it. Raises DeploymentError where something stays that should not."""
        started = self.state()
        before = {event.event_id for event in self._events(started.stack_id)}
        self._api.delete_stack(StackName=started.stack_id)
        return self._follow(started.stack_id, before)

    def template(self) -> dict[str, Any]:
        """The template that is deployed, which need not be the one at hand."""
        body: Any = self._api.get_template(StackName=self.name)["TemplateBody"]
        return parse_template(body) if isinstance(body, str) else dict(body)

    def resources(self) -> dict[str, str]:
        """Physical ids of the stack's resources by their logical ones."""
        pages = self._api.get_paginator("list_stack_resources").paginate(StackName=self.name)
        entries = (entry for page in pages for entry in page["StackResourceSummaries"])
        return {entry["LogicalResourceId"]: entry.get("PhysicalResourceId", "") for entry in entries}

    def _wait_for(self, change_set: str) -> Mapping[str, Any]:
        deadline = time.monotonic() + CHANGE_SET_SECONDS
        while True:
            described = self._api.describe_change_set(ChangeSetName=change_set)
            if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return described
            if time.monotonic() > deadline:
                raise DeploymentError(f"the change set is still {described['Status']}; look at it in the console")
            time.sleep(self._poll)

    def _changes(self, change_set: str, stack: str = "") -> Iterator[Change]:
        token: dict[str, str] = {}
        while True:
            page = self._api.describe_change_set(ChangeSetName=change_set, **token)  # type: ignore[arg-type]
            for entry in page.get("Changes", ()):
                yield parse_change(entry, stack)
                inner = entry["ResourceChange"].get("ChangeSetId")
                if inner:
                    yield from self._changes(inner, entry["ResourceChange"]["LogicalResourceId"])
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _follow(self, stack_id: str, seen: set[str]) -> StackState:
        """Says each event as it comes until the stack rests."""
        deadline = time.monotonic() + STACK_SECONDS
        told: list[StackEvent] = []
        while True:
            # Asked before the events: those of its end are then among them.
            state = self.state(stack_id)
            for event in reversed([event for event in self._events(stack_id) if event.event_id not in seen]):
                seen.add(event.event_id)
                told.append(event)
                self._say(line(event))
            if not state.status.endswith("_IN_PROGRESS"):
                break
            if time.monotonic() > deadline:
                raise DeploymentError(f"the stack is still {state.status} after an hour; it goes on without us")
            time.sleep(self._poll)
        if state.status not in _DONE:
            raise DeploymentError(_failure(self._cause(stack_id, told), state.status))
        return state

    def _cause(self, stack_id: str, told: Sequence[StackEvent]) -> StackEvent | None:
        """What failed first, in the nested stack where it was there; else what was refused before it began."""
        failure = first_failure(told)
        if failure is None:
            whole = next((event for event in told if event.failed), None)
            return self._refusal(StackName=stack_id) or whole
        if failure.of_nested_stack and failure.physical_id:
            return first_failure(reversed(list(self._events(failure.physical_id)))) or failure
        return failure

    def _refusal(self, **of: str) -> StackEvent | None:
        found = self._api.describe_events(**of, Filters={"FailedEvents": True})["OperationEvents"]
        return next((event for entry in found if (event := parse_refusal(entry))), None)

    def _events(self, stack: str) -> Iterator[StackEvent]:
        """Newest first."""
        pages = self._api.get_paginator("describe_stack_events").paginate(StackName=stack)
        for page in pages:
            yield from (parse_event(entry) for entry in page["StackEvents"])


def _because(cause: StackEvent | None, reason: str) -> str:
    return reason if cause is None else f"{cause.resource} ({cause.type}): {' '.join(cause.reason.split())}"


def _failure(cause: StackEvent | None, status: str) -> str:
    what = "CloudFormation does not say what failed"
    if cause is not None:
        reason = " ".join(cause.reason.split()) or cause.status
        what = f"{cause.resource} ({cause.type}) failed first: {reason}"
    now = {
        "ROLLBACK_COMPLETE": "CloudFormation rolled back: nothing of the stack is left but its name. Run "
        "`make teardown`, mend the cause and deploy again",
        "UPDATE_ROLLBACK_COMPLETE": "CloudFormation rolled back: the stack is as it was before",
        "UPDATE_ROLLBACK_FAILED": "CloudFormation could not roll back. Mend the cause, then "
        "`aws cloudformation continue-update-rollback --stack-name NAME`",
        "DELETE_FAILED": "The rest of the stack is still there. Mend the cause and run `make teardown` again",
    }.get(status, f"The stack is {status}")
    return f"{what}. {now}."


def _not_now(name: str, status: str) -> str:
    if status.endswith("_IN_PROGRESS"):
        return f"stack {name} is {status}: someone is at it. Wait until it rests"
    if status in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED"):
        return f"stack {name} is {status}: what is left of a failed attempt. Run `make teardown`, then deploy again"
    return f"stack {name} is {status}. Run `aws cloudformation continue-update-rollback --stack-name {name}` first"
