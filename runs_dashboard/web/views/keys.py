"""One's own API keys in the organisation that one looks at: what there is, a new one, the end of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ...models import ApiKey, Role
from ..access import needs
from ..forms import KeyForm

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from ...models.key import KeyQuerySet
    from ..access import MemberRequest

USABLE_LIMIT = 100  # keys of one person in one tenant
ENDED_LIMIT = 50  # of the expired and revoked ones the newest are shown


@require_http_methods(["GET", "POST"])
@never_cache
@needs(Role.VIEWER)
def key_list(request: MemberRequest) -> HttpResponse:
    """The answer to the form shows the new key's secret; nothing else ever does, and nobody keeps that answer."""
    form = KeyForm(request.POST or None, role=request.membership.role)
    made: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        if _own(request).usable().count() >= USABLE_LIMIT:
            form.add_error(
                None, f"You have {USABLE_LIMIT} keys that still hold. Revoke one that nothing uses any more."
            )
        else:
            key, secret = ApiKey.make(
                user=request.user,
                tenant=request.tenant,
                by=request.actor,
                name=form.cleaned_data["name"],
                role=form.cleaned_data["role"],
                lifetime=form.cleaned_data["lifetime"],
            )
            made = {"key": key, "secret": secret}
            form = KeyForm(role=request.membership.role)
    newest = _own(request).order_by("-created_at", "-id")
    usable = list(newest.usable())
    ended = list(newest.exclude(pk__in=[key.pk for key in usable])[:ENDED_LIMIT])
    context = {
        "form": form,
        "made": made,
        "keys": [(key, "active") for key in usable]
        + [(key, "revoked" if key.revoked_at else "expired") for key in ended],
    }
    return render(request, "account/keys.html", context, status=422 if form.errors else 200)


@require_POST
@needs(Role.VIEWER)
def key_revoke(request: MemberRequest, key: UUID) -> HttpResponse:
    found = _own(request).filter(uuid=key).first()
    if found is None:
        raise Http404("There is no such key.")
    found.revoke(by=request.actor)
    messages.success(request, f"The key {found} is revoked: nothing can use it any more.")
    return redirect("key_list")


def _own(request: MemberRequest) -> KeyQuerySet:
    """The person's keys, without the tokens that programs fetch by the hour."""
    keys: KeyQuerySet = ApiKey.objects.of(request.tenant).filter(user=request.user, kind=ApiKey.Kind.KEY)
    return keys
