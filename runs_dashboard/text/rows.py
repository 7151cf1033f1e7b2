"""One log line as HTML: the same row for the page, the live stream and the "earlier lines" answers."""

from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Protocol

from . import ansi
from .levels import LEVELS

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


def log_row_html(
    entry: LogLine, *, zone: tzinfo = UTC, ansi_state: ansi.AnsiState = ansi.PLAIN
) -> tuple[str, ansi.AnsiState]:
    """HTML of one log line, and the colour state to pass on to the next line.

    `zone` is the reader's time zone; the `datetime` attribute stays UTC with milliseconds.
    Everything from the entry is escaped here or in the ANSI renderer; the answer is safe HTML.
    """
    message, ansi_state = ansi.to_html(entry.message, ansi_state)
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
    utc = entry.at.astimezone(UTC)
    instant = f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
    local = entry.at.astimezone(zone)
    clock = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    row = (
        f'<div id="L{entry.line}"{attributes}><a href="#L{entry.line}">{entry.line:,}</a>'
        f'<time datetime="{instant}">{clock}</time>{_mark(entry)}<span>{message}</span></div>'
    )
    return row, ansi_state


def _mark(entry: LogLine) -> str:
    """The letter of a level that stands out; a dot for a quiet line that came by standard error."""
    letter = _LETTERS[entry.level]
    if letter:
        return f'<i title="{LEVELS[entry.level]}">{letter}</i>'
    if entry.stream == "stderr":
        return '<i title="stderr">·</i>'
    return "<i></i>"
