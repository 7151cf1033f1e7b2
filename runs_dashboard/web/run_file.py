"""The runs of a list as CSV, a batch in memory at a time: RFC 4180, safe for spreadsheets, times in UTC."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.db import connections

from ..models import RunTag, TrackedData
from ..text.ansi import strip
from ..text.export import neutralise
from .words import say_instant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from datetime import datetime

    from ..models.run_set import RunQuerySet

LIMIT = 100_000  # runs of one file
BATCH = 1_000
COLUMNS = {
    "id": "uid",
    "flow": "flow__slug",
    "flow_name": "flow__name",
    "version": "version__number",
    "status": "status",
    "trigger": "trigger",
    "started_by": "created_by__username",
    "environment": "environment_version__environment__name",
    "attempt": "attempt",
    "created_at": "created_at",
    "started_at": "started_at",
    "finished_at": "finished_at",
    "took_ms": "took_ms",
    "warnings": "warning_count",
    "errors": "error_count",
    "lines": "line_count",
    "error_step": "error_step",
    "error": "error",
    "retried": "is_retried",
    "reviewed_at": "reviewed_at",
}
PLACE = ("id", "ordered_at")  # read before the columns: where the next batch goes on


def write_csv(runs: RunQuerySet, *, is_newest_first: bool = True) -> Iterator[bytes]:
    """The header, then the runs in the list's order; where they are cut, a last line says so."""
    yield _write([[*COLUMNS, "tags", "tracked"]])
    place: tuple[datetime, int] | None = None
    left = LIMIT
    while left:
        wanted = min(BATCH, left)
        rows = _read(runs, place, wanted, is_newest_first=is_newest_first)
        yield _write(_make_cells(rows))
        left -= len(rows)
        if len(rows) < wanted:
            return
        place = (rows[-1][1], rows[-1][0])
    if _read(runs, place, 1, is_newest_first=is_newest_first):
        yield _write([[f"Only the first {LIMIT:,} runs are here: narrow the filter for the others."]])


async def write_csv_async(runs: RunQuerySet, *, is_newest_first: bool = True) -> AsyncIterator[bytes]:
    """The same for ASGI, where a plain iterator would be read whole first; no connection is held in between."""
    pieces = write_csv(runs, is_newest_first=is_newest_first)
    while piece := await asyncio.to_thread(_next, pieces):
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes:
    try:
        return next(pieces, b"")
    finally:
        connections.close_all()


def _read(
    runs: RunQuerySet, place: tuple[datetime, int] | None, count: int, *, is_newest_first: bool
) -> list[tuple[Any, ...]]:
    if place is not None:
        runs = runs.before(*place) if is_newest_first else runs.after(*place)
    order = ("-ordered_at", "-id") if is_newest_first else ("ordered_at", "id")
    return list(runs.order_by(*order).values_list(*PLACE, *COLUMNS.values())[:count])


def _make_cells(rows: list[tuple[Any, ...]]) -> Iterator[list[str]]:
    pks = [row[0] for row in rows]
    tags, tracked = _read_pairs(RunTag, pks, ":"), _read_pairs(TrackedData, pks, "=")
    for row in rows:
        yield [*map(_say, row[len(PLACE) :]), neutralise(tags[row[0]]), neutralise(tracked[row[0]])]


def _read_pairs(model: type[RunTag | TrackedData], pks: list[int], sign: str) -> dict[int, str]:
    """The runs' pairs, `key=value` with blanks between."""
    found = defaultdict[int, list[str]](list)
    for pk, key, value in model.hanging_on(pks).order_by("key", "id").values_list("run_id", "key", "value"):
        found[pk].append(f"{key}{sign}{value}")
    return defaultdict(str, {pk: " ".join(pairs) for pk, pairs in found.items()})


def _say(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return neutralise(strip(value)) if isinstance(value, str) else say_instant(value)


def _write(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
