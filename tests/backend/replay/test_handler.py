"""The function's entry: what it does with messages, and with the schedule."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from backend.contract.events import EventRecord
from backend.replay.handler import RunnerFunction, build
from tests.backend.replay.world import World
from tests.loggers import fresh_logger


class Context:
    """The part of Lambda's context that the function reads."""

    def __init__(self, seconds: float = 900.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * self._seconds)


def invoke(function: RunnerFunction, *bodies: str, seconds: float = 900.0) -> dict[str, Any]:
    return function({"Records": [{"body": body} for body in bodies]}, Context(seconds))  # type: ignore[arg-type]


def test_messages_that_are_no_replays_are_logged_and_do_not_come_back(world: World) -> None:
    log = io.StringIO()
    function = build(world.settings, world.clients, fresh_logger(log))
    bodies = ("not json", "[]", '{"replay_id": 7}', '{"other": 1}', '{"replay_id": "nowhere"}')
    assert invoke(function, *bodies) == {"batchItemFailures": []}
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["message not understood"] * 4 + ["replay run"]
    assert lines[-1]["status"] == "nothing"


def test_a_run_leaves_time_to_end_before_the_function_is_stopped(
    world: World, events: Callable[..., EventRecord]
) -> None:
    world.put([events(1)])
    replay = world.create()
    world.take(world.settings.replay_queue_url)
    function = build(world.settings, world.clients, fresh_logger())
    invoke(function, json.dumps({"replay_id": replay.replay_id}), seconds=60.0)
    assert (world.replays.get(replay.replay_id).status, world.sent()) == ("running", [])
    (message,) = world.take(world.settings.replay_queue_url)
    invoke(function, message["Body"])
    assert (world.replays.get(replay.replay_id).status, len(world.sent())) == ("succeeded", 1)


def test_the_schedule_sweeps(world: World, events: Callable[..., EventRecord]) -> None:
    world.put([events(1)])
    world.create()
    world.take(world.settings.replay_queue_url)
    function = build(world.settings, world.clients, fresh_logger())
    assert function({"sweep": True}, Context()) == {"started": 1}  # type: ignore[arg-type]
    assert len(world.take(world.settings.replay_queue_url)) == 1
