"""What the machine keeps for itself, and the audit trail: for looking only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from ..models import (
    AuditEntry,
    ErrorGroup,
    FailureChange,
    IdempotencyKey,
    Purge,
    RollupCell,
    RollupChange,
    RollupState,
    StoredDay,
    Worker,
)
from .base import OwnRelatedFilter, Window, link

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(AuditEntry)
class AuditWindow(Window):
    list_display = ("at", "action", "actor_name", "address", "object_type", "object_page", "from_status", "to_status")
    list_filter = (("tenant", OwnRelatedFilter),)
    list_select_related = ("run",)
    search_fields = ("action__exact",)
    search_help_text = "A whole action, such as run.stop."

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in ("run__id__exact", "actor__id__exact") or super().lookup_allowed(lookup, value, request)

    @admin.display(description="Object")
    def object_page(self, entry: AuditEntry) -> str:
        return link(entry.run.short_uid, "run_detail", entry.run.uid) if entry.run is not None else entry.object_id


@admin.register(Worker)
class WorkerWindow(Window):
    """Workers serve all tenants, so only superusers see them."""

    is_for_superusers = True
    list_display = ("name", "host", "pid", "slots", "busy", "is_draining", "started_at", "seen_at")


@admin.register(IdempotencyKey)
class IdempotencyKeyWindow(Window):
    list_display = ("scope", "key", "tenant", "created_at")
    list_select_related = ("tenant",)
    list_filter = (("tenant", OwnRelatedFilter),)
    search_fields = ("key__exact",)
    search_help_text = "A whole key."


@admin.register(Purge)
class PurgeWindow(Window):
    """A purge is the machine's, and its numbers are of all tenants."""

    is_for_superusers = True
    list_display = ("due_at", "began_at", "ended_at", "runs", "log_bytes")


@admin.register(StoredDay)
class StoredDayWindow(Window):
    list_display = ("flow", "day", "runs", "log_bytes", "is_settled", "is_stale")
    list_select_related = ("flow",)
    list_filter = (("tenant", OwnRelatedFilter),)


@admin.register(RollupCell)
class RollupCellWindow(Window):
    list_display = ("__str__", "tenant", "by", "level", "succeeded", "failed", "stopped")
    list_select_related = ("tenant",)
    list_filter = (("tenant", OwnRelatedFilter), "by")
    heavy = ("took", "waited")


@admin.register(RollupChange)
class RollupChangeWindow(Window):
    """What the roll-ups do not hold yet: many for long means that no worker lives."""

    list_display = ("__str__", "tenant", "hour")
    list_select_related = ("tenant",)


@admin.register(RollupState)
class RollupStateWindow(Window):
    is_for_superusers = True
    list_display = ("__str__", "succeeded", "failed", "stopped")


@admin.register(ErrorGroup)
class ErrorGroupWindow(Window):
    """What the inbox shows, and what is resolved; counted by the machine alone."""

    list_display = ("__str__", "flow", "open_count", "total_count", "first_seen_at", "last_seen_at", "runs")
    list_select_related = ("flow",)
    list_filter = (("tenant", OwnRelatedFilter),)
    search_fields = ("fingerprint__exact",)
    search_help_text = "A whole fingerprint."
    heavy = ("hours",)

    @admin.display(description="On the pages")
    def runs(self, group: ErrorGroup) -> str:
        return link("Inbox", "inbox")


@admin.register(FailureChange)
class FailureChangeWindow(Window):
    """What the groups of failures do not hold yet: many for long means that no worker lives."""

    list_display = ("__str__", "tenant", "seen_at", "closed_at")
    list_select_related = ("tenant",)
