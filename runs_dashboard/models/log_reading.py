"""Reading a log: any place of it costs the same, whatever its length."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from django.db import models
from django.db.models.functions import Coalesce

from ..text.levels import LEVELS
from ..text.matching import TextMatch
from .log import (
    ANY_STREAM,
    ERROR_MASK,
    FLAG_OPEN,
    FLAG_STDERR,
    FLAG_STDOUT,
    FLAG_SYSTEM,
    STDERR_MASK,
    STREAM_BITS,
    LogChunk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .run import Run
    from .step import Step

# A record that is more than a whole line of a program: the product's own, or one that goes on.
# (Its beginning is a plain letter: without one the search takes twenty times as long.)
_SPECIAL_RECORD = re.compile(r"\n(?:\x1f|.[4-9a-f])")
ALL_LEVELS = (1 << len(LEVELS)) - 1
STREAM_FLAGS = {"stdout": FLAG_STDOUT, "stderr": FLAG_STDERR}
MOST_LINES = 400_000  # looked through for one stretch: about half a second
CHUNK_FIELDS = ("first_line", "line_count", "first_at", "body", "level_mask", "step__slug", "step__attempt")


class Entry(msgspec.Struct, gc=False):
    """One line (or message) of a run's log. `action` is its step's id."""

    line: int
    at: datetime
    level: int
    stream: str | None
    is_system: bool
    is_open: bool
    message: str
    action: str | None
    attempt: int | None


def decode(
    first_line: int,
    first_at: datetime,
    body: str,
    action: str | None,
    attempt: int | None,
    *,
    skip: int = 0,
    stop: int | None = None,
    levels: frozenset[int] = frozenset(),
    flag: int = 0,
) -> Iterator[Entry]:
    """A chunk's entries, in order. skip, stop: places in it between which to read; levels, flag: what each must have.
    What is not wanted costs little."""
    records = body.split("\n")
    if "\n\x1f" in body:
        whole: list[str] = []
        for record in records:
            if record.startswith("\x1f"):
                whole[-1] += "\n" + record[1:]
            else:
                whole.append(record)
        records = whole
    wanted = {str(level) for level in levels}
    known: dict[str, datetime] = {}
    for place in range(skip, len(records) if stop is None else min(stop, len(records))):
        record = records[place]
        if (wanted and record[0] not in wanted) or (flag and not int(record[1], 16) & flag):
            continue
        head, _, message = record.partition(" ")
        delta = head[2:]
        at = known.get(delta)
        if at is None:
            at = known[delta] = first_at + timedelta(milliseconds=int(delta, 36))
        flags = int(head[1], 16)
        yield Entry(
            line=first_line + place,
            at=at,
            level=int(head[0]),
            stream="stdout" if flags & FLAG_STDOUT else "stderr" if flags & FLAG_STDERR else None,
            is_system=bool(flags & FLAG_SYSTEM),
            is_open=bool(flags & FLAG_OPEN),
            message=message,
            action=action,
            attempt=attempt,
        )


class Part(NamedTuple):
    """A chunk on its way into a file: entries, or plain messages where each is a whole line of a program."""

    last_line: int
    messages: list[str] | None
    row: tuple[Any, ...]
    skip: int = 0  # of its lines, those that went before

    def entries(self, until: int) -> Iterator[Entry]:
        return _entries(self.row, self.skip, until + 1 - self.row[0])


class Stretch(NamedTuple):
    """Entries that were read in one go, in order.

    reached: how far was looked, the number of the last line on the way; is_end: nothing is left in that direction.
    """

    entries: list[Entry]
    reached: int
    is_end: bool


class LogView:
    """A run's log, or a part of it: one step, some levels, a stream, a text.

    levels: numbers 0 to 4, empty for all; step: one attempt of one step; action: a step's id, with every attempt or
    the one numbered `attempt`; stream: stdout or stderr; is_stepless: only what belongs to no step.
    """

    def __init__(
        self,
        run: Run,
        *,
        step: Step | None = None,
        action: str = "",
        attempt: int | None = None,
        levels: frozenset[int] = frozenset(),
        stream: str = "",
        text: str = "",
        is_stepless: bool = False,
    ) -> None:
        self.run, self.levels, self.stream_name = run, levels, stream
        self.match = TextMatch(text) if text else None
        self.has_whole_chunks = not (levels or stream or text)  # whatever is wanted of a chunk, all of it is
        self.is_whole = self.has_whole_chunks and not (step or action or attempt or is_stepless)
        chunks = LogChunk.across_tenants.filter(run=run)
        if is_stepless:
            chunks = chunks.filter(step=None)
        elif step is not None:
            chunks = chunks.filter(step=step)
        elif action or attempt:
            steps = run.steps.filter(slug=action) if action else run.steps.all()
            steps = steps.filter(attempt=attempt) if attempt else steps
            chunks = chunks.filter(step__in=list(steps.values_list("pk", flat=True)))
        if levels:
            bits = sum(1 << level for level in levels)
            chunks = _with_bits(chunks, "level_mask", bits, of=ALL_LEVELS, indexed=ERROR_MASK)
        if stream:
            bits = STREAM_BITS[stream]
            chunks = _with_bits(chunks, "stream_mask", bits, of=ANY_STREAM, indexed=STDERR_MASK)
        self.chunks = chunks

    def after(self, line: int = 0, *, limit: int, until: int | None = None) -> list[Entry]:
        """At most `limit` entries with a number above `line`, in order; none above `until`."""
        found: list[Entry] = []
        for entry in self.stream(line, until=until):
            found.append(entry)
            if len(found) >= limit:
                break
        return found

    def before(self, line: int | None = None, *, limit: int) -> list[Entry]:
        """At most `limit` entries with a number below `line` (None: the end of the log), in order."""
        found: list[Entry] = []
        for row in self.rows_back(line):
            stop = row[1] if line is None else min(row[1], line - row[0])
            # Without a filter each line counts, and those before the wanted ones need not be read.
            skip = max(0, stop - (limit - len(found))) if self.has_whole_chunks else 0
            part = list(self._wanted(row, skip, stop))
            found = part[-(limit - len(found)) :] + found
            if len(found) >= limit:
                break
            line = row[0]
        return found

    def line_at(self, at: datetime) -> int:
        """The number of the log's first line at or after a moment, filters aside; if all are earlier, the one past it.

        Found by halves, from a few chunks' times and one text: where a log's times go back, it is a place near it.
        """
        of_run = LogChunk.across_tenants.filter(run=self.run).order_by("-first_line")
        low, high = 1, self.run.line_count + 1  # the chunk looked for begins between
        found = None
        while low < high:
            rows = of_run.filter(first_line__lte=(low + high) // 2)
            row = rows.values_list("first_line", "line_count", "last_at").first()
            if row is None or row[2] < at:
                low = row[0] + row[1] if row is not None else (low + high) // 2 + 1
            else:
                high = found = row[0]
        if found is None:
            return self.run.line_count + 1
        row = of_run.filter(first_line__lte=found).values_list(*CHUNK_FIELDS).first()
        return next((entry.line for entry in _entries(row) if entry.at >= at), found) if row else found

    def read_after(self, line: int = 0, *, limit: int) -> Stretch:
        """At most `limit` entries above a line; fewer where so many lines had to be looked through that it ends."""
        found: list[Entry] = []
        looked = 0
        for row, skip in self.rows(line + 1, None):
            if looked >= MOST_LINES:
                return Stretch(found, line, False)
            for entry in self._wanted(row, skip):
                if len(found) == limit:
                    return Stretch(found, entry.line - 1, False)
                found.append(entry)
            line = row[0] + row[1] - 1
            looked += row[1]
        return Stretch(found, line, True)

    def read_before(self, line: int | None = None, *, limit: int) -> Stretch:
        """The same below a line (None: the end of the log)."""
        found: list[Entry] = []
        looked = 0
        reached = line if line is not None else self.run.line_count + 1
        for row in self.rows_back(line):
            if looked >= MOST_LINES:
                return Stretch(found[::-1], reached, False)
            stop = row[1] if line is None else min(row[1], line - row[0])
            # Without a filter each line counts, and those before the wanted ones need not be read: one of them tells
            # that there are more.
            skip = max(0, stop - (limit - len(found)) - 1) if self.has_whole_chunks else 0
            for entry in reversed(list(self._wanted(row, skip, stop))):
                if len(found) == limit:
                    return Stretch(found[::-1], found[-1].line, False)
                found.append(entry)
            reached = line = row[0]
            looked += row[1]
        return Stretch(found[::-1], reached, True)

    def stream(self, after: int = 0, *, until: int | None = None) -> Iterator[Entry]:
        """All entries above a number, a chunk in memory at a time."""
        for row, skip in self.rows(after + 1, until):
            stop = None if until is None else until + 1 - row[0]
            yield from self._wanted(row, skip, stop)

    def parts(self, *, until: int) -> Iterator[Part]:
        """The log up to a line, a chunk at a time: the fast way into a file. For a view that `has_whole_chunks`."""
        for row, skip in self.rows(1, until):
            last_line, body = row[0] + row[1] - 1, row[3]
            messages = None
            if last_line <= until and body[1] < "4" and _SPECIAL_RECORD.search(body) is None:
                messages = [record.partition(" ")[2] for record in body.split("\n")[skip:]]
            yield Part(min(last_line, until), messages, row, skip)

    def rows(self, start: int, until: int | None) -> Iterator[tuple[tuple[Any, ...], int]]:
        """Chunks from the one that holds line `start` on, a few at a time, each with how many lines to pass over.

        A step that ends merges its chunks while we read. So each statement, which sees one state of them, finds its
        place by line number anew: the chunk that a line is in may be another than a moment ago.
        """
        size = 1
        while until is None or start <= until:
            holding = LogChunk.across_tenants.filter(run=self.run, first_line__lte=start).order_by("-first_line")
            place = Coalesce(models.Subquery(holding.values("first_line")[:1]), models.Value(start))
            rows = self.chunks.filter(first_line__gte=place)
            if until is not None:
                rows = rows.filter(first_line__lte=until)
            batch = list(rows.order_by("first_line").values_list(*CHUNK_FIELDS)[:size])
            for row in batch:
                yield row, max(0, start - row[0])
                start = max(start, row[0] + row[1])
            if len(batch) < size:
                return
            size = min(size * 2, 16)

    def rows_back(self, line: int | None = None) -> Iterator[tuple[Any, ...]]:
        """Chunks that begin below a line (None: all), from the last to the first, a few at a time.

        One that was merged meanwhile may come again, longer.
        """
        rows = self.chunks if line is None else self.chunks.filter(first_line__lt=line)
        rows = rows.order_by("-first_line")
        size = 1
        while True:
            batch = list(rows.values_list(*CHUNK_FIELDS)[:size])
            yield from batch
            if len(batch) < size:
                return
            rows = rows.filter(first_line__lt=batch[-1][0])
            size = min(size * 2, 16)

    def _wanted(self, row: tuple[Any, ...], skip: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """A chunk's entries that belong to this view."""
        found = _entries(row, skip, stop, levels=self.levels, flag=STREAM_FLAGS.get(self.stream_name, 0))
        match = self.match
        return found if match is None else (entry for entry in found if match.is_in(entry.message))


