"""Colours of the style sheets and charts, as eyes without one kind of cone see them: contrast by calculation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest

from dashboard.app import assets_folder
from dashboard.components import timechart

Colour = tuple[float, float, float]
VISIONS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), on
linear RGB at full severity."""
STATES = ("healthy", "degraded", "critical", "unknown", "high", "medium", "low")
GROUNDS = {name: ("panel", f"{name}-soft") for name in ("healthy", "degraded", "critical", "unknown", "high")} | {
    "medium": ("panel", "degraded-soft"), "low": ("panel", "accent-soft"),
}  # fmt: skip
"""What a state's words stand on."""


def linear(hexadecimal: str) -> Colour:
    """Linear RGB, 0 to 1, of ``#rrggbb``."""
    values = [int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


def seen(hexadecimal: str, vision: str) -> Colour:
    """The colour as that eye sees it, linear RGB."""
    own = linear(hexadecimal)
    red, green, blue = (
        min(max(sum(k * v for k, v in zip(row, own, strict=True)), 0.0), 1.0) for row in VISIONS[vision]
    )
    return red, green, blue


def contrast(one: str, other: str, vision: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""

    def luminance(colour: Colour) -> float:
        return sum(k * v for k, v in zip((0.2126, 0.7152, 0.0722), colour, strict=True))

    dark, light = sorted(luminance(seen(colour, vision)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def tokens(theme: str) -> dict[str, str]:
    """The colour tokens of the style sheets in ``light`` or ``dark``."""
    text = "".join((assets_folder() / name).read_text("utf-8") for name in ("states.css", "pulseboard.css"))
    found: dict[str, str] = {}
    for selector in (r":root", *([r':root\[data-bs-theme="dark"\]'] if theme == "dark" else [])):
        for block in re.findall(rf"^{selector} {{(.*?)}}", text, re.DOTALL | re.MULTILINE):
            found |= dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", block))
    return found


def worst(pairs: Iterable[tuple[str, str]], vision: str) -> tuple[float, tuple[str, str]]:
    """The pair of least contrast."""
    return min((contrast(one, other, vision), (one, other)) for one, other in pairs)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_words_of_every_state_can_be_read_by_every_eye(theme: str, vision: str) -> None:
    known = tokens(theme)
    pairs = [(known[state], known[ground]) for state in STATES for ground in GROUNDS[state]]
    pairs += [(known[word], known[ground]) for word in ("text", "muted", "accent") for ground in ("panel", "bg")]
    ratio, pair = worst(pairs, vision)
    assert ratio >= 4.5, f"{pair} has {ratio:.2f} with {vision}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_lines_of_charts_stand_out_from_the_panel_for_every_eye(theme: str, vision: str) -> None:
    drawn = (*timechart.PALETTE, timechart.WARNING, timechart.CRITICAL, timechart.PROMISE, timechart.LIMIT)
    ratio, pair = worst(((tone, tokens(theme)["panel"]) for tone in drawn), vision)
    assert ratio >= 3, f"{pair} has {ratio:.2f} with {vision}"


@pytest.mark.parametrize("vision", VISIONS)
def test_neighbours_of_the_palette_are_told_apart_by_every_eye(vision: str) -> None:
    def lab(colour: str) -> Colour:
        red, green, blue = seen(colour, vision)
        xyz = (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
        )
        x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
        return 116 * y - 16, 500 * (x - y), 200 * (y - z)

    def apart(one: str, other: str) -> float:
        return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5

    near = min((apart(one, other), (one, other)) for one, other in pairwise(timechart.PALETTE[:6]))
    assert near[0] >= 12, f"{near[1]} differ by {near[0]:.1f} with {vision}"
