"""The part of a run's log that a page shows: its end, its first error, a place in it, or what lies beside a part
already shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..models import LogView, Status, first_error
from ..text.levels import LEVELS
from .access import read_text

if TYPE_CHECKING:
    from django.http import QueryDict

    from ..models import Entry, GrowingLine, Run, Stretch

WINDOW = 500  # lines
CONTEXT = 20  # lines shown before the one that was asked for
LINE_LIMIT = 10**15
STEP_LENGTH = 200
STREAMS = ("stdout", "stderr")
# What belongs to the find box: it stays in the address wherever in the log the reader goes.
FIND_PARAMS = ("find", "case", "word", "exclude")
FIND_LENGTH = 500


@dataclass(frozen=True)
class LogQuery:
    """What the address asks of a log.

    step: a step's id; attempt: one of its attempts; stream: `stdout` or `stderr`; level: a level and all above it.
    at: a line to start with; is_end: the end is asked for by name; find: the find box, as it is in the address.
    """

    step: str = ""
    attempt: int | None = None
    stream: str = ""
    level: str = ""
    at: int | None = None
    is_end: bool = False
    before: int | None = None
    after: int | None = None
    find: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, params: QueryDict) -> LogQuery:
        """Nonsense is left out: `?from=x` is as no `from` at all."""
        level, stream, step = params.get("level", ""), params.get("stream", ""), read_text(params, "step", STEP_LENGTH)
        attempt = _number(params.get("attempt", "")) if step else None
        return cls(
            step=step,
            attempt=min(attempt, 2**31 - 1) if attempt else None,
            stream=stream if stream in STREAMS else "",
            level=level if level in LEVELS else "",
            at=_number(params.get("from", "")),
            is_end=params.get("from") == "end",
            before=_number(params.get("before", "")),
            after=_number(params.get("after", "")),
            find=tuple((name, text) for name in FIND_PARAMS if (text := read_text(params, name, FIND_LENGTH))),
        )

    @property
    def levels(self) -> frozenset[int]:
        return frozenset(range(LEVELS.index(self.level), len(LEVELS))) if self.level else frozenset()

    @property
    def is_whole(self) -> bool:
        return not (self.step or self.level or self.stream)

    @property
    def has_place(self) -> bool:
        """Whether the address says where in the log to be."""
        return self.is_end or not (self.at is None and self.before is None and self.after is None)

    @property
    def is_part(self) -> bool:
        """Whether the lines are to stand beside others that are shown already."""
        return not (self.before is None and self.after is None)

    def view(self, run: Run) -> LogView:
        return LogView(run, action=self.step, attempt=self.attempt, stream=self.stream, levels=self.levels)

    def has(self, line: GrowingLine) -> bool:
        """Whether the line that is growing belongs to the part of the log that is asked for."""
        return line.is_in(action=self.step, attempt=self.attempt, stream=self.stream, levels=self.levels)

    def part(self) -> dict[str, str]:
        """The parameters that say which part of the log it is, without the place."""
        asked = {
            "step": self.step,
            "attempt": str(self.attempt or ""),
            "stream": self.stream,
            "level": self.level,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def part_query(self) -> str:
        return urlencode(self.part())

    def query(self, **place: int | str) -> str:
        """The query string of the same part at another place, `?` and all; the find box stays as it is."""
        return "?" + urlencode({**self.part(), **dict(self.find), **place})


@dataclass(frozen=True)
class Omission:
    """Lines that are not shown. count: None where a filter makes it unknown; at: the last line that was looked at.

    looked: lines that were looked through in vain, where there was more than one asks of a request; else 0.
    """

    count: int | None
    at: int
    looked: int = 0


@dataclass(frozen=True)
class LogWindow:
    """entries, and what lies before and after them. error: the line at which it opened, being the log's first error."""

    query: LogQuery
    entries: list[Entry] = field(default_factory=list)
    earlier: Omission | None = None
    later: Omission | None = None
    error: int | None = None

    @property
    def first_line(self) -> int:
        return self.entries[0].line if self.entries else 0

    @property
    def last_line(self) -> int:
        return self.entries[-1].line if self.entries else 0

    @property
    def before_url(self) -> str:
        """The address of the lines before these."""
        return self.query.query(before=self.earlier.at if self.earlier else self.first_line)

    @property
    def after_url(self) -> str:
        return self.query.query(**{"from": (self.later.at if self.later else self.last_line) + 1})

    @property
    def start_url(self) -> str:
        return self.query.query(**{"from": 1})

    @property
    def end_url(self) -> str:
        return self.query.query(**{"from": "end"})


def open_window(run: Run, query: LogQuery) -> LogWindow:
    """The lines that a page opens with: those the address asks for, else a failed run's first error, else the end."""
    if query.has_place or run.status != Status.FAILED:
        return read_window(run, query)
    error = first_error(run) if query.is_whole else None
    if error is None:
        return read_window(run, query)
    is_short = run.line_count <= WINDOW
    window = read_window(run, query) if is_short else _read_from(run, query, max(1, error - CONTEXT))
    return LogWindow(query, window.entries, window.earlier, window.later, error)


def read_window(run: Run, query: LogQuery) -> LogWindow:
    """The lines before or after a line, or from a line on, or the end."""
    if query.before is None and query.after is not None:
        return _read_from(run, query, query.after + 1)
    if query.before is None and query.at is not None:
        return _read_from(run, query, query.at)
    view, end = query.view(run), run.line_count + 1
    found = view.read_before(query.before, limit=WINDOW)
    first = found.entries[0].line if found.entries else min(query.before or end, end)
    later = None
    if query.before is not None and query.before < end:
        last = found.entries[-1].line if found.entries else query.before - 1
        later = Omission(_count(query, run.line_count - last), last)
    return LogWindow(query, found.entries, _earlier(query, found, first), later)


def _read_from(run: Run, query: LogQuery, line: int) -> LogWindow:
    view = query.view(run)
    found = view.read_after(max(0, line - 1), limit=WINDOW)
    last = found.entries[-1].line if found.entries else line - 1
    later = None
    if not found.is_end:
        looked = 0 if found.entries else found.reached - last
        later = Omission(_count(query, run.line_count - last), found.reached, looked)
    first = found.entries[0].line if found.entries else min(line, run.line_count + 1)
    earlier = None
    if first > 1:
        earlier = Omission(_count(query, first - 1), first)
    return LogWindow(query, found.entries, earlier, later)


def _earlier(query: LogQuery, found: Stretch, first: int) -> Omission | None:
    if found.is_end:
        return None
    return Omission(_count(query, first - 1), found.reached, 0 if found.entries else first - found.reached)


def _count(query: LogQuery, count: int) -> int | None:
    """How many lines are left out, where that is known: a filter hides it, and so does a log that grew meanwhile."""
    return count if query.is_whole and count > 0 else None


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        return None
    return min(int(text), LINE_LIMIT)
