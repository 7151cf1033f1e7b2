"""Runs and what hangs on them. The machine writes them; people look, and act by the models' verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html

from ..admin_site import is_key
from ..definition.inputs import InputError
from ..models import (
    Download,
    EndUser,
    Flow,
    FlowDisabled,
    LogChunk,
    Run,
    RunNote,
    RunTag,
    StatusConflict,
    Step,
    TrackedData,
)
from .base import OwnRelatedFilter, Window, link, link_to_list, shown_tenants

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest

MOST_AT_ONCE = 500  # runs that one action acts on
MOST_FOUND = 1_000  # runs that a search by tracked data shows


@admin.register(Run)
class RunWindow(Window):
    may_change = True
    heavy = ("args", "outputs", "error", "metrics", "stop_ladder", "llms", "feedback")
    list_display = ("run_id", "page", "flow", "state", "trigger", "started_at", "took", "created_by", "pinned")
    list_filter = (
        "status",
        "trigger",
        "has_warnings",
        "is_pinned",
        ("tenant", OwnRelatedFilter),
        ("flow", OwnRelatedFilter),
    )
    list_select_related = ("flow", "created_by")
    search_fields = ("uid__exact",)
    search_help_text = (
        "The id of a run, its last eight characters, the id of a flow, or a value of tracked data; each whole."
    )
    actions = ("retry", "retry_failed", "stop", "stop_by_force", "review", "resume", "pin", "unpin")
    fieldsets = (
        (None, {"fields": ("uid", "status", "is_pinned", "tenant", "flow", "version", "environment_version")}),
        ("Asked for", {"fields": ("trigger", "created_by", "created_by_key", "end_user", "args", "is_external")}),
        (
            "Course",
            {"fields": ("created_at", "queued_at", "started_at", "finished_at", "took", "worker", "steps_link")},
        ),
        ("Outcome", {"fields": ("error", "error_step", "error_line", "error_fingerprint", "outputs", "metrics")}),
        (
            "Log",
            {"fields": ("line_count", "warning_count", "error_count", "dropped_lines", "log_bytes", "chunks_link")},
        ),
        ("Relatives", {"fields": ("retried_run", "is_retried", "attempt", "parent_run", "parent_step")}),
        (
            "Stop",
            {"fields": ("stop_requested_at", "stop_requested_by", "stop_reason", "is_stop_forced", "stop_ladder")},
        ),
        ("Review", {"fields": ("reviewed_by", "reviewed_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        shown = [name for _, options in self.fieldsets for name in options["fields"]]
        return [name for name in shown if name != "is_pinned"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        tenant = self._one_tenant(request)
        return rows if tenant is None else rows.filter(tenant_id=tenant)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Of one tenant's runs the indexes of the run list know each filter in that list's order."""
        return ("-pk",) if self._one_tenant(request) is None else ("-ordered_at", "-pk")

    def _one_tenant(self, request: HttpRequest) -> int | None:
        """The tenant whose runs alone are asked for; None where they are several."""
        chosen = request.GET.get("tenant__id__exact", "")
        if is_key(chosen):
            return int(chosen)
        tenants = shown_tenants(request)
        return tenants[0] if len(tenants) == 1 else None

    @admin.display(description="Run")
    def run_id(self, run: Run) -> str:
        return run.short_uid

    @admin.display(description="Status")
    def state(self, run: Run) -> str:
        return format_html('<span class="st" data-s="{}">{}</span>', run.status, run.get_status_display())

    @admin.display(description="Page")
    def page(self, run: Run) -> str:
        return link("open", "run_detail", run.uid)

    @admin.display(description="Pinned")
    def pinned(self, run: Run) -> str:
        return "Pinned" if run.is_pinned else ""

    def view_on_site(self, run: Run) -> str:
        return reverse("run_detail", args=[run.uid])

    @admin.display(description="Took")
    def took(self, run: Run) -> str:
        if run.duration_ms is None:
            return "–"
        return f"{run.duration_ms / 1000:,.1f} s"

    @admin.display(description="Steps")
    def steps_link(self, run: Run) -> str:
        return link_to_list(f"{run.steps_done} of {run.step_count} done", Step, run__id__exact=run.pk)

    @admin.display(description="Chunks")
    def chunks_link(self, run: Run) -> str:
        return link_to_list("Chunks of the log", LogChunk, run__id__exact=run.pk)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Each question by its own index, then the runs by their keys: an OR over tables reads them whole."""
        word = search_term.strip()
        if not word:
            return queryset, False
        tenants = shown_tenants(request)
        rows = Run.across_tenants.filter(tenant_id__in=tenants)
        found = set(rows.filter(uid=word).values_list("pk", flat=True)[:MOST_FOUND])
        if len(word) == 8:
            found.update(rows.filter(uid_end=word.lower()).values_list("pk", flat=True)[:MOST_FOUND])
        tracked = TrackedData.across_tenants.filter(tenant_id__in=tenants, value=word[:255])
        found.update(tracked.order_by("-run_id").values_list("run_id", flat=True)[:MOST_FOUND])
        flows = list(Flow.across_tenants.filter(tenant_id__in=tenants, slug=word).values_list("pk", flat=True))
        return queryset.filter(Q(pk__in=found) | Q(flow_id__in=flows)), False

    def save_model(self, request: HttpRequest, obj: Run, form: Any, change: bool) -> None:
        """The one handle of the form is a verb of the run's."""
        (obj.pin if obj.is_pinned else obj.unpin)(by=request.actor)  # type: ignore[attr-defined]

    # --- actions ------------------------------------------------------------------------------------------------

    def _act(self, request: HttpRequest, rows: QuerySet, verb: Callable[[Run], Any], said: str) -> None:
        done = 0
        refused: list[str] = []
        if rows.order_by().values("pk")[: MOST_AT_ONCE + 1].count() > MOST_AT_ONCE:
            self.message_user(request, f"At most {MOST_AT_ONCE} runs at once.", messages.ERROR)
            return
        for run in rows.select_related("flow", "version").order_by("pk"):
            try:
                verb(run)
                done += 1
            except (StatusConflict, InputError, FlowDisabled) as reason:
                refused.append(f"{run.short_uid}: {reason}")
        if done:
            self.message_user(request, f"{done} {'run' if done == 1 else 'runs'} {said}.", messages.SUCCESS)
        for reason in refused[:5]:
            self.message_user(request, reason, messages.WARNING)
        if len(refused) > 5:
            self.message_user(request, f"{len(refused) - 5} more were refused.", messages.WARNING)

    @admin.action(description="Retry the selected runs", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.retry(by=request.actor), "retried")

    @admin.action(description="Retry from the failed step", permissions=["change"])
    def retry_failed(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.retry(by=request.actor, start_at="failed"), "retried")

    @admin.action(description="Stop the selected runs", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.request_stop(by=request.actor), "asked to stop")

    @admin.action(description="Stop by force", permissions=["change"])
    def stop_by_force(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.request_stop(by=request.actor, is_forced=True), "asked to stop")

    @admin.action(description="Mark as reviewed", permissions=["change"])
    def review(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.review(by=request.actor), "reviewed")

    @admin.action(description="Pin the selected runs", permissions=["change"])
    def pin(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.pin(by=request.actor), "pinned")

    @admin.action(description="Unpin the selected runs", permissions=["change"])
    def unpin(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.unpin(by=request.actor), "unpinned")

    @admin.action(description="Resume paused runs", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._act(request, queryset, lambda run: run.resume(by=request.actor), "resumed")


class OfRunWindow(Window):
    """Rows that hang on a run."""

    list_select_related: Any = ("run",)

    @admin.display(description="Run")
    def run_page(self, row: Any) -> str:
        return link(row.run.short_uid, "run_detail", row.run.uid) if row.run is not None else "–"


@admin.register(Step)
class StepWindow(OfRunWindow):
    heavy = ("outputs", "error")
    list_display = ("slug", "run_page", "component", "attempt", "status", "started_at", "finished_at", "exit_code")
    search_fields = ("run__uid__exact",)
    search_help_text = "The whole id of a run."

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By the run's own key: no index knows steps by what their run is called."""
        word = search_term.strip()
        if not word:
            return queryset, False
        runs = Run.across_tenants.filter(tenant_id__in=shown_tenants(request), uid=word)
        return queryset.filter(run_id__in=list(runs.values_list("pk", flat=True))), False


@admin.register(TrackedData)
class TrackedDataWindow(OfRunWindow):
    list_display = ("key", "value", "run_page")
    search_fields = ("value__exact",)
    search_help_text = "A whole value."


@admin.register(RunTag)
class RunTagWindow(OfRunWindow):
    list_display = ("key", "value", "run_page")
    search_fields = ("value__exact",)
    search_help_text = "A whole value."


@admin.register(RunNote)
class RunNoteWindow(OfRunWindow):
    heavy = ("text",)
    list_display = ("created_at", "author", "run_page", "edited_at", "removed_at")
    list_select_related = ("run", "author")


@admin.register(EndUser)
class EndUserWindow(Window):
    list_display = ("session_id", "type", "is_anonymous", "tenant", "created_at")
    list_filter = ("is_anonymous", ("tenant", OwnRelatedFilter))
    list_select_related = ("tenant",)
    search_fields = ("session_id__exact",)
    search_help_text = "A whole session id."


@admin.register(Download)
class DownloadWindow(OfRunWindow):
    list_display = ("file_name", "run_page", "format", "status", "progress", "size", "requested_by", "created_at")
    list_filter = ("status", "format", ("tenant", OwnRelatedFilter))
    list_select_related = ("run", "requested_by")
    search_fields = ("run_uid__exact",)
    search_help_text = "The whole id of a run."
