"""Storage: what is kept and when it goes; pins; the page of a run that is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.models import Run, Status, count_storage

from ..models.runs import make_flow, make_run
from ..models.test_retention import make_ended
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django import Settings

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def text(client: Client, address: str = "/storage/") -> str:
    return client.get(address).content.decode()


def test_each_flow_has_its_sums_its_rule_and_what_goes_next(client: Client, tenant: Tenant) -> None:
    make_ended(make_flow(tenant, "plain"), 2, size=40_000)
    make_ended(make_flow(tenant, "bounded", extra="retention: {days: 30, bytes: 10GB, runs: 1}"), 3, size=5_000)
    count_storage()
    said = Page(client.get("/storage/")).one("main").text

    assert "80.0 kB" in said
    assert "90 days" in said
    assert "30 days, 10.0 GB of log, 1 run" in said
    assert "2 runs" in said  # go next
    assert said.index("Plain") < said.index("Bounded"), "the largest comes first"


def test_an_empty_tenant_is_told_so_and_one_not_counted_yet_too(client: Client, tenant: Tenant) -> None:
    assert "Nothing is kept yet" in text(client)
    make_run(make_flow(tenant), Status.FAILED)
    assert "Still counting" in text(client)


def test_the_machines_numbers_are_not_for_one_tenant_of_several(
    client: Client, client_of: Callable[[User], Client], tenant: Tenant, ada: User
) -> None:
    assert "Free on its disk" in text(client)
    type(tenant).objects.create(slug="second", name="Second")
    assert "Free on its disk" not in text(client)
    ada.is_superuser = True
    ada.save()
    assert "Free on its disk" in text(client_of(ada))


def test_another_tenants_runs_are_not_in_the_sums(client: Client, other_tenant: Tenant) -> None:
    make_ended(make_flow(other_tenant, "foreign"), 2)
    count_storage()
    assert "Foreign" not in text(client)


def test_a_bound_for_all_is_shown_with_what_is_over(client: Client, tenant: Tenant, settings: Settings) -> None:
    settings.RETENTION_BYTES = 2_000
    make_ended(make_flow(tenant), 5)
    count_storage()
    said = Page(client.get("/storage/")).one("main").text
    assert "at most 2.0 kB of log in all" in said
    assert "3.0 kB" in said


def test_the_page_costs_the_same_with_many_runs(client: Client, tenant: Tenant, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    make_ended(make_flow(tenant), 1)
    count_storage()
    client.get("/storage/")
    with CaptureQueriesContext(connection) as few:
        client.get("/storage/")
    for number in range(5):
        make_ended(make_flow(tenant, f"flow-{number}"), 4)
    count_storage()
    with django_assert_num_queries(len(few)):
        client.get("/storage/")
    assert len(few) <= 17


def test_an_operator_pins_and_unpins_on_the_runs_page(
    client_of: Callable[[User], Client], tenant: Tenant, oli: User
) -> None:
    client = client_of(oli)
    run = make_run(make_flow(tenant), Status.FAILED)
    assert "Kept until" in text(client, f"/runs/{run.uid}/")
    for _ in range(2):
        page = Page(client.post(f"/runs/{run.uid}/pin/", {"pinned": "true"}, follow=True))
    assert "Unpin" in page.buttons
    assert "Pinned: retention leaves it alone." in page.one("body").text
    assert "Pinned" in text(client, "/runs/?pinned=true")
    assert run.short_uid in text(client, "/runs/?pinned=true")
    assert run.short_uid not in text(client, "/runs/?pinned=false")
    assert "Pin" in Page(client.post(f"/runs/{run.uid}/pin/", {"pinned": "false"}, follow=True)).buttons
    run.refresh_from_db()
    assert not run.is_pinned


@pytest.mark.parametrize(("role", "status"), [("vic", 403), ("sue", 403), ("oli", 302), ("ada", 302), ("eve", 404)])
def test_pinning_is_for_operators(
    client_of: Callable[[User], Client], tenant: Tenant, request: pytest.FixtureRequest, role: str, status: int
) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    client = client_of(request.getfixturevalue(role))
    assert client.post(f"/runs/{run.uid}/pin/", {"pinned": "true"}).status_code == status
    assert client.get(f"/runs/{run.uid}/pin/").status_code == 405
    assert ("Unpin" in Page(client.get(f"/runs/{run.uid}/")).buttons) == (status == 302)


def test_a_run_that_goes_at_a_known_time_says_so(client: Client, tenant: Tenant, settings: Settings) -> None:
    settings.RETENTION_DAYS = 0
    run = make_run(make_flow(tenant), Status.FAILED)
    assert "No end" in text(client, f"/runs/{run.uid}/")
    other = make_run(make_flow(tenant, "bounded", extra="retention: {days: 400, runs: 5}"), Status.FAILED)
    said = text(client, f"/runs/{other.uid}/")
    assert f'datetime="{(timezone.now() + timedelta(days=400)):%Y-%m-%d}' in said
    assert "or sooner" in said


def test_a_run_that_is_gone_or_foreign_or_going_is_not_there_and_may_have_been_removed(
    client: Client, tenant: Tenant, other_tenant: Tenant
) -> None:
    foreign = make_run(make_flow(other_tenant), Status.FAILED)
    going = make_run(make_flow(tenant), Status.FAILED)
    Run.across_tenants.filter(pk=going.pk).update(removing_at=timezone.now())
    answers = [client.get(f"/runs/{uid}/") for uid in ("01930000-0000-7000-8000-000000000000", foreign.uid, going.uid)]
    assert [answer.status_code for answer in answers] == [404] * 3
    pages = [answer.content.decode() for answer in answers]
    assert all("removed by the retention rules" in page for page in pages)
    assert "retention" not in text(client, "/nowhere/")
