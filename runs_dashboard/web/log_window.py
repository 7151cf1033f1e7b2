"""The part of a run's log that a page shows: its end, a place in it, or what lies beside a part already shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..models import LogView
from ..text.levels import LEVELS
from .access import read_text

if TYPE_CHECKING:
    from django.http import QueryDict

    from ..models import Entry, Run

WINDOW = 500  # lines
LINE_LIMIT = 10**15
STEP_LENGTH = 200


@dataclass(frozen=True)
class LogQuery:
    """What the address asks of a log. level: a level and all above it; step: a step's id; at: a line to start with."""

    step: str = ""
    level: str = ""
    at: int | None = None
    before: int | None = None
    after: int | None = None

    @classmethod
    def read(cls, params: QueryDict) -> LogQuery:
        """Nonsense is left out: `?from=x` shows the end, as without it."""
        level = params.get("level", "")
        return cls(
            step=read_text(params, "step", STEP_LENGTH),
            level=level if level in LEVELS else "",
            at=_number(params.get("from", "")),
            before=_number(params.get("before", "")),
            after=_number(params.get("after", "")),
        )

    @property
    def levels(self) -> frozenset[int]:
        return frozenset(range(LEVELS.index(self.level), len(LEVELS))) if self.level else frozenset()

    @property
    def is_whole(self) -> bool:
        return not (self.step or self.level)

    def query(self, **place: int) -> str:
        """The query string of the same filter at another place, `?` and all."""
        kept = {"step": self.step, "level": self.level, **{name: str(line) for name, line in place.items()}}
        return "?" + urlencode({name: value for name, value in kept.items() if value})


@dataclass(frozen=True)
class Omission:
    """Lines that are not shown. count: None where a filter makes it unknown; first, last: their numbers."""

    count: int | None
    first: int
    last: int


@dataclass(frozen=True)
class LogWindow:
    """entries, and what lies before and after them."""

    query: LogQuery
    entries: list[Entry] = field(default_factory=list)
    earlier: Omission | None = None
    later: Omission | None = None

    @property
    def last_line(self) -> int:
        return self.entries[-1].line if self.entries else 0

    @property
    def before_url(self) -> str:
        """The address, without scripts, of the lines before these."""
        first = self.entries[0].line if self.entries else 1
        return self.query.query(before=first)

    @property
    def after_url(self) -> str:
        return self.query.query(**{"from": self.last_line + 1})


def read_window(run: Run, query: LogQuery) -> LogWindow:
    """The lines that the address asks for: before or after a line, from a line on, else the end."""
    view = LogView(run, action=query.step, levels=query.levels)
    if query.at is not None or query.after is not None:
        after = query.after if query.after is not None else max(0, (query.at or 1) - 1)
        found = view.after(after, limit=WINDOW + 1)
        has_later = len(found) > WINDOW
        entries = found[:WINDOW]
        has_earlier = after > 0
    else:
        found = view.before(query.before, limit=WINDOW + 1)
        has_earlier = len(found) > WINDOW
        entries = found[-WINDOW:]
        has_later = query.before is not None and query.before <= run.line_count
    if not entries:
        return LogWindow(query)
    first, last = entries[0].line, entries[-1].line
    earlier = later = None
    if has_earlier and first > 1:
        earlier = Omission(first - 1 if query.is_whole else None, 1, first - 1)
    if has_later and last < run.line_count:
        later = Omission(run.line_count - last if query.is_whole else None, last + 1, run.line_count)
    return LogWindow(query, entries, earlier, later)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        return None
    return min(int(text), LINE_LIMIT)
