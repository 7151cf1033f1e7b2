"""Saved views: kept from the run list, shared, renamed, put first, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from ...models import Role, SavedView, ViewRefused
from ...models.view import NAME_LENGTH, QUERY_LENGTH
from ..access import needs, read_text
from ..run_question import RunQuestion
from .account import go_back

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from ..access import MemberRequest

SHOWN_LIMIT = 500


@require_GET
@needs(Role.VIEWER)
def view_list(request: MemberRequest) -> HttpResponse:
    """Every view that the person can open, with what may be done to it."""
    views = SavedView.objects.of(request.tenant).visible_to(request.user).select_related("owner")[:SHOWN_LIMIT]
    shown = [
        {
            "view": view,
            "is_own": view.owner_id == request.user.pk,
            "is_first": view.pk == request.membership.first_view_id,
            "may_change": view.may_be_changed_by(request.membership),
            "text": RunQuestion(QueryDict(view.query)).text or "All runs",
        }
        for view in views
    ]
    return render(request, "views/list.html", {"shown": shown, "name_length": NAME_LENGTH})


@require_POST
@needs(Role.VIEWER)
def view_keep(request: MemberRequest) -> HttpResponse:
    """Keeps the list that the form was sent from under a name. Sent twice it is one view."""
    query = RunQuestion(QueryDict(read_text(request.POST, "query", QUERY_LENGTH))).plain_address
    try:
        view, is_new = SavedView.keep(
            tenant=request.tenant,
            owner=request.user,
            name=request.POST.get("name", ""),
            query=query,
            is_shared=_wants_shared(request),
            by=request.actor,
        )
    except ViewRefused as error:
        messages.error(request, str(error))
        return redirect(go_back(request))
    if request.POST.get("first") == "true":
        request.membership.open_with(view)
    messages.success(request, f"The view {view} is kept." if is_new else f"The view {view} was kept already.")
    return redirect(f"{reverse('run_list')}?{RunQuestion(QueryDict(view.query)).address(view=str(view.uuid))}")


@require_POST
@needs(Role.VIEWER)
def view_change(request: MemberRequest, view: UUID) -> HttpResponse:
    """A new name, another list under the name, shared or not: what the form gives."""
    found = _find(request, view)
    if not found.may_be_changed_by(request.membership):
        raise PermissionDenied("This view is somebody else's.")
    query = None
    if "query" in request.POST:
        query = RunQuestion(QueryDict(read_text(request.POST, "query", QUERY_LENGTH))).plain_address
    try:
        found.change(
            by=request.actor,
            name=request.POST.get("name"),
            query=query,
            is_shared=_wants_shared(request) if "is_shared" in request.POST else None,
        )
    except ViewRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The view {found} is saved.")
    return redirect(go_back(request))


@require_POST
@needs(Role.VIEWER)
def view_delete(request: MemberRequest, view: UUID) -> HttpResponse:
    """Deletes one's own view; a shared one an admin may. One that is gone already is no mistake."""
    found = SavedView.objects.of(request.tenant).visible_to(request.user).filter(uuid=view).first()
    if found is not None:
        if not found.may_be_changed_by(request.membership):
            raise PermissionDenied("This view is somebody else's.")
        found.remove(by=request.actor)
        messages.success(request, f"The view {found} is deleted.")
    return redirect("view_list")


@require_POST
@needs(Role.VIEWER)
def view_first(request: MemberRequest) -> HttpResponse:
    """Which view the run list begins with; an empty `view` means all runs."""
    wanted = request.POST.get("view", "")
    view = None
    if wanted:
        view = next((one for one in _visible(request) if str(one.uuid) == wanted), None)
        if view is None:
            raise Http404("There is no such view.")
    if request.membership.pk is None:
        messages.error(request, "You are no member of this organisation: its list begins with all runs for you.")
    else:
        request.membership.open_with(view)
        messages.success(request, f"The run list begins with {view or 'all runs'}.")
    return redirect(go_back(request))


def _visible(request: MemberRequest) -> list[SavedView]:
    return list(SavedView.objects.of(request.tenant).visible_to(request.user)[:SHOWN_LIMIT])


def _find(request: MemberRequest, view: UUID) -> SavedView:
    """A view that the person can open. Raises Http404."""
    found: SavedView | None = SavedView.objects.of(request.tenant).visible_to(request.user).filter(uuid=view).first()
    if found is None:
        raise Http404("There is no such view.")
    return found


def _wants_shared(request: MemberRequest) -> bool:
    """Whether the form shares the view. Raises PermissionDenied for who may not."""
    is_shared = request.POST.getlist("is_shared")[-1:] == ["true"]
    if is_shared and not request.membership.may(Role.OPERATOR):
        raise PermissionDenied("Sharing a view needs the role Operator.")
    return is_shared
