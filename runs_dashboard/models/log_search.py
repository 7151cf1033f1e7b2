"""Search in the logs of all runs of a tenant, newest line first, in bounded time, and honest about how far it got."""

from __future__ import annotations

import heapq
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models

from ..text.matching import TextMatch
from .log import LogChunk
from .log_index import LogIndexPart
from .log_match import ChunkLines
from .log_reading import CHUNK_FIELDS, Entry
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .flow import Flow
    from .tenant import Tenant

CHUNKS_AT_ONCE = 1_000  # read by one call
FRESH_AT_ONCE = 50_000  # chunks that the index lacks, in one call
IDS_AT_ONCE = 500  # in one statement
READ_AHEAD = 8  # chunks in one statement
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 and 9999
END = 2**63 - 1


class Key(NamedTuple):
    """The place of a line in the order of the hits, and of a chunk: that of the last line it can have.

    Merging chunks moves no line in this order, so a cursor is good however long one waits.
    """

    at_ms: int
    run: int
    line: int


class Hit(NamedTuple):
    """A line that holds the text, and its run (as a list has it: see Run.for_list)."""

    run: Run
    entry: Entry


class SearchPage(NamedTuple):
    """hits: newest first. searched_until: all lines later than this were looked at; None: all lines.

    next_cursor leads on to older lines; None if there are none left, or, where is_complete is false all the same, if
    more than FRESH_AT_ONCE chunks of one moment wait for the index.
    """

    hits: list[Hit]
    next_cursor: str | None
    searched_until: datetime | None
    is_complete: bool
    chunks_read: int


class _Span(NamedTuple):
    """Lines that may hold the text: those of a chunk, as it was when it was named."""

    last: Key
    first_line: int
    pk: int


def search_logs(
    tenant: Tenant,
    text: str,
    *,
    flow: Flow | None = None,
    levels: frozenset[int] = frozenset(),
    after: datetime | None = None,
    before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
    budget_seconds: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> SearchPage:
    """Lines of the tenant's runs that hold the text (see text.matching; never case-sensitive), at most `limit`.

    levels: numbers 0 to 4, empty for all. after, before: times of lines, the first included. When the budget is used
    up, what was found by then comes with a cursor that goes on from there; each call gets further than the last.
    Raises ValueError if the text is empty or the cursor is none of ours.
    """
    if not text:
        raise ValueError("Say what to look for.")
    bound = Key(END, 0, 0) if before is None else Key(_milliseconds(before), 0, 0)
    if cursor is not None:
        bound = min(bound, read_cursor(cursor))
    search = _Search(tenant, TextMatch(text), flow, levels, after, bound, limit)
    end = clock() + budget_seconds
    while (top := search.top()) is not None and not search.is_full(top):
        # Only further than the last call: some chunks must be read again for their older lines.
        is_further = top._replace(line=top.line + 1) < bound
        if is_further and (clock() >= end or search.chunks_read >= CHUNKS_AT_ONCE):
            return search.page(until=top)
        if not search.step():
            return search.page(until=top, is_stuck=not is_further)
    return search.page()


def write_cursor(key: Key) -> str:
    return ".".join(map(str, key))


def read_cursor(cursor: str) -> Key:
    """Raises ValueError for what is no cursor."""
    parts = cursor.split(".")
    digits = [part.removeprefix("-") for part in parts]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in digits):
        raise ValueError("This is not a cursor of a search.")
    key = Key(*map(int, parts))
    if not FIRST_MS <= key.at_ms <= LAST_MS:
        raise ValueError("This is not a cursor of a search.")
    return key


