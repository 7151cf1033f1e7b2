"""Sets of runs: what lists read of a run, which ones are unresolved, and pages by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from .counting import CountQuerySet
from .flow import Flow
from .lease import LeaseQuerySet
from .lifecycle import FINAL, LIVE, Status
from .rollup import WEEK, RollupCell, RollupChange
from .step import Step
from .working import WorkQuerySet

if TYPE_CHECKING:
    from datetime import datetime

    from .tenant import Tenant

LIST_FIELDS = (
    *(
        "tenant_id",
        "uid",
        "status",
        "trigger",
        "is_external",
        "attempt",
        "is_retried",
        "is_pinned",
        "step_count",
        "steps_done",
    ),
    *("created_at", "queued_at", "started_at", "finished_at", "resumed_at", "updated_at", "ordered_at", "reviewed_at"),
    *("stop_requested_at", "error", "error_step", "line_count", "warning_count", "error_count", "has_warnings"),
    *("flow__slug", "flow__name", "flow__usual_ms", "version__number", "environment_version__number"),
    *("created_by__username", "created_by__first_name", "created_by__last_name"),
    "environment_version__environment__name",
)


# A failed run that nobody has looked at and that no later retry has made good.
UNRESOLVED = models.Q(status=Status.FAILED, reviewed_at__isnull=True, resolved_at__isnull=True)


class Milliseconds(models.Func):
    """From one time to another, whole milliseconds: what a stored column may compute on both databases."""

    output_field = models.BigIntegerField()
    arity = 2

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(ROUND((julianday(%(end)s) - julianday(%(begin)s)) * 86400000) AS INTEGER)"
        return self._write(compiler, template)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self._write(compiler, "CAST(ROUND(EXTRACT(EPOCH FROM (%(end)s - %(begin)s)) * 1000) AS bigint)")

    def _write(self, compiler: Any, template: str) -> tuple[str, list[Any]]:
        (begin, some), (end, more) = (compiler.compile(source) for source in self.get_source_expressions())
        return template % {"begin": begin, "end": end}, [*some, *more]


class RunQuerySet(WorkQuerySet, LeaseQuerySet, CountQuerySet):
    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def final(self) -> Self:
        return self.filter(status__in=FINAL)

    def unresolved(self) -> Self:
        return self.filter(UNRESOLVED)

    def with_step(self, tenant: Tenant, component: str, status: str = "") -> Self:
        """Those with a step of this component, and of this status where one is given.

        The roll-ups know which flows have such steps: runs of others are not looked at.
        """
        cells = RollupCell.across_tenants.filter(
            tenant_id=models.OuterRef("tenant_id"),
            by=RollupCell.By.COMPONENT,
            flow=models.OuterRef("pk"),
            level=WEEK,
            key=component,
        )
        waiting = RollupChange.objects.of(tenant).filter(component=component).order_by()
        steps = Step.across_tenants.filter(run=models.OuterRef("pk"), component=component)
        if status:
            cells, waiting = cells.filter(**{f"{status}__gt": 0}), waiting.filter(status=status)
            steps = steps.filter(status=status)
        flows = {
            *Flow.objects.of(tenant).filter(models.Exists(cells)).values_list("pk", flat=True),
            *waiting.values_list("flow_id", flat=True).distinct(),
        }
        return self.filter(models.Exists(steps), flow_id__in=flows)

    def for_list(self) -> Self:
        """What a list shows, newest first: neither arguments nor outputs are read."""
        return (
            self.select_related("flow", "version", "created_by", "environment_version__environment")
            .only(*LIST_FIELDS)
            .order_by("-ordered_at", "-id")
        )

    def before(self, at: datetime, pk: int, *, by: str = "ordered_at") -> Self:
        """The rows after (at, pk) in the list's order. The first half is what the index can use:
        the usual OR form is 27 to 110 times slower."""
        return self.filter(**{f"{by}__lte": at}).filter(models.Q(**{f"{by}__lt": at}) | models.Q(id__lt=pk))

    def after(self, at: datetime, pk: int, *, by: str = "ordered_at") -> Self:
        """The rows before (at, pk) in the list's order, nearest last."""
        return self.filter(**{f"{by}__gte": at}).filter(models.Q(**{f"{by}__gt": at}) | models.Q(id__gt=pk))
