"""One log line as HTML: the same row for the page, the live stream and the "earlier lines" answers.

A row says all that there is to say of its line alone; what lines are to each other, the page's script makes of the
marks that stand in `data-` attributes: `data-step` and `data-attempt` (from the second on), `data-fold` (see
markers.py), `data-move` (see ansi.py), `data-json` where the line holds an object or a list.
"""

from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Protocol

from . import ansi
from .levels import LEVELS
from .markers import Marker, read_marker

_LETTERS = ("D", "", "W", "E", "C")
_CLASSES = ("d", "", "w", "e", "c")


class LogLine(Protocol):
    """What a row needs to know of a log entry; any object with these attributes will do."""

    line: int  # from 1, within the run
    at: datetime  # aware
    level: int  # 0..4, see LEVELS
    stream: str | None  # "stdout", "stderr" or None
    is_system: bool  # written by the product itself
    message: str
    is_open: bool  # no line feed followed it
    action: str | None  # id of its step
    attempt: int | None  # of its step, from 1


def log_row_html(
    entry: LogLine, *, zone: tzinfo = UTC, ansi_state: ansi.AnsiState = ansi.PLAIN
) -> tuple[str, ansi.AnsiState]:
    """HTML of one log line, and the colour state to pass on to the next line.

    `zone` is the reader's time zone; the `datetime` attribute stays UTC with milliseconds.
    Everything from the entry is escaped here or in the ANSI renderer; the answer is safe HTML.
    """
    message = entry.message
    marker = read_marker(message)
    html, ansi_state, moves = _render_pieces(marker, ansi_state) if marker else ansi.render(message, ansi_state)
    attributes = ""
    if entry.level != 1 or entry.stream == "stderr" or entry.is_system or entry.is_open:
        classes = [_CLASSES[entry.level]] if _CLASSES[entry.level] else []
        if entry.stream == "stderr":
            classes.append("er")
        if entry.is_system:
            classes.append("sys")
        if entry.is_open:
            classes.append("open")
        attributes = f' class="{" ".join(classes)}"' if classes else ""
    if entry.action:
        attributes += f' data-step="{escape(entry.action)}"'
        if entry.attempt and entry.attempt > 1:
            attributes += f' data-attempt="{entry.attempt}"'
    if marker and marker.fold:
        attributes += f' data-fold="{marker.fold}"'
    if moves:
        attributes += f' data-move="{moves}"'
    if (message[-1:] == "}" and '{"' in message) or (message[-1:] == "]" and message[:2] in ("[{", "[[", '["')):
        attributes += " data-json"
    instant = entry.at.astimezone(UTC).isoformat(timespec="milliseconds")[:23]
    clock = entry.at.astimezone(zone).isoformat(timespec="milliseconds")[11:23]
    row = (
        f'<div id="L{entry.line}"{attributes}><a href="#L{entry.line}">{entry.line:,}</a>'
        f'<time datetime="{instant}Z">{clock}</time>{_mark(entry)}<span>{html}</span></div>'
    )
    return row, ansi_state


def growing_row_html(message: str, stream: str, action: str) -> str:
    """The row below the last line for a line that has not ended; empty where nothing of it would be seen.

    It has no number and no time: it is no log entry yet. action: the id of its step.
    """
    if not ansi.strip(message).strip():
        return ""
    kind = ' class="growing er"' if stream == "stderr" else ' class="growing"'
    html = ansi.to_html(message)[0]
    title = f"Step {escape(action)} has not ended this line yet"
    return f'<div id="growing"{kind}><i title="{title}">…</i><span>{html}</span></div>'


def step_head_html(action: str, attempt: int | None) -> str:
    """The row above the lines of another step, or of another attempt at it."""
    attempt = attempt or 1
    tries = f" · attempt {attempt}" if attempt > 1 else ""
    return f'<div class="step-head" data-head="{escape(action)}">Step {escape(action)}{tries}</div>'


def _render_pieces(marker: Marker, look: ansi.AnsiState) -> ansi.Rendered:
    html = ""
    moves = ""
    for text, kind in marker.pieces:
        if not text:
            continue
        if kind:
            html += f'<span class="{kind}">{ansi.render(text)[0]}</span>'
        else:
            part, look, moves = ansi.render(text, look)
            html += part
    return ansi.Rendered(html, look, moves)


def _mark(entry: LogLine) -> str:
    """The letter of a level that stands out, a sign for a quiet line of the product's own or of standard error."""
    letter = _LETTERS[entry.level]
    if entry.is_system:
        level = f"{LEVELS[entry.level]}, " if letter else ""
        return f'<i title="{level}written by Runs Dashboard">{letter or "◆"}</i>'
    if entry.stream == "stderr":
        level = f"{LEVELS[entry.level]}, " if letter else ""
        return f'<i title="{level}stderr">{letter or "·"}</i>'
    return f'<i title="{LEVELS[entry.level]}">{letter}</i>' if letter else "<i></i>"
