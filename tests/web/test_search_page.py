"""Search across runs: lines found, marked, and led to; what was not searched is said; nobody sees another tenant's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Run, SearchPage, Status, Step
from runs_dashboard.text.ansi import strip
from runs_dashboard.web.marks import SHOWN, mark
from runs_dashboard.web.views import search as view

from ..models.runs import claim, make_flow, make_run
from .making import NOON, write_log
from .reading import Page
from .test_hostile_text import EVIL
from .test_query_budgets import capture, count

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from django.test import Client

    from runs_dashboard.models import Tenant, User

__all__ = ["capture"]


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def run_with(tenant: Tenant, messages: list[str], slug: str = "orders", **fields: Any) -> Run:
    run = claim(make_run(make_flow(tenant, slug), **fields))
    write_log(run, messages)
    return run


def hits(page: Page) -> list[str]:
    """The texts of the lines found."""
    return [element.text for element in page.find("span", class_="text")]


def ask(client: Client, **asked: str) -> Page:
    response = client.get("/search/", asked)
    assert response.status_code == 200, response.content.decode()
    return Page(response)


def test_a_line_is_found_marked_and_led_to(client: Client, tenant: Tenant) -> None:
    run = run_with(tenant, [f"line {n}" for n in range(900)] + ["article 0071-DECAF unknown", "the end"])
    page = ask(client, q="0071-decaf")
    assert hits(page) == ["article 0071-DECAF unknown"]
    assert [element.text for element in page.find("mark")] == ["0071-DECAF"]
    address = next(href for text, href in page.links.items() if "0071" in text)
    assert urlsplit(address).path == f"/runs/{run.uid}/"
    assert urlsplit(address).fragment == "L901"
    led = Page(client.get(address))
    assert led.by_id("L901") is not None, "the line is on the page without scripts"
    assert led.one("input", name="text").attrs["value"] == "0071-decaf"


def test_the_newest_lines_come_first_and_one_runs_lines_stand_together(client: Client, tenant: Tenant) -> None:
    run_with(tenant, ["needle 1", "needle 2"])
    late = run_with(tenant, ["a"] * 20 + ["needle 3"], "late")
    page = ask(client, q="needle")
    assert hits(page) == ["needle 3", "needle 2", "needle 1"]
    assert page.find("h3")[0].text == f"RunningLate{late.short_uid}"
    assert len(page.find("article")) == 2


def test_each_hit_says_its_level_and_step(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    step = Step.begin(run, run.version.parsed.steps[1], position=1, attempt=1)
    write_log(run, ["it broke"], level=3, step=step)
    page = ask(client, q="broke")
    assert page.one("i", title="error").text == "E"
    assert page.find("small")[0].text == "load, line 1"


def test_flow_level_and_period_narrow_it(client: Client, tenant: Tenant) -> None:
    run = run_with(tenant, ["needle quiet"])
    write_log(run, ["needle loud"], level=3)
    run_with(tenant, ["needle other"], "other")
    assert len(hits(ask(client, q="needle"))) == 3
    assert hits(ask(client, q="needle", flow="other")) == ["needle other"]
    assert hits(ask(client, q="needle", level="warning")) == ["needle loud"]
    assert hits(ask(client, q="needle", after=(NOON + timedelta(hours=1)).isoformat())) == []
    assert len(hits(ask(client, q="needle", after=NOON.isoformat()))) == 3
    assert hits(ask(client, q="needle", before=NOON.isoformat())) == []


def test_another_tenants_lines_flows_and_keys_are_not_there(
    client_of: Callable[[User], Client], client: Client, tenant: Tenant, eve: User
) -> None:
    run_with(tenant, ["secret of acme"], tracked=[("order", "secret")])
    assert hits(ask(client, q="secret")) == ["secret of acme"]
    hers = client_of(eve)
    page = Page(hers.get("/search/", {"q": "secret"}))
    assert hits(page) == []
    assert "of acme" not in page.source
    assert "No log line holds it" in page.source
    assert hers.get("/search/", {"q": "secret", "flow": "orders"}).status_code == 400


def test_somebody_without_a_tenant_or_a_name_sees_nothing(client_of: Callable[[User], Client], db: None) -> None:
    from django.test import Client

    from runs_dashboard.models import User

    assert client_of(User.objects.create_user("nobody")).get("/search/?q=x").status_code == 403
    assert Client().get("/search/?q=x").status_code == 302


def test_runs_with_the_tracked_data_are_named_equal_ones_first(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for number in range(25):
        make_run(flow, tracked=[("order_id", f"4711-{number:02d}")])
    equal = make_run(flow, tracked=[("order_id", "4711")])
    other = make_run(flow, tracked=[("shop", "4711")])
    make_run(flow, tracked=[("order_id", "471")])
    rows = ask(client, q="4711").find("a", class_="kv cut")
    assert len(rows) == view.RUNS_SHOWN
    assert [row.text for row in rows[:3]] == ["shop4711", "order_id4711", "order_id4711-00"]
    for asked in ("order_id=4711", "order_id:4711"):
        page = ask(client, q=asked)
        rows = page.find("a", class_="kv cut")
        assert rows[0].attrs["href"] == "/runs/?tracked=order_id%3A4711"
        assert f"/runs/{equal.uid}/" in page.source
        assert f"/runs/{other.uid}/" not in page.source
    listed = Page(client.get("/runs/?tracked=order_id%3A4711"))
    assert [e.attrs["id"] for e in listed.find("tr") if "id" in e.attrs] == [f"run-{equal.uid}"]


def test_more_hits_than_a_page_are_all_reached_once(client: Client, tenant: Tenant) -> None:
    run_with(tenant, [f"needle {n}" for n in range(120)])
    seen, address = [], "/search/?q=needle&level=info"
    while address:
        page = Page(client.get(address))
        seen += hits(page)
        found = page.links.get("Search further back", "")
        assert not found or "q=needle" in found
        assert not found or "level=info" in found
        address = f"/search/{found}" if found else ""
    assert seen == [f"needle {n}" for n in reversed(range(120))]
    assert "Everything was searched." in page.source


@pytest.mark.parametrize(
    ("answer", "said", "leads_on"),
    [
        (SearchPage([], "1.2.3", NOON, False, 9), "Searched back to", True),
        (SearchPage([], None, NOON, False, 9), "Not everything was searched", False),
        (SearchPage([], None, None, True, 9), "No log line holds it", False),
    ],
)
def test_how_far_it_got_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch, answer: SearchPage, said: str, leads_on: bool
) -> None:
    monkeypatch.setattr(view, "search_logs", lambda *_, **__: answer)
    page = ask(client, q="x")
    assert said in page.source
    assert ("Search further back" in page.links) == leads_on
    assert ("No log line holds it" in page.source) == answer.is_complete
    if leads_on:
        assert parse_qs(urlsplit(page.links["Search further back"]).query) == {"q": ["x"], "cursor": ["1.2.3"]}


def test_before_a_search_it_says_what_can_be_searched(client: Client) -> None:
    page = ask(client)
    assert "What can be searched" in page.source
    assert page.links["Search"] == "/search/"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("q=", "Say what to look for."),
        ("q=x&cursor=nonsense", "This is not a cursor of a search."),
        ("q=x&flow=nowhere", "There is no such flow."),
        ("q=x&level=loud", "There is no such level."),
        ("q=x&after=yesterday", "From: Give an ISO 8601 time"),
        ("q=x&before=99999999999999999999", "Until: Give an ISO 8601 time"),
    ],
)
def test_nonsense_is_told_in_the_form(client: Client, query: str, said: str) -> None:
    response = client.get(f"/search/?{query}")
    assert response.status_code == 400
    page = Page(response)
    assert said in page.one("div", class_="note").text
    assert "No log line" not in page.source


def test_hostile_text_is_text_wherever_it_stands(client: Client, tenant: Tenant) -> None:
    run_with(tenant, [EVIL, f"\x1b[31m{EVIL}\x1b[0m"], tracked=[("key", EVIL[:200])])
    for asked in (EVIL, "<script>", "alert(1)", "\"'><img", "&amp;", "key=<script>"):
        page = ask(client, q=asked)
        assert hits(page) or "key=" in asked
        assert page.source.count("alert(1)") == page.source.replace("<mark>", "").replace("</mark>", "").count(
            "alert(1)"
        )
        assert "<script>alert" not in page.source
        assert not page.find("img")
        assert not [e for e in page.elements if any(key.startswith("on") for key in e.attrs)]
    assert len(ask(client, q="alert(1)").find("mark")) == 2


@pytest.mark.parametrize("text", ["\x00", "\ud800", "%", "'; --", "x" * 5000, "\x1b[31m", " ", "İ", "\n"])
@pytest.mark.parametrize("name", ["q", "flow", "level", "after", "before", "cursor"])
def test_no_value_breaks_it(client: Client, tenant: Tenant, name: str, text: str) -> None:
    run_with(tenant, ["a line"])
    asked = {"q": "line", name: text.encode("utf-8", "surrogatepass")}
    assert client.get("/search/", asked).status_code in (200, 400)


def test_a_long_line_is_shown_around_what_was_found(client: Client, tenant: Tenant) -> None:
    run_with(tenant, ["x" * 20_000 + "needle" + "y" * 20_000])
    (text,) = hits(ask(client, q="needle"))
    assert text.startswith("… x")
    assert text.endswith("y …")
    assert "needle" in text
    assert len(text) < SHOWN + 10


letters = st.text(st.sampled_from("abAB ßẞﬁİiΣσς<&\t\x1b[1m日"), max_size=60)


@given(letters, letters.filter(bool))
def test_marks_are_where_the_text_is_and_leave_the_line_as_it_is(message: str, wanted: str) -> None:
    pieces = mark(message, wanted)
    shown = strip(message)
    assert "".join(piece.text for piece in pieces) == shown
    marked = [piece.text for piece in pieces if piece.is_found]
    assert bool(marked) == (wanted.casefold() in shown.casefold())
    assert all(wanted.casefold() in text.casefold() for text in marked)


def test_it_asks_the_same_for_one_hit_and_for_fifty(client: Client, tenant: Tenant, capture: Any) -> None:
    run_with(tenant, ["needle"], tracked=[("k", "needle")])
    few = count(client, "/search/?q=needle", capture)
    for number in range(10):
        run_with(tenant, ["needle"] * 5, f"flow-{number}", tracked=[("k", f"needle-{number}")])
    many = count(client, "/search/?q=needle", capture)
    assert many <= few + 10  # a chunk each
    assert few <= 14
