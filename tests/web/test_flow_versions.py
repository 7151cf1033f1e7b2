"""A flow's versions: each can be read, and two of them compared."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.http import QueryDict

from runs_dashboard.filters import RunFilter
from runs_dashboard.models import Run, Status

from ..models.runs import make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

TWO = "  - {id: only, component: command, with: {run: [echo, two]}}\n"


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


@pytest.fixture
def versions(tenant: Tenant) -> list[Run]:
    """A run of each of three versions."""
    runs = [make_run(make_flow(tenant), Status.SUCCEEDED)]
    runs.append(make_run(make_flow(tenant, steps=TWO)))
    runs.append(make_run(make_flow(tenant, steps=TWO.replace("two", "three"))))
    return runs


def read_diff(page: Page) -> list[tuple[str, str]]:
    rows = [element.attrs["class"] for element in page.find("tr") if element.attrs.get("class") in ("added", "removed")]
    signs = [element.text for element in page.find("td", class_="s") if element.text]
    assert [sign.split()[1] for sign in signs] == rows
    return [(sign[0], word) for sign, word in zip(signs, rows, strict=True)]


def test_two_versions_are_compared_by_sign_word_and_colour(client: Client, versions: list[Run]) -> None:
    page = Page(client.get("/flows/orders/versions/?from=2&to=3"))
    assert read_diff(page) == [("−", "removed"), ("+", "added")]
    texts = [element.text for element in page.find("td", class_="t")]
    assert "- two" in texts
    assert "- three" in texts
    assert page.one("section", id="diff").text.startswith("v2 to v31 added, 1 removed")
    assert read_diff(Page(client.get("/flows/orders/versions/"))) == read_diff(page)
    assert read_diff(Page(client.get("/flows/orders/versions/?to=3"))) == read_diff(page)
    assert len(read_diff(Page(client.get("/flows/orders/versions/?from=1&to=3")))) > 2
    assert "the same, line by line" in client.get("/flows/orders/versions/?from=2&to=2").content.decode()


@pytest.mark.parametrize("query", ["from=9&to=1", "from=x", "to=", "to=99999999999999999999", "from=%00&to=3"])
def test_a_version_that_is_not_there_is_said_to_be_missing(client: Client, versions: list[Run], query: str) -> None:
    page = Page(client.get(f"/flows/orders/versions/?{query}"))
    assert "The flow has no such version." in page.source
    assert page.by_id("diff") is None


def test_each_version_has_a_page_and_leads_to_its_runs(client: Client, tenant: Tenant, versions: list[Run]) -> None:
    for number, run in enumerate(versions, 1):
        page = Page(client.get(f"/flows/orders/versions/{number}/"))
        query = QueryDict(urlsplit(page.links["Its runs"]).query)
        found = RunFilter(query, queryset=Run.objects.of(tenant), tenant=tenant)
        assert found.is_valid()
        assert list(found.qs) == [run]
    assert page.links["v2"] == "/flows/orders/versions/2/"
    assert page.links["What it changed"] == "/flows/orders/versions/?from=2&to=3#diff"
    assert '<li id="L1">id: orders</li>' in page.source
    for number in ("4", "0", "99999999999999999999"):
        assert client.get(f"/flows/orders/versions/{number}/").status_code == 404


def test_versions_of_another_tenants_flow_are_not_there(client: Client, other_tenant: Tenant) -> None:
    make_flow(other_tenant)
    assert client.get("/flows/orders/versions/").status_code == 404
    assert client.get("/flows/orders/versions/1/").status_code == 404


def test_hostile_text_stays_text(client: Client, tenant: Tenant) -> None:
    evil = "<script>alert(1)</script>"
    for text in ("one", evil):
        make_flow(tenant, steps=f"  - {{id: a, name: '{text}', component: command, with: {{run: [echo, '{text}']}}}}\n")
    for address in ("/flows/orders/", "/flows/orders/versions/", "/flows/orders/versions/2/"):
        page = client.get(address).content.decode()
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
