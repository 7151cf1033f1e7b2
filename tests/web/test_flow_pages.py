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
from runs_dashboard.models import Flow, Run, Status, User, fold_all

from ..models.runs import actor, make_flow, make_run
from .making import make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant

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
    assert page.one("pre").text == "echo two"
    assert "- id: only" in [element.text for element in page.find("li")]
    assert [element.text for element in page.find("a", class_="name")] == ["v2", "v1"]
    assert page.links["v1"] == "/flows/orders/versions/1/"


def test_a_flow_that_runs_at_most_so_often_says_what_runs_and_what_waits(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant, extra="concurrency: 1")
    make_run(flow, Status.SUCCEEDED)
    running, waiting = make_run(flow, Status.RUNNING), make_run(flow)
    page = Page(client.get("/flows/orders/"))
    assert "1 run at a time, the others wait" in page.source
    now = [link for link in page.find("a") if link.attrs["href"] in (f"/runs/{running.uid}/", f"/runs/{waiting.uid}/")]
    assert "Running" in now[-2].text
    assert "Queued" in now[-1].text
    assert "worker" in now[-1].text or "Behind" in now[-1].text


def test_a_paused_schedule_says_who_paused_it(client: Client, tenant: Tenant, oli: User) -> None:
    make_flow(tenant, extra='schedule: "0 2 * * *"')
    assert "By Oli" not in client.get("/flows/orders/").content.decode()
    client.post("/flows/orders/schedule/", {"paused": "true"})
    assert f"By {oli.display_name}, <time" in client.get("/flows/orders/").content.decode()


# --- the last inputs ------------------------------------------------------------------------------------------


def start(tenant: Tenant, user: User, **args: object) -> Run:
    return make_flow(tenant, extra=INPUTS).start(args, trigger="manual", by=actor(user))


def test_the_form_offers_the_inputs_of_ones_own_last_run_and_of_the_last(
    client: Client, tenant: Tenant, oli: User, ada: User
) -> None:
    assert "Fill with" not in client.get(f"/flows/{make_flow(tenant, extra=INPUTS).slug}/").content.decode()
    own = start(tenant, oli, day="2026-03-01", rows=7, shop="us", dry=True)
    assert "the last run" not in Page(client.get("/flows/orders/")).links
    last = start(tenant, ada, day="2026-03-02")
    links = Page(client.get("/flows/orders/")).links
    assert links["your last run"] == f"?inputs={own.uid}#start"
    assert links["the last run"] == f"?inputs={last.uid}#start"

    page = Page(client.get(f"/flows/orders/?inputs={own.uid}"))
    assert page.one("input", name="input.day").attrs["value"] == "2026-03-01"
    assert page.one("input", name="input.rows").attrs["value"] == "7"
    assert "checked" in page.one("input", name="input.dry").attrs
    assert [e.attrs for e in page.find("option") if "selected" in e.attrs]
    assert page.links["Defaults"] == "/flows/orders/#start"


@pytest.mark.parametrize("inputs", ["nothing", "%00x", "x" * 5_000])
def test_inputs_of_a_run_that_is_not_there_are_said_to_be_missing(client: Client, tenant: Tenant, inputs: str) -> None:
    make_flow(tenant, extra=INPUTS)
    answer = client.get(f"/flows/orders/?inputs={inputs}")
    assert answer.status_code == 200
    assert "These are the defaults." in answer.content.decode()


def test_inputs_of_another_flow_or_tenant_are_not_taken(
    client: Client, client_of: Callable[[User], Client], tenant: Tenant, other_tenant: Tenant, vic: User, oli: User
) -> None:
    make_flow(tenant, extra=INPUTS)
    inputs = "inputs:\n  day: {type: string}\n"
    foreign = make_flow(other_tenant, extra=inputs).start({"day": "secret-day"}, trigger="manual", by=actor(oli))
    other = make_flow(tenant, "other", extra=inputs).start({"day": "other-day"}, trigger="manual", by=actor(oli))
    for run in (foreign, other):
        page = client.get(f"/flows/orders/?inputs={run.uid}").content.decode()
        assert "-day" not in page.replace("in-day", "")
    own = start(tenant, oli, day="2026-03-01")
    assert "2026-03-01" not in client_of(vic).get(f"/flows/orders/?inputs={own.uid}").content.decode()


def test_a_run_leads_to_the_form_with_its_inputs(
    client: Client, client_of: Callable[[User], Client], tenant: Tenant, oli: User, sue: User
) -> None:
    run = start(tenant, oli, day="2026-03-01")
    word, address = "Start again with these inputs", f"/flows/orders/?inputs={run.uid}#start"
    assert Page(client.get(f"/runs/{run.uid}/")).links[word] == address
    assert word not in Page(client_of(sue).get(f"/runs/{run.uid}/")).links


# --- the list -------------------------------------------------------------------------------------------------


def names(client: Client, query: str) -> list[str]:
    return [element.text for element in Page(client.get(f"/flows/?{query}")).find("a", class_="name")]


def test_flows_are_narrowed_and_put_in_order(client: Client, tenant: Tenant) -> None:
    for slug in ("alpha", "beta", "gamma", "delta"):
        make_flow(tenant, slug, extra='schedule: "0 2 * * *"' if slug in ("beta", "delta") else "")
    make_run(Flow.objects.of(tenant).get(slug="gamma"), Status.FAILED)
    make_run(Flow.objects.of(tenant).get(slug="alpha"), Status.FAILED)
    make_run(Flow.objects.of(tenant).get(slug="alpha"), Status.SUCCEEDED)
    Flow.objects.of(tenant).get(slug="delta").pause_schedule(by=actor(User.objects.get(username="oli")))
    Flow.objects.of(tenant).filter(slug="beta").update(is_enabled=False)

    assert names(client, "") == names(client, "sort=size&state=what%00") == ["Alpha", "Beta", "Delta", "Gamma"]
    assert names(client, "sort=failed") == ["Alpha", "Gamma", "Beta", "Delta"]
    assert names(client, "sort=run") == ["Alpha", "Gamma", "Beta", "Delta"]
    assert names(client, "state=failing") == ["Gamma"]
    assert names(client, "state=scheduled") == []
    assert names(client, "state=paused") == ["Delta"]
    assert names(client, "state=off") == ["Beta"]
    assert names(client, "state=external") == []
    assert names(client, "state=failing&search=alp") == []
    page = Page(client.get("/flows/?state=external"))
    assert "There is no such flow" in page.source
    assert page.links["All flows"] == "/flows/"


def test_many_flows_stand_on_pages_that_keep_what_was_asked(client: Client, tenant: Tenant) -> None:
    for number in range(45):
        make_flow(tenant, f"flow-{number:02d}")
    page = Page(client.get("/flows/?search=flow&sort=run"))
    assert len(page.find("a", class_="name")) == 40
    assert page.links["Next"] == "?search=flow&sort=run&page=2"
    assert len(names(client, "search=flow&sort=run&page=2")) == 5
    assert page.links["last failed"] == "?search=flow&sort=failed"


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


def test_the_start_form_asks_in_the_order_of_the_definition(client: Client, tenant: Tenant) -> None:
    make_flow(tenant, extra="inputs:\n  warehouse: {type: string}\n  day: {type: string}\n  a: {type: string}")
    names = [e.attrs.get("name", "") for e in Page(client.get("/flows/orders/")).find("input")]
    assert [name for name in names if name.startswith("input.")] == ["input.warehouse", "input.day", "input.a"]
