"""Tenants, and the manager that every row of a tenant is reached through."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db import connection, models

if TYPE_CHECKING:
    from collections.abc import Iterable


class TenantRequired(TypeError):
    """Somebody asked for rows without saying whose: `Model.objects.of(tenant)` is the way."""


class Tenant(models.Model):
    """An organisation. Everything below belongs to exactly one."""

    slug = models.SlugField(max_length=63, unique=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Counted(NamedTuple):
    """is_whole: there are no more; else there are at least as many."""

    number: int
    is_whole: bool


class TenantQuerySet(models.QuerySet):
    """Rows that belong to a tenant."""

    def of(self, tenant: Tenant | int) -> Self:
        """Only the tenant's rows; a row created through it belongs to the tenant."""
        pk = tenant if isinstance(tenant, int) else tenant.pk
        scoped = self.filter(tenant_id=pk)
        scoped._tenant_id = pk
        return scoped

    def _clone(self) -> Self:
        clone = super()._clone()
        clone._tenant_id = getattr(self, "_tenant_id", None)
        return clone

    def count_to(self, limit: int) -> int:
        """How many rows there are, at most `limit`."""
        return self.order_by().values("pk")[:limit].count()

    def count_capped(self, limit: int, *, is_exact: bool = True) -> Counted:
        """How many rows there are: exact up to `limit`. is_exact: for those whose count may be less than that."""
        found = self.count_to(limit + 1)
        return Counted(min(found, limit), found <= limit)

    def create(self, **fields: Any) -> Any:
        if getattr(self, "_tenant_id", None) and "tenant" not in fields and "tenant_id" not in fields:
            fields["tenant_id"] = self._tenant_id
        return super().create(**fields)


class TenantManager(models.Manager):
    """Gives nothing until it is told whose rows are wanted, so that no view can forget it."""

    def of(self, tenant: Tenant | int) -> Any:
        return super().get_queryset().of(tenant)  # type: ignore[attr-defined]

    def get_queryset(self) -> Any:
        raise TenantRequired(f"Say whose rows: {self.model.__name__}.objects.of(tenant).")


def tenant_managers(queryset: type[TenantQuerySet]) -> tuple[models.Manager, models.Manager]:
    """The pair of managers of a model: `objects` wants a tenant, `across_tenants` is for the machine's own work."""
    return TenantManager.from_queryset(queryset)(), models.Manager.from_queryset(queryset)()


class TenantRow(models.Model):
    """Base of every row that belongs to a tenant.

    `across_tenants` is what Django itself uses (relations, admin) and what the worker uses; pages and API must not,
    and a test looks.
    """

    # No index of its own: every index that is asked begins with the tenant already.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")

    objects, across_tenants = tenant_managers(TenantQuerySet)

    class Meta:
        abstract = True
        base_manager_name = "across_tenants"
        default_manager_name = "across_tenants"

    @classmethod
    def hanging_on(cls, runs: Iterable[int]) -> Any:
        """The rows that hang on runs (primary keys) which are known to be one tenant's.

        Asked by the run alone: with the tenant beside it SQLite reads all of the tenant's rows.
        """
        return cls.across_tenants.filter(run__in=list(runs))


def delete_in_batches(
    rows: models.QuerySet, *, size: int = 2_000, keep: Iterable[Any] = (), is_patient: bool = False
) -> int:
    """Deletes rows in short transactions, so that no writer waits longer than one batch. Returns how many went.

    rows: an unsliced query set; keep: primary keys to leave; is_patient: between two batches others get a turn.
    One large DELETE locked SQLite's writers out for 28 s.
    """
    gone = 0
    if keep:
        rows = rows.exclude(pk__in=list(keep))
    while True:
        batch = list(rows.order_by("pk").values_list("pk", flat=True)[:size])
        if not batch:
            return gone
        began = time.monotonic()
        gone += rows.model._base_manager.filter(pk__in=batch)._raw_delete(rows.db)  # type: ignore[attr-defined]
        if len(batch) < size:
            return gone
        if is_patient and connection.vendor == "sqlite":
            # Its one lock is not fair: whoever waits for it asks now and then, and needs a time to find it free.
            time.sleep(time.monotonic() - began)
