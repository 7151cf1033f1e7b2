"""One's own account: time zone, theme, which organisation one looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from ...middleware import TENANT_SESSION_KEY
from ...models import Membership
from ..access import read_text
from ..forms import THEMES, AccountForm

if TYPE_CHECKING:
    from django.http import HttpResponse

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
        user = request.user
        user.preferences = {**user.preferences, "theme": theme}
        user.save(update_fields=["preferences"])
    return redirect(go_back(request))


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
