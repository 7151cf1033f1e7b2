"""Flows: the list, a flow's page, starting it, its schedule."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_dashboard.filters import RunFilter
from runs_dashboard.models import Run, Status, fold_all

from ..models.runs import actor, make_flow, make_run
from .making import make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

INPUTS = (
    "inputs:\n  day: {type: string, format: date, title: Day, required: true}\n  rows: {type: integer, default: 5}\n"
    "  shop: {type: string, enum: [eu, us]}\n  dry: {type: boolean, title: Dry run}\n"
    "  notes: {type: string, format: multiline}\n"
)


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


def test_no_flow_yet_says_how_to_load_one(client: Client) -> None:
    assert "manage.py loadflows" in Page(client.get("/flows/")).one("pre").text


def test_flows_show_their_recent_runs_each_a_link(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = make_history(flow, 3)
    failed = make_run(flow, Status.FAILED)
    page = Page(client.get("/flows/"))
    bars = [
        element.attrs["href"]
        for element in page.find("a")
        if "data-s" in element.attrs and "aria-label" in element.attrs
    ]
    assert bars == [f"/runs/{run.uid}/" for run in [*runs, failed]]
    assert page.links["Orders"] == "/flows/orders/"


def test_flows_of_another_tenant_are_not_there(client: Client, other_tenant: Tenant) -> None:
    make_flow(other_tenant, "secret-flow")
    assert "secret-flow" not in client.get("/flows/").content.decode().lower()
    assert client.get("/flows/secret-flow/").status_code == 404
    assert client.post("/flows/secret-flow/start/").status_code == 404


def test_the_start_form_is_made_from_the_inputs(client: Client, tenant: Tenant) -> None:
    make_flow(tenant, extra=INPUTS)
    page = Page(client.get("/flows/orders/"))
    assert page.one("input", name="input.day").attrs["type"] == "date"
    assert "required" in page.one("input", name="input.day").attrs
    assert page.one("input", name="input.rows").attrs["value"] == "5"
    assert page.one("input", name="input.dry").attrs["type"] == "checkbox"
    assert page.one("select", name="input.shop")
    assert page.one("textarea", name="input.notes")
    labels = {element.attrs.get("for"): element.text for element in page.find("label")}
    assert labels["in-day"].startswith("Day")
    assert "Start" in page.buttons


def test_start_makes_one_run_with_typed_args_however_often_it_is_clicked(
    client: Client, tenant: Tenant, oli: User
) -> None:
    make_flow(tenant, extra=INPUTS)
    form = {"key": "k1", "input.day": "2026-03-01", "input.rows": "7", "input.shop": "eu", "input.dry": "true"}
    first, second = (client.post("/flows/orders/start/", form) for _ in range(2))
    run = Run.objects.of(tenant).get()
    assert first.headers["Location"] == second.headers["Location"] == f"/runs/{run.uid}/"
    assert run.args == {"day": "2026-03-01", "rows": 7, "shop": "eu", "dry": True}
    assert (run.trigger, run.created_by) == ("manual", oli)


def test_a_mistake_in_the_form_starts_nothing_and_keeps_what_was_typed(client: Client, tenant: Tenant) -> None:
    make_flow(tenant, extra=INPUTS)
    response = client.post("/flows/orders/start/", {"key": "k", "input.day": "soon", "input.rows": "many"})
    assert response.status_code == 422
    page = Page(response)
    assert page.one("input", name="input.day").attrs["value"] == "soon"
    told = [element.text for element in page.find("p", role="alert")]
    assert len(told) == 2
    assert Run.objects.of(tenant).count() == 0


def test_an_unknown_environment_is_refused(client: Client, tenant: Tenant) -> None:
    make_flow(tenant)
    response = client.post("/flows/orders/start/", {"environment": "nowhere"})
    assert response.status_code == 422
    assert "there is no environment" in response.content.decode()


def test_a_flow_that_is_switched_off_starts_nothing(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    flow.is_enabled = False
    flow.save()
    assert "Start" not in Page(client.get("/flows/orders/")).buttons
    response = client.post("/flows/orders/start/")
    assert response.status_code == 409
    assert "switched off" in response.content.decode()


@pytest.mark.parametrize("role", ["vic", "sue"])
def test_who_may_only_look_gets_no_form(
    client_of: Callable[[User], Client], tenant: Tenant, request: pytest.FixtureRequest, role: str
) -> None:
    make_flow(tenant, extra='schedule: "0 2 * * *"')
    client = client_of(request.getfixturevalue(role))
    buttons = Page(client.get("/flows/orders/")).buttons
    assert not {"Start", "Pause schedule"} & set(buttons)
    assert client.post("/flows/orders/start/").status_code == 403
    assert client.post("/flows/orders/schedule/", {"paused": "true"}).status_code == 403
    assert Run.objects.of(tenant).count() == 0


def test_a_schedule_can_be_paused_and_resumed(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant, extra='schedule: "0 2 * * *"\ntimezone: Europe/Berlin')
    page = Page(client.get("/flows/orders/"))
    assert "Europe/Berlin" in page.source
    assert len(page.find("time")) >= 5
    client.post("/flows/orders/schedule/", {"paused": "true"})
    flow.refresh_from_db()
    assert flow.is_schedule_paused
    assert "Nothing starts by itself." in Page(client.get("/flows/orders/")).source
    client.post("/flows/orders/schedule/", {"paused": "false"})
    flow.refresh_from_db()
    assert not flow.is_schedule_paused


def test_versions_and_the_definition_can_be_read(client: Client, tenant: Tenant) -> None:
    make_flow(tenant)
    make_flow(tenant, steps="  - {id: only, component: command, with: {run: [echo, two]}}\n")
    page = Page(client.get("/flows/orders/"))
    assert "only" in page.one("pre").text
    assert [element.text for element in page.find("b") if element.text[:1] == "v"] == ["v2", "v1"]


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999", "3"])
def test_a_page_of_flows_that_is_not_there_is_no_error(client: Client, tenant: Tenant, number: str) -> None:
    make_flow(tenant)
    assert client.get(f"/flows/?page={number}").status_code == 200


def test_flows_are_found_by_name_or_id(client: Client, tenant: Tenant, oli: User) -> None:
    make_flow(tenant, "orders")
    make_flow(tenant, "invoices").start({}, trigger="manual", by=actor(oli))
    assert "/flows/orders/" not in Page(client.get("/flows/?search=INVO")).links.values()


def test_a_flows_last_30_days_are_told_from_the_roll_ups(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for status in (Status.SUCCEEDED, Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED):
        run = make_run(flow, status)
        started = timezone.now() - timedelta(days=2)
        finished = started + timedelta(seconds=60)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=started, started_at=started, finished_at=finished)
    long_ago = make_run(flow, Status.FAILED)
    Run.across_tenants.filter(pk=long_ago.pk).update(ordered_at=timezone.now() - timedelta(days=40))

    page = Page(client.get("/flows/orders/"))
    told = dict(zip([e.text for e in page.find("dt")], [e.text for e in page.find("dd")], strict=False))
    assert (told["Runs"], told["Success"], told["Failed"]) == ("4", "75 %", "1")
    assert told["Usually takes"] in ("0:58", "0:59", "1:00", "1:01")
    for text, count in (("75 %", 3), ("1", 1), ("4", 4)):
        query = QueryDict(urlsplit(page.links[text]).query)
        assert RunFilter(query, queryset=Run.objects.of(tenant), tenant=tenant).qs.count() == count
    fold_all()
    listed = Page(client.get("/flows/"))
    assert "75 % succeed, usually" in " ".join(e.text for e in listed.find("p"))


def test_the_list_of_flows_asks_once_for_all_figures(client: Client, tenant: Tenant) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/flows/")
        return sum("rollup" in query["sql"] for query in queries)

    make_run(make_flow(tenant), Status.SUCCEEDED)
    few = count()
    for number in range(5):
        make_run(make_flow(tenant, f"flow-{number}"), Status.SUCCEEDED)
    assert count() == few <= 6
