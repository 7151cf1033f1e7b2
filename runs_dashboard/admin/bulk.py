"""Bulk actions and their outcomes: for looking only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html

from ..models import BulkAction, BulkResult
from .base import OwnRelatedFilter, Window, link, link_to_list


@admin.register(BulkAction)
class BulkActionWindow(Window):
    list_display = ("created_at", "action", "status", "query", "created_by_name", "total", "done", "refused", "pages")
    list_filter = (("tenant", OwnRelatedFilter), "status", "action")
    search_fields = ("uuid__exact",)
    search_help_text = "A whole id."

    @admin.display(description="Look at")
    def pages(self, action: BulkAction) -> str:
        page = link("Page", "bulk_detail", action.uuid)
        return format_html("{} {}", page, link_to_list("Results", BulkResult, bulk__id__exact=action.pk))


@admin.register(BulkResult)
class BulkResultWindow(Window):
    list_display = ("pk", "run_page", "outcome", "reason", "new_run_page", "acted_at")
    list_select_related = ("run", "new_run")
    list_filter = ("outcome",)
    search_fields = ("run_uid__exact",)
    search_help_text = "A run's whole id."

    def lookup_allowed(self, lookup: str, value: str, request: object) -> bool:
        return lookup == "bulk__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description="Run")
    def run_page(self, result: BulkResult) -> str:
        return link(result.run.short_uid, "run_detail", result.run.uid) if result.run else result.run_uid

    @admin.display(description="New run")
    def new_run_page(self, result: BulkResult) -> str:
        return link(result.new_run.short_uid, "run_detail", result.new_run.uid) if result.new_run else ""
