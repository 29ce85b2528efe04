"""Measured units: what one collection, one event and one view ask of AWS, as ``python -m benchmarks.scale`` found it.

``units.toml`` beside this module holds them. The cost calculation and the scale model are made from these and nothing
else, so that a change of the code is seen in both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

FILE: Final = "units.toml"
_HEAD: Final = """# Measured by `python -m benchmarks.scale --write`: what one thing asks of AWS. Not edited by hand.
# cpu_ms is the CPU time of the machine that measured; everything else is counted and the same everywhere.
"""


@dataclass(frozen=True, slots=True)
class Units:
    """``figures`` by what was measured and the figure's name; ``measured_at`` is the ISO date."""

    measured_at: str
    figures: Mapping[str, Mapping[str, float]]

    def of(self, thing: str, figure: str) -> float:
        """One figure; 0 for a request that the thing does not make. Raises KeyError for an unknown thing."""
        return self.figures[thing].get(figure, 0.0)


@cache
def load_units() -> Units:
    """The measured units of this version."""
    content = tomllib.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return Units(content.pop("measured_at"), content)


def written(units: Units) -> str:
    """The file of these units."""
    parts = [_HEAD + f'measured_at = "{units.measured_at}"\n']
    for name, figures in units.figures.items():
        lines = [f"{key} = {float(value)!r}" for key, value in figures.items()]
        parts.append(f"[{name}]\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)
