"""What a teardown leaves on the account because it can't be made again, and how to remove it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_KEEPING: Final = ("Retain", "RetainExceptOnCreate")
_BUCKET: Final = "AWS::S3::Bucket"
_TABLE: Final = "AWS::DynamoDB::Table"


@dataclass(frozen=True, slots=True)
class Retained:
    """A resource that outlives its stack."""

    resource: str
    type: str
    name: str

    @property
    def removal(self) -> str:
        """The commands that delete it and everything in it."""
        if self.type == _BUCKET:
            return f"aws s3 rb --force s3://{self.name}"
        if self.type == _TABLE:
            return f"aws dynamodb delete-table --table-name {self.name}"
        return f"# {self.type} {self.name}: in the console"


def retained(template: Mapping[str, Any], resources: Mapping[str, str]) -> list[Retained]:
    """Those of ``resources`` (logical id to physical id) that the template keeps when its stack goes."""
    declared = template["Resources"]
    return [
        Retained(name, declared[name]["Type"], physical)
        for name, physical in sorted(resources.items())
        if physical and declared.get(name, {}).get("DeletionPolicy") in _KEEPING
    ]
