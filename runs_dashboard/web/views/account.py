"""One's own account: time zone, theme, which organisation one looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from ...middleware import TENANT_SESSION_KEY
from ...models import LOG_DISPLAY, Membership, Role
from .. import columns
from ..access import needs, read_text
from ..forms import THEMES, AccountForm

if TYPE_CHECKING:
    from ..access import MemberRequest


@require_http_methods(["GET", "POST"])
def account(request: MemberRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    if form.errors:
        request.user.refresh_from_db()
    memberships = Membership.across_tenants.filter(user=request.user).select_related("tenant").order_by("tenant__name")
    context = {"form": form, "memberships": memberships}
    return render(request, "account/detail.html", context, status=422 if form.errors else 200)


@require_POST
def set_theme(request: MemberRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        request.user.choose(theme=theme)
    return redirect(go_back(request))


@require_POST
@needs(Role.VIEWER)
def set_run_list(request: MemberRequest) -> HttpResponse:
    """Which columns the person's run lists have, in which order, and how dense they are."""
    if "density" in request.POST:
        columns.choose(request.user, density=request.POST["density"])
    elif "usual" in request.POST:
        columns.choose(request.user, columns=list(columns.USUAL))
    elif "columns" in request.POST:
        chosen = columns.read_columns(request.POST.getlist("column"))
        first = request.POST.get("first", "")
        place = chosen.index(first) if first in chosen else 0
        if place:
            chosen[place - 1 : place + 1] = [first, chosen[place - 1]]
        columns.choose(request.user, columns=chosen)
    return redirect(go_back(request))


@require_POST
def set_log_display(request: MemberRequest) -> HttpResponse:
    """Keeps how the person reads logs; what is not sent stays as it is. 204 for the script, else back to the page."""
    sent = {name: request.POST[name] for name in LOG_DISPLAY if request.POST.get(name) in LOG_DISPLAY[name]}
    request.user.choose(**{f"log_{name}": value for name, value in sent.items()})
    return HttpResponse(status=204) if request.htmx else redirect(go_back(request))


@require_POST
def set_tenant(request: MemberRequest) -> HttpResponse:
    """Looks at another organisation from now on, one that the person belongs to."""
    wanted = read_text(request.POST, "tenant", 63)
    memberships = Membership.across_tenants.filter(user=request.user, tenant__is_active=True)
    found = memberships.filter(tenant__slug=wanted).first()
    if found is None:
        raise Http404("There is no such organisation.")
    request.session[TENANT_SESSION_KEY] = found.tenant_id
    return redirect("run_list")


def go_back(request: MemberRequest) -> str:
    """Where the person came from, if that is a page of ours."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return "/runs/"
