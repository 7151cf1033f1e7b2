"""Roll-ups: what runs and steps amount to by hour, day and week, so that no page and no counter ever scans them.

Triggers (rollup_triggers.py) write a row into `RollupChange` for all that a run or a step becomes and ceases to be, in
the transaction that changes it. `fold` (folding.py) adds these rows to the cells and deletes them, in one transaction.
So at any moment the cells and the changes not yet folded are together exactly what is there, whoever changed it and
however: nothing is counted twice or missed, and no two writers wait for one row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import models

from .histogram import Histogram, add, bucket_of, decode
from .lifecycle import Status
from .tenant import Tenant, TenantQuerySet, TenantRow, tenant_managers

HOUR, DAY, WEEK = 1, 24, 168  # levels of cells, in hours; days and weeks begin at midnight UTC, weeks on Thursdays
LEVELS = (HOUR, DAY, WEEK)
HOURS_KEPT = 8 * DAY  # cells of single hours older than it are dropped: the pages ask for those of a week at most
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY_COLUMNS = ("tenant_id", "by", "flow", "level", "begin", "key")
LAST = datetime.max.replace(tzinfo=UTC)
STATUSES = tuple(str(status) for status in Status)
_SUCCEEDED = str(Status.SUCCEEDED)
VALUE_COLUMNS = (*STATUSES, "warned", "took_ms", "took", "waited")


class RollupChange(TenantRow):
    """What a run (`component` null) or a step has become (`sign` 1) or ceased to be (−1), not yet in the cells."""

    # Deleting everything, as tests do, leaves changes of tenants that are gone for a moment.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+", editable=False
    )
    flow_id = models.BigIntegerField(editable=False)
    user_id = models.BigIntegerField(null=True, editable=False)
    component = models.CharField(max_length=100, null=True, editable=False)
    status = models.CharField(max_length=10, editable=False)
    hour = models.BigIntegerField(editable=False, help_text="Of the run's start, or of its making while it waits.")
    took_ms = models.BigIntegerField(null=True, editable=False)
    waited_ms = models.BigIntegerField(null=True, editable=False, help_text="Null: another engine's.")
    warned = models.SmallIntegerField(editable=False)
    sign = models.SmallIntegerField(editable=False)
    is_news = models.SmallIntegerField(editable=False, help_text="1: no deletion and no recount, it counts for ever.")

    class Meta(TenantRow.Meta):
        verbose_name = "roll-up change"

    def __str__(self) -> str:
        return f"{self.sign:+} {self.status}"


class RollupCellQuerySet(TenantQuerySet):
    def components(self) -> models.QuerySet:
        """The names of the components that steps have or had."""
        cells = self.filter(by=RollupCell.By.COMPONENT, flow=0, level=WEEK)
        return cells.order_by("key").values_list("key", flat=True).distinct()


class RollupCell(TenantRow):
    """Counts and durations of one hour, day or week.

    Of all runs (`by` total), of a flow's (flow, `key` is its number), a user's (user, nobody's under ""), or of a
    component's steps; `flow` is the flow that runs are limited to, 0 for none.
    """

    class By(models.TextChoices):
        TOTAL = "total"
        FLOW = "flow"
        USER = "user"
        COMPONENT = "component"

    by = models.CharField(max_length=9, choices=By, editable=False)
    flow = models.BigIntegerField(default=0, editable=False)
    level = models.PositiveSmallIntegerField("hours long", editable=False)
    begin = models.BigIntegerField("begins at hour", editable=False, help_text="Hours since 1970-01-01, UTC.")
    key = models.CharField(max_length=100, blank=True, editable=False)
    queued = models.BigIntegerField(default=0, editable=False)
    running = models.BigIntegerField(default=0, editable=False)
    paused = models.BigIntegerField(default=0, editable=False)
    succeeded = models.BigIntegerField(default=0, editable=False)
    failed = models.BigIntegerField(default=0, editable=False)
    stopped = models.BigIntegerField(default=0, editable=False)
    warned = models.BigIntegerField(default=0, editable=False)
    took_ms = models.BigIntegerField(default=0, editable=False, help_text="Sum over those that succeeded.")
    took = models.TextField(default="{}", editable=False, help_text="How many fell into each bucket.")
    waited = models.TextField(default="{}", editable=False)

    objects, across_tenants = tenant_managers(RollupCellQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "roll-up"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "by", "flow", "level", "begin", "key"], name="rollup_cell")
        ]

    def __str__(self) -> str:
        return f"{self.by} {self.key} {moment_of(self.begin):%Y-%m-%d %H}:00"


class RollupState(models.Model):
    """One row: the lock of who folds, and what counts for ever, whatever is deleted."""

    generation = models.BigIntegerField(default=0, editable=False, help_text="Changes with the cells.")
    hours_from = models.BigIntegerField(default=0, editable=False, help_text="Since then there are cells of hours.")
    succeeded = models.BigIntegerField(default=0, editable=False)
    failed = models.BigIntegerField(default=0, editable=False)
    stopped = models.BigIntegerField(default=0, editable=False)
    took_ms = models.BigIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return f"Folded {self.generation:,} times"


@dataclass
class Tally:
    """Counts and durations (ms) of some runs or steps."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    warned: int = 0
    took_ms: int = 0
    took: Histogram = field(default_factory=dict)
    waited: Histogram = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any((*self.counts.values(), self.warned, *self.took.values(), *self.waited.values()))

    def add(self, other: Tally) -> None:
        for status, count in other.counts.items():
            self.counts[status] += count
        self.warned += other.warned
        self.took_ms += other.took_ms
        add(self.took, other.took)
        add(self.waited, other.waited)

    def take(self, change: Change) -> None:
        sign = change.sign
        self.counts[change.status] += sign
        self.warned += sign * change.warned
        if change.took_ms is not None and change.status == _SUCCEEDED:
            bucket = bucket_of(change.took_ms)
            self.took[bucket] = self.took.get(bucket, 0) + sign
            self.took_ms += sign * max(0, change.took_ms)
        if change.waited_ms is not None:
            bucket = bucket_of(change.waited_ms)
            self.waited[bucket] = self.waited.get(bucket, 0) + sign


class Change(NamedTuple):
    """A row of RollupChange."""

    id: int
    tenant_id: int
    flow_id: int
    user_id: int | None
    component: str | None
    status: str
    hour: int
    took_ms: int | None
    waited_ms: int | None
    warned: int
    sign: int
    is_news: int


class CellKey(NamedTuple):
    """Where a cell stands: the columns of its constraint."""

    tenant: int
    by: str
    flow: int
    level: int
    begin: int
    key: str


def hour_of(at: datetime) -> int:
    """Whole hours since 1970, UTC."""
    return (at - EPOCH) // timedelta(hours=1)


def moment_of(hour: int) -> datetime:
    """When an hour begins; the last moment of all for what lies behind it."""
    try:
        return EPOCH + timedelta(hours=hour)
    except OverflowError:
        return LAST


def places_of(flow: int, user: int | None, component: str | None) -> tuple[tuple[str, int, str], ...]:
    """The cells (by, flow, key) that a run or a step counts in."""
    if component is not None:
        return ("component", 0, component), ("component", flow, component)
    key = "" if user is None else str(user)
    return ("total", 0, ""), ("flow", 0, str(flow)), ("user", 0, key), ("user", flow, key)


def read_changes(rows: models.QuerySet) -> list[Change]:
    return list(map(Change._make, rows.values_list(*Change._fields)))


def make_tally(values: tuple[Any, ...]) -> Tally:
    """A tally of the columns VALUE_COLUMNS."""
    *counts, warned, took_ms, took, waited = values
    return Tally(dict(zip(STATUSES, counts, strict=True)), warned, took_ms, decode(took), decode(waited))
