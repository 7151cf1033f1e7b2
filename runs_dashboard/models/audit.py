"""The audit trail: who did what, when, from where. Rows are written once and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings
from django.db import models

from ..text.intake import clean, clean_json
from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from .key import ApiKey
    from .run import Run
    from .user import User


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a person's key, or the machine itself (`name`), and from which address."""

    user: User | None = None
    key: ApiKey | None = None
    address: str | None = None
    name: str = ""

    @property
    def label(self) -> str:
        if self.key is not None:
            return f"{self.key.user.display_name}, key {self.key.name or self.key.prefix}"
        return self.user.display_name if self.user is not None else self.name


@dataclass(frozen=True)
class Machine(Actor):
    """The product itself: worker, scheduler, reaper."""

    user: None = field(default=None, init=False)
    key: None = field(default=None, init=False)


WORKER, SCHEDULER, REAPER = Machine(name="worker"), Machine(name="scheduler"), Machine(name="reaper")


class AuditQuerySet(TenantQuerySet):
    def update(self, **fields: Any) -> int:
        # Django's own "set null" of a deleted user passes here too, and must.
        if set(fields) - {"actor", "key", "run", "tenant"}:
            raise PermissionError("The audit trail is never changed.")
        return super().update(**fields)

    def delete(self) -> NoReturn:
        raise PermissionError("The audit trail is never deleted.")


class AuditEntry(TenantRow):
    """One act. `action` is noun.verb, such as `run.stop` or `key.create`; a status change has both statuses."""

    at = models.DateTimeField(auto_now_add=True)
    action = models.CharField(max_length=40)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.ForeignKey("ApiKey", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    actor_name = models.CharField(max_length=300)
    address = models.GenericIPAddressField(null=True)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="audit", db_index=False)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=255)
    from_status = models.CharField(max_length=10, blank=True)
    to_status = models.CharField(max_length=10, blank=True)
    detail = models.JSONField(default=dict)

    objects, across_tenants = tenant_managers(AuditQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["run", "id"], name="audit_of_run", condition=models.Q(run__isnull=False)),
            models.Index(fields=["tenant", "-id"], name="audit_newest"),
            models.Index(fields=["tenant", "action", "-id"], name="audit_of_action"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id} by {self.actor_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise PermissionError("The audit trail is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise PermissionError("The audit trail is never deleted.")

    @classmethod
    def record(
        cls,
        action: str,
        target: models.Model,
        *,
        by: Actor,
        run: Run | None = None,
        change: tuple[str, str] = ("", ""),
        **detail: Any,
    ) -> AuditEntry:
        """Writes one row, in the caller's transaction. target: the row acted on, it names the tenant."""
        entry = cls(
            tenant_id=target.tenant_id,  # type: ignore[attr-defined]
            action=action,
            actor=by.user,
            key=by.key,
            actor_name=clean(by.label)[:300],
            address=by.address,
            run=run,
            object_type=target._meta.model_name or "",
            object_id=str(getattr(target, "uid", None) or getattr(target, "slug", None) or target.pk)[:255],
            from_status=change[0],
            to_status=change[1],
            detail=clean_json(detail),
        )
        entry.save(force_insert=True)
        return entry
