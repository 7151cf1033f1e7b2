"""Failures of one kind: the runs of a flow that failed with the same error, and how many of them are unresolved.

A failed run is unresolved while nobody has reviewed it and no later retry of it has succeeded. Triggers
(failure_triggers.py) write a row into `FailureChange` for all that a failed run becomes and ceases to be, in the
transaction that changes it; `fold_failures` (failure_folding.py) adds them to the groups. So no two writers wait for
one row, and nothing is counted twice or missed, whoever changed a run and however.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db import models
from django.utils import timezone

from .flow import Flow
from .rollup import hour_of
from .tenant import Tenant, TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from datetime import datetime

SAMPLE_MAX = 2_000  # characters of an error's text
HOURS_KEPT = 7 * 24  # whose counts a group keeps
NEW_FOR = timedelta(hours=24)
FORGOTTEN_AFTER = timedelta(days=365)  # a group without runs; until then its next failure is one that is back
NO_ERROR = "none"  # names the failures that have no text
OPEN = models.Q(open_count__gt=0)


class FailureChange(TenantRow):
    """What a failed run has become (`sign` 1) or ceased to be (−1), not yet in its group."""

    # Deleting everything, as tests do, leaves changes of tenants that are gone for a moment.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+", editable=False
    )
    flow_id = models.BigIntegerField(editable=False)
    fingerprint = models.CharField(max_length=16, editable=False)
    run_id = models.BigIntegerField(editable=False)
    seen_at = models.DateTimeField(editable=False, help_text="When the run failed.")
    closed_at = models.DateTimeField(null=True, editable=False, help_text="Null: the run is unresolved.")
    sign = models.SmallIntegerField(editable=False)
    is_gone = models.SmallIntegerField(editable=False, help_text="1: the run was deleted.")

    class Meta(TenantRow.Meta):
        verbose_name = "failure change"

    def __str__(self) -> str:
        return f"{self.sign:+} {self.fingerprint}"


class Failure(NamedTuple):
    """A row of FailureChange."""

    id: int
    tenant_id: int
    flow_id: int
    fingerprint: str
    run_id: int
    seen_at: datetime
    closed_at: datetime | None
    sign: int
    is_gone: int


class ErrorGroupQuerySet(TenantQuerySet):
    def open(self) -> Self:
        return self.filter(OPEN)

    def new(self) -> Self:
        """First seen within a day, and never resolved since."""
        since = timezone.now() - NEW_FOR
        return self.filter(last_seen_at__gte=since, first_seen_at__gte=since, emptied_at=None)

    def back(self) -> Self:
        """Seen again after all of it had been resolved."""
        return self.open().filter(opened_at__gt=models.F("emptied_at"))


class ErrorGroup(TenantRow):
    """One kind of failure of one flow. The times are those at which runs failed."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, db_index=False, related_name="error_groups")
    fingerprint = models.CharField(max_length=16, blank=True, help_text="Empty: the runs failed without a word.")
    sample = models.TextField(blank=True, help_text="The error of its last run.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True, help_text="The first of those that are unresolved since.")
    emptied_at = models.DateTimeField(null=True, blank=True, help_text="When the last of them was resolved.")
    open_count = models.BigIntegerField("unresolved", default=0)
    total_count = models.BigIntegerField("runs", default=0)
    last_run_id = models.BigIntegerField(null=True, editable=False)
    hours = models.JSONField(default=dict, editable=False, help_text="Failures by hour since 1970, of the last days.")

    objects, across_tenants = tenant_managers(ErrorGroupQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "kind of failure"
        verbose_name_plural = "kinds of failure"
        constraints = [models.UniqueConstraint(fields=["flow", "fingerprint"], name="error_group_once")]
        indexes = [
            models.Index(fields=["tenant", "-last_seen_at", "-id"], name="error_group_newest", condition=OPEN),
            models.Index(fields=["tenant", "-open_count", "-id"], name="error_group_largest", condition=OPEN),
            models.Index(fields=["tenant", "-emptied_at"], name="error_group_emptied"),
        ]

    def __str__(self) -> str:
        return (self.sample.strip().splitlines() or ["Failed without a word"])[0][:120]

    @property
    def is_new(self) -> bool:
        return self.emptied_at is None and self.first_seen_at >= timezone.now() - NEW_FOR

    @property
    def is_back(self) -> bool:
        if not self.open_count or self.emptied_at is None or self.opened_at is None:
            return False
        return self.opened_at > self.emptied_at

    def count_since(self, at: datetime) -> int:
        """Failures since a time within the last week, by whole hours."""
        since = hour_of(at)
        return sum(count for hour, count in self.hours.items() if int(hour) >= since)

    @property
    def error_name(self) -> str:
        """What the run list's filter `error` calls it."""
        return self.fingerprint or NO_ERROR

    @property
    def query(self) -> dict[str, str]:
        """The filters that find exactly its unresolved runs."""
        return {"unresolved": "true", "error": self.error_name, "flow": self.flow.slug}

    def take(self, changes: list[Failure], now: datetime) -> None:
        """Adds what became of its runs. The row must be locked, and is not saved."""
        hours = {int(hour): count for hour, count in self.hours.items()}
        events: list[tuple[datetime, int, Failure, bool]] = []
        for one in _without_undone(changes):
            events.append((one.seen_at, one.id, one, False))
            if one.closed_at is not None:
                events.append((one.closed_at, one.id, one, True))
            if one.sign > 0:
                self.first_seen_at = min(self.first_seen_at, one.seen_at)
                if one.seen_at >= self.last_seen_at or self.last_run_id is None:
                    self.last_seen_at, self.last_run_id = max(self.last_seen_at, one.seen_at), one.run_id
            self.total_count += one.sign
            hour = hour_of(one.seen_at)
            hours[hour] = hours.get(hour, 0) + one.sign
        for at, _, one, is_close in sorted(events, key=lambda event: event[:2]):
            before = self.open_count
            self.open_count += -one.sign if is_close else one.sign
            if before <= 0 < self.open_count and one.sign > 0:
                self.opened_at = at
            elif self.open_count <= 0 < before and (is_close or one.is_gone):
                ended_at = at if is_close else now
                self.emptied_at = max(self.emptied_at or ended_at, ended_at)
        kept_from = hour_of(now) - HOURS_KEPT
        self.hours = {str(hour): count for hour, count in sorted(hours.items()) if count and hour >= kept_from}


def _without_undone(changes: list[Failure]) -> list[Failure]:
    """The changes that still say something: none of what a run became and, corrected, ceased to be a moment later."""
    kept: dict[int, Failure] = {}
    became: dict[tuple[int, datetime, datetime | None], int] = {}
    for one in changes:
        place = one.run_id, one.seen_at, one.closed_at
        if one.sign < 0 and not one.is_gone and place in became:
            del kept[became.pop(place)]
        else:
            kept[one.id] = one
            if one.sign > 0:
                became[place] = one.id
    return list(kept.values())


def read_failures(rows: Any) -> list[Failure]:
    return list(map(Failure._make, rows.values_list(*Failure._fields)))
