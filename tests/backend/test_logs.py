"""Log lines that Insights can query."""

from __future__ import annotations

import io
import json

from backend.logs import KEYS, make_logger


def test_a_line_is_json_with_the_common_keys_first() -> None:
    stream = io.StringIO()
    logger = make_logger("log-of-the-logs-test", stream)
    with logger.append_context_keys(correlation_id="metrics/a.json request-1"):
        logger.info("object handled", extra={"status": "processed", "latency_ms": 12.5})
    logger.info("outside")
    inside, outside = map(json.loads, stream.getvalue().splitlines())
    assert tuple(inside)[: len(KEYS)] == KEYS
    assert inside["correlation_id"] == "metrics/a.json request-1"
    assert (inside["level"], inside["logger"], inside["message"]) == ("INFO", "log-of-the-logs-test", "object handled")
    assert (inside["status"], inside["latency_ms"]) == ("processed", 12.5)
    assert inside["timestamp"].endswith("+00:00")
    assert "correlation_id" not in outside


def test_what_is_logged_can_not_forge_a_line_of_its_own() -> None:
    stream = io.StringIO()
    logger = make_logger("log-of-forgeries-test", stream)
    hostile = 'order-1\n{"level": "INFO", "message": "signed in", "status": "admin"}\r\u2028\x1b[2J'
    logger.warning("refused", extra={"entity_id": hostile, "error_message": hostile})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    line = json.loads(text)
    assert (line["message"], line["entity_id"], line["error_message"]) == ("refused", hostile, hostile)
