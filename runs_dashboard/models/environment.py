"""Environments: named sets of variables, with versions, that a run runs in."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import IntegrityError, models, transaction

from ..text.intake import clean_json
from .audit import Actor, AuditEntry
from .tenant import TenantRow


class Environment(TenantRow):
    """A named set of variables (seed 3: virtual environment)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    latest = models.ForeignKey(
        "EnvironmentVersion",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="environment_name")]

    def __str__(self) -> str:
        return self.name

    def publish(self, variables: dict[str, Any], *, by: Actor) -> EnvironmentVersion:
        """The version with these variables: the latest one where nothing changed, else a new one."""
        variables = {str(name): str(value) for name, value in clean_json(variables).items()}
        if self.latest is not None and self.latest.variables == variables:
            return self.latest
        while True:
            number = (self.versions.aggregate(last=models.Max("number"))["last"] or 0) + 1
            try:
                with transaction.atomic():
                    version = EnvironmentVersion.across_tenants.create(
                        tenant_id=self.tenant_id,
                        environment=self,
                        number=number,
                        variables=variables,
                        created_by=by.user,
                    )
                    self.latest = version
                    self.save(update_fields=["latest"])
                    AuditEntry.record("environment.publish", self, by=by, number=number, names=sorted(variables))
            except IntegrityError:  # somebody else took the number
                continue
            return version

    publish.alters_data = True  # type: ignore[attr-defined]


class EnvironmentVersion(TenantRow):
    """An immutable snapshot of an environment's variables."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    variables = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["environment", "number"], name="environment_version_number")]

    def __str__(self) -> str:
        return f"{self.environment} v{self.number}"
