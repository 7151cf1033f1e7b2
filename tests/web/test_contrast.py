"""Contrast measured (WCAG 2.2, 1.4.3 and 1.4.11): text 4.5:1, states and control edges 3:1, in both themes."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parent.parent.parent / "static" / "css" / "tokens.css").read_text()
TOKENS = dict(re.findall(r"--([\w-]+):\s*(light-dark\(.*?\)\)|var\([^)]*\))\s*;", CSS))
GROUNDS = ("paper", "surface", "raised")
STATES = ("failed", "succeeded", "running", "paused", "queued", "stopped", "warning")


def colour(name: str, theme: int) -> tuple[float, float, float]:
    """Linear sRGB of a token; theme 0 is light, 1 dark."""
    text = TOKENS[name]
    if alias := re.fullmatch(r"var\(--([\w-]+)\)", text):
        return colour(alias[1], theme)
    light, chroma, hue = re.findall(r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", text)[theme]
    return oklch(float(light) / 100, float(chroma), float(hue))


def oklch(light: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """CSS Color 4, section 9.3: OKLCH to linear sRGB, clipped to what a screen shows."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, part)) for part in (red, green, blue))  # type: ignore[return-value]


def luminance(part: tuple[float, float, float]) -> float:
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]


def contrast(front: str, ground: str, theme: int) -> float:
    high, low = sorted((luminance(colour(front, theme)), luminance(colour(ground, theme))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_agrees_with_black_on_white() -> None:
    assert luminance(oklch(1, 0, 0)) == pytest.approx(1, abs=0.001)
    assert luminance(oklch(0, 0, 0)) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("front", ["ink", "ink-2", "ink-3", "accent", *STATES])
def test_text_stands_out(front: str, ground: str, theme: int) -> None:
    assert contrast(front, ground, theme) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
@pytest.mark.parametrize("front", ["edge", "focus"])
def test_edges_of_controls_and_the_focus_are_seen(front: str, ground: str, theme: int) -> None:
    assert contrast(front, ground, theme) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("number", range(16))
def test_a_programs_colours_can_be_read_on_the_slab(number: int, theme: int) -> None:
    assert contrast(f"a{number}", "slab", theme) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_on_filled_buttons_can_be_read(theme: int) -> None:
    assert contrast("on-accent", "accent", theme) >= 4.5
    assert contrast("on-failed", "failed", theme) >= 4.5
    assert contrast("paper", "ink", theme) >= 4.5
