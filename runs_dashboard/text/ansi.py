"""The one renderer out: what a program printed for a terminal becomes HTML, or the text that a reader sees.

Text is escaped first, then colours become CSS classes: f0..f15 and bg0..bg15 for the sixteen colours, x16..x255
and bx16..bx255 for the others (true colour as its nearest), B bold, D dim, I italic, U underlined, S struck, N
inverse (its colours already swapped). What a terminal overwrites within a line is overwritten: by carriage
return, backspace, erase in line. Links (OSC 8) lead to http and https only. Every other escape sequence and
control character is dropped; characters that turn the direction of text are shown as their number. Sequences
after ECMA-48 and xterm's ctlseqs.
"""

import re
from functools import lru_cache
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import urlsplit

from .palette import nearest

MAX_LINK = 2083
_BOLD, _DIM, _ITALIC, _UNDERLINED, _STRUCK, _INVERSE = (1 << bit for bit in range(6))
_FLAG_CLASSES = "BDIUSN"


class AnsiState(NamedTuple):
    """The look of text: class names of both colours, bits of the rest, a link (never across lines)."""

    foreground: str = ""
    background: str = ""
    flags: int = 0
    link: str = ""


PLAIN = AnsiState()

# A C1 control may be one character or ESC and a letter. A sequence that its line does not end is dropped.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)(?P<numbers>[0-?]*)[ -/]*(?P<final>[@-~]?)"
    r"|(?:\x1b\]|\x9d)(?P<osc>[^\x07\x1b\x9c]*)(?:\x07|\x1b\\|\x9c|(?=\x1b)|\Z)"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b)|\Z)"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<control>[\x00-\x08\x0a-\x1f\x7f-\x9f])"
    r"|(?P<turn>[\u202a-\u202e\u2066-\u2069\u2028\u2029])"
)
_SPECIAL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
_SPECIAL_IN_TEXT = re.compile(_SPECIAL.pattern.replace(r"\x0a", r"\x0b"))
_ASCII_SPECIAL = bytes([*range(9), *range(11, 32), 127])
_NEXT_LINE = re.compile(r"(?:\x1b\[|\x9b)\d*E")
_MOVES = re.compile(r"[\r\b]|(?:\x1b\[|\x9b)[0-9;]*[KG]")

# A run is a piece of text in one look; a turn is a character shown as its number.
_Run = tuple[AnsiState, str]


def to_html(message: str, state: AnsiState | None = None) -> tuple[str, AnsiState]:
    """A line and the look left by the line before in, safe HTML and the look left for the next line out."""
    look = state or PLAIN
    if look == PLAIN and _is_plain(message):
        return escape(message), PLAIN
    rows = []
    for row in _split_rows(message):
        runs, look = _read(row, look)
        rows.append("".join(_render(run_look, text) for run_look, text in runs))
    # A link that nobody ended must not take the rest of the log with it.
    return "\n".join(rows), look._replace(link="") if look.link else look


def strip(message: str) -> str:
    """A line in, the text that a reader sees out: no escape sequence, no control but tab and line feed."""
    if _is_plain(message):
        return message
    rows = ("".join(text for _, text in _read(row, PLAIN)[0]) for row in _split_rows(message))
    return _TURNS.sub(_name_turn, "\n".join(rows))


def is_plain_text(text: str) -> bool:
    """Whether `strip` would change none of the lines of a long text: much faster than asking for each line."""
    if text.isascii():
        data = text.encode()
        return len(data.translate(None, _ASCII_SPECIAL)) == len(data)
    return _SPECIAL_IN_TEXT.search(text) is None


def _is_plain(message: str) -> bool:
    # isprintable() is the fast answer; it says no to tabs and to some harmless letters as well.
    return message.isprintable() or _SPECIAL.search(message) is None


def _split_rows(message: str) -> list[str]:
    # CNL is the one cursor move that programs print instead of a line feed.
    return _NEXT_LINE.sub("\n", message).split("\n")


def _read(row: str, look: AnsiState) -> tuple[list[_Run], AnsiState]:
    row = row.rstrip("\r")
    if _MOVES.search(row):
        return _overwrite(row, look)
    runs: list[_Run] = []
    at = 0
    for found in _SEQUENCE.finditer(row):
        if found.start() > at:
            runs.append((look, row[at : found.start()]))
        at = found.end()
        if found.lastgroup == "turn":
            runs.append((look, found[0]))
        else:
            look = _apply(found, look)
    if at < len(row):
        runs.append((look, row[at:]))
    return runs, look


