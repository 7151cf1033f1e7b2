"""Places in a log that one jumps to, and what its ruler shows of the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.db import models

from .log_match import split_records
from .log_reading import LogView

if TYPE_CHECKING:
    from .run import Run

WARNING, ERROR = 2, 3
LEVELS_FROM = {WARNING: frozenset({2}), ERROR: frozenset({3, 4})}
MARKS = 200  # of one level on the ruler
EXACT_CHUNKS = 24  # looked into for the very lines; of more, only where they lie is said


class Mark(NamedTuple):
    """Lines `first` to `last` hold at least one of this level: 2 for warnings, 3 for errors and worse."""

    first: int
    last: int
    level: int


def first_error(run: Run) -> int | None:
    """The number of the log's first line that is an error or worse; None if it has none."""
    found = LogView(run, levels=LEVELS_FROM[ERROR]).read_after(0, limit=1).entries
    return found[0].line if found else None


def read_marks(run: Run) -> list[Mark]:
    """Where the log's warnings and errors are: a bounded number of marks, however long it is."""
    if not run.line_count:
        return []
    return [
        *(_marks(run, WARNING) if run.warning_count else ()),
        *(_marks(run, ERROR) if run.error_count else ()),
    ]


def _marks(run: Run, level: int) -> list[Mark]:
    chunks = LogView(run, levels=LEVELS_FROM[level]).chunks
    bodies = list(chunks.order_by("first_line").values_list("first_line", "body")[: EXACT_CHUNKS + 1])
    if len(bodies) <= EXACT_CHUNKS:
        letters = "2" if level == WARNING else "34"
        lines = [
            first_line + place
            for first_line, body in bodies
            for place, record in enumerate(split_records(body))
            if record[0] in letters
        ]
        return _join([(line, line) for line in lines], run.line_count, level)
    size = max(1, -(-run.line_count // MARKS))
    rows = (
        chunks.annotate(place=models.F("first_line") / size)
        .values("place")
        .annotate(first=models.Min("first_line"), last=models.Max(models.F("first_line") + models.F("line_count") - 1))
        .order_by("place")
        .values_list("first", "last")
    )
    return _join(list(rows), run.line_count, level)


def _join(spans: list[tuple[int, int]], line_count: int, level: int) -> list[Mark]:
    """Spans nearer to each other than the ruler can tell become one mark."""
    near = line_count // MARKS
    marks: list[Mark] = []
    for first, last in spans:
        if marks and first - marks[-1].last <= near and last - marks[-1].first <= 2 * near:
            marks[-1] = marks[-1]._replace(last=max(last, marks[-1].last))
        else:
            marks.append(Mark(first, last, level))
    return marks
