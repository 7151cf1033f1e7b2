"""Pages of runs by key: a page a million rows down costs what the first one costs, and rows do not slide."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import Run
    from ..models.run_set import RunQuerySet

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Cursor:
    """A place in the list: beyond the row (at, pk), towards the older or the newer rows."""

    is_older: bool
    at: datetime
    pk: int

    def __str__(self) -> str:
        text = f"{'o' if self.is_older else 'n'}{(self.at - EPOCH) // MICROSECOND}.{self.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """The cursor that `str` wrote; None for any other text, which then means the first page."""
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
            moment, _, pk = plain[1:].partition(".")
            if plain[:1] not in ("o", "n") or len(pk) > 18 or len(moment) > 18:
                return None
            return cls(plain[0] == "o", EPOCH + int(moment) * MICROSECOND, int(pk))
        except (binascii.Error, ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class Page:
    """Rows in the order of display, and the cursors of the pages beside it; empty where there is none."""

    rows: list[Run]
    newer: str
    older: str


def cut_page(runs: RunQuerySet, cursor: Cursor | None, *, size: int, is_newest_first: bool = True) -> Page:
    """One page of at most `size` runs."""
    towards_older = cursor.is_older if cursor else is_newest_first
    if cursor:
        runs = runs.before(cursor.at, cursor.pk) if cursor.is_older else runs.after(cursor.at, cursor.pk)
    order = ("-ordered_at", "-id") if towards_older else ("ordered_at", "id")
    rows = list(runs.order_by(*order)[: size + 1])
    has_more = len(rows) > size
    rows = rows[:size]
    if towards_older != is_newest_first:
        rows.reverse()
    if not rows:
        return Page([], "", "")
    newest, oldest = (rows[0], rows[-1]) if is_newest_first else (rows[-1], rows[0])
    # A page that was reached by a cursor has the page it came from beside it.
    has_older = has_more if towards_older else cursor is not None
    has_newer = cursor is not None if towards_older else has_more
    return Page(
        rows,
        newer=str(Cursor(False, newest.ordered_at, newest.pk)) if has_newer else "",
        older=str(Cursor(True, oldest.ordered_at, oldest.pk)) if has_older else "",
    )
