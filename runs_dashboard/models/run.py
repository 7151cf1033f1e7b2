"""Runs: one execution of a flow version. What people ask of a run is here, each trait in a file of its own."""

from __future__ import annotations

from typing import Any

import uuid_utils
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Right
from django.utils import timezone

from .audit import Actor, AuditEntry
from .flow import SLUG_PATTERN, Flow, FlowVersion
from .growing import Growable
from .keeping import Keepable
from .lease import Leased
from .lifecycle import FINAL, LIVE, Status, StatusConflict, measure_ms, move
from .reporting import Reportable
from .retrying import Retryable
from .run_set import UNRESOLVED, Milliseconds, RunQuerySet
from .stopping import Stoppable
from .tenant import TenantRow, tenant_managers
from .waiting import explain_waiting
from .working import Workable


def make_uid() -> str:
    """A time-ordered UUID (RFC 9562 version 7) as text."""
    return str(uuid_utils.uuid7())


def shorten(uid: str) -> str:
    """A few characters for the eye: the end of our own ids (their beginning is the time)."""
    return uid[-8:] if len(uid) == 36 else uid[:24]


class Trigger(models.TextChoices):
    MANUAL = "manual", "Manual"
    API = "api", "API"
    WEBHOOK = "webhook", "Webhook"
    SCHEDULE = "schedule", "Schedule"
    RETRY = "retry", "Retry"
    FLOW = "flow", "Flow"
    EXTERNAL = "external", "External"