def _overwrite(row: str, look: AnsiState) -> tuple[list[_Run], AnsiState]:
    """The runs of a row in which the cursor moves back."""
    cells = _Cells()
    at = 0
    for found in _SEQUENCE.finditer(row):
        cells.write(row[at : found.start()], look)
        at = found.end()
        kind = found.lastgroup
        if kind == "turn":
            cells.write(found[0], look)
        elif kind == "control":
            cells.move(found[0])
        elif kind == "final" and found["final"] == "K":
            cells.erase(found["numbers"])
        elif kind == "final" and found["final"] == "G":
            cells.move("\r" if found["numbers"] in ("", "0", "1") else "")
        else:
            look = _apply(found, look)
    cells.write(row[at:], look)
    return cells.get_runs(), look


class _Cells:
    """A terminal's row of cells, where a later character takes an earlier one's place."""

    # Erasing costs time by the width of the row: what one row may cost, so that no line can hold a page up.
    budget = 1_000_000

    def __init__(self) -> None:
        self._cells: list[tuple[str, AnsiState]] = []
        self._column = 0

    def write(self, text: str, look: AnsiState) -> None:
        if not text:
            return
        missing = self._column - len(self._cells)
        if missing > 0:
            self._cells.extend([(" ", PLAIN)] * missing)
        end = self._column + len(text)
        self._cells[self._column : end] = [(character, look) for character in text]
        self._column = end

    def move(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\b":
            self._column = max(0, self._column - 1)

    def erase(self, numbers: str) -> None:
        """EL (ECMA-48, 8.3.41): to the end of the row, from its beginning, or all of it; the cursor stays."""
        self.budget -= self._column
        if self.budget < 0:
            return
        if numbers in ("", "0"):
            del self._cells[self._column :]
        elif numbers == "1":
            end = min(self._column + 1, len(self._cells))
            self._cells[:end] = [(" ", PLAIN)] * end
        elif numbers == "2":
            self._cells.clear()

    def get_runs(self) -> list[_Run]:
        return [
            (look, "".join(character for character, _ in cells))
            for look, cells in groupby(self._cells, key=itemgetter(1))
        ]


def _apply(found: re.Match[str], look: AnsiState) -> AnsiState:
    kind = found.lastgroup
    if kind == "final" and found["final"] == "m":
        return _colour(found["numbers"], look)
    if kind == "osc" and found["osc"].startswith("8;"):
        return look._replace(link=_check_link(found["osc"][2:].partition(";")[2]))
    return look


def _check_link(target: str) -> str:
    """The address where it is http or https and printable, else nothing."""
    if len(target) > MAX_LINK or not target.isprintable() or " " in target:
        return ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    return target if parts.scheme in ("http", "https") and parts.netloc else ""


_ON = {1: _BOLD, 2: _DIM, 3: _ITALIC, 4: _UNDERLINED, 7: _INVERSE, 9: _STRUCK, 21: _UNDERLINED}
_OFF = {22: _BOLD | _DIM, 23: _ITALIC, 24: _UNDERLINED, 27: _INVERSE, 29: _STRUCK}


@lru_cache(maxsize=4096)
def _colour(numbers: str, look: AnsiState) -> AnsiState:
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
def _get_classes(foreground: str, background: str, flags: int) -> str:
    if flags & _INVERSE:
        foreground, background = _swap(background), _swap(foreground)
    names = [name for name in (foreground, background) if name]
    names += [name for bit, name in enumerate(_FLAG_CLASSES) if flags >> bit & 1]
    return " ".join(names)


def _swap(name: str) -> str:
    """The class of a text colour for that of the same ground colour, and the other way round."""
    letters, number = name.rstrip("0123456789"), name.lstrip("bfgx")
    return {"f": "bg", "bg": "f", "x": "bx", "bx": "x", "": ""}[letters] + number


_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def _name_turn(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"


def _render(look: AnsiState, text: str) -> str:
    inner = escape(text)
    if not text.isprintable():
        inner = _TURNS.sub(lambda found: f'<bdi class="bidi">{_name_turn(found)}</bdi>', inner)
    if look == PLAIN:
        return inner
    classes = _get_classes(look.foreground, look.background, look.flags)
    if look.link:
        inner = (
            f'<a class="link" href="{escape(look.link)}" rel="noopener noreferrer nofollow" target="_blank">{inner}</a>'
        )
    return f'<span class="{classes}">{inner}</span>' if classes else inner
