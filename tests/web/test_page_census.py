"""Every route is known as a page, or as none: a new page is looked at by the tests of all pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.web.urls import urlpatterns

from ..browser.pages import NO_PAGES, OUTSIDE, PAGES
from ..models.runs import make_flow, make_run
from .test_route_roles import address, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from django.urls import URLPattern

    from runs_dashboard.models import Tenant, User


def test_each_route_is_a_page_with_addresses_or_none() -> None:
    named = {name_of(pattern) for pattern in urlpatterns}
    assert named == {*PAGES, *OUTSIDE, *NO_PAGES} - {"api-docs"}, (
        "tests/browser/pages.py: add the new route's addresses"
    )
    assert not NO_PAGES & {*PAGES, *OUTSIDE}


@pytest.mark.parametrize("pattern", [one for one in urlpatterns if one.name in NO_PAGES], ids=name_of)
def test_what_is_no_page_shows_none(
    client_of: Callable[[User], Client], tenant: Tenant, ada: User, pattern: URLPattern
) -> None:
    run = make_run(make_flow(tenant))
    answer = client_of(ada).get(address(pattern, run))
    is_page = answer.status_code == 200 and not answer.streaming and b"<!doctype html>" in answer.content
    assert not is_page, f"{pattern.name} is a page: its addresses belong into tests/browser/pages.py"
