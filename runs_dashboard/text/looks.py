"""The look of printed text: what SGR sequences (ECMA-48, 8.3.117) make of it, as names of CSS classes.

f0..f15 and bg0..bg15 are the sixteen colours, x16..x255 and bx16..bx255 the others (true colour as its nearest),
B bold, D dim, I italic, U underlined, S struck, N inverse (its colours already swapped). Text on a ground of its own
has the ink of the ground, or one of r16..r255: the colour as printed.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from .palette import choose_text, nearest

_BOLD, _DIM, _ITALIC, _UNDERLINED, _STRUCK, _INVERSE = (1 << bit for bit in range(6))
_FLAG_CLASSES = "BDIUSN"


class AnsiState(NamedTuple):
    """The look of text: class names of both colours, bits of the rest, a link (never across lines)."""

    foreground: str = ""
    background: str = ""
    flags: int = 0
    link: str = ""


PLAIN = AnsiState()


_ON = {1: _BOLD, 2: _DIM, 3: _ITALIC, 4: _UNDERLINED, 7: _INVERSE, 9: _STRUCK, 21: _UNDERLINED}
_OFF = {22: _BOLD | _DIM, 23: _ITALIC, 24: _UNDERLINED, 27: _INVERSE, 29: _STRUCK}


@lru_cache(maxsize=4096)
def colour(numbers: str, look: AnsiState) -> AnsiState:
    """SGR (ECMA-48, 8.3.117): `numbers` as printed, with 256 and true colours in both notations."""
    if not re.fullmatch("[0-9;:]*", numbers):
        return look
    foreground, background, flags, link = look
    queue = [part.split(":") for part in numbers[:1000].split(";")]
    while queue:
        code, *sub = (int(number[:9] or 0) for number in queue.pop(0))
        if code in (38, 48, 58):
            if not sub:
                sub = _take_colour(queue)
            if code == 38:
                foreground = _name_colour(sub, "f", "x") or foreground
            elif code == 48:
                background = _name_colour(sub, "bg", "bx") or background
        elif code == 0:
            foreground, background, flags = "", "", 0
        elif code == 4 and sub == [0]:
            flags &= ~_UNDERLINED
        elif code in _ON:
            flags |= _ON[code]
        elif code in _OFF:
            flags &= ~_OFF[code]
        elif 30 <= code <= 37:
            foreground = f"f{code - 30}"
        elif 90 <= code <= 97:
            foreground = f"f{code - 82}"
        elif 40 <= code <= 47:
            background = f"bg{code - 40}"
        elif 100 <= code <= 107:
            background = f"bg{code - 92}"
        elif code == 39:
            foreground = ""
        elif code == 49:
            background = ""
    return AnsiState(foreground, background, flags, link)


def _take_colour(queue: list[list[str]]) -> list[int]:
    """The numbers of `38;5;n` or `38;2;r;g;b` that stand behind the 38."""
    if not queue:
        return []
    count = {"5": 2, "2": 4}.get(queue[0][0], 1)
    taken = [int(part[0][:9] or 0) for part in queue[:count]]
    del queue[:count]
    return taken


def _name_colour(numbers: list[int], basic: str, extended: str) -> str:
    if len(numbers) >= 2 and numbers[0] == 5 and numbers[1] <= 255:
        return f"{basic if numbers[1] < 16 else extended}{numbers[1]}"
    if len(numbers) >= 4 and numbers[0] == 2:
        # `38:2:space:r:g:b` has the number of a colour space in front, `38:2:r:g:b` has not.
        red, green, blue = (min(part, 255) for part in (numbers[2:5] if len(numbers) >= 5 else numbers[1:4]))
        return f"{extended}{nearest(red, green, blue)}"
    return ""


@lru_cache(maxsize=4096)
def get_classes(foreground: str, background: str, flags: int) -> str:
    """The CSS classes of a look, inverse already swapped."""
    if flags & _INVERSE:
        foreground, background = _swap(background), _swap(foreground)
    if background or flags & _INVERSE:
        foreground = choose_text(foreground, background) if foreground else ""
        flags &= ~_DIM
    elif foreground.startswith("x"):
        flags &= ~_DIM  # it has just the contrast that it needs
    names = [name for name in (foreground, background) if name]
    names += [name for bit, name in enumerate(_FLAG_CLASSES) if flags >> bit & 1]
    return " ".join(names)


def _swap(name: str) -> str:
    """The class of a text colour for that of the same ground colour, and the other way round."""
    letters, number = name.rstrip("0123456789"), name.lstrip("bfgx")
    return {"f": "bg", "bg": "f", "x": "bx", "bx": "x", "": ""}[letters] + number
