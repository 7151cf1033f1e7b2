"""Saved views in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html

from ..models import SavedView
from .base import OwnRelatedFilter, Window


@admin.register(SavedView)
class SavedViewWindow(Window):
    may_change = may_delete = True
    list_display = ("name", "owner", "is_shared", "asks", "tenant", "updated_at")
    list_filter = ("is_shared", ("tenant", OwnRelatedFilter))
    list_select_related = ("owner", "tenant")
    search_fields = ("name", "owner__username__exact")
    fields = ("name", "is_shared", "asks", "tenant", "owner", "created_at", "updated_at")
    readonly_fields = ("asks", "tenant", "owner", "created_at", "updated_at")

    @admin.display(description="Runs")
    def asks(self, view: SavedView) -> str:
        """What it shows, as a link to the list."""
        shown = ", ".join(f"{name}={value}" for name, value in QueryDict(view.query).items()) or "all runs"
        return format_html('<a href="{}?{}">{}</a>', reverse("run_list"), view.query or "view=all", shown[:100])
