"""Steps: what a run does, one row an attempt, so that attempts are never mixed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone

from .. import dispatch
from .lifecycle import LIVE, LeaseLost, Status, measure_ms
from .tenant import TenantRow

if TYPE_CHECKING:
    from .run import Run

NO_COMPONENT = "none"  # names the steps whose engine did not say what kind they are


class Step(TenantRow):
    """One attempt of one step of one run. `slug` is the step's id in its flow; `component` says what kind it is."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="steps", db_index=False)
    slug = models.CharField("id", max_length=200)
    name = models.CharField(max_length=200, blank=True)
    component = models.CharField(max_length=100, blank=True)
    position = models.PositiveIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    outputs = models.JSONField(default=dict, blank=True)
    line_count = models.BigIntegerField(default=0)
    warning_count = models.BigIntegerField(default=0)
    error_count = models.BigIntegerField(default=0)
    cpu_ms = models.BigIntegerField(default=0)
    kept_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(TenantRow.Meta):
        ordering = ["position", "attempt", "id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "slug", "attempt"], name="step_attempt"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="step_status"),
        ]
        indexes = [models.Index(fields=["run", "position", "attempt"], name="step_of_run")]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_kept(self) -> bool:
        return self.kept_from_id is not None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def duration_ms(self) -> int | None:
        return measure_ms(self.started_at, self.finished_at)

    @classmethod
    def begin(cls, run: Run, definition: Any, *, position: int, attempt: int, status: str = Status.RUNNING) -> Step:
        """The row of an attempt that begins now. definition: a StepDefinition."""
        now = timezone.now()
        step = cls.across_tenants.create(
            tenant_id=run.tenant_id,
            run=run,
            slug=definition.id,
            name=definition.name,
            component=definition.component,
            position=position,
            attempt=attempt,
            status=status,
            created_at=now,
            started_at=now,
        )
        dispatch.announce(run.pk)
        return step

    def end(
        self,
        status: str,
        *,
        error: str = "",
        token: int | None = None,
        of_run: dict[str, Any] | None = None,
        **fields: Any,
    ) -> bool:
        """Ends the attempt; a step that was ended already (by a reaper) stays as it is, and so does its run.

        fields: further columns of the step; of_run: columns of its run, written with it; token: of the worker's claim.
        Returns whether it ended now. Raises LeaseLost when a token was given and the run is not that worker's any more.
        """
        fields |= {"status": status, "finished_at": timezone.now(), "error": error}
        of_run = dict(of_run or {})
        if status == Status.SUCCEEDED:
            of_run["steps_done"] = models.F("steps_done") + 1
        runs = type(self.run).across_tenants.filter(pk=self.run_id)
        with transaction.atomic():
            if token is not None:
                of_run |= {"updated_at": fields["finished_at"], "growing_line": None}
                if not runs.filter(token=token, status=Status.RUNNING).update(**of_run):
                    raise LeaseLost("The run is not this worker's any more.")
                of_run = {}
            if not type(self).across_tenants.filter(pk=self.pk, status__in=LIVE).update(**fields):
                self.refresh_from_db()
                return False
            if of_run:
                runs.update(**of_run)
            dispatch.announce(self.run_id)
        for name, value in fields.items():
            setattr(self, name, value)
        return True

    def keep_for(self, run: Run, *, outputs: dict[str, Any] | None = None) -> Step:
        """The row that says, in a retry, that this step's result is taken over; outputs: others than its own."""
        with transaction.atomic():
            type(run).across_tenants.filter(pk=run.pk).update(steps_done=models.F("steps_done") + 1)
            return type(self).across_tenants.create(
                tenant_id=run.tenant_id,
                run=run,
                slug=self.slug,
                name=self.name,
                component=self.component,
                position=self.position,
                status=Status.SUCCEEDED,
                started_at=self.started_at,
                finished_at=self.finished_at,
                outputs=self.outputs if outputs is None else outputs,
                kept_from=self.kept_from or self,
            )

    begin.alters_data = end.alters_data = keep_for.alters_data = True  # type: ignore[attr-defined]
