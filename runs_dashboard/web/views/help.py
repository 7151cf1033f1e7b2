"""Help: every key, the words of a query, what each role may do; and the palette's suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ...models import Role
from ...text.run_query import QUALIFIERS
from ..access import needs, read_text
from ..jumping import find_places

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ..access import MemberRequest

TEXT_LENGTH = 200
ROLES = {
    Role.VIEWER: "sees everything of the organisation; secrets stay masked for everyone",
    Role.SUPPORT: "downloads logs and marks failed runs as reviewed, too",
    Role.OPERATOR: "starts, retries, stops and resumes runs, and reports them, too",
    Role.ADMIN: "edits records, flows, keys and members, too",
}


@require_GET
@needs(Role.VIEWER)
def help_page(request: MemberRequest) -> HttpResponse:
    roles = [(role.label, about, role == request.membership.role) for role, about in ROLES.items()]
    return render(request, "help/help.html", {"qualifiers": QUALIFIERS, "roles": roles})


@require_GET
@needs(Role.VIEWER)
def jump(request: MemberRequest) -> JsonResponse:
    """JSON `items`: places that fit `q`, each with kind, text, about, url and, of a run, its state."""
    text = read_text(request.GET, "q", TEXT_LENGTH).strip()
    return JsonResponse({"items": find_places(request.tenant, request.user, text)})
