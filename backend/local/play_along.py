"""The collector function in the demo: what the state machine collects fits what the agent does."""

from __future__ import annotations

from typing import Any, Final

from backend.collector.build import DEMO_VARIABLE, SEED_VARIABLE

FUNCTION: Final = "data-collector"


def play_along(functions: Any, seed: int, started: float) -> None:
    """Gives the function the demo's seed and beginning (epoch s): counters of another story would jump back and forth.

    Needed again after each deployment, which sets the variables of the template. ``functions`` is Lambda's client.
    """
    before = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    variables = {**before, SEED_VARIABLE: str(seed), DEMO_VARIABLE: repr(started)}
    functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})
