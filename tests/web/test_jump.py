"""The palette's suggestions: flows, runs by id and by order number; bounded, cheap, of one's own organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Status

from ..models.runs import actor, make_flow, make_run
from .making import make_history
from .reading import Page
from .test_hostile_text import EVIL
from .test_query_budgets import capture, count  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

    SignIn = Callable[[User], Client]


def ask(client: Client, text: str) -> list[dict[str, Any]]:
    answer = client.get("/live/jump/", {"q": text})
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_flow_is_found_by_a_part_of_its_name_or_id_what_begins_so_first(
    client_of: SignIn, vic: User, tenant: Tenant
) -> None:
    for slug in ("nightly-orders", "orders", "invoices"):
        make_flow(tenant, slug)
    found = [(one["text"], one["url"]) for one in ask(client_of(vic), "Ord") if one["kind"] == "Flow"]
    assert found == [("Orders", "/flows/orders/"), ("Nightly-Orders", "/flows/nightly-orders/")]


@pytest.mark.parametrize("part", [slice(None), slice(-8, None), slice(0, 23)], ids=["id", "its end", "its beginning"])
def test_a_run_is_found_by_its_id(client_of: SignIn, vic: User, tenant: Tenant, part: slice) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    found = [one for one in ask(client_of(vic), run.uid[part]) if one["kind"] == "Run"]
    assert [(one["url"], one["state"]) for one in found] == [(f"/runs/{run.uid}/", "failed")]
    assert run.short_uid in found[0]["about"]


@pytest.mark.parametrize("text", ["4711", "order_id:4711", "order_id=47"])
def test_a_run_is_found_by_its_order_number(client_of: SignIn, vic: User, tenant: Tenant, text: str) -> None:
    run = make_run(make_flow(tenant), Status.SUCCEEDED, tracked=[("order_id", "4711")])
    make_run(make_flow(tenant), Status.SUCCEEDED, tracked=[("order_id", "5711"), ("sku", "x")])
    found = [one for one in ask(client_of(vic), text) if one["kind"] == "Run"]
    assert [one["url"] for one in found] == [f"/runs/{run.uid}/"]
    assert "order_id=4711" in found[0]["about"]


def test_whatever_is_typed_the_list_and_the_search_take_it(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    items = ask(client_of(vic), "status:failed")
    assert [(one["kind"], one["url"]) for one in items] == [
        ("Runs", "/runs/?q=status%3Afailed"),
        ("Search", "/search/?q=status%3Afailed"),
    ]


def test_before_anything_is_typed_ones_own_runs_and_the_last_failures_are_there(
    client_of: SignIn, oli: User, tenant: Tenant
) -> None:
    flow = make_flow(tenant)
    mine = flow.start({}, trigger="manual", by=actor(oli))
    failed = make_run(make_flow(tenant, "other"), Status.FAILED)
    make_run(make_flow(tenant, "other"), Status.SUCCEEDED)
    assert [one["url"] for one in ask(client_of(oli), "")] == [f"/runs/{mine.uid}/", f"/runs/{failed.uid}/"]


def test_nothing_of_another_organisation_is_suggested(
    client_of: SignIn, eve: User, other_tenant: Tenant, tenant: Tenant
) -> None:
    run = make_run(make_flow(tenant), Status.FAILED, tracked=[("order_id", "4711")])
    client = client_of(eve)
    for text in ("", "orders", run.uid, run.uid[-8:], "4711", "order_id=4711"):
        assert {one["kind"] for one in ask(client, text)} <= {"Runs", "Search"}, text


@pytest.mark.parametrize("text", [EVIL, "\0", "a" * 5000, ":", "=", "x=", "%", "'; --", "١٢٣"])
def test_whatever_is_typed_is_answered(client_of: SignIn, vic: User, tenant: Tenant, text: str) -> None:
    make_run(make_flow(tenant), tracked=[("order_id", "4711")])
    ask(client_of(vic), text)


def test_a_suggestion_costs_the_same_with_many_runs(client_of: SignIn, vic: User, tenant: Tenant, capture: Any) -> None:  # noqa: F811
    flow = make_flow(tenant)
    make_history(flow, 2)
    client = client_of(vic)
    ask(client, "0")
    few = count(client, "/live/jump/?q=0192", capture)
    make_history(flow, 200)
    assert count(client, "/live/jump/?q=0192", capture) == few
    assert few <= 10
    assert count(client, "/live/jump/?q=", capture) <= 7
    assert len(ask(client, "0")) <= 20


def test_the_help_page_names_every_key_word_and_role(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    page = Page(client_of(vic).get("/help/"))
    said = {element.text for element in page.find("kbd")}
    assert {"?", "r", "s", "g", "j", "k", "x", "e", "E", "Enter", "Esc"} <= said
    codes = {element.text for element in page.find("code")}
    assert {"status:", "flow:", "duration:>5m"} <= codes
    assert "Viewer yours" in [element.text for element in page.find("th")]
    assert page.links["API documentation"] == "/api/v1/docs"


def test_each_example_of_the_help_page_is_a_question(client_of: SignIn, vic: User, tenant: Tenant) -> None:
    client = client_of(vic)
    examples = [url for url in Page(client.get("/help/")).links.values() if url.startswith("/runs/?q=")]
    assert len(examples) > 10
    for url in examples:
        assert client.get(url, follow=True).status_code == 200, url
