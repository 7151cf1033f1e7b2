"""Every colour class has a rule, and can be read."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.palette import ansi_css, get_colour, nearest

STYLES = Path(__file__).parents[2] / "static" / "css" / "ansi256.css"


def test_the_style_sheet_is_the_one_that_the_code_makes() -> None:
    assert STYLES.read_text(encoding="utf-8") == ansi_css()


def test_every_class_has_a_rule() -> None:
    named = set(re.findall(r"span\.(\w+) \{", ansi_css()))
    wanted = {f"{kind}{n}" for n in range(16) for kind in ("f", "bg")}
    wanted |= {f"{kind}{n}" for n in range(16, 256) for kind in ("x", "bx")} | set("BDIUSN")
    assert named >= wanted


def test_the_cube_and_the_greys_are_those_of_xterm() -> None:
    assert [get_colour(n) for n in (16, 21, 196, 231, 232, 255)] == [
        (0, 0, 0),
        (0, 0, 255),
        (255, 0, 0),
        (255, 255, 255),
        (8, 8, 8),
        (238, 238, 238),
    ]


@given(*[st.integers(0, 255)] * 3)
def test_no_colour_is_nearer_than_the_nearest(red: int, green: int, blue: int) -> None:
    def distance(n: int) -> int:
        return sum((a - b) ** 2 for a, b in zip((red, green, blue), get_colour(n), strict=True))

    assert distance(nearest(red, green, blue)) == min(map(distance, range(16, 256)))
