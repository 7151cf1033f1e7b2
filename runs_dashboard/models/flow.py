"""Flows and their versions: what can run."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.functional import cached_property

from ..definition.inputs import InputError, validate
from ..definition.schedule import next_times
from ..definition.schema import Definition
from ..text.intake import clean, clean_json
from .audit import SCHEDULER, Actor, AuditEntry
from .environment import Environment, EnvironmentVersion
from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from datetime import datetime

    from .run import Run
    from .tenant import Tenant

SLUG_PATTERN = r"^[a-z0-9_.-]+$"  # seeds 1 and CONTRACT section 1


class OrderedJSONField(models.JSONField):
    """JSON whose keys keep their order: PostgreSQL's `jsonb` would sort the inputs of a start form."""

    def db_type(self, connection: Any) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        prepared_value = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor != "postgresql" or not hasattr(prepared_value, "obj"):
            return prepared_value
        from psycopg.types.json import Json  # imported late: the embedded product has no use for it

        return Json(prepared_value.obj, prepared_value.dumps)  # as `jsonb` it would be sorted on its way

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return super().from_db_value(value, expression, connection) if isinstance(value, str) else value


class FlowType(models.TextChoices):
    AUTOMATION = "automation", "Automation"
    SELF_SERVICE_ACTION = "selfServiceAction", "Self-service action"
    SCORECARD = "scorecard", "Scorecard"
    REFERENCE = "reference", "Reference"


class FlowQuerySet(TenantQuerySet):
    def for_list(self) -> FlowQuerySet:
        return self.select_related("latest").order_by("name", "slug")

    def due(self, now: datetime) -> FlowQuerySet:
        return self.filter(next_run_at__lte=now, is_schedule_paused=False, is_enabled=True)


