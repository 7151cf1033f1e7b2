"""What the live streams ask of the database, and the few threads in which they ask it.

A stream itself holds no connection and no thread: it waits in the event loop, and each question borrows one of four
threads, which gives its connection back before the answer is passed on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.db import connections

from ..models import FINAL, Entry, GrowingLine, LogView, Run, read_growing
from .dialects import skip_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .dialects import Colours, Dialect

THREADS = 4
BATCH_LINES = 500  # of one event
BATCH_CHARACTERS = 256 * 1024  # of one event, about
SCAN_LINES = 50_000  # looked through in one go where few of them are wanted
FAR_LINES = 2_000  # further behind, a page is sent the newest lines and told how many lie before them
Answer = TypeVar("Answer")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="live")


async def ask(question: Callable[..., Answer], *arguments: object) -> Answer:
    """Calls the function in one of the threads; its database connection is given back before this returns."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _answer, question, arguments)


def _answer(question: Callable[..., Answer], arguments: tuple[object, ...]) -> Answer:
    try:
        return question(*arguments)
    finally:
        connections.close_all()


class Head(NamedTuple):
    """What tells whether a run has something new: one row, no log."""

    status: str
    line_count: int
    growing: GrowingLine | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


def read_heads(pks: Iterable[int]) -> dict[int, Head]:
    """The heads of those runs that there are."""
    rows = Run.across_tenants.filter(pk__in=list(pks)).values_list("pk", "status", "line_count", "growing_line")
    return {pk: Head(status, count, read_growing(status, growing)) for pk, status, count, growing in rows}


def read_entries(run: Run, after: int, until: int, **part: Any) -> tuple[list[Entry], int]:
    """The wanted entries with a number above `after`, a bounded number of them, and the number up to which none is
    left out (at most `until`). part: the keywords of LogView."""
    until = min(until, after + SCAN_LINES)
    entries: list[Entry] = []
    size = 0
    for entry in LogView(run, **part).stream(after, until=until):
        entries.append(entry)
        size += len(entry.message)
        if len(entries) >= BATCH_LINES or size >= BATCH_CHARACTERS:
            return entries, entry.line
    return entries, until


def read_rendered(run: Run, after: int, until: int, dialect: Dialect, colours: Colours) -> tuple[bytes, int]:
    """What a viewer who is behind is sent next, and the number that it reaches. `colours` is carried on."""
    start = _place(after, until, [dialect])
    entries, last = read_entries(run, start, until, **dialect.part)
    return _tell(dialect, after, start, entries, colours), last


def _place(after: int, until: int, dialects: Iterable[Dialect]) -> int:
    """The line after which to read on: further on where the way is long and one of the dialects may skip."""
    is_far = until - after > FAR_LINES and any(dialect.may_skip for dialect in dialects)
    return until - BATCH_LINES if is_far else after


def _tell(dialect: Dialect, after: int, start: int, entries: list[Entry], colours: Colours) -> bytes:
    if start == after:
        return dialect.render(entries, colours)
    colours.clear()  # what look the lines between left, nobody has read
    return skip_event(after + 1, start) + dialect.render(entries, colours)


class News(NamedTuple):
    """What one look found of a run. `rendered` covers the numbers up to `last`, for each dialect asked for that does
    not have to be sent more than was read."""

    head: Head | None  # None: the run is gone
    last: int
    rendered: dict[Dialect, bytes]


def read_news(asked: list[tuple[Run, int, list[tuple[Dialect, Colours]]]]) -> dict[int, News]:
    """For each (run, number reached, dialects): its head, and its next lines once in each dialect."""
    heads = read_heads(run.pk for run, _, _ in asked)
    news = {}
    for run, after, feeds in asked:
        head = heads.get(run.pk)
        rendered: dict[Dialect, bytes] = {}
        last = head.line_count if head else after  # nobody wants the lines: they count as seen
        if head and feeds and head.line_count > after:
            start = _place(after, head.line_count, (dialect for dialect, _ in feeds))
            entries, last = read_entries(run, start, head.line_count)
            rendered = {
                dialect: _tell(dialect, after, start, entries, colours)
                for dialect, colours in feeds
                if dialect.may_skip or start == after
            }
        news[run.pk] = News(head, max(last, after), rendered)
    return news
