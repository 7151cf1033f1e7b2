"""A run's log as a file: blocks of bytes of about 64 KB, whatever the length of the log.

An entry has `line`, `at` (an aware datetime), `level` (0..4), `stream`, `is_system`, `message`, `is_open` and
`action`.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from .ansi import strip, strip_lines
from .levels import LEVELS

BLOCK = 65_536


class Entry(Protocol):
    """What an exporter reads of a log entry."""

    line: int
    at: datetime
    level: int
    stream: str | None
    is_system: bool
    message: str
    is_open: bool
    action: str | None


def as_txt(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The text a reader sees, a line an entry, no escape sequences; our own lines begin with `[system] `.

    Equal to what was printed where that held no escape sequence and no carriage return.
    """
    return TextFile().add(entries)


def as_raw(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Byte for byte what the steps printed; our own lines are left out."""
    return TextFile(is_raw=True).add(entries)


class TextFile:
    """as_txt, or as_raw, for a log that comes in parts: some as entries, most of them as plain messages."""

    def __init__(self, *, is_raw: bool = False) -> None:
        self.is_raw = is_raw
        # What left its line open: a step and a stream.
        self._source: tuple[Any, Any] | None = None

    def add(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Bytes of the next entries, in blocks."""
        return _join(self._add_raw(entries) if self.is_raw else self._add_txt(entries))

    @property
    def is_at_line_start(self) -> bool:
        """Whether `add_lines` may come next: no line is open that would go on."""
        return self._source is None

    def add_lines(self, messages: list[str]) -> bytes:
        """Bytes of messages of which each is a whole line of a program: some hundred times as fast as entries."""
        text = "\n".join(messages) if self.is_raw else strip_lines(messages)
        return f"{text}\n".encode()

    def add_note(self, note: str) -> bytes:
        """A last line of our own."""
        return f"{'' if self.is_at_line_start else chr(10)}[system] {note}\n".encode()

    def _add_raw(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        for entry in entries:
            if not entry.is_system:
                yield (entry.message if entry.is_open else entry.message + "\n").encode()

    def _add_txt(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        for entry in entries:
            text = strip(entry.message)
            # What another step or stream left open is ended first, else two lines would read as one.
            if self._source is not None and (entry.is_system or self._source != (entry.action, entry.stream)):
                text = "\n" + text if not entry.is_system else f"\n[system] {text}"
            elif entry.is_system:
                text = f"[system] {text}"
            self._source = (entry.action, entry.stream) if entry.is_open else None
            yield (text if entry.is_open else text + "\n").encode()


def as_ndjson(entries: Iterable[Entry], *, is_raw: bool = False) -> Iterator[bytes]:
    """A JSON object a line with the fields of the API's log entry; the message as a reader sees it, or as printed.

    `open` is there, and true, where no line feed followed the message.
    """
    return _join(_write_ndjson(entries, _keep if is_raw else strip))


def as_csv(entries: Iterable[Entry], *, is_raw: bool = False) -> Iterator[bytes]:
    """RFC 4180 with a header row; what a spreadsheet would take for a formula begins with an apostrophe."""
    return _join(_write_csv(entries, _keep if is_raw else strip))


def _keep(message: str) -> str:
    return message


def neutralise(cell: str) -> str:
    """A cell in, one out that no spreadsheet computes; plain numbers stay as they are."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def safe_filename(name: str) -> str:
    """Any text in, a file name of at most 100 ASCII letters, digits, `.`, `_`, `-` out, good everywhere."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", letters)).strip("-. ")[:100].rstrip("-.")
    if not short:
        return "download"
    return f"_{short}"[:100] if _DEVICE.fullmatch(short.partition(".")[0].upper()) else short


# OWASP, CSV injection: these characters first, also behind blanks, also in their full-width forms.
_FORMULA = re.compile("[\t\r\n]|[\\s\u200b-\u200f\u2060\ufeff\"']*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DEVICE = re.compile(r"CON|PRN|AUX|NUL|(?:COM|LPT)\d")


class _Row(msgspec.Struct, gc=False, omit_defaults=True):
    line: int
    timestamp: str
    level: str
    message: str
    action: str | None
    stream: str | None
    system: bool
    open: bool = False


def _write_ndjson(entries: Iterable[Entry], show: Callable[[str], str]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for entry in entries:
        row = _Row(
            entry.line,
            _format_time(entry.at),
            LEVELS[entry.level],
            show(entry.message),
            entry.action,
            entry.stream,
            entry.is_system,
            entry.is_open,
        )
        yield encode(row) + b"\n"


def _write_csv(entries: Iterable[Entry], show: Callable[[str], str]) -> Iterator[bytes]:
    rows = _Lines()
    writer = csv.writer(rows)
    writer.writerow(("line", "timestamp", "level", "action", "stream", "system", "message"))
    yield rows.take()
    for entry in entries:
        writer.writerow(
            (
                entry.line,
                _format_time(entry.at),
                LEVELS[entry.level],
                neutralise(entry.action or ""),
                entry.stream or "",
                "true" if entry.is_system else "false",
                neutralise(show(entry.message)),
            )
        )
        yield rows.take()


class _Lines:
    """The file that csv.writer writes a row to."""

    def __init__(self) -> None:
        self._row = ""

    def write(self, row: str) -> None:
        self._row = row

    def take(self) -> bytes:
        return self._row.encode()


def _format_time(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _join(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of about 64 KB."""
    size = 0
    block: list[bytes] = []
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(block)
            block.clear()
            size = 0
    if block:
        yield b"".join(block)
