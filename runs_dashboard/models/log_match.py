"""Which lines of a chunk hold a text."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .log_reading import Entry, decode

if TYPE_CHECKING:
    from datetime import datetime

    from ..text.matching import TextMatch


class ChunkLines:
    """A chunk's lines, decoded one at a time and only where wanted. row: log_reading.CHUNK_FIELDS."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.first_line, self.line_count, self._first_at, self._body, self._mask, *self._step = row
        self._records: list[str] | None = None

    @property
    def last_line(self) -> int:
        return self.first_line + self.line_count - 1

    def find(self, match: TextMatch, levels: frozenset[int] = frozenset()) -> list[int]:
        """The numbers of the lines of these levels (none: of all) that hold the text, in order."""
        if levels and not any(self._mask >> level & 1 for level in levels):
            return []
        if "\x1f" not in self._body and match.is_simple_in(self._body):
            found = match.find_lines(self._body, " ")
            return [self.first_line + place for place, level in found if not levels or int(level) in levels]
        places = match.places(read_messages(self._body))
        if levels and places:
            records = self._read()
            places = [place for place in places if int(records[place][0]) in levels]
        return [self.first_line + place for place in places]

    def at(self, line: int) -> datetime:
        """A line's time."""
        delta = self._read()[line - self.first_line].partition(" ")[0][2:]
        return self._first_at + timedelta(milliseconds=int(delta, 36))

    def entry(self, line: int) -> Entry:
        record = self._read()[line - self.first_line]
        return next(decode(line, self._first_at, record, *self._step))

    def _read(self) -> list[str]:
        if self._records is None:
            self._records = split_records(self._body)
        return self._records


def read_messages(body: str) -> list[str]:
    """A chunk's text as the messages of its lines."""
    messages = [record.partition(" ")[2] for record in split_records(body)]
    return [message.replace("\n\x1f", "\n") for message in messages] if "\n\x1f" in body else messages


def split_records(body: str) -> list[str]:
    """A chunk's text as one record a line of the log; a record may have line feeds of its own (see log)."""
    records = body.split("\n")
    if "\n\x1f" not in body:
        return records
    whole: list[str] = []
    for record in records:
        if record.startswith("\x1f"):
            whole[-1] += "\n" + record
        else:
            whole.append(record)
    return whole