class _Search:
    """Walks the candidate chunks from the newest to the oldest; hits above the next chunk's key are final."""

    def __init__(
        self,
        tenant: Tenant,
        match: TextMatch,
        flow: Flow | None,
        levels: frozenset[int],
        after: datetime | None,
        bound: Key,
        limit: int,
    ) -> None:
        self.tenant, self.match, self.flow, self.levels = tenant, match, flow, levels
        self.after, self.bound, self.limit = after, bound, limit
        self.chunks_read = 0
        self.found: list[tuple[Key, Entry]] = []  # newest first, one more than a page
        self.todo: list[tuple[tuple[int, ...], _Span]] = []  # a heap, newest first
        self.floor: Key | None = None  # below it chunks that the index lacks are not even listed
        self.seen: set[tuple[int, int]] = set()
        self.ahead: dict[int, tuple[Any, ...]] = {}  # chunks that were read and not yet looked into
        self.ahead_count = 1
        self._list()

    def _list(self) -> None:
        parts = LogIndexPart.objects.of(self.tenant)
        while True:
            # In this order a chunk that is indexed meanwhile is met once or twice; if a part is dropped, all over.
            known = set(parts.values_list("pk", flat=True))
            rows = self._within(LogChunk.objects.of(self.tenant).filter(index_part=None))
            fresh = _read_spans(rows.order_by("-last_at")[:FRESH_AT_ONCE])
            self.parts = list(self._within(parts).order_by("last_at"))
            if parts.filter(pk__in=known).count() == len(known):
                break
        self._add(fresh)
        if len(fresh) == FRESH_AT_ONCE:
            self.floor = Key(fresh[-1].last.at_ms, END, END)

    def _within(self, rows: models.QuerySet) -> models.QuerySet:
        """Chunks, or parts of the index, of the time asked for."""
        if self.after is not None:
            rows = rows.filter(last_at__gte=self.after)
        if self.bound.at_ms != END:
            rows = rows.filter(first_at__lte=EPOCH + timedelta(milliseconds=self.bound.at_ms))
        if rows.model is LogChunk:
            if self.levels:
                mask = sum(1 << level for level in self.levels)
                rows = rows.annotate(wanted=models.F("level_mask").bitand(mask)).filter(wanted__gt=0)
            if self.flow is not None:
                rows = rows.filter(run__flow=self.flow)
        return rows

    def _add(self, spans: Iterable[_Span]) -> None:
        for span in spans:
            heapq.heappush(self.todo, (tuple(-number for number in span.last), span))

    def top(self) -> Key | None:
        """The key of the newest line that what is left can have; None if nothing is left."""
        keys = [self.todo[0][1].last] if self.todo else []
        if self.parts:
            keys.append(Key(_milliseconds(self.parts[-1].last_at), END, END))
        if self.floor is not None:
            keys.append(self.floor)
        return max(keys, default=None)

    def is_full(self, top: Key) -> bool:
        return len(self.found) >= self.limit and self.found[self.limit - 1][0] > top

    def step(self) -> bool:
        """Looks into the newest of what is left: a part of the index, or a chunk. False if it cannot be listed."""
        top = self.top()
        if self.todo and self.todo[0][1].last == top:
            self._read(heapq.heappop(self.todo)[1])
        elif self.parts and _milliseconds(self.parts[-1].last_at) == top.at_ms:  # type: ignore[union-attr]
            part = self.parts.pop()
            spans = self._named_spans(part)
            if LogIndexPart.objects.of(self.tenant).filter(pk=part.pk).exists():
                self._add(spans)
            else:  # dropped a moment ago: its chunks are among those that the index lacks now
                self.found, self.todo, self.floor = [], [], None
                self.seen.clear()
                self._list()
        else:
            return False
        return True

    def _named_spans(self, part: LogIndexPart) -> list[_Span]:
        named = sorted(part.find(self.match.trigrams))
        spans: list[_Span] = []
        for start in range(0, len(named), IDS_AT_ONCE):
            rows = LogChunk.objects.of(self.tenant).filter(index_part=part, pk__in=named[start : start + IDS_AT_ONCE])
            spans += _read_spans(self._within(rows))
        return spans

    def _read(self, span: _Span) -> None:
        row = self._fetch(span)
        if row is None:
            return
        self.chunks_read += 1
        chunk = ChunkLines(row)
        keys = []
        for line in chunk.find(self.match, self.levels):
            at = chunk.at(line)
            key = Key(_milliseconds(at), span.last.run, line)
            if key < self.bound and (self.after is None or at >= self.after) and key[1:] not in self.seen:
                keys.append(key)
        newest = heapq.nlargest(self.limit + 1, keys)
        self.seen.update(key[1:] for key in newest)
        self.found += [(key, chunk.entry(key.line)) for key in newest]
        self.found = heapq.nlargest(self.limit + 1, self.found, key=lambda hit: hit[0])

    def _fetch(self, span: _Span) -> tuple[Any, ...] | None:
        """The chunk that has the span's lines, with those that are likely to be next read in the same statement."""
        chunks = LogChunk.objects.of(self.tenant)
        if span.pk not in self.ahead:
            near = [span, *(one for _, one in heapq.nsmallest(self.ahead_count - 1, self.todo))]
            self.ahead_count = min(self.ahead_count * 2, READ_AHEAD)
            found = chunks.filter(pk__in=[one.pk for one in near]).values_list("pk", *CHUNK_FIELDS)
            self.ahead = {pk: tuple(row) for pk, *row in found}
        row = self.ahead.pop(span.pk, None)
        if row is not None:
            return row
        # By its lines, as its number is gone: it has been merged into another chunk since it was named, or deleted.
        rows = chunks.filter(run=span.last.run, first_line__lte=span.first_line)
        return rows.order_by("-first_line").values_list(*CHUNK_FIELDS).first()

    def page(self, until: Key | None = None, *, is_stuck: bool = False) -> SearchPage:
        """until: what is left begins here, and nothing below is final."""
        final = [hit for hit in self.found if until is None or hit[0] > until]
        hits = final[: self.limit]
        cursor = None
        if len(final) > self.limit or (len(hits) == self.limit and self.top() is not None):
            cursor = hits[-1][0]
        elif until is not None and not is_stuck:
            cursor = until._replace(line=until.line + 1)
        reached = cursor or until
        runs = {hit[0].run for hit in hits}
        known = {run.pk: run for run in Run.objects.of(self.tenant).for_list().filter(pk__in=runs)}
        return SearchPage(
            hits=[Hit(known[key.run], entry) for key, entry in hits if key.run in known],
            next_cursor=write_cursor(cursor) if cursor else None,
            searched_until=EPOCH + timedelta(milliseconds=reached.at_ms) if reached else None,
            is_complete=reached is None,
            chunks_read=self.chunks_read,
        )


def _read_spans(chunks: models.QuerySet) -> list[_Span]:
    rows = chunks.values_list("last_at", "run_id", "first_line", "line_count", "pk")
    return [
        _Span(Key(_milliseconds(last_at), run, first_line + line_count - 1), first_line, pk)
        for last_at, run, first_line, line_count, pk in rows
    ]


def _milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)
