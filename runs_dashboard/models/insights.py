"""What runs and steps amount to over a period: sums of roll-ups, exact to the moment, never a scan of runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import connection

from .histogram import quantiles
from .lifecycle import FINAL, Status
from .rollup import (
    DAY,
    HOUR,
    STATUSES,
    VALUE_COLUMNS,
    WEEK,
    Tally,
    hour_of,
    make_tally,
    moment_of,
    places_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from .rollup import Change

COUNT_COLUMNS = (*STATUSES, "warned", "took_ms")
WHOLE = tuple(f'"{name}"' for name in VALUE_COLUMNS)
WITHOUT_WAITS = (*WHOLE[:-1], "'{}'")


@dataclass(frozen=True)
class Span:
    """From one hour to before another (since 1970, UTC)."""

    begin: int
    end: int

    @classmethod
    def between(cls, begin: datetime, end: datetime) -> Span:
        """The hours from begin to before end; both must be whole hours."""
        return cls(hour_of(begin), hour_of(end))

    @property
    def begins_at(self) -> datetime:
        return moment_of(self.begin)

    @property
    def ends_at(self) -> datetime:
        return moment_of(self.end)

    @property
    def hours(self) -> int:
        return self.end - self.begin

    def longer(self, hours: int) -> Span:
        """The span that ends so many hours later."""
        return Span(self.begin, self.end + hours)

    @property
    def before(self) -> Span:
        """The span of the same length that ends where this one begins."""
        return Span(self.begin - self.hours, self.begin)

    def covers(self, hour: int) -> bool:
        return self.begin <= hour < self.end

    def cut(self) -> list[tuple[int, int, int]]:
        """The largest cells that make it up: (level, from, before)."""
        return [part for part in _cut(self.begin, self.end, (WEEK, DAY, HOUR)) if part[1] < part[2]]


def _cut(begin: int, end: int, levels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    level, *smaller = levels
    first, last = -(-begin // level) * level, end // level * level
    if not smaller:
        return [(level, begin, end)]
    if first >= last:
        return _cut(begin, end, tuple(smaller))
    return [*_cut(begin, first, tuple(smaller)), (level, first, last), *_cut(last, end, tuple(smaller))]


@dataclass
class Figures(Tally):
    """What some runs or steps amount to. Durations are of those that succeeded, in milliseconds."""

    @property
    def runs(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        return sum(self.counts[status] for status in FINAL)

    @property
    def going(self) -> int:
        return self.runs - self.ended

    @property
    def succeeded(self) -> int:
        return self.counts[Status.SUCCEEDED]

    @property
    def failed(self) -> int:
        return self.counts[Status.FAILED]

    @property
    def stopped(self) -> int:
        return self.counts[Status.STOPPED]

    @property
    def success(self) -> float | None:
        """The part of those that succeeded or failed; a run that somebody stopped tells nothing."""
        told = self.succeeded + self.failed
        return self.succeeded / told if told else None

    @property
    def median(self) -> float | None:
        return self.times[0]

    @property
    def p95(self) -> float | None:
        return self.times[1]

    @cached_property
    def times(self) -> tuple[float | None, ...]:
        """The median and the 95th percentile. Ask once everything is summed up: it is told once."""
        return quantiles(self.took)

    @property
    def mean(self) -> float | None:
        return self.took_ms / self.succeeded if self.succeeded else None

    @cached_property
    def waits(self) -> tuple[float | None, ...]:
        """The same of the time from being queued to the start."""
        return quantiles(self.waited)

    @property
    def waited_median(self) -> float | None:
        return self.waits[0]

    @property
    def waited_p95(self) -> float | None:
        return self.waits[1]


@dataclass
class Insights:
    """A tenant's figures, all of one moment: made by `look` (folding.py)."""

    tenant: int
    changes: list[Change] = field(default_factory=list)

    def by(self, kind: str, span: Span, *, flow: int = 0) -> dict[str, Figures]:
        """Counts by user, flow or component, without their durations' quantiles; flow: of this one alone."""
        found: dict[str, Figures] = {}
        sums = [f'SUM("{name}")' for name in COUNT_COLUMNS]
        for key, *values in self._read(["key", *sums], kind, span, flow=flow, is_grouped=True):
            *counts, warned, took_ms = map(int, values)  # PostgreSQL sums up to decimals
            found[key] = Figures(dict(zip(STATUSES, counts, strict=True)), warned, took_ms)
        for key, change in self._waiting(kind, span, flow):
            found.setdefault(key, Figures()).take(change)
        for figures in found.values():
            figures.took, figures.waited = {}, {}
        return {key: figures for key, figures in found.items() if figures.runs}

    def whole(
        self, kind: str, span: Span, *, flow: int = 0, keys: Collection[str] | None = None, has_waits: bool = True
    ) -> dict[str, Figures]:
        """The same with the durations, and the waits if they are wanted; keys: of these alone."""
        found: dict[str, Figures] = {}
        columns = WHOLE if has_waits else WITHOUT_WAITS
        for key, *values in self._read(["key", *columns], kind, span, flow=flow, keys=keys):
            found.setdefault(key, Figures()).add(make_tally(tuple(values)))
        for key, change in self._waiting(kind, span, flow):
            if keys is None or key in keys:
                found.setdefault(key, Figures()).take(change)
        return {key: figures for key, figures in found.items() if figures.runs}

    def total(self, span: Span, *, flow: int = 0) -> Figures:
        """Of all runs, or of a flow's."""
        kind, key = ("flow", str(flow)) if flow else ("total", "")
        return self.whole(kind, span, keys=[key]).get(key, Figures())

    def series(self, span: Span, level: int, *, flow: int = 0) -> dict[int, Figures]:
        """Of each hour, day or week (of its first hour) in which there was a run."""
        kind, key = ("flow", str(flow)) if flow else ("total", "")
        found = {}
        for begin, *values in self._read(['"begin"', *WHOLE], kind, span, level=level, keys=[key]):
            found[begin] = figures = Figures()
            figures.add(make_tally(tuple(values)))
        for name, change in self._waiting(kind, span, 0):
            if name == key:
                found.setdefault(change.hour // level * level, Figures()).take(change)
        return {begin: figures for begin, figures in found.items() if figures.runs}

    def _read(
        self,
        columns: list[str],
        kind: str,
        span: Span,
        *,
        flow: int = 0,
        level: int | None = None,
        keys: Collection[str] | None = None,
        is_grouped: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Columns of the cells that make up a span; level: cells of that length alone.

        In plain SQL: a query set takes longer to put the question than the database to answer it.
        """
        parts = span.cut() if level is None else [(level, span.begin, span.end)]
        if not parts or (keys is not None and not keys):
            return []
        ranges = " OR ".join(['(level = %s AND "begin" >= %s AND "begin" < %s)'] * len(parts))
        values: list[Any] = [self.tenant, kind, flow, *(value for part in parts for value in part)]
        statement = (
            f"SELECT {', '.join(columns)} FROM runs_dashboard_rollupcell"  # noqa: S608  (names of our own)
            f' WHERE tenant_id = %s AND "by" = %s AND flow = %s AND ({ranges})'
        )
        if keys is not None:
            statement += f" AND key IN ({', '.join(['%s'] * len(keys))})"
            values += keys
        with connection.cursor() as cursor:
            cursor.execute(statement + " GROUP BY key" * is_grouped, values)
            return cursor.fetchall()

    def _waiting(self, kind: str, span: Span, flow: int) -> list[tuple[str, Change]]:
        """The changes not yet folded that count there, each with its key."""
        return [
            (key, change)
            for change in self.changes
            if span.covers(change.hour)
            for by, of_flow, key in places_of(change.flow_id, change.user_id, change.component)
            if by == kind and of_flow == flow
        ]