class Run(Workable, Growable, Reportable, Stoppable, Retryable, Keepable, Leased, TenantRow):
    """One execution of a flow version. `uid` is its id outside; the number is the database's own."""

    uid = models.CharField("id", max_length=255, default=make_uid, validators=[RegexValidator(SLUG_PATTERN)])
    uid_end = models.GeneratedField(  # a column of its own: no expression's parameters keep it from its index
        expression=Right("uid", 8), output_field=models.CharField(max_length=8), db_persist=True
    )
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="runs", db_index=False)
    version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="runs")
    environment_version = models.ForeignKey(
        "EnvironmentVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="runs", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    trigger = models.CharField(max_length=10, choices=Trigger)
    is_external = models.BooleanField(default=False, help_text="Executed and reported by someone else's engine.")
    is_pinned = models.BooleanField(default=False, help_text="Retention leaves it alone.")
    removing_at = models.DateTimeField(null=True, editable=False, help_text="Its deletion has begun: it is gone.")

    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    took_ms = models.GeneratedField(
        expression=Milliseconds("started_at", "finished_at"), output_field=models.BigIntegerField(), db_persist=True
    )
    resumed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)
    ordered_at = models.DateTimeField(default=timezone.now, help_text="Its start, or its making while it waits.")
    claimed_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    ran_ms = models.BigIntegerField(default=0, help_text="Running time before the last pause.")

    created_by = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by_key = models.ForeignKey("ApiKey", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    updated_by = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    end_user = models.ForeignKey("EndUser", null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    reviewed_by = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, editable=False, help_text="A later retry had succeeded by then.")
    # That retry. Without a constraint: each deletion of a run would look for runs that it resolved.
    resolved_run = models.ForeignKey(
        "self",
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    args = models.JSONField(default=dict, blank=True)
    outputs = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, default="")
    error_step = models.CharField(max_length=200, blank=True, default="")
    error_line = models.BigIntegerField(null=True, blank=True)
    error_fingerprint = models.CharField(max_length=16, blank=True, default="")

    line_count = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    warning_count = models.BigIntegerField(default=0)
    error_count = models.BigIntegerField(default=0)
    dropped_lines = models.BigIntegerField(default=0)
    has_warnings = models.BooleanField(default=False)
    step_count = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)

    cpu_ms = models.BigIntegerField(default=0)
    payload_bytes = models.BigIntegerField(default=0)
    operations_sent = models.BigIntegerField(default=0)
    operations_received = models.BigIntegerField(default=0)
    total_tokens = models.BigIntegerField(default=0)
    metrics = models.JSONField(default=dict, blank=True)

    retried_run = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")
    retried_from = models.CharField(max_length=200, blank=True, default="")
    is_retried = models.BooleanField(default=False)
    attempt = models.PositiveIntegerField(default=1)
    parent_run = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="sub_runs")
    parent_step = models.CharField(max_length=200, blank=True, default="")
    depth = models.PositiveSmallIntegerField(default=0)

    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_requested_by = models.CharField(max_length=300, blank=True, default="")
    stop_reason = models.CharField(max_length=500, blank=True, default="")
    is_stop_forced = models.BooleanField(default=False)
    stop_ladder = models.JSONField(default=list, blank=True)

    silent_after = models.DateTimeField(null=True, blank=True, help_text="A reported run is failed after it.")
    conversation_id = models.CharField(max_length=255, blank=True, default="")
    llms = models.JSONField(null=True, blank=True)
    feedback = models.JSONField(null=True, blank=True)

    objects, across_tenants = tenant_managers(RunQuerySet)

    class Meta(TenantRow.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uid"], name="run_uid"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="run_status"),
            models.CheckConstraint(condition=models.Q(trigger__in=Trigger.values), name="run_trigger"),
            models.CheckConstraint(
                name="run_final_iff_finished",
                condition=models.Q(status__in=sorted(FINAL), finished_at__isnull=False)
                | models.Q(status__in=sorted(LIVE), finished_at__isnull=True),
            ),
            models.CheckConstraint(
                name="run_final_has_no_worker", condition=~models.Q(status__in=sorted(FINAL)) | models.Q(worker="")
            ),
        ]
        indexes = [
            # The list, whole and by its commonest questions, newest first.
            models.Index(fields=["tenant", "-ordered_at", "-id"], name="run_newest"),
            models.Index(fields=["tenant", "status", "-ordered_at", "-id"], name="run_by_status"),
            # The tenant at the end spares a count the look at each row.
            models.Index(fields=["flow", "-ordered_at", "-id", "tenant"], name="run_of_flow"),
            models.Index(fields=["flow", "status", "-ordered_at", "-id", "tenant"], name="run_of_flow_by_status"),
            models.Index(fields=["tenant", "created_by", "-ordered_at", "-id"], name="run_by_user"),
            models.Index(fields=["tenant", "trigger", "-ordered_at", "-id"], name="run_by_trigger"),
            models.Index(fields=["environment_version", "-ordered_at", "-id", "tenant"], name="run_by_environment"),
            # Rare ones among many: without an index of their own a page and its count would walk past all the others.
            models.Index(
                fields=["tenant", "-ordered_at", "-id"],
                name="run_with_warnings",
                condition=models.Q(has_warnings=True),
            ),
            models.Index(
                fields=["tenant", "-ordered_at", "-id"], name="run_retried", condition=models.Q(is_retried=True)
            ),
            models.Index(
                fields=["tenant", "-ordered_at", "-id"],
                name="run_reviewed",
                condition=models.Q(reviewed_at__isnull=False),
            ),
            # By their making, for clients that ask for a period of it (seed 4).
            models.Index(fields=["tenant", "-created_at", "-id"], name="run_newest_made"),
            models.Index(
                fields=["tenant", "took_ms"], name="run_by_duration", condition=models.Q(took_ms__isnull=False)
            ),
            # The last eight characters are what people read out and type.
            models.Index(fields=["tenant", "uid_end"], name="run_by_uid_end"),
            # The worker's: what waits, what runs, whose lease is over.
            models.Index(fields=["tenant", "queued_at", "id"], name="run_waiting", condition=models.Q(status="queued")),
            models.Index(fields=["flow"], name="run_running", condition=models.Q(status="running")),
            models.Index(fields=["worker", "lease_until"], name="run_leased", condition=~models.Q(worker="")),
            models.Index(fields=["silent_after"], name="run_silent", condition=models.Q(silent_after__isnull=False)),
            # Failures of one kind, and the inbox: those that are not resolved, of all kinds and of one.
            models.Index(
                fields=["tenant", "error_fingerprint", "-ordered_at", "-id", "flow"],
                name="run_by_error",
                condition=models.Q(status="failed"),
            ),
            # With the status, which all of them have: SQLite took the index of all failures instead, 40 times slower.
            models.Index(
                fields=["tenant", "status", "-ordered_at", "-id"], name="run_unresolved", condition=UNRESOLVED
            ),
            models.Index(
                fields=["tenant", "error_fingerprint", "flow", "-ordered_at", "-id"],
                name="run_unresolved_by_error",
                condition=UNRESOLVED,
            ),
            models.Index(
                fields=["resolved_run"], name="run_resolved_by", condition=models.Q(resolved_run__isnull=False)
            ),
            # Retention: the oldest first.
            models.Index(fields=["finished_at"], name="run_oldest", condition=models.Q(finished_at__isnull=False)),
            models.Index(
                fields=["tenant", "-ordered_at", "-id"], name="run_pinned", condition=models.Q(is_pinned=True)
            ),
            models.Index(fields=["id"], name="run_removing", condition=models.Q(removing_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.uid

    # --- questions ----------------------------------------------------------------------------------------------

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_stopping(self) -> bool:
        return self.is_live and self.stop_requested_at is not None

    @property
    def is_unresolved(self) -> bool:
        """Whether it is in the inbox."""
        return self.status == Status.FAILED and self.reviewed_at is None and self.resolved_at is None

    @property
    def short_uid(self) -> str:
        return shorten(self.uid)

    @property
    def duration_ms(self) -> int | None:
        """From start to end, or to now while it lives; None before it started."""
        return measure_ms(self.started_at, self.finished_at)

    @property
    def waited_ms(self) -> int | None:
        """From the queue to its start; None before, and of another engine's run, whose queue is not known."""
        return None if self.is_external or self.started_at is None else measure_ms(self.queued_at, self.started_at)

    @property
    def waiting_reason(self) -> str:
        """Why it waits in the queue; empty once it does not. For many runs at once: explain_waiting."""
        return explain_waiting([self]).get(self.pk, "")

    @property
    def has_steps(self) -> bool:
        return bool(self.version.definition.get("steps"))

    # --- verbs ----------------------------------------------------------------------------------------------------

    @classmethod
    def enqueue(
        cls,
        *,
        flow: Flow,
        version: FlowVersion,
        args: dict[str, Any],
        trigger: str,
        by: Actor,
        tags: dict[str, str] | None = None,
        tracked: list[tuple[str, str]] | None = None,
        **fields: Any,
    ) -> Run:
        """Writes the row that is the queue, and rings after the commit. Use Flow.start, which checks the args.

        Raises UidTaken when `uid` is given and known in the tenant.
        """
        steps = version.definition.get("steps", [])
        fields.setdefault("is_external", not steps)
        if (parent := fields.get("parent_run")) is not None:
            fields["depth"] = parent.depth + 1
        with transaction.atomic():
            if "uid" in fields and cls.objects.of(flow.tenant_id).filter(uid=fields["uid"]).exists():
                raise UidTaken(f"There is a run {fields['uid']} already.", "")
            run = cls.across_tenants.create(
                tenant_id=flow.tenant_id,
                flow=flow,
                version=version,
                args=args,
                trigger=trigger,
                created_by=by.user,
                created_by_key=by.key,
                step_count=len(steps),
                **fields,
            )
            run.tag({**version.definition.get("tags", {}), **(tags or {})})
            run.track(tracked or [])
            AuditEntry.record("run.start", run, by=by, run=run, change=("", str(run.status)), trigger=str(trigger))
            run.ring()
        return run

    def resume(self, *, by: Actor) -> Run:
        """A paused run goes on: back to the queue, or to its own engine. Raises StatusConflict if not paused."""
        now = timezone.now()
        to = Status.RUNNING if self.is_external else Status.QUEUED
        with transaction.atomic():
            run = move(
                self,
                to,
                by=by,
                allowed=[Status.PAUSED],
                where=models.Q(stop_requested_at=None),
                action="run.resume",
                resumed_at=now,
                queued_at=now,
                paused_until=None,
                updated_by=by.user,
            )
            approved = run.steps.filter(status=Status.PAUSED).update(
                status=Status.SUCCEEDED, finished_at=now, outputs={"approved_by": by.label}
            )
            run.steps_done += approved
            run.save(update_fields=["steps_done"])
        return run

    def review(self, *, by: Actor) -> Run:
        """Marks a final run as looked at; the first mark stays. Raises StatusConflict while it lives."""
        with transaction.atomic():
            rows = type(self).across_tenants.filter(pk=self.pk, status__in=FINAL)
            if rows.filter(reviewed_at=None).update(
                reviewed_by=by.user, reviewed_at=timezone.now(), updated_at=timezone.now()
            ):
                AuditEntry.record("run.review", self, by=by, run=self)
            elif not rows.exists():
                raise StatusConflict(f"The run is {self.status}: it can be reviewed when it has ended.", self.status)
        self.refresh_from_db()
        return self

    def delete_whole(self, *, by: Actor) -> None:
        """Deletes a final run with its log and all that hangs on it, in batches. Raises StatusConflict if it lives."""
        from .retention import delete_runs

        self.refresh_from_db(fields=["status"])
        if self.is_live:
            raise StatusConflict(f"The run is {self.status}: stop it first.", self.status)
        AuditEntry.record("run.delete", self, by=by)
        delete_runs([self.pk])

    enqueue.alters_data = resume.alters_data = True  # type: ignore[attr-defined]
    review.alters_data = delete_whole.alters_data = True  # type: ignore[attr-defined]

    def tag(self, tags: dict[str, str]) -> None:
        """Sets tags, the newest value of a key standing."""
        from .tracked import RunTag

        rows = [RunTag(tenant_id=self.tenant_id, run=self, key=k[:100], value=str(v)[:255]) for k, v in tags.items()]
        if rows:
            RunTag.across_tenants.bulk_create(
                rows, update_conflicts=True, unique_fields=["run", "key"], update_fields=["value"]
            )

    def track(self, pairs: list[tuple[str, str]]) -> None:
        """Adds business keys (`order_id`, `1234`); one that is there already stays once."""
        from .tracked import TrackedData

        rows = [TrackedData(tenant_id=self.tenant_id, run=self, key=k[:100], value=str(v)[:255]) for k, v in pairs]
        if rows:
            TrackedData.across_tenants.bulk_create(rows, ignore_conflicts=True)

    tag.alters_data = track.alters_data = True  # type: ignore[attr-defined]


class UidTaken(StatusConflict):
    """The id that a client chose is another run's (409)."""
