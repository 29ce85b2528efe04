"""What Slack refuses of a message: slack-sdk's own models, and the limits its documentation gives besides. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_BLOCKS: Final = 50
MOST_TEXT: Final = 40_000
FIELD: Final = 2_000
CONTEXT_TEXT: Final = 3_000
_TEXT_LIMITS: Final = {"header": 150, "section": 3_000}


def problem_of(message: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """Slack's error code and what it says about it; None for a message that Slack takes."""
    text, blocks = message.get("text"), message.get("blocks")
    if not text and not blocks:
        return "no_text", []
    if text is not None and (not isinstance(text, str) or len(text) > MOST_TEXT):
        return "msg_too_long", []
    metadata = message.get("metadata")
    if metadata is not None and not _is_metadata(metadata):
        return "invalid_metadata_format", []
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        return "invalid_blocks_format", []
    found = [f"no more than {MOST_BLOCKS} items allowed"] if len(blocks) > MOST_BLOCKS else []
    found += [f"{why} [json-pointer:/blocks/{place}]" for place, block in enumerate(blocks) if (why := _wrong(block))]
    return ("invalid_blocks", found) if found else None


def _is_metadata(metadata: object) -> bool:
    return (
        isinstance(metadata, Mapping)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), Mapping)
    )


def _wrong(block: object) -> str:
    """Why one block is not taken, "" where it is."""
    if not isinstance(block, dict):
        return "must be an object"
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return f"unsupported type: {block.get('type')}"
        parsed.to_dict()
    except (SlackObjectFormationError, TypeError, KeyError, ValueError) as error:
        return str(error)[:200] or type(error).__name__
    return _beyond(block) or _empty(block)


def _beyond(block: dict[str, Any]) -> str:
    """What the models don't check."""
    kind = str(block.get("type"))
    text = block.get("text")
    if kind in _TEXT_LIMITS and isinstance(text, dict) and len(str(text.get("text"))) > _TEXT_LIMITS[kind]:
        return f"must be less than {_TEXT_LIMITS[kind] + 1} characters"
    if any(len(str(field.get("text"))) > FIELD for field in block.get("fields", [])):
        return f"fields: must be less than {FIELD + 1} characters"
    if kind == "context" and any(len(str(entry.get("text"))) > CONTEXT_TEXT for entry in block["elements"]):
        return f"elements: must be less than {CONTEXT_TEXT + 1} characters"
    names = [entry.get("action_id") for entry in block.get("elements", []) if kind == "actions"]
    return "elements: action_id must be unique" if len(set(names)) < len(names) else ""


def _empty(block: dict[str, Any]) -> str:
    texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
    empty = any(isinstance(text, dict) and text.get("text") == "" for text in texts)
    return "must be more than 0 characters" if empty else ""
