"""A configuration that is edited while the demo runs is noticed, checked, and taken only when it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.local.configuration import WatchedConfig, apply_change
from backend.local.demo_config import demo_config
from backend.settings import load_config

FIX = '[events.types.order_placed]\naliases = { customer_id = ["cust_id"] }\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "pulseboard.toml"
    found.write_text(demo_config(None))
    return found


class Demo:
    """What the demo used and said."""

    def __init__(self, path: Path) -> None:
        self.config = WatchedConfig(path)
        self.used: list[str] = []
        self.said: list[str] = []

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            apply_change(self.config, {}, self.used.append, self.said.append)


def test_the_fix_of_the_walkthrough_is_taken_once(path: Path) -> None:
    demo = Demo(path)
    demo.look()
    fixed = path.read_text().replace("[events.types.order_placed]\n", FIX)
    path.write_text(fixed)
    demo.look(5)
    assert demo.used == [fixed]
    assert load_config(path).events.types["order_placed"].aliases == {"customer_id": ["cust_id"]}
    (line,) = demo.said
    assert "has changed: the functions and the API work with it" in line


def test_a_file_that_is_being_written_is_left_to_settle(path: Path) -> None:
    demo = Demo(path)
    whole = path.read_text() + "\n# by hand\n"
    path.write_text("")
    demo.look(1)
    path.write_text(whole)
    demo.look(1)
    assert demo.used == []
    demo.look(1)
    assert demo.used == [whole]


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        ('[events.types.order_placed]\naliases = { customer_id = "cust_id" }\n', "aliases.customer_id: 'cust_id'"),
        ('[events.types.order_placed]\nalias = { customer_id = ["cust_id"] }\n', "alias"),
        ("[events.types.order_placed\n", "is not valid TOML"),
        ('[events.plugins]\nevent_schema = "nowhere:Schema"\n\n[events.types.order_placed]\n', "nowhere:Schema"),
    ],
)
def test_a_mistake_is_one_line_and_what_was_right_stays(path: Path, mistake: str, named: str) -> None:
    demo, right = Demo(path), path.read_text()
    path.write_text(right.replace("[events.types.order_placed]\n", mistake))
    demo.look(4)
    assert demo.used == []
    (line,) = demo.said
    assert "was not taken, the one before it stays: " in line
    assert named in line
    assert "\n" not in line
    path.write_text(right + "# mended\n")
    demo.look()
    assert demo.used == [right + "# mended\n"]


def test_a_file_that_is_away_for_a_moment_changes_nothing(path: Path) -> None:
    demo, text = Demo(path), path.read_text()
    path.unlink()
    demo.look()
    path.write_text(text)
    demo.look()
    assert (demo.used, demo.said) == ([], [])
