"""Pages of runs: by number near the beginning, by cursor anywhere. A page costs the same however deep it lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings

from .cursors import Page, seal, unseal
from .errors import Invalid

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ..models import Run

EPOCH = datetime.fromtimestamp(0, UTC)
HOP = 10_000  # rows that one statement passes over
MAX_HOPS = 100


def count_capped(rows: Any, **order: str) -> tuple[int, bool]:
    """How many rows there are, exact up to the limit (CONTRACT section 3), and whether there are more."""
    found = rows.count_capped(settings.COUNT_LIMIT, is_exact=True, **order)
    return found.number, not found.is_whole


class RunPages:
    """One tenant's runs in the order of their start, or of their making.

    rows: filtered; is_ascending: the oldest first; by: the column of the order, `ordered_at` or `created_at`.
    """

    def __init__(self, rows: QuerySet, *, tenant_id: int, is_ascending: bool = False, by: str = "ordered_at") -> None:
        self.rows, self.is_ascending, self.by = rows, is_ascending, by
        self.scope = f"{tenant_id}:runs:{'up' if is_ascending else 'down'}"

    def read(self, shown: QuerySet, query: dict[str, Any]) -> tuple[list[Run], Page]:
        """The runs that `page` or `cursor` asks for, and their page without items.

        shown: the same rows with the columns to read. A cursor says `f` or `b` (forward from a place, or backward to
        it), and the place: microseconds and number, or nothing for the beginning or the end.
        """
        size, cursor, number = query["per_page"], query["cursor"], query["page"]
        if cursor is not None and number is not None:
            raise Invalid("Give page or cursor, not both.", "query", "cursor")
        is_backward, place = False, None
        if cursor is not None:
            way, _, text = unseal(cursor, self.scope).partition(" ")
            is_backward, place = way == "b", _read_place(text)
        elif number is not None and number > 1:
            place = self.skip((number - 1) * size)
            if place is None:
                return [], self._page([], has_before=True, has_after=False)
        if is_backward:
            found = list(self._from(shown, place, is_backward=True)[: size + 1])
            runs, has_before, has_after = found[:size][::-1], len(found) > size, place is not None
            has_after = has_after and bool(runs) and self._has(runs[-1], is_backward=False)
        else:
            found = list(self._from(shown, place, is_backward=False)[: size + 1])
            runs, has_after = found[:size], len(found) > size
            has_before = place is not None and (not runs or self._has(runs[0], is_backward=True))
        return runs, self._page(runs, has_before=has_before, has_after=has_after)

    def skip(self, count: int) -> tuple[datetime, int] | None:
        """The place before the row that `count` rows precede, in hops that each end in an index; None beyond the end.

        Raises Invalid where a cursor is the way.
        """
        place = None
        if count > HOP * MAX_HOPS and self.count()[1]:
            raise Invalid(f"Beyond {HOP * MAX_HOPS:,} rows go on by cursor, or narrow the filter.", "query", "page")
        while count > 0:
            hop = min(count, HOP)
            rows = self._from(self.rows.order_by(), place, is_backward=False)
            found = rows.values_list(self.by, "id")[hop - 1 : hop].first()
            if found is None:
                return None
            place, count = found, count - hop
        return place

    def count(self) -> tuple[int, bool]:
        """How many rows there are, up to the limit, and whether there are more."""
        return count_capped(self.rows, by=self.by)

    def behind(self, rows: QuerySet, place: tuple[datetime, int] | None) -> QuerySet:
        """The rows behind a place, from the beginning where there is none."""
        return self._from(rows, place, is_backward=False)

    def _from(self, rows: QuerySet, place: tuple[datetime, int] | None, *, is_backward: bool) -> QuerySet:
        """The rows behind a place in the wanted direction, nearest first."""
        is_older = self.is_ascending == is_backward
        if place is not None:
            rows = rows.before(*place, by=self.by) if is_older else rows.after(*place, by=self.by)
        return rows.order_by(f"-{self.by}", "-id") if is_older else rows.order_by(self.by, "id")

    def _has(self, run: Run, *, is_backward: bool) -> bool:
        """Whether there are rows beyond this one."""
        place = run.ordered_at, run.id
        return self._from(self.rows, place, is_backward=is_backward).values("pk")[:1].exists()

    def _page(self, runs: list[Run], *, has_before: bool, has_after: bool) -> Page:
        is_all = not has_before and not has_after and 0 < len(runs) <= settings.COUNT_LIMIT
        total, is_lower_bound = (len(runs), False) if is_all else self.count()
        first = last = ""
        if runs:
            # One number beyond the row, so that the row itself is on the page again.
            forward = 1 if not self.is_ascending else -1
            first = f"{_micros(runs[0].ordered_at)}.{runs[0].id + forward}"
            last = f"{_micros(runs[-1].ordered_at)}.{runs[-1].id - forward}"
        return Page(
            items=[],
            total=total,
            total_is_lower_bound=is_lower_bound,
            current_page=seal(f"f {first}", self.scope),
            current_page_backwards=seal(f"b {last}", self.scope),
            previous_page=seal(f"b {_place(runs[0]) if runs else ''}", self.scope) if has_before else None,
            next_page=seal(f"f {_place(runs[-1])}", self.scope) if has_after else None,
        )


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _place(run: Run) -> str:
    return f"{_micros(run.ordered_at)}.{run.id}"


def _read_place(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    micros, _, pk = text.partition(".")
    return EPOCH + timedelta(microseconds=int(micros)), int(pk)
