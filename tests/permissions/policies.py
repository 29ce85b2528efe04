"""What the template's policies allow: the parts of IAM's language that they use, and nothing silently beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from backend.local.template import load_template
from tests.permissions.calls import ACCOUNT, REGION, Call, arn

PARAMETERS: Final = {
    "CodeBucket": "code",
    "SlackTokenSecretArn": arn("secretsmanager", "secret:slack-AbCdEf"),
    "PagerDutyKeySecretArn": arn("secretsmanager", "secret:pagerduty-AbCdEf"),
    "ReplayTargetQueueArns": arn("sqs", "replays-of-others"),
    "AlertEmail": "ops@example.com",
}
"""Of a stack with everything switched on, so that every statement counts."""
_PSEUDO: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "pulseboard",
}
_NAMES: Final = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/{TableName}"),
    "AWS::SQS::Queue": ("sqs", "{QueueName}"),
    "AWS::SNS::Topic": ("sns", "{TopicName}"),
    "AWS::S3::Bucket": ("s3", "{BucketName}"),
    "AWS::Lambda::Function": ("lambda", "function:{FunctionName}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{LogGroupName}:*"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:{StateMachineName}"),
}
"""Resource type to the service and the rest of its ARN."""
_REF_IS_ARN: Final = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that allows; ``where`` is for messages."""

    where: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]]

    def allows(self, call: Call) -> bool:
        """Whether this statement alone is enough for the call."""
        return (
            call.action in self.actions
            and any(fnmatchcase(call.resource, pattern) for pattern in self.resources)
            and self.holds(call)
        )

    def holds(self, call: Call) -> bool:
        """Whether the statement's conditions are met. Raises ValueError for operators that nobody has needed yet."""
        asked = dict(call.context)
        for operator, pairs in self.condition.items():
            if operator.removeprefix("ForAllValues:") not in ("StringEquals", "StringLike"):
                raise ValueError(f"{self.where}: the operator {operator} is not known here")
            for key, values in pairs.items():
                # ForAllValues is also true of a key that the request lacks.
                missing = key not in asked and operator.startswith("ForAllValues")
                like = operator.endswith("StringLike")
                given = asked.get(key, "")
                if not missing and not any(fnmatchcase(given, v) if like else given == v for v in as_list(values)):
                    return False
        return True


class Policies:
    """The template's policies, with every name resolved as a deployment would."""

    def __init__(self, template: Mapping[str, Any] | None = None) -> None:
        self.template = template or load_template()
        self._resources: Mapping[str, Any] = self.template["Resources"]

    def roles(self) -> Iterator[str]:
        """Logical names of all roles."""
        return (name for name, entry in self._resources.items() if entry["Type"] == "AWS::IAM::Role")

    def functions(self) -> dict[str, str]:
        """Name of each function to the logical name of its role."""
        return {
            self.resolve(entry["Properties"]["FunctionName"]): entry["Properties"]["Role"]["Fn::GetAtt"].split(".")[0]
            for entry in self._resources.values()
            if entry["Type"] == "AWS::Lambda::Function"
        }

    def queues_of(self, function: str) -> Iterator[str]:
        """ARNs of the queues that Lambda reads for a function."""
        for entry in self._resources.values():
            if entry["Type"] == "AWS::Lambda::EventSourceMapping":
                source = entry["Properties"]
                if self._property(source["FunctionName"]["Ref"], "FunctionName") == function:
                    yield self.resolve(source["EventSourceArn"])

    def of_role(self, role: str) -> list[Statement]:
        """All statements of a role: its own and those of policies that are attached to it."""
        inline = self._resources[role]["Properties"].get("Policies", [])
        found = [(f"{role}/{policy['PolicyName']}", policy["PolicyDocument"]) for policy in inline]
        for name, entry in self._resources.items():
            kinds, roles = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"), entry.get("Properties", {}).get("Roles", [])
            if entry["Type"] in kinds and {"Ref": role} in roles:
                found.append((name, entry["Properties"]["PolicyDocument"]))
        return [statement for where, document in found for statement in self._statements(where, document)]

    def managed(self, *names: str) -> list[Statement]:
        """The statements of managed policies by their logical names."""
        documents = ((name, self._resources[name]["Properties"]["PolicyDocument"]) for name in names)
        return [statement for name, document in documents for statement in self._statements(name, document)]

    def indexes(self) -> Iterator[str]:
        """ARNs of all indexes there are, for ``table/*/index/*``."""
        for entry in self._resources.values():
            if entry["Type"] == "AWS::DynamoDB::Table":
                for index in entry["Properties"].get("GlobalSecondaryIndexes", []):
                    table = self.resolve(entry["Properties"]["TableName"])
                    yield arn("dynamodb", f"table/{table}/index/{index['IndexName']}")

    def resolve(self, value: Any) -> Any:
        """A value of the template as CloudFormation would give it. Raises KeyError for what it does not know."""
        if isinstance(value, list):
            return [self.resolve(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, given),) = value.items()
            if name == "Ref":
                return self._ref(given)
            if name == "Fn::GetAtt":
                return self._attribute(given)
            if name == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._inside(found[1]), str(given))
            if name.startswith("Fn::"):
                raise KeyError(f"{name} is not known here")
        return {key: self.resolve(entry) for key, entry in value.items()}

    def _statements(self, where: str, document: Mapping[str, Any]) -> Iterator[Statement]:
        for entry in document["Statement"]:
            if entry["Effect"] != "Allow":
                raise ValueError(f"{where}: only what is allowed is compared")
            yield Statement(
                f"{where}/{entry.get('Sid', '')}".rstrip("/"),
                tuple(as_list(entry["Action"])),
                tuple(_flat(self.resolve(as_list(entry["Resource"])))),
                self.resolve(entry.get("Condition", {})),
            )

    def _inside(self, name: str) -> str:
        return str(self._attribute(name) if "." in name else self._ref(name))

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.template["Parameters"]:
            parameter = self.template["Parameters"][name]
            given = PARAMETERS.get(name, parameter.get("Default", ""))
            return given.split(",") if parameter["Type"] == "CommaDelimitedList" else given
        entry = self._resources[name]
        if entry["Type"] in _REF_IS_ARN:
            return self._attribute(f"{name}.Arn")
        named = {key: value for key, value in entry.get("Properties", {}).items() if key.endswith("Name")}
        return self.resolve(next(iter(named.values()))) if entry["Type"] in _NAMES else name

    def _attribute(self, path: str) -> str:
        name, attribute = path.split(".", 1)
        entry = self._resources[name]
        if attribute == "Name" and "StateMachineName" in entry["Properties"]:
            return str(self._property(name, "StateMachineName"))
        if attribute not in ("Arn", "TopicArn") or entry["Type"] not in _NAMES:
            raise KeyError(f"{path} of {entry['Type']} is not known here")
        service, rest = _NAMES[entry["Type"]]
        return arn(
            service, rest.format_map({key: self.resolve(v) for key, v in entry["Properties"].items() if key in rest})
        )

    def _property(self, resource: str, name: str) -> Any:
        return self.resolve(self._resources[resource]["Properties"][name])


def as_list(value: Any) -> list[Any]:
    """IAM writes one of something without a list."""
    return value if isinstance(value, list) else [value]


def _flat(values: list[Any]) -> Iterator[str]:
    for value in values:
        yield from as_list(value)
