"""The 240 colours beyond the terminal's sixteen, and the style sheet that gives every colour class its look.

`python -m runs_dashboard.text.palette static/css/ansi256.css` writes the style sheet anew.
"""

import sys
from functools import lru_cache
from pathlib import Path

_LEVELS = (0, 95, 135, 175, 215, 255)
# The slab that the text stands on, in its light and its dark form, and the contrast that the design asks for.
_LIGHT_SLAB = (252, 252, 249)
_DARK_SLAB = (17, 19, 27)
_CONTRAST = 4.5
# Dim text: as near to the slab as the contrast allows, of each of the sixteen colours in per cent.
_DIM_SHARES = (100, 88, 88, 88, 88, 88, 88, 75, 88, 82, 82, 82, 82, 82, 82, 75)

Colour = tuple[int, int, int]


def get_colour(number: int) -> Colour:
    """Red, green and blue (0..255) of a colour from 16 to 255: xterm's cube of 6 x 6 x 6, then 24 greys."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    place = number - 16
    return _LEVELS[place // 36], _LEVELS[place // 6 % 6], _LEVELS[place % 6]


@lru_cache(maxsize=4096)
def nearest(red: int, green: int, blue: int) -> int:
    """The number (16..255) of the colour nearest to a true colour."""

    def distance(number: int) -> int:
        other = get_colour(number)
        return (red - other[0]) ** 2 + (green - other[1]) ** 2 + (blue - other[2]) ** 2

    cube = [min(range(6), key=lambda step: abs(_LEVELS[step] - part)) for part in (red, green, blue)]
    grey = 232 + min(23, max(0, round(((red + green + blue) / 3 - 8) / 10)))
    return min(16 + 36 * cube[0] + 6 * cube[1] + cube[2], grey, key=distance)


def choose_text(text: str, ground: str) -> str:
    """The class for text of a colour on a ground of another, both classes: empty where the ground's own ink is better.

    Two colours that each stand out on the slab need not stand out on each other; of the sixteen nothing else is known,
    as their look is the theme's. Of the others the text keeps its colour where that can be read, exactly as printed.
    """
    if text.startswith("x") and ground.startswith("bx"):
        number = int(text[1:])
        if _contrast(get_colour(number), get_colour(int(ground[2:]))) >= _CONTRAST:
            return f"r{number}"
    return ""


def ansi_css() -> str:
    """The style sheet of all colour classes; a text colour is shifted until it can be read on either slab."""
    rules = [".N { background: var(--a7); color: var(--slab); }"]
    # Text on a coloured ground has the ink that can be read there (see choose_text).
    rules += [f".bg{n} {{ background: var(--a{n}); color: var(--slab); }}" for n in range(16)]
    for n in range(16, 256):
        ground = get_colour(n)
        rules.append(f".bx{n} {{ background: {_write(ground)}; color: {_choose_ink(ground)}; }}")
    rules += [f".r{n} {{ color: {_write(get_colour(n))}; }}" for n in range(16, 256)]
    rules += [".D { color: var(--a8); }"]
    rules += [f".f{n} {{ color: var(--a{n}); }}" for n in range(16)]
    rules += [
        f".f{n}.D {{ color: color-mix(in oklab, var(--a{n}) {share}%, var(--slab)); }}"
        for n, share in enumerate(_DIM_SHARES)
    ]
    for n in range(16, 256):
        light, dark = _shift(get_colour(n), _LIGHT_SLAB, 0), _shift(get_colour(n), _DARK_SLAB, 255)
        rules.append(f".x{n} {{ color: light-dark({_write(light)}, {_write(dark)}); }}")
    rules += [
        ".B { font-weight: 700; }",
        ".I { font-style: italic; }",
        ".U { text-decoration: underline; }",
        ".S { text-decoration: line-through; }",
        ".U.S { text-decoration: underline line-through; }",
    ]
    # As specific as the rules that colour a whole line by its level, and later: a program's own colour wins.
    body = "".join(f"  .log span{rule}\n" for rule in rules)
    # Back from the design's line numbers, which are links too.
    body += "  .log a.link { font: inherit; color: inherit; padding: 0; text-align: start; user-select: auto; }\n"
    body += "  .log a.link { text-decoration: underline; }\n"
    body += "  .log bdi.bidi { outline: 1px dashed; border-radius: 2px; font-size: .85em; }\n"
    made = "/* Made by `python -m runs_dashboard.text.palette static/css/ansi256.css`. */\n"
    return f"{made}@layer components {{\n{body}}}\n"


def write_css(path: Path) -> None:
    """Writes the style sheet to a file."""
    path.write_text(ansi_css(), encoding="utf-8")


def _write(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _luminance(colour: Colour) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [part / 12.92 / 255 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _shift(colour: Colour, slab: Colour, towards: int) -> Colour:
    """The colour mixed with black or white in steps of a hundredth until it stands out enough."""
    for step in range(101):
        red, green, blue = (round(part + (towards - part) * step / 100) for part in colour)
        if _contrast((red, green, blue), slab) >= _CONTRAST:
            return red, green, blue
    return towards, towards, towards


def _choose_ink(colour: Colour) -> str:
    return "#000" if _contrast(colour, (0, 0, 0)) >= _contrast(colour, (255, 255, 255)) else "#fff"


if __name__ == "__main__":
    write_css(Path(sys.argv[1]))
