"""Every colour class has a rule, and can be read."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.text.palette import ansi_css, choose_text, get_colour, nearest

from ..web.test_contrast import colour, luminance, mixed, ratio

STYLES = Path(__file__).parents[2] / "static" / "css" / "ansi256.css"


def test_the_style_sheet_is_the_one_that_the_code_makes() -> None:
    assert STYLES.read_text(encoding="utf-8") == ansi_css()


def test_every_class_has_a_rule() -> None:
    named = set(re.findall(r"span\.(\w+) \{", ansi_css()))
    wanted = {f"{kind}{n}" for n in range(16) for kind in ("f", "bg")}
    wanted |= {f"{kind}{n}" for n in range(16, 256) for kind in ("x", "bx", "r")} | set("BDIUSN")
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


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_dim_text_can_still_be_read(theme: int) -> None:
    shares = re.findall(r"var\(--a(\d+)\) (\d+)%, var\(--slab\)", ansi_css())
    assert len(shares) == 16
    slab = colour("slab", theme)
    for number, share in shares:
        assert ratio(mixed(f"a{number}", int(share) / 100, "slab", theme), slab) >= 4.5, (number, share)


@given(st.integers(16, 255), st.integers(16, 255))
def test_text_on_a_ground_keeps_its_colour_only_where_it_can_be_read(text: int, ground: int) -> None:
    kept = choose_text(f"x{text}", f"bx{ground}")
    front, back = (luminance_of(get_colour(number)) for number in (text, ground))
    contrast = (max(front, back) + 0.05) / (min(front, back) + 0.05)
    assert (kept == f"r{text}") == (contrast >= 4.5)
    assert choose_text(f"f{text % 16}", f"bx{ground}") == choose_text(f"x{text}", f"bg{ground % 16}") == ""


def luminance_of(colour: tuple[int, int, int]) -> float:
    linear = [part / 12.92 / 255 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return luminance((linear[0], linear[1], linear[2]))
