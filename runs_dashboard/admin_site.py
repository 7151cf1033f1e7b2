"""The admin's site: who may enter, what no request may hold, in which order its models stand."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import BadRequest, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

GROUPS = {
    "Flows": ("Flow", "FlowVersion", "WebhookSecret", "Environment", "EnvironmentVersion"),
    "Runs": ("Run", "Step", "TrackedData", "RunTag", "EndUser", "Download", "SavedView"),
    "Logs": ("LogChunk", "Payload", "LogMetadata", "LogIndexPart"),
    "People and rights": ("Tenant", "User", "Membership", "ApiKey"),
    "Machine": ("AuditEntry", "Worker", "IdempotencyKey", "RollupCell", "RollupChange", "RollupState"),
}


class DashboardAdminConfig(AdminConfig):
    default_site = "runs_dashboard.admin_site.DashboardAdminSite"


class DashboardAdminSite(AdminSite):
    """Open to superusers, and to the admins of a tenant for what is their tenant's."""

    site_header = site_title = "Runs Dashboard"
    index_title = "Administration"
    site_url = "/runs/"
    enable_nav_sidebar = False
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and own_tenants(request) != frozenset()

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The product has one sign-in page; who is signed in and may not enter is told so."""
        if request.user.is_authenticated:
            raise PermissionDenied("The admin is for the admins of an organisation.")
        from django.contrib.auth.views import redirect_to_login  # wants the models, which are not there yet above

        return redirect_to_login(request.GET.get("next", "/admin/"))

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        inner = super().admin_view(view, cacheable)

        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            given = [request.path, *(value for values in request.GET.lists() for value in values[1])]
            if any("\0" in text for text in given):
                raise BadRequest("A NUL character names nothing.")  # PostgreSQL takes none, whatever the column
            if any(not is_key(text) for text in request.POST.getlist("_selected_action")):
                raise BadRequest("What was selected is no row.")
            return inner(request, *args, **kwargs)

        return update_wrapper(checked, inner)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        own = next((app for app in apps if app["app_label"] == "runs_dashboard"), None)
        if own is None or app_label is not None:
            return apps
        known = {model["object_name"]: model for model in own["models"]}
        groups = []
        for name, members in GROUPS.items():
            models = [known.pop(member) for member in members if member in known]
            if models:
                groups.append({**own, "name": name, "models": models})
        rest = [{**own, "name": "Other", "models": list(known.values())}] if known else []
        return [*groups, *rest, *(app for app in apps if app is not own)]


def own_tenants(request: HttpRequest) -> frozenset[int] | None:
    """The primary keys of the tenants whose admin the person is; None for a superuser: all of them."""
    from .models import Membership, Role

    user = request.user
    if user.is_superuser:
        return None
    if not user.is_authenticated:
        return frozenset()
    if not hasattr(request, "_own_tenants"):
        rows = Membership.across_tenants.filter(user=user, role=Role.ADMIN, tenant__is_active=True)
        request._own_tenants = frozenset(rows.values_list("tenant_id", flat=True))  # type: ignore[attr-defined]
    found: frozenset[int] = request._own_tenants  # type: ignore[attr-defined]
    return found


def is_key(text: str) -> bool:
    """Whether a text can be a primary key: an ASCII number that 64 bits hold."""
    return text.isascii() and text.isdigit() and len(text) < 19
