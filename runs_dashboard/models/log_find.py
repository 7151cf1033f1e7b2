"""Find in one log: on the server, in the whole of it, a piece of work at a time."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from django.db import models

from ..text.matching import TextMatch
from .log import CHUNK_LINES, LogChunk
from .log_index import LogIndexPart
from .log_match import ChunkLines
from .log_reading import CHUNK_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .log_reading import LogView

NEAR = 2  # chunks that are read before the index is asked: a common word is in the next one
READ_AHEAD = 8  # chunks in one statement
IDS_AT_ONCE = 500  # in one statement


class FindPage(NamedTuple):
    """What one call found.

    lines: numbers of the first hits in the direction asked for, at most `limit`; count: of all hits on the way to
    searched_to_line, which is the last line that was looked at; is_complete: nothing is left in that direction.
    """

    lines: list[int]
    count: int
    searched_to_line: int
    is_complete: bool
    chunks_read: int


class Span(NamedTuple):
    """Lines that may hold the text: those of a chunk, as it was when it was named."""

    first_line: int
    last_line: int
    pk: int


def find_in_log(
    view: LogView,
    text: str,
    *,
    is_case_sensitive: bool = False,
    is_whole_word: bool = False,
    exclude: str = "",
    after: int = 0,
    before: int | None = None,
    is_backward: bool = False,
    is_counting: bool = False,
    limit: int = 100,
    budget_seconds: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> FindPage:
    """Looks for a text in the lines of the view above `after` and below `before`, from one end or from the other.

    It ends at `limit` hits, or, if is_counting, counts on; in any case when the budget is used up, though never
    without having read a chunk. Go on with `after` (backwards: `before`) = searched_to_line and add the counts: the
    sum is the true one. What is matched is said in text.matching. Raises ValueError if the text is empty.
    """
    if not text:
        raise ValueError("Say what to look for.")
    match = TextMatch(text, is_case_sensitive=is_case_sensitive, is_whole_word=is_whole_word, exclude=exclude)
    end_line = _count_lines(view) + 1
    bound = end_line if before is None else min(before, end_line)
    lines: list[int] = []
    count = read = 0
    low, high = after, bound  # what is left lies between
    end = clock() + budget_seconds
    is_near = limit == 1 and not is_counting
    for span, chunk in _candidates(view, match, after, bound, is_backward=is_backward, is_near=is_near):
        if read and clock() >= end:
            # Between the last chunk and this one there is nothing to find.
            reached = min(high, span.last_line + 1) if is_backward else max(low, span.first_line - 1)
            return FindPage(lines, count, reached, False, read)
        if chunk is None:
            continue
        read += 1
        found = [line for line in chunk.find(match, view.levels) if low < line < high]
        if found and view.match is not None:
            shown = set(chunk.find(view.match))
            found = [line for line in found if line in shown]
        if found and view.stream_name:
            found = [line for line in found if chunk.entry(line).stream == view.stream_name]
        for line in reversed(found) if is_backward else found:
            count += 1
            if len(lines) < limit:
                lines.append(line)
            if len(lines) == limit and not is_counting:
                return FindPage(lines, count, line, False, read)
        low, high = (low, min(high, chunk.first_line)) if is_backward else (max(low, chunk.last_line), high)
    return FindPage(lines, count, after if is_backward else max(after, bound - 1), True, read)


def _candidates(
    view: LogView, match: TextMatch, low: int, high: int, *, is_backward: bool, is_near: bool
) -> Iterator[tuple[Span, ChunkLines | None]]:
    """The chunks that may hold the text between two lines, in order; is_near: the nearest ones without asking first."""
    if is_near:
        rows = view.rows_back(high) if is_backward else (row for row, _ in view.rows(low + 1, high - 1))
        count = 0
        for row in islice(rows, NEAR):
            chunk = ChunkLines(row)
            if is_backward and chunk.last_line <= low:
                return
            yield Span(chunk.first_line, chunk.last_line, 0), chunk
            low, high = (low, chunk.first_line) if is_backward else (chunk.last_line, high)
            count += 1
        if count < NEAR:
            return
    yield from _chunks(view, sorted(_spans(view, match, low, high), reverse=is_backward), is_backward)


def _count_lines(view: LogView) -> int:
    rows = type(view.run).across_tenants.filter(pk=view.run.pk)
    return rows.values_list("line_count", flat=True).first() or 0


def _spans(view: LogView, match: TextMatch, low: int, high: int) -> list[Span]:
    """The chunks of the view between two lines that may hold the text: those that the index lacks, and those that it
    names."""
    of_run = LogChunk.across_tenants.filter(run=view.run)
    chunks = view.chunks.filter(first_line__gt=low - CHUNK_LINES, first_line__lt=high)
    holding = models.Exists(of_run.filter(index_part=models.OuterRef("pk")))
    parts = LogIndexPart.objects.of(view.run.tenant_id)
    while True:
        # In this order a chunk that is indexed meanwhile is met once or twice; and if a part is dropped, all over.
        seen = set(parts.filter(holding).values_list("pk", flat=True))
        spans = _read_spans(chunks.filter(is_sealed=False))
        spans += _read_spans(chunks.filter(is_sealed=True, index_part=None))
        for part in parts.filter(holding):
            seen.add(part.pk)
            named = part.find(match.trigrams)
            if len(named) > IDS_AT_ONCE:  # of all runs
                named &= set(chunks.filter(index_part=part.pk).values_list("pk", flat=True))
            wanted = sorted(named)
            for start in range(0, len(wanted), IDS_AT_ONCE):
                spans += _read_spans(chunks.filter(index_part=part.pk, pk__in=wanted[start : start + IDS_AT_ONCE]))
        if parts.filter(pk__in=seen).count() == len(seen):
            return [span for span in spans if span.last_line > low]


def _read_spans(chunks: models.QuerySet) -> list[Span]:
    rows = chunks.values_list("first_line", "line_count", "pk")
    return [Span(first_line, first_line + line_count - 1, pk) for first_line, line_count, pk in rows]


def _chunks(view: LogView, spans: list[Span], is_backward: bool) -> Iterator[tuple[Span, ChunkLines | None]]:
    """The chunks that now hold the spans' lines, in order; None if none does."""
    of_run = LogChunk.across_tenants.filter(run=view.run)
    start, size = 0, 1
    while start < len(spans):
        ahead = spans[start : start + size]
        start, size = start + size, min(size * 2, READ_AHEAD)
        found = of_run.filter(pk__in=[span.pk for span in ahead]).values_list("pk", *CHUNK_FIELDS)
        rows = {pk: tuple(row) for pk, *row in found}
        for span in ahead:
            row = rows.get(span.pk)
            if row is None:  # merged into another chunk since it was named, or deleted
                line = span.last_line if is_backward else span.first_line
                row = of_run.filter(first_line__lte=line).order_by("-first_line").values_list(*CHUNK_FIELDS).first()
            has_lines = row is not None and row[0] + row[1] > span.first_line
            yield span, ChunkLines(row) if row is not None and has_lines else None
