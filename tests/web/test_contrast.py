"""Contrast measured (WCAG 2.2, 1.4.3 and 1.4.11): text 4.5:1, states and control edges 3:1, in both themes."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

SHEETS = Path(__file__).resolve().parent.parent.parent / "static" / "css"
CSS = (SHEETS / "tokens.css").read_text()
TOKENS = dict(re.findall(r"--([\w-]+):\s*(light-dark\(.*?\)\)|var\([^)]*\))\s*;", CSS))
GROUNDS = ("paper", "surface", "raised")
Colour = tuple[float, float, float]
STATES = ("failed", "succeeded", "running", "paused", "queued", "stopped", "warning")


def colour(name: str, theme: int) -> Colour:
    """Linear sRGB of a token; theme 0 is light, 1 dark."""
    return from_lab(*lab(name, theme))


def lab(name: str, theme: int) -> Colour:
    text = TOKENS[name]
    if alias := re.fullmatch(r"var\(--([\w-]+)\)", text):
        return lab(alias[1], theme)
    light, chroma, hue = (float(part) for part in re.findall(r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", text)[theme])
    return light / 100, chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))


def from_lab(light: float, a: float, b: float) -> Colour:
    """CSS Color 4, section 9.3: Oklab to linear sRGB, clipped to what a screen shows."""
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, part)) for part in (red, green, blue))  # type: ignore[return-value]


def luminance(part: Colour) -> float:
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]


def contrast(front: str, ground: str, theme: int) -> float:
    return ratio(colour(front, theme), colour(ground, theme))


def ratio(front: Colour, ground: Colour) -> float:
    high, low = sorted((luminance(front), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def over(front: Colour, part: float, ground: Colour) -> Colour:
    """`color-mix(in oklab, front part, transparent)` on a ground: a veil, laid over in sRGB as browsers do."""
    veiled = (part * encode(one) + (1 - part) * encode(other) for one, other in zip(front, ground, strict=True))
    return tuple(((value + 0.055) / 1.055) ** 2.4 if value > 0.04045 else value / 12.92 for value in veiled)  # type: ignore[return-value]


def encode(part: float) -> float:
    return 1.055 * part ** (1 / 2.4) - 0.055 if part > 0.0031308 else 12.92 * part


def mixed(first: str, part: float, second: str, theme: int) -> Colour:
    """`color-mix(in oklab, first part, second)` of two tokens."""
    (l1, a1, b1), (l2, a2, b2) = (lab(name, theme) for name in (first, second))
    return from_lab(*(part * one + (1 - part) * two for one, two in ((l1, l2), (a1, a2), (b1, b2))))


def test_the_measure_agrees_with_black_on_white() -> None:
    assert luminance(from_lab(1, 0, 0)) == pytest.approx(1, abs=0.001)
    assert luminance(from_lab(0, 0, 0)) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", [*GROUNDS, "hover", "sunken"])
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


# --- tints: every ground that a sheet mixes ------------------------------------------------------------------------

TINT = re.compile(
    r"background(?:-color)?: color-mix\(in oklab, var\(--([\w-]+)(?:, var\(--([\w-]+)\))?\) (\d+)%, "
    r"(?:var\(--([\w-]+)\)|transparent)\)"
)
SIGNS = 25  # per cent: from here on a tint is a sign by itself (a hit, a mark), and no ground of a whole text
LOG = ("log.css", "log-reading.css")


def tints() -> list[tuple[str, str, float, str | None]]:
    """Sheet, what is mixed, its part, and with what (None: a veil over whatever is under it)."""
    found = set()
    for sheet in sorted(SHEETS.glob("*.css")):
        for name, fallback, part, ground in TINT.findall(sheet.read_text()):
            if name != "paper":  # over the dark bar of the selection, whose words are paper
                names = (*STATES, *filter(None, [fallback])) if name == "c" else (name,)
                found |= {(sheet.name, one, int(part) / 100, ground or None) for one in names if int(part) < SIGNS}
    return sorted(found, key=str)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("sheet", "name", "part", "ground"), tints())
def test_words_on_a_tint_can_be_read(sheet: str, name: str, part: float, ground: str | None, theme: int) -> None:
    """The ink, and a state in its own colour on its own tint."""
    unders = [ground] if ground else ["slab", "slab-2"] if sheet in LOG else GROUNDS
    # The slab is dark in both themes unless the reader has it follow the page: then it is what the theme says.
    for under in unders:
        mix = mixed(name, part, under, theme) if ground else over(colour(name, theme), part, colour(under, theme))
        fronts = ["a7" if sheet in LOG else "ink", *([name] if name in STATES else [])]
        for front in fronts:
            assert ratio(colour(front, theme), mix) >= 4.5, f"{front} on {name} {part:.0%} over {under}"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("ground", ["paper", "surface", "raised", "hover", "sunken", "slab", "slab-2"])
def test_a_states_icon_and_edge_are_seen(state: str, ground: str, theme: int) -> None:
    assert contrast(state, ground, theme) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("front", ["ink", "ink-2", "ink-3", *(f"a{number}" for number in (1, 3, 7, 8, 9, 11, 15))])
@pytest.mark.parametrize("ground", ["slab", "slab-2"])
def test_the_logs_words_and_levels_can_be_read(front: str, ground: str, theme: int) -> None:
    assert contrast(front, ground, theme) >= 4.5


def test_there_are_tints_to_measure() -> None:
    assert len(tints()) > 60
