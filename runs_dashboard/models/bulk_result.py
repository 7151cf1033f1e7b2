"""What came of a bulk action for each of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .bulk_action import BulkAction
    from .run import Run

    Outcomes = tuple[str, str, Run | None]  # outcome, reason, new run

BATCH = 1_000  # rows written by one statement
REASONS = 20  # that are told apart


class Outcome(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    SKIPPED = "skipped", "Skipped"


class ResultQuerySet(TenantQuerySet):
    def for_list(self) -> Self:
        return self.select_related("run__flow", "new_run").order_by("id")

    def count_reasons(self) -> list[tuple[str, str, int]]:
        """Outcome, reason, and how many have it: why runs were not done, the commonest first."""
        rows = self.exclude(reason="").values_list("outcome", "reason").annotate(count=models.Count("pk"))
        return list(rows.order_by("-count", "reason")[:REASONS])


class BulkResult(TenantRow):
    """One run of an action; `run` is empty once the run is deleted, or where there never was one."""

    bulk = models.ForeignKey("BulkAction", on_delete=models.CASCADE, related_name="results", db_index=False)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="bulk_results")
    run_uid = models.CharField(max_length=255)
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    new_run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="+")
    acted_at = models.DateTimeField(null=True)

    objects, across_tenants = tenant_managers(ResultQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "bulk result"
        constraints = [
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="bulk_result_outcome")
        ]
        indexes = [
            models.Index(fields=["bulk", "id"], name="bulk_result_of"),
            models.Index(fields=["bulk", "outcome", "id"], name="bulk_result_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.run_uid}: {self.outcome}"

    @classmethod
    def take(cls, action: BulkAction, rows: Sequence[tuple[int | None, str]], *, why_not: str) -> None:
        """Writes the set of an action: primary key and id of each run; one without a key is refused at once."""
        made = [
            cls(
                tenant_id=action.tenant_id,
                bulk=action,
                run_id=pk,
                run_uid=uid[:255],
                outcome=Outcome.REFUSED if pk is None else Outcome.WAITING,
                reason=why_not if pk is None else "",
            )
            for pk, uid in rows
        ]
        cls.across_tenants.bulk_create(made, batch_size=BATCH)

    def settle(self, outcome: str, *, reason: str, new_run: Run | None, at: datetime) -> None:
        """Keeps what came of it. Call in the transaction of the act, under the action's lock."""
        self.outcome, self.reason, self.new_run, self.acted_at = outcome, reason[:500], new_run, at
        self.save(update_fields=["outcome", "reason", "new_run", "acted_at"])

    settle.alters_data = True  # type: ignore[attr-defined]
