"""How much is kept: runs and bytes of log by flow and day, counted in the background so that no page reads the runs.

A day is the UTC day on which runs ended. Days that are over hardly change, so a day is counted until ten minutes after
its end and then left alone, unless something of it is marked: what deletes runs of it, or reports them late, marks it
in its own transaction, and the next count takes it anew. A mark that comes while a day is counted stays.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from .tenant import TenantRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .run import Run

SETTLE = timedelta(minutes=10)  # a transaction that ends a run, and the lines that come late, are over by then
DAY = timedelta(days=1)


class StoredDay(TenantRow):
    """The ended runs of a flow that ended on one day."""

    flow = models.ForeignKey("Flow", on_delete=models.CASCADE, related_name="stored_days", db_index=False)
    day = models.DateField()
    runs = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    marks = models.BigIntegerField(default=0, help_text="How often something of the day has changed since it was over.")
    is_stale = models.BooleanField(default=False)
    is_settled = models.BooleanField(default=False)

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["flow", "day"], name="stored_day_once")]
        indexes = [
            models.Index(fields=["tenant", "day"], name="stored_day_of_tenant"),
            models.Index(fields=["day"], name="stored_day_settled", condition=models.Q(is_settled=True)),
            models.Index(fields=["day"], name="stored_day_stale", condition=models.Q(is_stale=True)),
        ]

    def __str__(self) -> str:
        return f"{self.flow}, {self.day}"

    @classmethod
    def mark(cls, ended: Iterable[tuple[int, int, datetime | None]]) -> None:
        """Says that runs of these days have changed or gone. Call it in the transaction that changes them.

        ended: tenant, flow and end of each run. The day that is going on is counted anyway.
        """
        today = timezone.now().date()
        days = {(tenant, flow, day_of(at)) for tenant, flow, at in ended if at is not None and day_of(at) != today}
        if not days:
            return
        rows = [cls(tenant_id=tenant, flow_id=flow, day=day) for tenant, flow, day in sorted(days)]
        cls.across_tenants.bulk_create(rows, ignore_conflicts=True)
        for _, flow, day in sorted(days):
            cls.across_tenants.filter(flow=flow, day=day).update(is_stale=True, marks=models.F("marks") + 1)


def mark_run(run: Run) -> None:
    """The same for one run, if it has ended."""
    StoredDay.mark([(run.tenant_id, run.flow_id, run.finished_at)])


def day_of(at: datetime) -> date:
    """The day in UTC."""
    return at.astimezone(UTC).date()


def count_storage(limit_seconds: float = 60.0) -> int:
    """Counts the days that are not settled, or marked. Returns how many; stopped anywhere, the next call goes on."""
    end = time.monotonic() + limit_seconds
    counted = 0
    stale = StoredDay.across_tenants.filter(is_stale=True).order_by("day").values_list("day", flat=True).distinct()
    for day in list(stale):
        count_day(day)
        counted += 1
        if time.monotonic() > end:
            return counted
    settled = StoredDay.across_tenants.filter(is_settled=True).order_by("-day").values_list("day", flat=True).first()
    day = settled + DAY if settled is not None else date.min
    while (next_day := _find_day(day)) is not None:
        count_day(next_day)
        counted += 1
        day = next_day + DAY
        if time.monotonic() > end:
            break
    return counted


def count_day(day: date) -> None:
    """Counts one day anew."""
    from .run import Run

    start = midnight(day)
    known = {row.flow_id: row for row in StoredDay.across_tenants.filter(day=day)}
    is_settled = timezone.now() > start + DAY + SETTLE
    ended = Run.across_tenants.filter(finished_at__gte=start, finished_at__lt=start + DAY).order_by()
    found = ended.values_list("tenant_id", "flow_id").annotate(models.Count("pk"), models.Sum("log_bytes"))
    new = []
    for tenant, flow, runs, log_bytes in found:
        row = known.pop(flow, None)
        if row is None:
            new.append(
                StoredDay(
                    tenant_id=tenant, flow_id=flow, day=day, runs=runs, log_bytes=log_bytes, is_settled=is_settled
                )
            )
        elif (row.runs, row.log_bytes, row.is_settled, row.is_stale) != (runs, log_bytes, is_settled, False):
            _keep(row, runs=runs, log_bytes=log_bytes, is_settled=is_settled)
    # One that somebody marked a moment ago is there already: the next count takes it.
    StoredDay.across_tenants.bulk_create(new, ignore_conflicts=True)
    for row in known.values():
        _keep(row, runs=0, log_bytes=0, is_settled=is_settled)


def _keep(row: StoredDay, **counted: int) -> None:
    """Writes what was counted, unless the day was marked since its row was read."""
    StoredDay.across_tenants.filter(pk=row.pk, marks=row.marks).update(is_stale=False, **counted)


def _find_day(day: date) -> date | None:
    """The first day from this one on, up to now, on which a run has ended: days without runs cost nothing."""
    from .run import Run

    ended = Run.across_tenants.filter(finished_at__lte=timezone.now()).order_by("finished_at")
    if day > date.min:
        ended = ended.filter(finished_at__gte=midnight(day))
    at = ended.values_list("finished_at", flat=True).first()
    return day_of(at) if at is not None else None


def midnight(day: date) -> datetime:
    return datetime.combine(day, clock_time(), UTC)
