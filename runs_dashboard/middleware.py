"""Whose rows a request is about, and who acts: set once, so that no view looks for itself. And what takes too long."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from .models import Actor, Membership, Role, Tenant
from .query_time import SENTENCE, is_too_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

TENANT_SESSION_KEY = "tenant"
LOGGED = 500  # characters of an address

logger = logging.getLogger(__name__)


class TenantMiddleware:
    """Sets `request.membership` (None for nobody), `request.tenant`, `request.actor`; activates the reader's zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.membership = SimpleLazyObject(lambda: find_membership(request))  # type: ignore[attr-defined]
        request.tenant = SimpleLazyObject(  # type: ignore[attr-defined]
            lambda: request.membership.tenant if request.membership else None  # type: ignore[attr-defined]
        )
        request.actor = SimpleLazyObject(  # type: ignore[attr-defined]
            lambda: Actor(user=request.user, address=request.META.get("REMOTE_ADDR") or None)  # type: ignore[arg-type]
        )
        if request.user.is_authenticated:
            timezone.activate(request.user.zone)
        else:
            timezone.deactivate()
        try:
            return self.get_response(request)
        finally:
            timezone.deactivate()


class QueryTimeMiddleware:
    """Says to a reader that his question takes too long; the API says it in its own shape."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not is_too_long(exception):
            return None
        logger.warning("Too long for the database: %s", request.get_full_path()[:LOGGED])
        return render(request, "too_long.html", {"sentence": SENTENCE}, status=422)


def find_membership(request: HttpRequest) -> Membership | None:
    """The membership that the session chose, else the person's first; a superuser is admin everywhere."""
    user = request.user
    if not user.is_authenticated:
        return None
    chosen = request.session.get(TENANT_SESSION_KEY)
    rows = Membership.across_tenants.filter(user=user, tenant__is_active=True).select_related("tenant").order_by("id")
    known = list(rows)
    for membership in known:
        if membership.tenant_id == chosen:
            return membership
    if user.is_superuser and (chosen is not None or not known):
        tenants = Tenant.objects.filter(is_active=True).order_by("id")
        tenant = tenants.filter(pk=chosen).first() or tenants.first()
        return Membership(tenant=tenant, user=user, role=Role.ADMIN) if tenant else None
    return known[0] if known else None
