"""The run list: filters in the address, counts, keyset pages, live rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Run, Status
from runs_dashboard.web.keyset import Cursor

from ..models.runs import ENGINE, claim, make_flow, make_run
from .making import NOON, make_history
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    cache.clear()  # counts are kept for seconds, across tests
    return client_of(vic)


def shown(page: Page) -> list[str]:
    return [name.removeprefix("run-") for name in page.ids if name.startswith("run-") and name != "run-rows"]


def test_the_front_page_leads_to_the_runs(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/runs/"


def test_an_empty_list_says_what_to_do(client: Client) -> None:
    page = Page(client.get("/runs/"))
    assert "No run yet" in [heading.text for heading in page.find("h2")]


def test_runs_are_listed_newest_first_with_flow_status_and_error(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    old, failed = make_run(flow), make_run(flow, Status.FAILED)
    page = Page(client.get("/runs/"))
    assert shown(page) == [failed.uid, old.uid]
    assert "boom" in page.source
    assert page.links["Orders"] in (f"/runs/{failed.uid}/", f"/runs/{old.uid}/")
    row = next(element for element in page.find("tr") if element.attrs.get("id") == f"run-{failed.uid}")
    assert row.attrs["data-s"] == "failed"
    assert row.text.startswith("Failed")


def test_runs_of_another_tenant_are_not_there(client: Client, other_tenant: Tenant) -> None:
    make_run(make_flow(other_tenant, "secret-flow"))
    page = Page(client.get("/runs/"))
    assert shown(page) == []
    assert "secret-flow" not in page.source.lower()


@pytest.mark.parametrize(
    "query",
    [
        "status=failed",
        "flow=orders",
        "trigger=manual",
        "tag=kind:x",
        "tracked=order:1",
        "search=1",
        "status=failed&flow=orders&trigger=manual",
    ],
)
def test_a_filter_in_the_address_leaves_the_runs_that_fit(client: Client, tenant: Tenant, query: str) -> None:
    wanted = make_run(make_flow(tenant), Status.FAILED, tags={"kind": "x"}, tracked=[("order", "1")])
    other = make_flow(tenant, "invoices").start({}, trigger="api", by=ENGINE)
    assert shown(Page(client.get(f"/runs/?{query}"))) == [wanted.uid]
    assert other.uid in shown(Page(client.get("/runs/")))


def test_a_chosen_filter_is_shown_and_can_be_taken_away(client: Client) -> None:
    page = Page(client.get("/runs/?status=failed&flow=orders&tag=a:b"))
    remove = [element for element in page.find("a") if element.attrs.get("aria-label", "").startswith("Remove")]
    assert [element.attrs["href"] for element in remove] == ["?status=failed&tag=a%3Ab", "?status=failed&flow=orders"]


@pytest.mark.parametrize("query", ["started_after=yesterday", "status=broken", "has_warnings=perhaps", "trigger=x"])
def test_a_filter_that_cannot_be_read_is_a_sentence_and_shows_no_run(
    client: Client, tenant: Tenant, query: str
) -> None:
    make_run(make_flow(tenant))
    response = client.get(f"/runs/?{query}")
    assert response.status_code == 400
    page = Page(response)
    assert shown(page) == []
    assert query.partition("=")[0] in " ".join(element.text for element in page.find("div", role="alert"))


def test_pages_by_key_show_every_run_once_and_lead_back(client: Client, tenant: Tenant) -> None:
    runs = make_history(make_flow(tenant), 120)
    address, seen = "/runs/", []
    for _ in range(3):
        page = Page(client.get(address))
        seen += shown(page)
        address = "/runs/" + page.links.get("Older", "")
    assert seen == [run.uid for run in reversed(runs)]
    assert "Older" not in page.links
    back = Page(client.get("/runs/" + page.links["Newer"]))
    assert shown(back) == seen[50:100]
    first = Page(client.get("/runs/" + back.links["Newer"]))
    assert shown(first) == seen[:50]


def test_runs_of_one_moment_are_told_apart(client: Client, tenant: Tenant) -> None:
    runs = make_history(make_flow(tenant), 75)
    Run.across_tenants.filter(pk__in=[run.pk for run in runs]).update(ordered_at=NOON)
    first = Page(client.get("/runs/"))
    second = Page(client.get("/runs/" + first.links["Older"]))
    assert sorted(shown(first) + shown(second)) == sorted(run.uid for run in runs)


def test_the_list_can_begin_with_the_oldest(client: Client, tenant: Tenant) -> None:
    runs = make_history(make_flow(tenant), 60)
    page = Page(client.get("/runs/?sort=started_at"))
    assert shown(page) == [run.uid for run in runs[:50]]
    assert shown(Page(client.get("/runs/" + page.links["Newer"]))) == [run.uid for run in runs[50:]]


@pytest.mark.parametrize("cursor", ["x", "%00", "9" * 400, "bzE.MQ", "bz9"])
def test_a_cursor_that_is_none_shows_the_first_page(client: Client, tenant: Tenant, cursor: str) -> None:
    run = make_run(make_flow(tenant))
    assert shown(Page(client.get(f"/runs/?cursor={cursor}"))) == [run.uid]


@given(st.text())
def test_reading_a_cursor_never_fails(text: str) -> None:
    Cursor.parse(text)


@given(st.booleans(), st.datetimes(min_value=NOON.replace(tzinfo=None)), st.integers(1, 10**17))
def test_a_cursor_reads_what_it_wrote(is_older: bool, at: object, pk: int) -> None:
    cursor = Cursor(is_older, at.replace(tzinfo=NOON.tzinfo), pk)  # type: ignore[attr-defined]
    assert Cursor.parse(str(cursor)) == cursor


def test_each_status_has_its_count_under_the_other_filters(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    make_run(flow, Status.FAILED)
    make_run(flow, Status.FAILED)
    make_run(flow)
    make_run(make_flow(tenant, "invoices"), Status.FAILED)
    tabs = [text for text in Page(client.get("/runs/?flow=orders&status=queued")).links if text[-1:].isdigit()]
    assert tabs == ["All 3", "Failed 2", "Running 0", "Queued 1", "Paused 0", "Stopped 0", "Succeeded 0"]


def test_counts_stop_at_the_limit(client: Client, tenant: Tenant, settings: object) -> None:
    settings.COUNT_LIMIT = 10  # type: ignore[attr-defined]
    make_history(make_flow(tenant), 12)
    assert "Succeeded 10+" in Page(client.get("/runs/")).links


def test_the_open_list_is_told_of_changed_rows_and_of_new_runs(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = make_run(flow)
    page = Page(client.get("/runs/"))
    poller = page.one("span", id="live")
    claim(run)
    make_run(flow)
    news = client.get(poller.attrs["hx-get"]).content.decode()
    assert f'hx-target="#run-{run.uid}"' in news
    assert 'data-s="running"' in news
    assert "1 new run" in news


def test_an_ended_row_is_asked_for_no_more(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    poller = Page(client.get("/runs/")).one("span", id="live")
    assert run.uid in re.search(r"watch=([^&]*)", poller.attrs["hx-get"])[1]  # type: ignore[index]
    run.finish(Status.SUCCEEDED, token=run.token)
    again = Page(client.get(poller.attrs["hx-get"])).one("span", id="live")
    assert re.search(r"watch=([^&]*)", again.attrs["hx-get"])[1] == ""  # type: ignore[index]


def test_an_open_list_cannot_ask_for_another_tenants_rows(client: Client, other_tenant: Tenant) -> None:
    run = make_run(make_flow(other_tenant))
    assert run.uid not in Page(client.get(f"/live/runs/?watch={run.uid}")).ids
    assert 'hx-target="#run-' not in client.get(f"/live/runs/?watch={run.uid}").content.decode()


def test_durations_are_shown_against_the_usual(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    flow.usual_ms = 10_000
    flow.save()
    (run,) = make_history(flow, 1)
    Run.across_tenants.filter(pk=run.pk).update(finished_at=run.started_at + timedelta(seconds=125))
    page = Page(client.get("/runs/"))
    assert page.one("div", class_="dur over").text == "2:05"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("at=2026-03-03", ["3", "2", "1"]),  # the end of the day
        ("at=2026-03-02T12:00", ["2", "1"]),
        ("at=2026-03-02+12%3A00", ["2", "1"]),
        ("at=2026-03-02T12:00&sort=started_at", ["2", "3", "4"]),
        ("at=2000d", []),
    ],
)
def test_the_list_goes_to_a_time(client: Client, tenant: Tenant, query: str, expected: list[str]) -> None:
    flow = make_flow(tenant)
    for day in range(1, 5):
        run = make_run(flow)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=datetime(2026, 3, day, 12, tzinfo=UTC), uid=str(day))
    response = client.get(f"/runs/?flow=orders&{query}", follow=True)
    assert response.status_code == 200
    assert "flow=orders" in response.redirect_chain[-1][0]
    assert [name.removeprefix("run-") for name in Page(response).ids if re.fullmatch(r"run-\d", name)] == expected


@pytest.mark.parametrize("at", ["soon", "", "9999-12-31", "%00", "99999999999999999999d", "2026-13-01"])
def test_a_time_that_is_none_is_said(client: Client, tenant: Tenant, at: str) -> None:
    make_run(make_flow(tenant))
    response = client.get(f"/runs/?at={at}")
    assert response.status_code == 400
    assert "Go to a time:" in response.content.decode()


def test_the_whole_error_can_be_unfolded_in_the_list(client: Client, tenant: Tenant) -> None:
    run = claim(make_run(make_flow(tenant)))
    run.finish(Status.FAILED, token=run.token, error="a long story " * 20, error_step="load")
    summary = Page(client.get("/runs/")).one("summary", class_="sub cut err")
    assert summary.text == f"load: {'a long story ' * 20}".strip()


def test_days_near_are_named(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for days in (0, 1, 9):
        run = make_run(flow)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=timezone.now() - timedelta(days=days))
    shown = [row.text.split()[0] for row in Page(client.get("/runs/")).find("tr", class_="day")]
    assert shown[:2] == ["Today", "Yesterday"]
    assert shown[2].endswith("day,")
