"""Where a log opens, what it says of what it leaves out, which part of it one chooses, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs_dashboard.models import GrowingLine, Run, Status, Step

from ..models.runs import claim, make_flow, make_run
from .making import write_log
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


def failed(tenant: Tenant, before: int, after: int) -> Run:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(before)])
    write_log(run, ["broken", "more broken"], level=3)
    write_log(run, [f"line {number}" for number in range(after)])
    return run.finish(Status.FAILED, token=run.token, error="broken")


def test_a_failed_runs_long_log_opens_at_its_first_error(client: Client, tenant: Tenant) -> None:
    run = failed(tenant, 2000, 3000)
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert list(page.lines()) == list(range(1981, 2481))
    note = page.one("p", class_="lnote").text
    assert note.startswith("Opened at the first of 2 errors, line 2,001.To the startTo the end")
    assert [row.text.split(" line")[0] for row in page.find("div", class_="cut-row")] == [
        "1,980 earlier",
        "2,522 later",
    ]
    assert page.one("section", id="log").attrs["data-error"] == "2001"
    end = Page(client.get(f"/runs/{run.uid}/{page.links['To the end'].partition('#')[0]}"))
    assert list(end.lines())[-1] == 5002
    assert end.find("p", class_="lnote") == []
    start = Page(client.get(f"/runs/{run.uid}/{page.links['To the start'].partition('#')[0]}"))
    assert next(iter(start.lines())) == 1


def test_a_failed_runs_short_log_is_there_whole(client: Client, tenant: Tenant) -> None:
    run = failed(tenant, 20, 30)
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert list(page.lines()) == list(range(1, 53))
    assert page.links["line 21"] == "#L21"


def test_a_failed_run_without_an_error_in_its_log_opens_at_the_end(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(900)])
    run.finish(Status.FAILED, token=run.token, error="killed")
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert list(page.lines())[-1] == 900
    assert "data-error" not in page.one("section", id="log").attrs


def test_a_line_past_the_end_is_said_not_to_be_there(client: Client, tenant: Tenant) -> None:
    run = failed(tenant, 20, 30)
    page = Page(client.get(f"/runs/{run.uid}/?from=400"))
    assert "There is no line 400: the log has 52." in page.source
    assert list(page.lines()) == []


def test_tries_and_streams_are_told_apart(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = claim(make_run(flow))
    spec = flow.definition.steps[0]
    for attempt in (1, 2):
        step = Step.begin(run, spec, position=0, attempt=attempt)
        write_log(run, [f"try {attempt}"], step=step)
        step.end(Status.FAILED, error="x")
    page = Page(client.get(f"/runs/{run.uid}/?step=fetch"))
    assert list(page.lines()) == [1, 2]
    assert page.links["Try 2"] == "?step=fetch&attempt=2#log"
    second = Page(client.get(f"/runs/{run.uid}/?step=fetch&attempt=2"))
    assert list(second.lines()) == [2]
    assert "step=fetch&attempt=2&" in second.one("div", id="tail").attrs["data-stream"]
    assert list(Page(client.get(f"/runs/{run.uid}/?stream=stderr")).lines()) == []
    assert list(Page(client.get(f"/runs/{run.uid}/?stream=stdout")).lines()) == [1, 2]


def test_many_steps_have_a_menu(client: Client, tenant: Tenant) -> None:
    steps = "".join(f"  - {{id: s{n}, component: command, with: {{run: [echo]}}}}\n" for n in range(30))
    flow = make_flow(tenant, steps=steps)
    run = claim(make_run(flow))
    for place, spec in enumerate(flow.definition.steps):
        Step.begin(run, spec, position=place, attempt=1).end(Status.SUCCEEDED)
    page = Page(client.get(f"/runs/{run.uid}/?step=s29"))
    tabs = page.one("nav", class_="ltabs")
    assert tabs.text == "All stepss0s1s2s3s4s5s6s29"
    assert "22 more" in page.source


def test_counts_of_levels_filter_and_lead(client: Client, tenant: Tenant) -> None:
    run = failed(tenant, 20, 30)
    page = Page(client.get(f"/runs/{run.uid}/?step=&find=x"))
    assert {"Next error", "Previous error"} <= set(page.buttons)
    assert "Next warning" not in page.buttons
    assert page.links["Errors 2"].startswith("?")
    only = Page(client.get(f"/runs/{run.uid}/?level=error"))
    assert list(only.lines()) == [21, 22]
    assert "Show all lines" in only.links


@pytest.mark.parametrize(
    "query",
    ["attempt=x&step=a", "attempt=99999999999999&step=a", "stream=both", "from=end&level=x", "here=x", "here=-1"],
)
def test_nonsense_in_the_choice_is_no_error(client: Client, tenant: Tenant, query: str) -> None:
    run = failed(tenant, 5, 5)
    for tail in ("", "log/", "log/go/", "log/marks/"):
        assert client.get(f"/runs/{run.uid}/{tail}?{query}", follow=True).status_code == 200


def test_a_part_says_how_long_the_log_is(client: Client, tenant: Tenant) -> None:
    run = failed(tenant, 5, 5)
    answer = client.get(f"/runs/{run.uid}/log/?after=100000000000000")
    assert answer["X-Log-Lines"] == "12"
    assert answer.content.strip() == b""


def test_choices_of_display_are_kept_and_nonsense_is_left_out(client: Client, tenant: Tenant, vic: User) -> None:
    run = failed(tenant, 5, 5)
    answer = client.post(
        "/account/log/", {"time": "since", "wrap": "maybe", "slab": "page"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 204
    page = Page(client.get(f"/runs/{run.uid}/"))
    assert page.one("html").attrs["data-log"] == "page"
    chosen = [e.attrs["value"] for e in page.find("input", type="radio") if "checked" in e.attrs]
    assert chosen == ["on", "since", "page", "on"]
    back = client.post("/account/log/", {"time": "off", "next": f"/runs/{run.uid}/"})
    assert (back.status_code, back["Location"]) == (302, f"/runs/{run.uid}/")
    vic.refresh_from_db()
    assert vic.log_display == {"wrap": "on", "time": "off", "follow": "on", "slab": "page"}


def test_display_choices_that_are_broken_are_as_none(vic: User) -> None:
    vic.preferences = {"log_wrap": ["x"], "log_time": 7}
    assert vic.log_display == {"wrap": "on", "time": "clock", "follow": "on", "slab": "dark"}


@pytest.mark.parametrize(
    ("tail", "most"), [("log/?from=end", 9), ("log/?before=900", 9), ("log/go/?to=next+error", 9), ("log/marks/", 9)]
)
def test_a_place_in_the_log_asks_a_few_questions(client: Client, tenant: Tenant, tail: str, most: int) -> None:
    run = failed(tenant, 2000, 2000)
    with CaptureQueriesContext(connection) as asked:
        client.get(f"/runs/{run.uid}/{tail}", headers={"Accept": "application/json"} if "go" in tail else {})
    assert len(asked) <= most, [one["sql"][:90] for one in asked.captured_queries]


def test_a_time_is_found_by_halves(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    for _ in range(60):
        write_log(run, ["a", "b"])
    with CaptureQueriesContext(connection) as asked:
        client.get(f"/runs/{run.uid}/log/go/?to=13:00", headers={"Accept": "application/json"})
    assert len(asked) <= 20


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("", True),
        ("from=end", True),
        ("step=fetch&stream=stdout", True),
        ("from=1", False),
        ("step=load", False),
        ("stream=stderr", False),
        ("level=error", False),
    ],
)
def test_the_line_that_has_not_ended_stands_below_the_end_of_its_part(
    client: Client, tenant: Tenant, query: str, is_shown: bool
) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    write_log(run, [f"line {number}" for number in range(600)])
    run.grow(GrowingLine("fetch", 1, "stdout", "10%\r20% <b>"), token=run.token)

    page = Page(client.get(f"/runs/{run.uid}/?{query}"))
    rows = page.find("div", id="growing")
    assert [row.text for row in rows] == (["…20% <b>"] if is_shown else [])
    assert "growing" not in client.get(f"/runs/{run.uid}/log/?after=500").content.decode(), "it is no line of the log"

    run.finish(Status.FAILED, token=run.token)
    assert Page(client.get(f"/runs/{run.uid}/?{query}")).find("div", id="growing") == []
