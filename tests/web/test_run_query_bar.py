"""The filter bar: what is typed, the form and the address are three spellings of one question."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from runs_dashboard.models import Status

from ..models.runs import make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def shown(page: Page) -> list[str]:
    return [name.removeprefix("run-") for name in page.ids if name.startswith("run-") and name != "run-rows"]


def follow(client: Client, query: str, **more: str) -> list[tuple[str, str]]:
    """Where a typed query leads, as the address's parameters."""
    response = client.get("/runs/", {"q": query, **more})
    assert response.status_code == 302
    return parse_qsl(urlsplit(response.headers["Location"]).query)


def test_a_typed_query_leads_to_the_plain_names(client: Client) -> None:
    assert follow(client, "status:failed flow:orders tag:team=blue order_id:4711 started:>2h boom") == [
        ("status", "failed"),
        ("flow", "orders"),
        ("tag", "team:blue"),
        ("tracked", "order_id:4711"),
        ("started_after", "2h"),
        ("search", "boom"),
    ]


def test_sort_stays_and_the_place_in_the_list_does_not(client: Client) -> None:
    assert follow(client, "flow:orders", sort="started_at", cursor="bzE") == [
        ("flow", "orders"),
        ("sort", "started_at"),
    ]


def test_an_empty_query_is_every_run(client: Client) -> None:
    assert follow(client, "  ") == [("view", "all")]


def test_the_field_shows_the_address_as_one_would_type_it(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED, tags={"team": "light blue"}, tracked=[("order_id", "4711")])
    make_run(make_flow(tenant, "other"))
    page = Page(client.get("/runs/?status=failed&tag=team:light+blue&tracked=order_id:4711"))
    field = page.one("input", name="q")
    assert field.attrs["value"] == 'status:failed tag:"team=light blue" order_id:4711'
    assert shown(page) == [run.uid]
    assert shown(Page(client.get("/runs/", {"q": field.attrs["value"]}, follow=True))) == [run.uid]


def test_a_mistake_is_told_with_all_filters_and_nothing_typed_is_lost(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant))
    typed = 'statsu:failed "light blue" order_id:<b>'
    response = client.get("/runs/", {"q": typed})
    assert response.status_code == 400
    page = Page(response)
    assert page.one("input", name="q").attrs["value"] == typed
    said = page.one("div", role="alert").text
    assert "did you mean status:?" in said
    assert "duration:" in said
    assert shown(page) == []


def test_each_condition_can_be_dropped_alone(client: Client) -> None:
    page = Page(client.get("/runs/?tag=a:b&tag=c:d&not_flow=x&started_after=2h&duration_over=5m&reviewed=false"))
    chips = {
        element.attrs["aria-label"].removeprefix("Remove "): element.attrs["href"]
        for element in page.find("a")
        if element.attrs.get("aria-label", "").startswith("Remove")
    }
    assert list(chips) == [
        "tag a:b",
        "tag c:d",
        "reviewed no",
        "started in the last 2h",
        "longer than 5m",
        "not flow x",
    ]
    assert "tag=c%3Ad" in chips["tag a:b"]
    assert "tag=a%3Ab" not in chips["tag a:b"]
    assert "not_flow" not in chips["not flow x"]


def test_a_list_that_nothing_fits_offers_each_condition_to_drop(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant))
    page = Page(client.get("/runs/?status=failed&flow=orders"))
    assert "No run fits" in [heading.text for heading in page.find("h2")]
    assert page.links["status failed"] == "?flow=orders"
    assert page.links["flow orders"] == "?status=failed"


def test_a_word_that_no_run_has_leads_to_the_search_of_the_logs(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant))
    page = Page(client.get("/runs/?search=Straße+%26+<b>"))
    assert page.links["Look for it in all logs"] == "/search/?q=Stra%C3%9Fe%20%26%20%3Cb%3E"
    assert "Look for it in all logs" not in Page(client.get("/runs/?status=failed")).links


def test_a_key_that_no_run_has_is_named_with_the_filters_there_are(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant), tracked=[("order_id", "1")])
    page = Page(client.get("/runs/?tracked=result:x&tracked=order_id:2"))
    assert "No run has tracked data named result . The filters are status:" in page.source.replace(
        "<code>", ""
    ).replace("</code>", " ")
    assert "named order_id" not in page.source


def test_the_sentence_of_the_head_leads_to_the_runs_it_counts(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant), Status.FAILED)
    page = Page(client.get("/runs/"))
    assert page.links["1 failed in the last 24 hours"] == "?status=failed&started_after=24h"
    assert page.links["1 not looked at"] == "/inbox/?seen_after=24h"
    assert "1 failed run of 1 kind" in Page(client.get("/inbox/?seen_after=24h")).text


def test_the_form_holds_what_the_address_asks(client: Client) -> None:
    page = Page(
        client.get("/runs/?status=failed,stopped&flow=a,b&tag=a:b&tag=c:d&started_after=2h&not_user=ada&search=x")
    )
    fields = [(e.attrs.get("name"), e.attrs.get("value")) for e in page.find("input")]
    assert {("flow", "a,b"), ("tag", "a:b"), ("tag", "c:d"), ("started_after", "2h"), ("not_user", "ada")} <= set(
        fields
    )
    assert ("search", "x") in fields
    ticked = [e.attrs["value"] for e in page.find("input", name="status") if "checked" in e.attrs]
    assert ticked == ["failed", "stopped"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=failed&status=stopped", {"failed"}),
        ("not_status=failed", {"queued"}),
        ("tracked=order:1&tracked=shop:eu", {"failed"}),
        ("tracked=order:1&tracked=shop:us", set()),
        ("not_tracked=order:1", {"queued"}),
        ("not_flow=orders", {"queued"}),
        ("started_after=2h", {"failed"}),
        ("started_before=2h", set()),
        ("duration_over=0s", {"failed"}),
        ("duration_over=1h", set()),
        ("duration_under=1h", {"failed"}),
        ("duration_over=0s&duration_under=1h", {"failed"}),
        ("flow_id=orders", {"failed"}),
    ],
)
def test_every_way_to_ask_leaves_the_runs_that_fit(
    client: Client, tenant: Tenant, query: str, expected: set[str]
) -> None:
    failed = make_run(make_flow(tenant), Status.FAILED, tracked=[("order", "1"), ("shop", "eu")])
    queued = make_run(make_flow(tenant, "invoices"))
    uids = {"failed": failed.uid, "queued": queued.uid}
    assert set(shown(Page(client.get(f"/runs/?{query}")))) == {uids[name] for name in expected}


@pytest.mark.parametrize(
    "query", ["duration_over=5", "started_after=2x", "level=loud", "not_status=x", "duration_over=999999999w"]
)
def test_what_cannot_be_read_is_told(client: Client, query: str) -> None:
    response = client.get(f"/runs/?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in Page(response).one("div", role="alert").text


def test_an_open_list_keeps_asking_its_question(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant))
    page = Page(client.get("/runs/?flow=orders&tag=a:b&tag=c:d&sort=started_at"))
    asked = parse_qsl(urlsplit(page.one("span", id="live").attrs["hx-get"]).query)
    assert [pair for pair in asked if pair[0] not in ("shown", "watch", "columns")] == [
        ("flow", "orders"),
        ("tag", "a:b"),
        ("tag", "c:d"),
        ("sort", "started_at"),
    ]
