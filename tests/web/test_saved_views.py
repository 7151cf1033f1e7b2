"""Saved views: a list under a name, one's own or shared, one of them first."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from runs_dashboard.models import Actor, AuditEntry, Membership, SavedView, Status
from runs_dashboard.models.view import VIEWS_LIMIT

from ..models.runs import make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

    SignIn = Callable[[User], Client]

FAILED = "status=failed&tag=team%3Ablue&sort=started_at&columns=lines"


def keep(client: Client, name: str = "On call", query: str = FAILED, **more: str) -> Any:
    return client.post("/views/keep/", {"name": name, "query": query, "next": "/runs/", **more})


def view_of(user: User, name: str = "On call") -> SavedView:
    return SavedView.across_tenants.get(owner=user, name=name)


def acts(tenant: Tenant) -> list[str]:
    entries = AuditEntry.objects.of(tenant).filter(object_type="savedview").order_by("id")
    return list(entries.values_list("action", flat=True))


def said(client: Client) -> str:
    return Page(client.get("/views/")).source


def test_a_list_is_kept_with_its_filters_sort_and_columns(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    client = client_of(vic)
    make_run(make_flow(tenant), Status.FAILED, tags={"team": "blue"})
    form = Page(client.get(f"/runs/?{FAILED}"))
    query = [e.attrs["value"] for e in form.find("input", name="query")]
    assert query == [FAILED]
    answer = keep(client, query=query[0])
    assert answer.status_code == 302
    page = Page(client.get(answer.headers["Location"]))
    view = view_of(vic)
    assert parse_qsl(urlsplit(answer.headers["Location"]).query) == [*parse_qsl(FAILED), ("view", str(view.uuid))]
    assert "On call" in [summary.text for summary in page.find("summary")]
    assert [heading.text for heading in page.find("th")] == ["Status", "Flow and run", "Lines"]
    assert acts(tenant) == ["view.create"]


def test_a_views_short_address_leads_to_all_of_it(client_of: SignIn, vic: User) -> None:
    client = client_of(vic)
    keep(client)
    view = view_of(vic)
    assert client.get(f"/runs/?view={view.uuid}").headers["Location"] == f"/runs/?{FAILED}&view={view.uuid}"


def test_a_view_of_all_runs_leads_nowhere_else(client_of: SignIn, vic: User) -> None:
    client = client_of(vic)
    keep(client, name="Everything", query="view=all")
    view = view_of(vic, "Everything")
    assert view.query == ""
    assert client.get(f"/runs/?view={view.uuid}").status_code == 200


def test_the_form_sent_twice_keeps_one_view(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    client = client_of(vic)
    assert keep(client).headers["Location"] == keep(client).headers["Location"]
    assert SavedView.objects.of(tenant).count() == 1
    assert acts(tenant) == ["view.create"]


def test_another_list_under_a_known_name_is_refused_and_overwrites_nothing(client_of: SignIn, vic: User) -> None:
    client = client_of(vic)
    keep(client)
    keep(client, query="status=stopped")
    assert view_of(vic).query == FAILED
    assert "You have a view On call already" in said(client)


def test_a_changed_list_says_so_and_is_saved_under_the_same_name(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    client = client_of(vic)
    keep(client)
    view = view_of(vic)
    page = Page(client.get(f"/runs/?status=failed&view={view.uuid}"))
    assert "On call, changed" in [summary.text for summary in page.find("summary")]
    form = page.one("form", action=f"/views/{view.uuid}/")
    assert "Save changes to On call" in form.text
    for _ in range(2):
        client.post(f"/views/{view.uuid}/", {"query": "status=failed", "next": "/runs/"})
    assert view_of(vic).query == "status=failed"
    assert acts(tenant) == ["view.create", "view.edit"]


def test_a_shared_view_is_found_by_the_others_of_the_tenant_alone(
    client_of: SignIn, oli: User, vic: User, eve: User, tenant: Tenant
) -> None:
    keep(client_of(oli), is_shared="true")
    keep(client_of(oli), name="Mine")
    view, own = view_of(oli), view_of(oli, "Mine")
    page = Page(client_of(vic).get("/runs/"))
    assert "On call" in page.links
    assert "Mine" not in page.links
    assert client_of(vic).get(f"/runs/?view={view.uuid}").headers["Location"].startswith("/runs/?status=failed")
    assert client_of(vic).get(f"/runs/?view={own.uuid}").headers["Location"] == "/runs/?view=all"
    assert client_of(eve).get(f"/runs/?view={view.uuid}").headers["Location"] == "/runs/?view=all"
    assert "On call" not in Page(client_of(eve).get("/runs/")).links


@pytest.mark.parametrize(("name", "may"), [("vic", False), ("sue", False), ("oli", True), ("ada", True)])
def test_operators_and_admins_share(
    request: pytest.FixtureRequest, client_of: SignIn, tenant: Tenant, name: str, may: bool
) -> None:
    user = request.getfixturevalue(name)
    client = client_of(user)
    assert (keep(client, is_shared="true").status_code == 302) == may
    assert keep(client, name="Own").status_code == 302
    own = view_of(user, "Own")
    assert (client.post(f"/views/{own.uuid}/", {"is_shared": "true"}).status_code == 302) == may
    assert SavedView.objects.of(tenant).filter(is_shared=True).count() == (2 if may else 0)
    assert ("Share it with" in Page(client.get("/runs/")).source) == may


def test_who_owns_a_view_and_an_admin_may_change_it_and_nobody_else(
    client_of: SignIn, oli: User, sue: User, ada: User, tenant: Tenant
) -> None:
    keep(client_of(oli), is_shared="true")
    view = view_of(oli)
    for path in (f"/views/{view.uuid}/", f"/views/{view.uuid}/delete/"):
        assert client_of(sue).post(path, {"name": "Taken"}).status_code == 403
    assert Page(client_of(sue).get("/views/")).find("button", aria_label="Delete On call") == []
    client_of(ada).post(f"/views/{view.uuid}/", {"name": " Night   shift "})
    assert view_of(oli, "Night shift").is_shared
    for _ in range(2):
        assert client_of(ada).post(f"/views/{view.uuid}/delete/").headers["Location"] == "/views/"
    assert acts(tenant) == ["view.create", "view.edit", "view.delete"]


@pytest.mark.parametrize("path", ["/views/{view}/", "/views/first/"])
def test_a_private_or_foreign_view_is_not_there(client_of: SignIn, oli: User, ada: User, eve: User, path: str) -> None:
    keep(client_of(oli))
    view = view_of(oli)
    for stranger in (ada, eve):
        answer = client_of(stranger).post(path.format(view=view.uuid), {"view": str(view.uuid), "name": "x"})
        assert answer.status_code == 404
    client_of(ada).post(f"/views/{view.uuid}/delete/")
    assert SavedView.across_tenants.filter(pk=view.pk).exists()


def test_the_bare_list_begins_with_the_view_that_a_person_put_first(
    client_of: SignIn, oli: User, vic: User, tenant: Tenant
) -> None:
    keep(client_of(oli), is_shared="true")
    view, client = view_of(oli), client_of(vic)
    client.post("/views/first/", {"view": str(view.uuid)})
    assert client.get("/runs/").headers["Location"] == f"/runs/?{FAILED}&view={view.uuid}"
    assert client_of(oli).get("/runs/").status_code == 200
    assert client.get("/runs/?status=failed").status_code == 200
    every = Page(client.get("/runs/?view=all"))
    assert every.links["All runs"] == "/runs/?view=all"
    assert "bare" not in [link for link in every.links.values() if link in ("?", "/runs/?")]
    client_of(oli).post(f"/views/{view.uuid}/", {"is_shared": "false"})
    assert client.get("/runs/").status_code == 200, "what is not shared any more is nobody's beginning"
    client_of(oli).post(f"/views/{view.uuid}/delete/")
    assert Membership.across_tenants.get(user=vic).first_view is None


def test_a_view_can_be_kept_as_the_first_and_all_runs_put_back(client_of: SignIn, vic: User) -> None:
    client = client_of(vic)
    keep(client, first="true")
    assert client.get("/runs/").status_code == 302
    client.post("/views/first/", {"view": ""})
    assert client.get("/runs/").status_code == 200


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_name_that_cannot_be_is_told(client_of: SignIn, vic: User, tenant: Tenant, name: str) -> None:
    client = client_of(vic)
    keep(client, name=name)
    assert SavedView.objects.of(tenant).count() == 0
    assert re.search("needs a name|at most 100", said(client))


def test_whatever_is_kept_is_shown_as_text_and_breaks_nothing(client_of: SignIn, vic: User) -> None:
    client = client_of(vic)
    evil = "<script>alert(1)</script>\0"
    keep(client, name=evil[:60], query="status=%3Cb%3E&nothing=1&tag=" + "%00x" * 200 + "&view=zzz&cursor=x")
    for address in ("/views/", "/runs/", f"/runs/?view={SavedView.across_tenants.get().uuid}"):
        page = client.get(address, follow=True)
        assert page.status_code in (200, 400)
        assert b"<script>alert" not in page.content
    assert "nothing" not in SavedView.across_tenants.get().query


@pytest.mark.parametrize("view", ["x", "\0", str(uuid.uuid4()), "all"])
def test_an_address_with_a_view_that_is_none_shows_all_runs(client_of: SignIn, vic: User, view: str) -> None:
    page = client_of(vic).get("/runs/", {"view": view}, follow=True)
    assert page.status_code == 200
    assert "Views" in [summary.text for summary in Page(page).find("summary")]


def test_there_is_an_end_to_views(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    SavedView.across_tenants.bulk_create(
        SavedView(tenant=tenant, owner=vic, name=f"view {number}") for number in range(VIEWS_LIMIT)
    )
    client = client_of(vic)
    keep(client)
    assert "delete one" in said(client)
    page = Page(client.get("/runs/"))
    assert "All views, rename, share, delete…" in page.links


def test_two_names_of_one_owner_stay_apart(vic: User, tenant: Tenant, client_of: SignIn) -> None:
    client = client_of(vic)
    keep(client)
    keep(client, name="Other", query="")
    client.post(f"/views/{view_of(vic, 'Other').uuid}/", {"name": "On call"})
    assert "There is a view On call" in said(client)
    assert not view_of(vic, "Other").change(by=Actor(user=vic), name="Other")
