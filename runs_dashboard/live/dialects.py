"""Log entries as server-sent events (HTML Living Standard, section 9.2): rows of the run page, or the API's JSON.

A dialect is a value: viewers with equal dialects are sent the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ..models import log_entry_id
from ..text.ansi import PLAIN, AnsiState
from ..text.levels import LEVELS
from ..text.rows import growing_row_html, log_row_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Entry, GrowingLine

# The look that each program's output left its next line in: by step, attempt and stream.
Colours = dict[tuple[str | None, int | None, str | None], AnsiState]

COMMENT = b":\n\n"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Dialect(Protocol):
    """How the entries of a run are told. part: the keywords of LogView for those wanted; empty for all."""

    @property
    def part(self) -> dict[str, Any]: ...

    @property
    def may_skip(self) -> bool:
        """Whether a viewer who is far behind may be told of lines instead of being sent them."""
        ...

    def render(self, entries: Sequence[Entry], colours: Colours) -> bytes:
        """Whole events for the wanted ones of these entries; empty if none is wanted."""
        ...

    def show_growing(self, growing: GrowingLine | None) -> str:
        """The row that stands for the line that has not ended; empty if there is none, or it is not wanted."""
        ...


def event(line: int, data: str, name: str = "") -> bytes:
    """One event; a line break within the data becomes a further `data:` field, as it would end the event."""
    fields = [f"id: {line}"]
    if name:
        fields.append(f"event: {name}")
    fields += [f"data: {part}" for part in _LINE_BREAK.split(data)]
    return ("\n".join(fields) + "\n\n").encode()


def skip_event(first: int, last: int) -> bytes:
    """The row of a page that stands for lines `first` to `last`: how many were not sent, and the way to them."""
    count = last - first + 1
    row = (
        f'<div class="cut-row" data-cut="skipped" data-first="{first}" data-last="{last}">'
        f"<span><strong>{count:,}</strong> line{'s' if count > 1 else ''} not sent:"
        " they came faster than a page can show them</span>"
        f'<a href="?from={first}#log">from line {first:,}</a></div>'
    )
    return event(last, row)


def growing_event(line: int, row: str) -> bytes:
    """What stands below the last line from now on; an empty row: nothing."""
    return event(line, row, "growing")


def end_event(line: int, status: str) -> bytes:
    """The last event of a run that has ended: nothing follows."""
    return event(line, msgspec.json.encode({"status": status}).decode(), "end")


@dataclass(frozen=True)
class PageDialect:
    """Rows of HTML, many in an unnamed event, in a reader's time zone."""

    zone: tzinfo
    step: str = ""
    levels: frozenset[int] = frozenset()
    attempt: int | None = None
    stream: str = ""

    @property
    def part(self) -> dict[str, Any]:
        return {"action": self.step, "attempt": self.attempt, "stream": self.stream, "levels": self.levels}

    def wants(self, entry: Entry) -> bool:
        if self.step and (entry.action != self.step or self.attempt not in (None, entry.attempt)):
            return False
        if self.stream and entry.stream != self.stream:
            return False
        return not self.levels or entry.level in self.levels

    @property
    def may_skip(self) -> bool:
        """Nobody reads thousands of lines a second; of those that a reader has filtered none is left out."""
        return not (self.step or self.levels or self.stream)

    def render(self, entries: Sequence[Entry], colours: Colours) -> bytes:
        rows = []
        for entry in entries:
            if not self.wants(entry):
                continue
            source = (entry.action, entry.attempt, entry.stream)
            row, look = log_row_html(entry, zone=self.zone, ansi_state=colours.get(source, PLAIN))
            if look == PLAIN:
                colours.pop(source, None)
            else:
                colours[source] = look
            rows.append(row)
        return event(entries[-1].line, "".join(rows)) if rows else b""

    def show_growing(self, growing: GrowingLine | None) -> str:
        return _render_growing(growing) if growing is not None and growing.is_in(**self.part) else ""


@dataclass(frozen=True)
class ApiDialect:
    """One event an entry, its data the API's log entry (CONTRACT section 3) of the run with this id."""

    run_uid: str
    may_skip: bool = field(default=False, init=False)

    @property
    def part(self) -> dict[str, Any]:
        return {}

    def render(self, entries: Sequence[Entry], colours: Colours) -> bytes:
        return b"".join(
            b"id: %d\ndata: %b\n\n" % (entry.line, msgspec.json.encode(_describe(self.run_uid, entry)))
            for entry in entries
        )

    def show_growing(self, growing: GrowingLine | None) -> str:
        return ""  # it is no log entry


@lru_cache(maxsize=64)  # many viewers are shown the same
def _render_growing(growing: GrowingLine) -> str:
    return growing_row_html(growing.text, growing.stream, growing.action)


def _describe(run_uid: str, entry: Entry) -> dict[str, object]:
    return {
        "id": log_entry_id(run_uid, entry.line),
        "line": entry.line,
        "timestamp": _write_time(entry.at),
        "level": LEVELS[entry.level],
        "message": entry.message,
        "action": entry.action,
        "stream": entry.stream,
        "system": entry.is_system,
    }


def _write_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
