"""The inbox: what failed and is not resolved, by its error; it empties."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import urlencode

from runs_dashboard.models import ErrorGroup, Run, Status, settle_failures
from runs_dashboard.web.inbox import PAGE_SIZE

from ..models.runs import ENGINE, actor, claim, make_flow, make_run
from ..models.test_failures import fail, moved
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Flow, Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    return client_of(oli)


def look(client: Client, query: str = "") -> Page:
    return Page(client.get(f"/inbox/{query}"))


def texts(page: Page) -> list[str]:
    return [link.text for link in page.find("a", class_="t")]


def cards(page: Page) -> list[str]:
    return [item.text for item in page.find("li") if item.attrs.get("id", "").startswith("kind-")]


def make_kinds(flow: Flow, count: int) -> None:
    """So many kinds of failure, the newest last. The fingerprint makes nothing of numbers."""
    words = ("disk", "net", "lock", "queue", "token", "page", "index", "cache")
    for number in range(count):
        fail(flow, f"{words[number % 8]} {words[number // 8 % 8]} {words[number // 64]}")
    settle_failures()


def test_where_nothing_has_failed_it_says_what_it_is_for(client: Client, tenant: Tenant) -> None:
    make_run(make_flow(tenant), Status.SUCCEEDED)
    page = look(client)
    assert "No run has failed" in page.source
    assert page.one("span", id="inbox-count").text == ""


def test_a_failure_appears_and_goes_when_a_retry_succeeds(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = fail(flow, "ValueError: order 4711 has no price")
    page = look(client)
    assert texts(page) == ["ValueError: order 4711 has no price"]
    (card,) = cards(page)
    assert "New" in card
    assert "1unresolved" in card.replace(" ", "")
    assert page.one("span", id="inbox-count").text == "1 unresolved"
    assert f"/runs/{run.uid}/" in [link.attrs["href"] for link in page.find("a")]

    again = claim(run.retry(by=ENGINE))
    again.finish(Status.SUCCEEDED, token=again.token)
    page = look(client)
    assert not cards(page)
    assert "Nothing is unresolved" in page.source
    assert "was resolved" in page.source


def test_a_card_opens_the_list_of_exactly_its_runs(client: Client, tenant: Tenant, sue: User) -> None:
    orders, other = make_flow(tenant), make_flow(tenant, "other")
    mine = {fail(orders).uid, fail(orders).uid}
    fail(orders).review(by=actor(sue))
    fail(orders, "something else")
    fail(other)
    page = look(client, "?flow=orders&sort=count")
    address = page.find("a", class_="t")[0].attrs["href"]
    listed = Page(client.get(address))
    rows = {row.attrs["id"].removeprefix("run-") for row in listed.find("tr") if "id" in row.attrs}
    assert rows == mine
    assert "of 3 unresolved" in cards(page)[0]


def test_failures_without_a_word_are_a_kind_too(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    run.finish(Status.FAILED, token=run.token)
    page = look(client)
    assert texts(page) == ["Failed without a word"]
    assert run.short_uid in client.get(page.find("a", class_="t")[0].attrs["href"]).content.decode()


def test_new_ones_and_those_that_are_back_are_told_apart(client: Client, tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    old = moved(fail(flow, "timeout"), timezone.now() - timedelta(days=12))
    Run.across_tenants.filter(pk=old.pk).update(reviewed_at=timezone.now() - timedelta(days=11), reviewed_by=sue)
    fail(flow, "timeout")
    fail(flow, "no such table")
    moved(fail(flow, "lingers"), timezone.now() - timedelta(days=3))
    assert texts(look(client)) == ["no such table", "timeout", "lingers"]
    assert texts(look(client, "?kind=new")) == ["no such table"]
    assert texts(look(client, "?kind=back")) == ["timeout"]
    assert texts(look(client, "?kind=new,back")) == ["no such table", "timeout"]
    assert texts(look(client, "?seen_after=24h")) == ["no such table", "timeout"]
    (card,) = cards(look(client, "?kind=back"))
    assert "Back again" in card
    assert "was resolved 11 days ago" in card


def test_the_order_is_the_readers(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for error in ("often", "often", "often", "twice", "twice", "once"):
        fail(flow, error)
    assert texts(look(client)) == ["once", "twice", "often"]
    assert texts(look(client, "?sort=count")) == ["often", "twice", "once"]


@pytest.mark.parametrize("sort", ["seen", "count"])
def test_pages_go_on_where_the_last_one_ended(client: Client, tenant: Tenant, sort: str) -> None:
    make_kinds(make_flow(tenant), PAGE_SIZE + 5)
    first = look(client, f"?sort={sort}")
    assert len(cards(first)) == PAGE_SIZE
    (more,) = [link.attrs["href"] for link in first.find("a") if link.text == "More"]
    second = look(client, more)
    assert len(cards(second)) == 5
    assert len({*texts(first), *texts(second)}) == PAGE_SIZE + 5
    assert "More" not in [link.text for link in second.find("a")]


def test_a_long_error_is_cut_and_there_whole(client: Client, tenant: Tenant) -> None:
    fail(make_flow(tenant), "Traceback\n" + "  in a far place\n" * 40 + "the end of it")
    page = look(client)
    assert texts(page)[0].endswith("…")
    assert "the end of it" in page.one("pre").text


def test_an_open_inbox_changes_in_place(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = fail(flow, "boom")
    poller = look(client).one("span", id="live").attrs["hx-get"]
    fail(flow, "boom")
    fail(flow, "a new kind")
    news = Page(client.get(poller))
    (card,) = cards(news)
    assert "2unresolved" in card.replace(" ", "")
    assert "1 new kind" in news.source
    assert news.one("span", id="inbox-count").text == "3 unresolved"
    for failed in Run.objects.of(tenant).filter(error_fingerprint=run.error_fingerprint):
        failed.review(by=ENGINE)
    (card,) = cards(Page(client.get(poller)))
    assert "Resolved" in card, "nothing moves while one reads"


@pytest.mark.parametrize(
    "query",
    ["?kind=nonsense", "?seen_after=yesterday", "?flow=" + "x" * 300, "?cursor=9.9", "?cursor=%00", "?sort=x"],
)
def test_nonsense_in_the_address_is_told_or_means_the_first_page(client: Client, tenant: Tenant, query: str) -> None:
    fail(make_flow(tenant))
    for path in ("/inbox/", "/live/inbox/"):
        assert client.get(path + query).status_code in (200, 400)
    numbers = urlencode({"shown": "x,1," + "9" * 40, "since": "never"})
    assert client.get(f"/live/inbox/?{numbers}").status_code == 200


def test_many_kinds_ask_the_database_no_more_than_few(client: Client, tenant: Tenant) -> None:
    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    flow = make_flow(tenant)
    make_kinds(flow, 1)
    look(client)
    few = count("/inbox/")
    make_kinds(flow, PAGE_SIZE)
    assert count("/inbox/") == few <= 12
    assert count(look(client).one("span", id="live").attrs["hx-get"]) <= 12


def test_another_tenants_failures_are_not_there(client: Client, tenant: Tenant, other_tenant: Any) -> None:
    fail(make_flow(other_tenant, "secret"), "their own affair")
    assert "their own affair" not in look(client).source
    settle_failures()
    pk = ErrorGroup.across_tenants.get().pk
    assert "their own affair" not in client.get(f"/live/inbox/?shown={pk}").content.decode()


def test_the_list_of_runs_leads_to_it(client: Client, tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    fail(flow)
    fail(flow).review(by=actor(sue))
    page = Page(client.get("/runs/"))
    (link,) = [link for link in page.find("a") if link.text == "1 not looked at"]
    assert cards(look(client, link.attrs["href"].removeprefix("/inbox/")))
