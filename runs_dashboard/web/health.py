"""For machines that watch: alive, ready, and a few numbers. Without a login nothing is told but yes or no."""

from __future__ import annotations

import ipaddress
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..models import ApiKey

if TYPE_CHECKING:
    from django.http import HttpRequest

TEXT = "text/plain; charset=utf-8"
# Set by proxies: behind one every client seems to be on this machine.
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type=TEXT)


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and has every migration; 503 until then."""
    if is_ready():
        return HttpResponse("ready\n", content_type=TEXT)
    return HttpResponse("not ready\n", status=503, content_type=TEXT)


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for clients on this machine or with a key."""
    if not (is_local(request) or has_key(request)):
        answer = HttpResponse("A key is needed.\n", status=401, content_type=TEXT)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    from .measures import export  # here, so that who never asks never loads the client

    content, content_type = export()
    return HttpResponse(content, content_type=content_type)


_is_migrated = False


def is_ready() -> bool:
    """Whether the database answers and is migrated. The second is looked up until it is true, then remembered."""
    global _is_migrated
    try:
        if not _is_migrated:
            _is_migrated = find_migrations() <= set(MigrationRecorder(connection).applied_migrations())
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return _is_migrated


def find_migrations() -> set[tuple[str, str]]:
    """(app, name) of every migration on disk. By file name: importing them all costs memory that stays."""
    found = set()
    for app in apps.get_app_configs():
        if app.module is None or not (package := _find_package(f"{app.name}.migrations")):
            continue
        found |= {(app.label, module.name) for module in pkgutil.iter_modules(package) if module.name[0] not in "_~"}
    return found


def _find_package(name: str) -> list[str]:
    try:
        return list(import_module(name).__path__)
    except ModuleNotFoundError:
        return []


def is_local(request: HttpRequest) -> bool:
    """Whether the client is a program on this machine, not somebody behind a proxy on it."""
    if any(name in request.META for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def has_key(request: HttpRequest) -> bool:
    """Whether the request carries a usable key, of any role."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and ApiKey.across_tenants.identify(secret.strip()) is not None
