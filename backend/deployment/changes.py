"""What a change set would do, for people: a table, and what in it could lose data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

STATEFUL: Final[Mapping[str, frozenset[str]]] = {
    "AWS::DynamoDB::Table": frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes", "ImportSourceSpecification"}),
    "AWS::S3::Bucket": frozenset({"BucketName", "BucketNamePrefix", "BucketNamespace"}),
    "AWS::SQS::Queue": frozenset({"QueueName", "FifoQueue"}),
}
"""Types that hold what can't be deployed again, with the properties whose change replaces them, by CloudFormation's
resource reference. A new index changes AttributeDefinitions too, which "may" replace a table: it does where an
attribute of a key changes its type, and CloudFormation refuses that for a table with a name of its own."""
NESTED: Final = "AWS::CloudFormation::Stack"
_RED: Final = "\033[31m"
_PLAIN: Final = "\033[0m"
_HEADINGS: Final = ("action", "resource", "type", "replacement")
_REPLACEMENT: Final = {"True": "replaced", "Conditional": "perhaps", "False": "no"}


@dataclass(frozen=True, slots=True)
class Change:
    """One resource of a change set. ``stack`` names the nested stack it belongs to, empty for the parent's own.

    ``action`` and ``replacement`` (empty where it makes no sense) are CloudFormation's words; ``kept`` says that the
    resource itself stays on the account when it leaves the stack.
    """

    action: str
    resource: str
    type: str
    replacement: str = ""
    kept: bool = False
    stack: str = ""
    causes: tuple[str, ...] = ()

    @property
    def loses(self) -> bool:
        """Whether a table, bucket or queue would be removed, or replaced by an empty one."""
        if self.type not in STATEFUL or self.action in ("Add", "Import"):
            return False
        if self.action == "Remove" or self.replacement == "True":
            return True
        return self.replacement == "Conditional" and (
            not self.causes or not STATEFUL[self.type].isdisjoint(self.causes)
        )


def parse_change(entry: Mapping[str, Any], stack: str = "") -> Change:
    """A change as ``DescribeChangeSet`` tells it."""
    change = entry["ResourceChange"]
    targets = (detail.get("Target", {}) for detail in change.get("Details", ()))
    causes = {str(target.get("Name") or target.get("Attribute", "")) for target in targets}
    return Change(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        type=change["ResourceType"],
        replacement=change.get("Replacement", "") if change["Action"] == "Modify" else "",
        kept=change.get("PolicyAction", "") in ("Retain", "ReplaceAndRetain"),
        stack=stack,
        causes=tuple(sorted(causes - {""})),
    )


def table(changes: Sequence[Change], *, colour: bool) -> str:
    """Changes as an aligned table, what loses data first and, with ``colour``, in red."""
    ordered = sorted(changes, key=lambda change: (not change.loses, change.stack, change.action, change.resource))
    rows = [_HEADINGS, *(_cells(change) for change in ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if colour:
        marked = zip(lines[1:], ordered, strict=True)
        lines[1:] = [f"{_RED}{line}{_PLAIN}" if change.loses else line for line, change in marked]
    return "\n".join(lines)


def losses(changes: Iterable[Change]) -> list[str]:
    """A sentence for each table, bucket or queue that would be removed or replaced."""
    return [_sentence(change) for change in changes if change.loses]


def summary(changes: Sequence[Change]) -> str:
    """``3 added, 1 changed, 0 removed``, and how many were adopted where some are."""
    counts = Counter(change.action for change in changes)
    adopted = f", {counts['Import']} adopted" if counts["Import"] else ""
    return f"{counts['Add']} added, {counts['Modify']} changed, {counts['Remove']} removed{adopted}"


def _cells(change: Change) -> tuple[str, str, str, str]:
    name = f"{change.stack}/{change.resource}" if change.stack else change.resource
    action = change.action.upper() if change.loses else change.action.lower()
    replacement = _REPLACEMENT.get(change.replacement, change.replacement)
    if change.type in STATEFUL and change.action == "Modify":
        replacement = replacement.upper() if change.loses else "no"
    if change.action == "Modify" and change.causes:
        replacement += f" ({', '.join(change.causes)})"
    return action, name, change.type, replacement


def _sentence(change: Change) -> str:
    kind = change.type.rpartition("::")[2].lower()
    if change.action == "Remove":
        stays = "what it holds stays on the account" if change.kept else "what it holds is deleted"
        return f"{kind} {change.resource} leaves the stack; {stays}"
    certain = "is" if change.replacement == "True" else "may be"
    stays = "the old one stays on the account, unused" if change.kept else "what the old one holds is deleted"
    why = f" because of {', '.join(change.causes)}" if change.causes else ""
    return f"{kind} {change.resource} {certain} replaced by an empty one{why}; {stays}"
