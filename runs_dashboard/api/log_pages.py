"""Pages of a run's log: by line number wherever that is possible, by a bounded look through it elsewhere."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import F, Sum, Window
from django.db.models.functions import RowNumber

from ..filter_fields import is_uuid
from ..models import LogChunk, LogView, find_in_log
from ..models.log_reading import CHUNK_FIELDS, decode
from .cursors import Page, seal, unseal
from .errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import Entry, Run, Step

FIND_SECONDS = 0.5  # that one call looks for a text


class LogPages:
    """A run's log, filtered, in pages. steps: only theirs, None for all; levels: numbers; text: what a line holds."""

    def __init__(
        self, run: Run, *, steps: list[Step] | None = None, levels: frozenset[int] = frozenset(), text: str = ""
    ) -> None:
        self.run, self.steps, self.levels, self.text = run, steps, levels, text
        self.scope = f"{run.tenant_id}:log:{run.pk}"
        if steps is None:
            self.view = LogView(run, levels=levels)
        else:
            # One attempt, or all attempts of one step: a step's id stands for every attempt of it.
            is_one = len(steps) == 1
            self.view = LogView(run, step=steps[0] if is_one else None, action=steps[0].slug, levels=levels)

    def read(self, query: dict[str, Any]) -> tuple[list[Entry], Page]:
        """The entries asked for by `page`, `cursor`, `after` or `before`, and their page without items."""
        size = query["per_page"]
        ways = [name for name in ("cursor", "after", "before", "page") if query[name] is not None]
        if len(ways) > 1:
            raise Invalid(f"Give one of {' and '.join(ways)}, not both.", "query", ways[0])
        after, before = query["after"], query["before"]
        if query["cursor"]:
            way, _, line = unseal(query["cursor"], self.scope).partition(" ")
            after, before = (int(line), None) if way == "a" else (None, int(line))
        if self.text:
            return self._find(query["page"] or 1, after, before, size)
        if before is not None:
            entries = self.view.before(before, limit=size)
        elif after is not None:
            entries = self.view.after(after, limit=size)
        else:
            entries = self._page(query["page"] or 1, size)
        total, is_lower_bound = self.count()
        page = self._show(entries, after or 0, before or 1, total, is_lower_bound)
        return entries, page

    def _show(self, entries: list[Entry], after: int, before: int, total: int, is_lower_bound: bool) -> Page:
        first, last = (entries[0].line, entries[-1].line) if entries else (after, before)
        has_more = bool(entries) and last < self.run.line_count
        return Page(
            items=[],
            total=total,
            total_is_lower_bound=is_lower_bound,
            current_page=seal(f"a {first - 1 if entries else first}", self.scope),
            current_page_backwards=seal(f"b {last + 1 if entries else last}", self.scope),
            previous_page=seal(f"b {first}", self.scope) if entries and first > 1 else None,
            next_page=seal(f"a {last}", self.scope) if has_more else None,
        )

    def count(self) -> tuple[int, bool]:
        """How many entries there are, up to the limit, and whether there may be more."""
        run = self.run
        if self.steps is None and not self.levels:
            return run.line_count, False
        if self.steps is not None and not self.levels:
            return self.view.chunks.aggregate(n=Sum("line_count"))["n"] or 0, False
        if self.steps is None and self.levels == frozenset({2}):
            return run.warning_count, False
        if self.steps is None and self.levels == frozenset({3, 4}):
            return run.error_count, False
        found = sum(1 for _ in islice(self.view.stream(until=run.line_count), settings.COUNT_LIMIT + 1))
        return min(found, settings.COUNT_LIMIT), found > settings.COUNT_LIMIT

    def _page(self, page: int, size: int) -> list[Entry]:
        skip = (page - 1) * size
        if self.view.is_whole:
            return self.view.after(skip, limit=size) if skip < self.run.line_count else []
        if self.levels:
            self._check_skip(skip)
            return list(islice(self.view.stream(0), skip, skip + size))
        return self._page_of_steps(skip, size)

    def _check_skip(self, skip: int) -> None:
        if skip > settings.COUNT_LIMIT:
            limit = f"{settings.COUNT_LIMIT:,}"
            raise Invalid(f"Beyond {limit} found entries go on by cursor or `after`.", "query", "page")

    def _page_of_steps(self, skip: int, size: int) -> list[Entry]:
        """Every line of a step's chunks counts, so their numbers alone lead to the place."""
        for first_line, count in self.view.chunks.order_by("first_line").values_list("first_line", "line_count"):
            if skip < count:
                return self.view.after(first_line + skip - 1, limit=size)
            skip -= count
        return []

    def _find(self, page: int, after: int | None, before: int | None, size: int) -> tuple[list[Entry], Page]:
        """The same for a text. Where the time was too short, the cursor leads on from where it ended."""
        skip = (page - 1) * size
        self._check_skip(skip)
        # The whole is counted from the beginning, which is also where pages by number begin.
        whole = find_in_log(self.view, self.text, limit=skip + size, is_counting=True, budget_seconds=FIND_SECONDS)
        found, lines = whole, whole.lines[skip:]
        if before is not None:
            found = find_in_log(
                self.view, self.text, before=before, is_backward=True, limit=size, budget_seconds=FIND_SECONDS
            )
            lines = found.lines[::-1]
        elif after is not None:
            found = find_in_log(self.view, self.text, after=after, limit=size, budget_seconds=FIND_SECONDS)
            lines = found.lines
        entries = entries_at(self.run, lines)
        shown = self._show(entries, after or 0, before or 1, whole.count, not whole.is_complete)
        if len(lines) < size:
            edge = seal(f"{'b' if before is not None else 'a'} {found.searched_to_line}", self.scope)
            if before is not None:
                shown.previous_page = None if found.is_complete else edge
            else:
                shown.next_page = None if found.is_complete else edge
        return entries, shown


