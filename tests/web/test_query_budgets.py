"""How much a page may ask the database: the same with one row and with many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from runs_dashboard.models import Status, Step, TrackedData

from ..models.runs import claim, make_flow, make_run
from .making import make_history, write_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Run, Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], ada: User) -> Client:
    cache.clear()
    return client_of(ada)


def count(client: Client, address: str, capture: Any) -> int:
    with capture() as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.fixture
def capture() -> Callable[[], Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    return lambda: CaptureQueriesContext(connection)


def test_the_list_asks_the_same_for_one_run_and_for_fifty(client: Client, tenant: Tenant, capture: Any) -> None:
    runs = make_history(make_flow(tenant), 1)
    client.get("/runs/")
    few = count(client, "/runs/", capture)
    runs += make_history(make_flow(tenant, "other"), 60)
    TrackedData.across_tenants.bulk_create(
        TrackedData(tenant=tenant, run=run, key="order", value=str(n)) for n, run in enumerate(runs)
    )
    assert count(client, "/runs/", capture) == few
    assert few <= 10
    cache.clear()
    assert count(client, "/runs/", capture) <= 20  # the counts too, once in five seconds


def test_an_open_lists_question_is_small(client: Client, tenant: Tenant, capture: Any) -> None:
    make_run(make_flow(tenant), Status.RUNNING)
    from .reading import Page

    poller = Page(client.get("/runs/")).one("span", id="live")
    assert count(client, poller.attrs["hx-get"], capture) <= 8


def _with_steps(tenant: Tenant, number: int) -> Run:
    flow = make_flow(tenant, f"flow-{number}")
    run = claim(make_run(flow))
    for place in range(number):
        Step.across_tenants.create(
            tenant=tenant, run=run, slug=f"s{place}", position=place, status="succeeded", outputs={"a": 1}
        )
    write_log(run, [f"line {n}" for n in range(1000)])
    return run


def test_a_runs_page_asks_the_same_for_one_step_and_for_many(client: Client, tenant: Tenant, capture: Any) -> None:
    small, large = _with_steps(tenant, 1), _with_steps(tenant, 200)
    few = count(client, f"/runs/{small.uid}/", capture)
    assert count(client, f"/runs/{large.uid}/", capture) == few
    assert few <= 15
    assert count(client, f"/runs/{large.uid}/status/", capture) <= 12


def test_a_download_list_asks_three_questions_of_its_own(client: Client, tenant: Tenant, capture: Any) -> None:
    from runs_dashboard.models import Actor, Download

    before = count(client, "/downloads/", capture)
    for run in make_history(make_flow(tenant), 5):
        Download.request(run, by=Actor(name="test"))
    assert count(client, "/downloads/", capture) == before
