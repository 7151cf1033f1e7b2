"""Folding: what changed is added to the roll-ups' cells, and both are read as of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from .flow import Flow
from .histogram import encode
from .insights import Insights, Span
from .lifecycle import FINAL, Status
from .rollup import (
    DAY,
    HOUR,
    HOURS_KEPT,
    KEY_COLUMNS,
    LEVELS,
    VALUE_COLUMNS,
    CellKey,
    RollupCell,
    RollupChange,
    RollupState,
    Tally,
    hour_of,
    make_tally,
    places_of,
    read_changes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .rollup import Change
    from .tenant import Tenant

T = TypeVar("T")

FOLD_BATCH = 4_000
CELLS_AT_ONCE = 120  # rows in one question, below SQLite's bound on parameters
TRIES = 3
FOLDS_FIRST = 10  # of a reader who finds more changes than a fold takes: nobody else seems to fold
USUAL_DAYS = 30
_TABLE = "runs_dashboard_rollupcell"


def fold(batch: int = FOLD_BATCH) -> int:
    """Adds the oldest changes to the cells. Returns how many; 0 too while somebody else folds.

    No cursor is kept: a change that commits late is there at the next call.
    """
    with transaction.atomic():
        state = lock()
        if state is None:
            return 0
        changes = read_changes(RollupChange.across_tenants.order_by("id")[:batch])
        if not changes:
            return 0
        _move_horizon(state)
        cells = _sum_up(changes, state.hours_from)
        _write(cells)
        with connection.cursor() as cursor:  # the query set takes longer to write the numbers than all the rest
            numbers = ", ".join(str(change.id) for change in changes)
            cursor.execute(f"DELETE FROM runs_dashboard_rollupchange WHERE id IN ({numbers})")  # noqa: S608
        _count_for_ever(state, changes)
        state.generation += 1
        state.save()
        touched = {
            (change.tenant_id, change.flow_id)
            for change in changes
            if change.component is None and change.status == Status.SUCCEEDED
        }
        for tenant in {tenant for tenant, _ in touched}:
            learn_durations(tenant, [flow for of, flow in touched if of == tenant])
    return len(changes)


def fold_all() -> int:
    """Folds until nothing is left. Returns how many changes it were."""
    total = 0
    while count := fold():
        total += count
    return total


def lock(*, is_patient: bool = False) -> RollupState | None:
    """The one row, locked until the transaction ends; None while somebody else holds it, unless one is patient."""
    RollupState.objects.bulk_create([RollupState(pk=1)], ignore_conflicts=True)
    return RollupState.objects.select_for_update(skip_locked=not is_patient).filter(pk=1).first()


def _move_horizon(state: RollupState) -> None:
    horizon = hour_of(timezone.now()) // DAY * DAY - HOURS_KEPT
    if horizon > state.hours_from:
        state.hours_from = horizon
        old = RollupCell.across_tenants.filter(level=HOUR, begin__lt=horizon)
        old._raw_delete(old.db)


def _sum_up(changes: Iterable[Change], hours_from: int) -> dict[CellKey, Tally]:
    base: dict[tuple[int, int, int, int | None, str | None], Tally] = {}
    for change in changes:
        key = change.tenant_id, change.hour, change.flow_id, change.user_id, change.component
        tally = base.get(key)
        if tally is None:
            tally = base[key] = Tally()
        tally.take(change)
    cells: dict[CellKey, Tally] = {}
    for (tenant, hour, flow, user, component), tally in base.items():
        for level in LEVELS if hour >= hours_from else LEVELS[1:]:
            for by, of_flow, name in places_of(flow, user, component):
                place = CellKey(tenant, by, of_flow, level, hour // level * level, name)
                if place in cells:
                    cells[place].add(tally)
                else:
                    cells[place] = fresh = Tally()
                    fresh.add(tally)
    return cells


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _write(cells: dict[CellKey, Tally]) -> None:
    """Adds the tallies to what the cells hold. Whoever calls holds the lock: nobody else writes cells."""
    keys = list(cells)
    empty = []
    rows: list[Any] = []
    for begin in range(0, len(keys), CELLS_AT_ONCE):
        for key, held in _read(keys[begin : begin + CELLS_AT_ONCE]):
            cells[key].add(held)
    for key, tally in cells.items():
        if tally.is_empty:
            empty.append(key)
            continue
        rows.append(
            (*key, *tally.counts.values(), tally.warned, tally.took_ms, encode(tally.took), encode(tally.waited))
        )
    signs = ", ".join(["%s"] * (len(KEY_COLUMNS) + len(VALUE_COLUMNS)))
    new = ", ".join(f'"{name}" = excluded."{name}"' for name in VALUE_COLUMNS)
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(
                f"INSERT INTO {_TABLE} ({_columns(KEY_COLUMNS)}, {_columns(VALUE_COLUMNS)}) VALUES ({signs})"  # noqa: S608
                f" ON CONFLICT ({_columns(KEY_COLUMNS)}) DO UPDATE SET {new}",
                rows,
            )
        if empty:
            wanted = " AND ".join(f'"{name}" = %s' for name in KEY_COLUMNS)
            cursor.executemany(f"DELETE FROM {_TABLE} WHERE {wanted}", empty)  # noqa: S608  (names of our own)


def _read(keys: list[CellKey]) -> Iterator[tuple[CellKey, Tally]]:
    signs = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_columns(KEY_COLUMNS)}, {_columns(VALUE_COLUMNS)} FROM {_TABLE}"  # noqa: S608  (names of our own)
            f" WHERE ({_columns(KEY_COLUMNS)}) IN (VALUES {signs})",
            [value for key in keys for value in key],
        )
        found = cursor.fetchall()
    for row in found:
        yield CellKey._make(row[:6]), make_tally(row[6:])


def _count_for_ever(state: RollupState, changes: Iterable[Change]) -> None:
    tally = Tally()
    for change in changes:
        if change.is_news and change.component is None:
            tally.take(change)
    for status in FINAL:
        setattr(state, status, getattr(state, status) + tally.counts[status])
    state.took_ms += tally.took_ms


def learn_durations(tenant: int, flows: Iterable[int]) -> None:
    """Gives flows their usual duration: the median of the runs that succeeded in the last 30 days.

    A flow that nothing has succeeded of lately keeps what it had.
    """
    today = hour_of(timezone.now()) // DAY * DAY
    span = Span(today - USUAL_DAYS * DAY, today + DAY)
    found = Insights(tenant).whole("flow", span, keys=[str(pk) for pk in flows])
    for pk, figures in found.items():
        if (usual := figures.median) is not None:
            Flow.across_tenants.filter(pk=int(pk)).exclude(usual_ms=round(usual)).update(usual_ms=round(usual))


# --- reading ------------------------------------------------------------------------------------------------------


def look(tenant: Tenant | int, span: Span, read: Callable[[Insights], T]) -> T:
    """What `read` reads of the figures of a period (all that it asks for lies within it), as of one moment.

    While somebody folds, cells and changes would not fit together: it is read again, at last with folding held up.
    """
    pk = tenant if isinstance(tenant, int) else tenant.pk
    waiting = RollupChange.objects.of(pk).filter(hour__gte=span.begin, hour__lt=span.end)
    for _ in range(FOLDS_FIRST):
        if waiting.values("pk")[: FOLD_BATCH + 1].count() <= FOLD_BATCH or not fold():
            break
    for _ in range(TRIES):
        generation = _generation()
        found = read(Insights(pk, read_changes(waiting)))
        if _generation() == generation:
            return found
    with transaction.atomic():
        RollupState.objects.select_for_update().filter(pk=1).first()
        return read(Insights(pk, read_changes(waiting)))


def _generation() -> int | None:
    return RollupState.objects.filter(pk=1).values_list("generation", flat=True).first()


def count_for_ever() -> dict[str, int]:
    """How many runs of all tenants have ended in each way, and their time in `took_ms`, whatever was deleted since."""
    names = [*sorted(FINAL), "took_ms"]
    fresh = RollupChange.across_tenants.filter(component=None, is_news=1)

    def read() -> dict[str, int]:
        row = RollupState.objects.filter(pk=1).values_list(*names).first() or [0] * len(names)
        tally = Tally()
        for change in read_changes(fresh):
            tally.take(change)
        counts = {**tally.counts, "took_ms": tally.took_ms}
        return {name: int(kept) + counts[name] for name, kept in zip(names, row, strict=True)}

    for _ in range(TRIES):
        generation = _generation()
        found = read()
        if _generation() == generation:
            return found
    with transaction.atomic():
        RollupState.objects.select_for_update().filter(pk=1).first()
        return read()
