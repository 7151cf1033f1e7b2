"""Who may see and do what: one decorator a view, and look-ups that know no other tenant's rows."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from ..models import Flow, Role, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

View = Callable[..., "HttpResponse"] if TYPE_CHECKING else Any
RUN_RELATIONS = (
    "flow__latest",
    "version",
    "environment_version__environment",
    "created_by",
    "created_by_key",
    "reviewed_by",
    "end_user",
    "retried_run",
    "parent_run__flow",
)


def needs(role: Role) -> Callable[[View], View]:
    """Only members with the role; the view carries it as `needs_role`, for the census of routes."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.membership:  # type: ignore[attr-defined]
                raise PermissionDenied("You do not belong to an organisation yet. Ask an admin to add you.")
            if not request.membership.may(role):  # type: ignore[attr-defined]
                raise PermissionDenied(f"This needs the role {role.label}; yours is {request.membership.role}.")  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        checked.needs_role = role  # type: ignore[attr-defined]
        return checked

    return decorate


def find_run(request: HttpRequest, uid: str) -> Run:
    """The tenant's run with this id. Raises Http404, for another tenant's run too."""
    run = Run.objects.of(request.tenant).select_related(*RUN_RELATIONS).filter(uid=uid).first()  # type: ignore[attr-defined]
    if run is None:
        raise Http404("There is no such run.")
    return run


def find_flow(request: HttpRequest, slug: str) -> Flow:
    """The tenant's flow with this id. Raises Http404."""
    flow = Flow.objects.of(request.tenant).select_related("latest").filter(slug=slug).first()  # type: ignore[attr-defined]
    if flow is None:
        raise Http404("There is no such flow.")
    return flow
