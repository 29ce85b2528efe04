"""How history is read: numbers that Athena or a page can't live with are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.settings import load_config
from backend.settings_history import LEAST_REREAD_SECONDS, History


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout_seconds", "0"), ("timeout_seconds", "-1.5"), ("reuse_minutes", "-1"), ("reuse_minutes", "10081")],
)
def test_a_number_out_of_bounds_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    path = tmp_path / "pulseboard.toml"
    path.write_text(f"[history]\n{name} = {value}\n")
    with pytest.raises(InvalidInput) as refused:
        load_config(path)
    assert refused.value.field == f"history.{name}"


def test_pages_do_not_have_a_day_scanned_each_minute_where_athena_gives_nothing_again() -> None:
    assert History(reuse_minutes=0).reread_seconds == LEAST_REREAD_SECONDS
    assert History(reuse_minutes=60).reread_seconds == 3600
