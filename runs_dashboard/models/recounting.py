"""Roll-ups counted afresh from the runs and steps that there are, while everything goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, models, transaction

from .folding import fold, lock
from .rollup import WEEK, RollupCell, RollupChange, RollupState, hour_of, moment_of
from .run import Run
from .tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGE_COLUMNS = "sign, is_news, tenant_id, flow_id, user_id, component, status, hour, took_ms, waited_ms, warned"


def hour_sql(time: str) -> str:
    """The hour since 1970 that a time lies in. (SQLite would round a time just before the hour up.)"""
    if connection.vendor == "sqlite":
        return f"(CAST(strftime('%s', substr({time}, 1, 19)) AS INTEGER) + 360000000000) / 3600 - 100000000"
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {time}) / 3600) AS bigint)"


def took_sql(begin: str, end: str) -> str:
    """Whole milliseconds between two times; NULL if one is not known."""
    if connection.vendor == "sqlite":  # whose own arithmetic rounds each time first
        seconds, micros = "CAST(strftime('%s', substr({0}, 1, 19)) AS INTEGER)", "CAST(substr({0}, 21, 6) AS INTEGER)"
        first, last = (f"({seconds} * 1000000 + {micros})".format(time) for time in (begin, end))
        return f"({last} - {first}) / 1000"
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM ({end} - {begin})) * 1000) AS bigint)"


def run_sql(sign: int, *, run: str = "run", is_news: bool = True) -> str:
    """What a run counts as: the values of CHANGE_COLUMNS; run: what its row is called."""
    waited = took_sql(f"{run}.created_at", f"{run}.started_at")
    return (
        f"{sign}, {int(is_news)}, {run}.tenant_id, {run}.flow_id, {run}.created_by_id, NULL, {run}.status,"
        f" {hour_sql(f'{run}.ordered_at')}, {took_sql(f'{run}.started_at', f'{run}.finished_at')},"
        f" CASE WHEN {run}.is_external THEN NULL ELSE {waited} END, CASE WHEN {run}.has_warnings THEN 1 ELSE 0 END"
    )


def step_sql(sign: int, *, run: str = "run", step: str = "step", is_news: bool = True) -> str:
    """The same of a step."""
    return (
        f"{sign}, {int(is_news)}, {run}.tenant_id, {run}.flow_id, NULL, {step}.component, {step}.status,"
        f" {hour_sql(f'{run}.ordered_at')}, {took_sql(f'{step}.started_at', f'{step}.finished_at')}, NULL, 0"
    )


def recount(tell: Callable[[str], None] | None = None) -> int:
    """Counts all runs and steps that there are afresh, a week at a time, while everything goes on. Returns the weeks.

    For figures that were lost (triggers missing for a while), not for daily use: it reads everything.
    """
    weeks = _find_weeks()
    for done, begin in enumerate(weeks, 1):
        _recount_week(begin)
        while fold():
            continue
        if tell:
            tell(f"{done} of {len(weeks)} weeks")
    return len(weeks)


def clear() -> None:
    """No runs, no figures: what deleting everything has left behind. What counts for ever stays."""
    for model in (RollupCell, RollupChange):
        rows = model.across_tenants.all()
        rows._raw_delete(rows.db)


def _find_weeks() -> list[int]:
    """The weeks of which there are runs, cells or changes, newest first."""
    cells = RollupCell.across_tenants.order_by().filter(level=WEEK)
    weeks = set(cells.values_list("begin", flat=True).distinct())
    for tenant in Tenant.objects.values_list("pk", flat=True):
        rows = Run.across_tenants.filter(tenant=tenant).order_by("ordered_at").values_list("ordered_at", flat=True)
        at = rows.first()
        while at is not None:
            begin = hour_of(at) // WEEK * WEEK
            weeks.add(begin)
            at = rows.filter(ordered_at__gte=moment_of(begin + WEEK)).first()
    return sorted(weeks, reverse=True)


def _recount_week(begin: int) -> None:
    """Puts what there is of a week into the changes, instead of its cells and of the changes that wait.

    One statement sees one moment: what waits then is taken back, what there is then is added.
    """
    times = [connection.ops.adapt_datetimefield_value(moment_of(hour)) for hour in (begin, begin + WEEK)]
    runs, steps = run_sql(1, is_news=False), step_sql(1, is_news=False)
    with transaction.atomic():
        lock(is_patient=True)
        old = RollupCell.across_tenants.filter(begin__gte=begin, begin__lt=begin + WEEK)
        old._raw_delete(old.db)
        RollupState.objects.filter(pk=1).update(generation=models.F("generation") + 1)
        within = "run.ordered_at >= %s AND run.ordered_at < %s"
        statement = (
            f"INSERT INTO runs_dashboard_rollupchange ({CHANGE_COLUMNS})"  # noqa: S608  (names of our own)
            f" SELECT {runs.replace('%', '%%')} FROM runs_dashboard_run run WHERE {within}"
            f" UNION ALL SELECT {steps.replace('%', '%%')} FROM runs_dashboard_run run"
            f" JOIN runs_dashboard_step step ON step.run_id = run.id WHERE {within} AND step.kept_from_id IS NULL"
            " UNION ALL SELECT -sign, 0, tenant_id, flow_id, user_id, component, status, hour, took_ms, waited_ms,"
            " warned FROM runs_dashboard_rollupchange WHERE hour >= %s AND hour < %s"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, [*times, *times, begin, begin + WEEK])