def _with_bits(chunks: models.QuerySet, mask: str, bits: int, *, of: int, indexed: int) -> models.QuerySet:
    """Chunks whose mask has one of the bits. of: all bits there are; indexed: from this one on there is an index."""
    lowest = bits & -bits
    if lowest >= indexed:
        chunks = chunks.filter(**{f"{mask}__gte": indexed})  # as the index says it, or it is not taken
    if bits == of & -lowest:
        return chunks.filter(**{f"{mask}__gte": lowest})
    return chunks.alias(wanted=models.F(mask).bitand(bits)).filter(wanted__gt=0)


def _entries(row: tuple[Any, ...], skip: int = 0, stop: int | None = None, **wanted: Any) -> Iterator[Entry]:
    first_line, _count, first_at, body, _mask, action, attempt = row
    return decode(first_line, first_at, body, action, attempt, skip=skip, stop=stop, **wanted)


def log_entry_id(run_uid: str, line: int) -> str:
    """The id of a log entry outside: a UUID (RFC 9562 version 8) of the run's hash and the line number, so that it
    needs no column and leads back to its line."""
    digest = int.from_bytes(hashlib.sha256(run_uid.encode()).digest()[:8], "big")
    number = (digest << 64) | (line & ((1 << 62) - 1))
    number &= ~(0xF << 76) & ~(0x3 << 62)
    return str(uuid.UUID(int=number | (0x8 << 76) | (0x2 << 62)))


def find_line(run_uid: str, entry_id: str) -> int | None:
    """The line that an entry's id, or a plain line number, names in this run; None if it names none."""
    if entry_id.isascii() and entry_id.isdigit() and len(entry_id) < 19:
        return int(entry_id)
    try:
        line = uuid.UUID(entry_id).int & ((1 << 62) - 1)
    except ValueError:
        return None
    return line if log_entry_id(run_uid, line) == entry_id.lower() else None
