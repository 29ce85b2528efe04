"""What the demo does now and then may fail once."""

from __future__ import annotations

from botocore.exceptions import ReadTimeoutError

from backend.local.demo import attempt


def test_an_engine_that_does_not_answer_once_is_told_and_ends_nothing() -> None:
    def step() -> None:
        raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")

    said: list[str] = []
    attempt(said.append, "Thinning", step)
    assert said[0].startswith("Thinning did not work (Read timeout")
