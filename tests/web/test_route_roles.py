"""Every route of the pages is closed by default: it says its least role, and keeps to it, or is named here."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from runs_dashboard.models import Role
from runs_dashboard.web.urls import urlpatterns

from ..models.runs import make_flow, make_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.urls import URLPattern

    from runs_dashboard.models import Run, Tenant, User

# Anybody who has signed in, whichever the tenant and the role: one's own account.
ONES_OWN = {"account", "set_theme", "set_log_display", "set_tenant", "password_change", "password_change_done"}
OPEN = {"home", "login", "logout"}  # the first leads to the run list
PEOPLE = {Role.VIEWER: "vic", Role.SUPPORT: "sue", Role.OPERATOR: "oli", Role.ADMIN: "ada"}


def name_of(pattern: URLPattern) -> str:
    return pattern.name or ""


def address(pattern: URLPattern, run: Run) -> str:
    values = {"uid": run.uid, "slug": run.flow.slug}

    def fill(found: re.Match[str]) -> str:
        kind, name = found[1], found[2]
        return values.get(name) or {"uuid": str(uuid.uuid4()), "int": "1"}.get(kind, "nothing")

    return "/" + re.sub(r"<(\w+):(\w+)>", fill, str(pattern.pattern))


@pytest.mark.parametrize("pattern", urlpatterns, ids=name_of)
def test_a_route_says_its_least_role(pattern: URLPattern) -> None:
    assert hasattr(pattern.callback, "needs_role") != (pattern.name in ONES_OWN | OPEN)


@pytest.mark.parametrize("pattern", [one for one in urlpatterns if one.name not in OPEN], ids=name_of)
def test_a_route_keeps_to_it(
    request: pytest.FixtureRequest, client_of: Callable[[User], Client], tenant: Tenant, pattern: URLPattern
) -> None:
    run = make_run(make_flow(tenant))
    path, least = address(pattern, run), getattr(pattern.callback, "needs_role", Role.VIEWER)
    assert Client().get(path).status_code == 302, "who has not signed in is led to the sign-in page"
    for role, person in PEOPLE.items():
        client = client_of(request.getfixturevalue(person))
        for method in (client.get, client.post):
            status = method(path).status_code
            assert status != 500
            if status != 405 and not role.covers(least):
                assert status == 403, (role, method.__name__)