def entries_at(run: Run, lines: list[int]) -> list[Entry]:
    """The entries with these numbers, ascending: each chunk that holds one is read once."""
    found: list[Entry] = []
    chunk: list[Entry] = []
    first = 0
    for line in lines:
        if not first <= line < first + len(chunk):
            rows = LogChunk.objects.of(run.tenant_id).filter(run=run, first_line__lte=line).order_by("-first_line")
            row = rows.values_list(*CHUNK_FIELDS).first()
            if row is None:
                continue  # deleted meanwhile
            first, chunk = row[0], list(_decode(row))
        if first <= line < first + len(chunk):
            found.append(chunk[line - first])
    return found


def first_entries(run: Run, *, limit: int = 100) -> list[Entry]:
    """The beginning of a log: what a single run's object shows of it."""
    return LogView(run).after(0, limit=limit) if run.line_count else []


def first_entries_of(runs: list[Run], *, levels: frozenset[int] = frozenset(), limit: int) -> dict[int, list[Entry]]:
    """The same for a page of runs, in one query: of each run the first chunks only. primary key → entries."""
    found: dict[int, list[Entry]] = {}
    for run_pk, chunk in _read_chunks(runs, levels=levels, is_newest=False):
        entries = found.setdefault(run_pk, [])
        wanted = (entry for entry in _decode(chunk) if not levels or entry.level in levels)
        entries.extend(islice(wanted, limit - len(entries)))
    return found


def newest_entries_of(
    runs: list[Run], *, levels: frozenset[int], step: str | None, before: int | None
) -> dict[int, tuple[list[Entry], bool, int]]:
    """Of each run the last chunks' entries, the last line first.

    before: of the first run only entries below this line. primary key → entries, whether that is all there is,
    and the lowest line that was looked at.
    """
    found: dict[int, tuple[list[Entry], bool, int]] = {}
    chunks: dict[int, list[tuple[Any, ...]]] = {}
    first = runs[0].pk if runs else 0
    for run_pk, chunk in _read_chunks(runs, levels=levels, is_newest=True, step=step, before=before, first=first):
        chunks.setdefault(run_pk, []).append(chunk)
    for run_pk, rows in chunks.items():
        entries = [
            entry
            for chunk in sorted(rows, reverse=True, key=lambda row: row[0])
            for entry in reversed(list(_decode(chunk)))
            if (not levels or entry.level in levels) and (run_pk != first or before is None or entry.line < before)
        ]
        found[run_pk] = entries, len(rows) < FIRST_CHUNKS, min(row[0] for row in rows)
    return found


FIRST_CHUNKS = 4  # of each run of a list


def _read_chunks(
    runs: list[Run],
    *,
    levels: frozenset[int],
    is_newest: bool,
    step: str | None = None,
    before: int | None = None,
    first: int = 0,
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Of each run the first, or the last, FIRST_CHUNKS chunks that can hold what is wanted: run, chunk."""
    pks = [run.id for run in runs if run.line_count]
    if not pks:
        return
    rows = LogChunk.objects.of(runs[0].tenant_id).filter(run__in=pks)
    if levels:
        rows = rows.annotate(wanted=F("level_mask").bitand(sum(1 << level for level in levels))).filter(wanted__gt=0)
    if step is not None:
        rows = rows.filter(**{"step__uuid" if is_uuid(step) else "step__slug": step})
    if before is not None:
        rows = rows.exclude(run=first, first_line__gte=before)
    order = F("first_line").desc() if is_newest else F("first_line").asc()
    place = Window(RowNumber(), partition_by=F("run_id"), order_by=order)
    near = rows.annotate(place=place).filter(place__lte=FIRST_CHUNKS).values_list("pk", flat=True)
    wanted = LogChunk.objects.of(runs[0].tenant_id).filter(pk__in=list(near)).order_by("run", "first_line")
    for run_pk, *chunk in wanted.values_list("run_id", *CHUNK_FIELDS):
        yield run_pk, tuple(chunk)


def _decode(chunk: tuple[Any, ...]) -> Iterator[Entry]:
    first_line, _count, first_at, body, _mask, action, attempt = chunk
    return decode(first_line, first_at, body, action, attempt)