class Flow(TenantRow):
    """Something that can run. `slug` is the id of CONTRACT section 1."""

    slug = models.CharField("id", max_length=200, validators=[RegexValidator(SLUG_PATTERN)])
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    flow_type = models.CharField(max_length=20, choices=FlowType, default=FlowType.AUTOMATION)
    is_enabled = models.BooleanField(default=True)
    is_external = models.BooleanField(default=False, help_text="Named first by an engine that reports its runs.")
    latest = models.ForeignKey(
        "FlowVersion", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    concurrency = models.PositiveIntegerField(null=True, blank=True, editable=False)
    heartbeat_timeout = models.FloatField("heartbeat timeout, seconds", null=True, blank=True)
    is_schedule_paused = models.BooleanField(default=False)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the definition: null is the product's own rule, 0 no bound.
    retention_days = models.PositiveIntegerField(null=True, blank=True, editable=False)
    retention_bytes = models.BigIntegerField(null=True, blank=True, editable=False)
    retention_runs = models.BigIntegerField(null=True, blank=True, editable=False)
    # The median of what succeeded in the last 30 days: learn_durations (folding.py) keeps it.
    usual_ms = models.BigIntegerField("usual duration, ms", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects, across_tenants = tenant_managers(FlowQuerySet)

    class Meta(TenantRow.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="flow_slug"),
            models.CheckConstraint(condition=models.Q(flow_type__in=FlowType.values), name="flow_type"),
        ]
        indexes = [models.Index(fields=["next_run_at"], name="flow_due", condition=models.Q(next_run_at__isnull=False))]

    def __str__(self) -> str:
        return self.name or self.slug

    # --- versions ---------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, definition: Definition, *, tenant: Tenant, by: Actor, source: str = "") -> tuple[Flow, bool]:
        """Creates or updates a flow from its definition. An unchanged flow makes no new version.

        source: the YAML text as written. Returns the flow and whether a version was made.
        """
        with transaction.atomic():
            flow, _ = cls.across_tenants.get_or_create(tenant=tenant, slug=definition.id)
            flow = cls.across_tenants.select_for_update().get(pk=flow.pk)
            return flow, flow.publish(definition, by=by, source=source)

    @classmethod
    def named(cls, slug: str, *, tenant: Tenant, by: Actor, flow_type: str = "") -> Flow:
        """The flow with this id; a step-less one is made for an engine that names it for the first time."""
        known = cls.objects.of(tenant).filter(slug=slug).first()
        if known is not None:
            return known
        definition = Definition.from_data({"id": slug, "name": slug, "type": flow_type or "automation", "steps": []})
        with transaction.atomic():
            flow, is_new = cls.across_tenants.get_or_create(tenant=tenant, slug=slug, defaults={"is_external": True})
            if is_new:
                flow.publish(definition, by=by)
        return flow

    def publish(self, definition: Definition, *, by: Actor, source: str = "") -> bool:
        """Makes the definition the flow's newest version, unless it is that already. Call under the row's lock."""
        if self.latest is not None and self.latest.digest == definition.digest:
            return False
        number = (self.versions.aggregate(last=models.Max("number"))["last"] or 0) + 1
        self.latest = FlowVersion.across_tenants.create(
            tenant_id=self.tenant_id,
            flow=self,
            number=number,
            definition=definition.to_data(),
            digest=definition.digest,
            source=clean(source),
            created_by=by.user,
        )
        self.name, self.description = definition.name or definition.id, definition.description
        self.flow_type, self.concurrency = definition.type, definition.concurrency
        self.heartbeat_timeout = definition.heartbeat_timeout or self.heartbeat_timeout
        retention = definition.retention or {}
        self.retention_days, self.retention_bytes = retention.get("days"), retention.get("bytes")
        self.retention_runs = retention.get("runs")
        self.next_run_at = self.times_after(timezone.now(), definition=definition)[0] if definition.schedule else None
        self.save()
        AuditEntry.record("flow.publish", self, by=by, number=number)
        return True

    @property
    def definition(self) -> Definition:
        if self.latest is None:  # made by hand in the database: nothing to run
            return Definition.from_data({"id": self.slug, "steps": []})
        return self.latest.parsed

    @property
    def kept_days(self) -> int:
        """How long its ended runs are kept, in days; 0 for ever."""
        return settings.RETENTION_DAYS if self.retention_days is None else self.retention_days

    @property
    def has_steps(self) -> bool:
        return self.latest is not None and bool(self.latest.definition.get("steps"))

    # --- schedule ---------------------------------------------------------------------------------------------

    def times_after(self, after: datetime, *, count: int = 1, definition: Definition | None = None) -> list[datetime]:
        """The next times, in UTC, that the schedule names; none without a schedule."""
        definition = definition or self.definition
        if not definition.schedule:
            return []
        return next_times(definition.schedule, definition.timezone, after, count)

    def fire(self, now: datetime) -> Run | None:
        """Starts the scheduled run and moves the schedule on; None when another scheduler was first.

        Times missed while nothing ran are not made up for: one run, then the next time after now.
        """
        due = self.next_run_at
        with transaction.atomic():
            rows = type(self).across_tenants.filter(pk=self.pk, next_run_at=due, is_schedule_paused=False)
            if not rows.update(next_run_at=self.times_after(now)[0]):
                return None
            try:
                return self.start({}, trigger="schedule", by=SCHEDULER)
            except InputError as error:
                AuditEntry.record("flow.schedule_refused", self, by=SCHEDULER, reason=str(error))
                return None

    @property
    def paused_by(self) -> AuditEntry | None:
        """Who paused its schedule, and when; None while it is on."""
        if not self.is_schedule_paused:
            return None
        acts = AuditEntry.objects.of(self.tenant_id).filter(action="flow.pause_schedule", object_id=self.slug)
        found: AuditEntry | None = acts.order_by("-id").first()
        return found

    def pause_schedule(self, *, by: Actor) -> None:
        self._set_schedule_paused(True, by=by)

    def resume_schedule(self, *, by: Actor) -> None:
        self._set_schedule_paused(False, by=by)

    pause_schedule.alters_data = resume_schedule.alters_data = True  # type: ignore[attr-defined]

    def _set_schedule_paused(self, is_paused: bool, *, by: Actor) -> None:
        rows = type(self).across_tenants.filter(pk=self.pk).exclude(is_schedule_paused=is_paused)
        times = self.times_after(timezone.now())
        with transaction.atomic():
            if rows.update(is_schedule_paused=is_paused, next_run_at=times[0] if times else None):
                AuditEntry.record("flow.pause_schedule" if is_paused else "flow.resume_schedule", self, by=by)
        self.refresh_from_db()

    # --- runs -------------------------------------------------------------------------------------------------

    def choose_environment(self, name: str = "") -> EnvironmentVersion | None:
        """The newest version of the environment asked for, or of the flow's own. Raises InputError if unknown."""
        name = name or self.definition.environment or ""
        if not name:
            return None
        found = Environment.objects.of(self.tenant_id).filter(name=name).select_related("latest").first()
        if found is None or found.latest is None:
            raise InputError([("environment", f"there is no environment {name!r}")])
        return found.latest

    def start(
        self,
        args: dict[str, Any],
        *,
        trigger: str,
        by: Actor,
        environment: str = "",
        version: FlowVersion | None = None,
        **fields: Any,
    ) -> Run:
        """A new run of this flow, waiting in the queue; the executor is told after the commit.

        args: checked against the version's inputs, defaults filled in; environment: a name; fields: further columns
        of the run (uid, parent_run, retried_run, tags, tracked, …). A step-less flow's run waits for its engine.
        Raises InputError, or FlowDisabled.
        """
        from .run import Run

        if not self.is_enabled:
            raise FlowDisabled(f"The flow {self.slug} is switched off.")
        version = version or self.latest
        if version is None:
            raise FlowDisabled(f"The flow {self.slug} has no version yet.")
        if "environment_version" not in fields:
            fields["environment_version"] = self.choose_environment(environment)
        checked = validate(version.parsed.inputs, clean_json(args))
        return Run.enqueue(flow=self, version=version, args=checked, trigger=trigger, by=by, **fields)

    start.alters_data = True  # type: ignore[attr-defined]


class FlowDisabled(Exception):
    """The flow is switched off: nothing starts it."""


class FlowVersion(TenantRow):
    """An immutable snapshot of a flow's steps; a run points at the one it ran."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = OrderedJSONField()
    digest = models.CharField(max_length=64)
    source = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flow_version_number")]

    def __str__(self) -> str:
        return f"{self.flow} v{self.number}"

    @cached_property
    def parsed(self) -> Definition:
        return Definition.from_data(self.definition)
