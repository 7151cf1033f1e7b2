"""The one renderer out: what a program printed for a terminal becomes HTML, or the text that a reader sees.

Text is escaped first, then colours become CSS classes (see looks.py). What a terminal overwrites within a line is
overwritten: by carriage return, backspace, erase in line, cursor moves. Links, printed as such (OSC 8) or as bare
addresses, lead to http and https only. Every other escape sequence and control character is dropped; characters that
turn the direction of text are shown as their number. Sequences after ECMA-48 and xterm's ctlseqs.

A line that moves the cursor to other rows comes out as its rows from top to bottom, each in an element whose `data-at`
counts from the row in which the line begins: a row of -1 stands for the one above.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from .links import check_link, split_links
from .looks import PLAIN, AnsiState, colour, get_classes
from .screen import Run, Screen

__all__ = [
    "PLAIN",
    "AnsiState",
    "Rendered",
    "is_plain_text",
    "render",
    "render_text",
    "strip",
    "strip_lines",
    "to_html",
]

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
_COLOURS_AND_ENDS = re.compile(r"\x1b\[[0-9;:]*m|\r+(?=\n|\Z)")
_ASCII_SPECIAL = bytes([*range(9), *range(11, 32), 127])
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069\u2028\u2029]")
_NEXT_LINE = re.compile(r"(?:\x1b\[|\x9b)\d*E")
_MOVES = re.compile(r"[\r\b]|(?:\x1b\[|\x9b)[0-9;]*[CDGK]")
_VERTICAL_MOVES = re.compile(r"(?:\x1b\[|\x9b)[0-9;]*[ABFJ]")


class Rendered(NamedTuple):
    """html: safe; look: left for the next line; moves: empty where the cursor stays in its row.

    Else `moves` is the row (see the module) that the line ends in, and behind a comma, where the line erased the rest
    of the screen, the first row of what it erased.
    """

    html: str
    look: AnsiState
    moves: str = ""


def to_html(message: str, state: AnsiState | None = None) -> tuple[str, AnsiState]:
    """A line and the look left by the line before in, safe HTML and the look left for the next line out."""
    return render(message, state or PLAIN)[:2]


def render(message: str, look: AnsiState = PLAIN) -> Rendered:
    """As `to_html`, and where the line left the cursor."""
    moves = ""
    if _is_plain(message):
        if look == PLAIN:
            return Rendered(_link(message) if "://" in message else escape(message), PLAIN)
        html = _render(look, message)
    elif _VERTICAL_MOVES.search(message):
        screen, look = _draw(message, look)
        html, moves = _render_screen(screen)
    else:
        rows = []
        for row in _split_rows(message):
            runs, look = _read(row, look)
            rows.append(_render_runs(runs))
        html = "\n".join(rows)
    # A link that nobody ended must not take the rest of the log with it.
    return Rendered(html, look._replace(link="") if look.link else look, moves)


def strip(message: str) -> str:
    """A line in, the text that a reader sees out: no escape sequence, no control but tab and line feed."""
    if _is_plain(message):
        return message
    if _VERTICAL_MOVES.search(message):
        all_runs: Iterable[list[Run]] = filter(None, (runs for _, runs in _draw(message, PLAIN)[0].get_rows()))
    else:
        all_runs = (_read(row, PLAIN)[0] for row in _split_rows(message))
    return _TURNS.sub(_name_turn, "\n".join("".join(text for _, text in runs) for runs in all_runs))


def strip_lines(messages: list[str]) -> str:
    """The same for many lines, none of which holds a line feed, joined: fast where they only have colours."""
    text = "\n".join(messages)
    if is_plain_text(text):
        return text
    bare = _COLOURS_AND_ENDS.sub("", text)
    # Nothing was overwritten and nothing else is left to drop: what remains is what each line's own strip would leave.
    return bare if is_plain_text(bare) else "\n".join(map(strip, messages))


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


def _read(row: str, look: AnsiState) -> tuple[list[Run], AnsiState]:
    row = row.rstrip("\r")
    if _MOVES.search(row):
        screen, look = _draw(row, look)
        return next((runs for _, runs in screen.get_rows()), []), look
    runs: list[Run] = []
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


def _draw(message: str, look: AnsiState) -> tuple[Screen, AnsiState]:
    """What a line in which the cursor moves leaves on the screen."""
    screen = Screen()
    at = 0
    for found in _SEQUENCE.finditer(message):
        screen.write(message[at : found.start()], look)
        at = found.end()
        kind = found.lastgroup
        if kind == "turn":
            screen.write(found[0], look)
        elif kind == "control":
            screen.control(found[0])
        elif kind == "final" and found["final"] in "ABCDEFGJK":
            screen.move(found["final"], found["numbers"])
        else:
            look = _apply(found, look)
    screen.write(message[at:], look)
    return screen, look


def _apply(found: re.Match[str], look: AnsiState) -> AnsiState:
    kind = found.lastgroup
    if kind == "final" and found["final"] == "m":
        return colour(found["numbers"], look)
    if kind == "osc" and found["osc"].startswith("8;"):
        return look._replace(link=check_link(found["osc"][2:].partition(";")[2]))
    return look


def _render_screen(screen: Screen) -> tuple[str, str]:
    """The HTML of the rows, and their `moves`."""
    rows = list(screen.get_rows())
    moves = str(screen.row) if screen.row or screen.cleared is not None else ""
    if screen.cleared is not None:
        moves += f",{screen.cleared}"
    if all(row == 0 for row, _ in rows):
        return "".join(_render_runs(runs) for _, runs in rows), moves
    last = max((row for row, runs in rows if runs), default=0)
    html = "".join(
        f'<span data-at="{row}">{_render_runs(runs)}{chr(10) if runs and row < last else ""}</span>'
        for row, runs in rows
    )
    return html, moves or "0"


def _render_runs(runs: Iterable[Run]) -> str:
    return "".join([_render(look, text) for look, text in runs])


def _render(look: AnsiState, text: str) -> str:
    if look.link:
        inner = _anchor(look.link, text)
    elif "://" in text:
        inner = _link(text)
    else:
        inner = _escape(text)
    classes = get_classes(look.foreground, look.background, look.flags)
    return f'<span class="{classes}">{inner}</span>' if classes else inner


def render_text(text: str) -> str:
    """Text that was never meant for a terminal, such as a person's note, as HTML: escaped, its addresses links."""
    return "\n".join([_link(line) for line in strip(text).split("\n")])


def _link(text: str) -> str:
    """Text of one look in which bare addresses become links."""
    return "".join([_anchor(part, part) if is_link else _escape(part) for part, is_link in split_links(text)])


def _anchor(target: str, text: str) -> str:
    address = f'href="{escape(target)}" rel="noopener noreferrer nofollow" target="_blank"'
    return f'<a class="link" {address}>{_escape(text)}</a>'


def _escape(text: str) -> str:
    inner = escape(text)
    if not text.isprintable():
        inner = _TURNS.sub(lambda found: f'<bdi class="bidi">{_name_turn(found)}</bdi>', inner)
    return inner


def _name_turn(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"
