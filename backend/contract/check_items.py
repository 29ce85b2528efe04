"""Results of checks as items of the table ``Alerts``: one spelling for writers and readers. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from backend.contract.checks import CheckResult, Finding
from backend.contract.event_items import Item
from backend.contract.events import utc_text
from backend.contract.tables import CHECK_RESULTS, DATA, EXPIRES_AT, FINGERPRINT, OPENED_AT

FIRING: Final = "#firing"
"""Sort key of the item that says what of a check is firing. It sorts before every result."""
MOST_BYTES: Final = 350_000
"""Of a result's JSON; an item takes 400 KB."""
MOST_FINDINGS: Final = 200
CUT: Final = "cut"
"""Among the details: that they, or findings, did not fit."""


def check_partition(check: str) -> str:
    """The partition of a check's results."""
    return f"{CHECK_RESULTS}{check}"


def check_item(result: CheckResult, expires_at: int) -> Item:
    """The item of a result; its sort key is the result's time, so the same time overwrites."""
    return {
        FINGERPRINT: {"S": check_partition(result.check)},
        OPENED_AT: {"S": utc_text(result.at)},
        DATA: {"S": _text(result)},
        EXPIRES_AT: {"N": str(expires_at)},
    }


def check_result(item: Mapping[str, Any]) -> CheckResult:
    """The result of an item. Raises KeyError, TypeError or ValueError for one that is none."""
    record = json.loads(item[DATA]["S"])
    findings = tuple(Finding(**entry) for entry in record.pop("findings"))
    return CheckResult(**record, findings=findings)


def _text(result: CheckResult) -> str:
    """The result as JSON; findings beyond the most, and details that would not fit, are cut and said to be."""
    record = {field.name: getattr(result, field.name) for field in fields(result)}
    record["findings"] = [_plain(finding) for finding in result.findings[:MOST_FINDINGS]]
    if len(result.findings) > MOST_FINDINGS:
        record["details"] = {**result.details, CUT: f"{len(result.findings)} findings, the first {MOST_FINDINGS} kept"}
    text = json.dumps(record, default=str)
    if len(text) <= MOST_BYTES:
        return text
    # What is left is bounded: a sentence, and findings of some hundred characters each.
    short = [{**entry, "details": {}, "sentence": entry["sentence"][:500]} for entry in record["findings"]]
    return json.dumps({**record, "findings": short, "details": {CUT: f"{len(text)} bytes did not fit"}}, default=str)


def _plain(finding: Finding) -> dict[str, Any]:
    return {field.name: getattr(finding, field.name) for field in fields(finding)}
