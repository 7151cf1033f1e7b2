"""Tracked data leads to the other runs with the same key: counted so far, the newest shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run, TrackedData
from runs_dashboard.web.related import MOST_COUNTED, MOST_PAIRS

from ..models.runs import make_flow, make_run
from .making import make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def track(runs: list[Run], key: str, value: str) -> None:
    TrackedData.across_tenants.bulk_create(
        TrackedData(tenant_id=run.tenant_id, run=run, key=key, value=value) for run in runs
    )


def test_the_other_runs_of_a_key_are_counted_and_the_newest_are_linked(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    others = make_history(flow, 5)
    run = make_run(flow)
    track([*others, run], "order_id", "4711")
    track([run], "shop", "eu")
    page = Page(client.get(f"/runs/{run.uid}/related/"))
    assert page.links["5 other runs"] == "/runs/?tracked=order_id%3A4711"
    shown = [text for text in page.links if "Orders" in text]
    assert shown == [f"succeeded: Orders {other.short_uid}" for other in reversed(others[2:])]
    assert "shopeu no other run" in page.source.replace("</i>", "").replace("</span>", "").replace(
        '<span class="kv"><i>', ""
    ).replace('<span class="m">', "")


def test_very_many_others_are_not_all_counted(
    client: Client, tenant: Tenant, django_assert_max_num_queries: object
) -> None:
    flow = make_flow(tenant)
    others = make_history(flow, MOST_COUNTED + 20)
    run = make_run(flow)
    track([*others, run], "shop", "eu")
    for number in range(20):
        track([run], f"key-{number}", "x")
    with django_assert_max_num_queries(MOST_PAIRS + 7):  # type: ignore[operator]
        page = Page(client.get(f"/runs/{run.uid}/related/"))
    assert f"{MOST_COUNTED}+ other runs" in page.links
    assert page.links["Other runs with it"].startswith("/runs/?tracked=key-")


def test_the_page_itself_leads_there_without_scripts_and_asks_once_with_them(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    track([run], "order_id", "4711")
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert page.links["order_id4711"] == "/runs/?tracked=order_id%3A4711"
    (place,) = [one for one in page.find("div") if one.attrs.get("class") == "related"]
    assert (place.attrs["hx-trigger"], "hx-morph-skip" in place.attrs) == ("load", True)


def test_another_tenants_runs_are_never_among_them(
    client_of: Callable[[User], Client], client: Client, tenant: Tenant, other_tenant: Tenant, eve: User
) -> None:
    run, theirs = make_run(make_flow(tenant)), make_run(make_flow(other_tenant))
    track([run], "order_id", "1")
    track([theirs], "order_id", "1")
    page = Page(client.get(f"/runs/{run.uid}/related/"))
    assert "no other run" in page.source
    assert client_of(eve).get(f"/runs/{run.uid}/related/").status_code == 404
