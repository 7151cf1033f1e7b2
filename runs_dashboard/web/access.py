"""Who may see and do what: one decorator a view, and look-ups that know no other tenant's rows."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from ..models import Flow, Role, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import QueryDict
    from django.http.response import HttpResponseBase

    from ..models import Actor, Membership, Tenant, User

    View = Callable[..., HttpResponseBase]


class MemberRequest(HttpRequest):
    """A request as the middleware leaves it to a view that a member asks."""

    user: User
    membership: Membership
    tenant: Tenant
    actor: Actor


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
        def checked(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.membership:
                raise PermissionDenied("You do not belong to an organisation yet. Ask an admin to add you.")
            if not request.membership.may(role):
                raise PermissionDenied(f"This needs the role {role.label}; yours is {request.membership.role}.")
            return view(request, *args, **kwargs)

        checked.needs_role = role  # type: ignore[attr-defined]
        return checked

    return decorate


def read_text(params: QueryDict, name: str, limit: int) -> str:
    """A parameter as text that may be asked of any database: no NUL, which PostgreSQL refuses, at most `limit` long."""
    return params.get(name, "").replace("\0", "")[:limit]


def find_run(request: MemberRequest, uid: str) -> Run:
    """The tenant's run with this id. Raises Http404, for another tenant's run too."""
    runs = Run.objects.of(request.tenant).select_related(*RUN_RELATIONS)
    run = runs.filter(uid=uid.replace("\0", "/"), removing_at=None).first()
    if run is None:
        raise Http404("There is no such run, or none any more.")
    return run


def find_flow(request: MemberRequest, slug: str) -> Flow:
    """The tenant's flow with this id. Raises Http404."""
    flow = Flow.objects.of(request.tenant).select_related("latest").filter(slug=slug.replace("\0", "/")).first()
    if flow is None:
        raise Http404("There is no such flow.")
    return flow
