"""The page of a failed run says how often its error comes, and which retry made it good."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_dashboard.models import Run, Status, settle_failures
from runs_dashboard.text.fingerprint import fingerprint
from runs_dashboard.web.error_kind import say_place

from ..models.runs import ENGINE, claim, make_flow, make_run
from ..models.test_failures import fail, moved, succeed
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def facts(client: Client, run: Run) -> str:
    settle_failures()
    page = Page(client.get(f"/runs/{run.uid}/"))
    return page.one("dl", class_="facts").text


def test_the_place_of_a_failure_in_its_day_is_told_and_leads_to_the_others(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    first = fail(flow, "order 1 has no price")
    assert "First of its kind" in facts(client, first)
    moved(fail(flow, "order 2 has no price"), timezone.now() - timedelta(days=3))
    fail(flow, "something else")
    last = fail(flow, "order 77 has no price")
    said = facts(client, last)
    assert "2nd failure of this kind today" in said
    assert "3 in all since" in said
    assert "1st failure of this kind today" in facts(client, first)
    links = [link.attrs["href"] for link in Page(client.get(f"/runs/{last.uid}/")).find("a")]
    (link,) = [link for link in links if "error=" in link]
    assert f"error={fingerprint('order 1 has no price')}" in link
    assert client.get(link).content.decode().count('<tr id="run-') == 3


def test_what_comes_back_says_after_how_long(client: Client, tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    old = moved(fail(flow, "timeout"), timezone.now() - timedelta(days=20))
    Run.across_tenants.filter(pk=old.pk).update(reviewed_at=timezone.now() - timedelta(days=12, hours=1))
    assert "Back 12 days after all of its kind was resolved" in facts(client, fail(flow, "timeout"))
    assert "2nd failure of this kind today" in facts(client, fail(flow, "timeout"))


def test_a_run_that_did_not_fail_says_nothing_of_it(client: Client, tenant: Tenant) -> None:
    assert "kind" not in facts(client, make_run(make_flow(tenant), Status.SUCCEEDED))
    silent = make_run(make_flow(tenant), Status.RUNNING)
    assert "kind" not in facts(client, silent.finish(Status.FAILED, token=silent.token))


def test_both_pages_say_which_retry_resolved_which_run(client: Client, tenant: Tenant) -> None:
    first = fail(make_flow(tenant))
    retry = first.retry(by=ENGINE)
    poller = Page(client.get(f"/runs/{first.uid}/")).by_id("status-poll")
    assert poller is not None
    assert "hx-get" in poller.attrs, "the open page waits for the retry"
    second = claim(retry)
    second = second.finish(Status.FAILED, token=second.token, error="bang")
    third = succeed(second.retry(by=ENGINE))

    news = client.get(poller.attrs["hx-get"]).content.decode()
    assert "Resolved by" in news
    ended = Page(news).by_id("status-poll")
    assert ended is not None
    assert "hx-get" not in ended.attrs
    for run in (first, second):
        assert f"Resolved by{third.short_uid}" in facts(client, run).replace(" ", "").replace(
            "Resolvedby", "Resolved by"
        )
    said = facts(client, third)
    assert "Resolves" in said
    assert first.short_uid in said
    assert second.short_uid in said
    third.delete_whole(by=ENGINE)
    assert "a retry" in facts(client, first)


def test_a_failed_runs_page_asks_little_more(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for _ in range(30):
        run = fail(flow)
    settle_failures()
    client.get(f"/runs/{run.uid}/")
    with CaptureQueriesContext(connection) as captured:
        client.get(f"/runs/{run.uid}/")
    assert len(captured) <= 18
    assert len([query for query in captured if "error_fingerprint" in query["sql"] and "LIMIT" in query["sql"]]) <= 3


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (21, "21st"),
        (112, "112th"),
        (1_000, "1,000th or later"),
    ],
)
def test_places_are_said_in_words(place: int, said: str) -> None:
    assert say_place(place) == said
