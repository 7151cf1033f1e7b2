"""Columns and density of the run list: chosen by a person, kept with the person, or named by the address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Status, User
from runs_dashboard.web.columns import OPTIONAL, USUAL

from ..models.runs import make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant

TITLES = ["Status", "Flow and run"]


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


@pytest.fixture(autouse=True)
def runs(tenant: Tenant) -> None:
    for status in Status:
        make_run(make_flow(tenant), status)


def titles(client: Client, address: str = "/runs/") -> list[str]:
    page = Page(client.get(address))
    shown = [heading.text for heading in page.find("th")]
    cells = [element.attrs["class"] for element in page.find("td") if "colspan" not in element.attrs]
    assert len(cells) == len(shown) * len(Status)
    assert {element.attrs["colspan"] for element in page.find("td") if "colspan" in element.attrs} == {str(len(shown))}
    return shown


def choose(client: Client, **sent: Any) -> None:
    response = client.post("/account/run-list/", {"next": "/runs/?status=failed", **sent})
    assert (response.status_code, response.headers["Location"]) == (302, "/runs/?status=failed")


def test_nobody_has_to_choose(client: Client) -> None:
    assert titles(client) == [*TITLES, *(OPTIONAL[name] for name in USUAL)]


def test_a_choice_stays_with_the_person(
    client: Client, client_of: Callable[[User], Client], vic: User, oli: User
) -> None:
    choose(client, columns="yes", column=["lines", "waited"])
    assert titles(client) == [*TITLES, "Lines", "Waited"]
    assert titles(client_of(vic)) == [*TITLES, "Lines", "Waited"]
    assert len(titles(client_of(oli))) == 3 + len(USUAL)


def test_every_column_can_be_shown(client: Client) -> None:
    choose(client, columns="yes", column=list(OPTIONAL))
    assert titles(client) == [*TITLES, *OPTIONAL.values()]


def test_no_column_but_the_fixed_ones_is_a_choice_too(client: Client) -> None:
    choose(client, columns="yes")
    assert titles(client) == TITLES
    choose(client, usual="yes")
    assert len(titles(client)) == len(TITLES) + len(USUAL)


def test_a_column_moves_to_the_front_step_by_step(client: Client) -> None:
    sent = {"columns": "yes", "column": ["trigger", "started", "lines"]}
    choose(client, **sent, first="lines")
    assert titles(client)[2:] == ["Trigger, by", "Lines", "Started"]
    choose(client, columns="yes", column=["trigger", "lines", "started"], first="trigger")
    assert titles(client)[2:] == ["Trigger, by", "Lines", "Started"]


def test_the_address_may_name_the_columns(client: Client) -> None:
    assert titles(client, "/runs/?columns=duration,nothing,lines,duration")[2:] == ["Duration", "Lines"]
    assert titles(client, "/runs/?columns=nothing")[2:] == [OPTIONAL[name] for name in USUAL]


def test_density_is_kept_beside_the_columns(client: Client, vic: User) -> None:
    choose(client, columns="yes", column=["lines"])
    choose(client, density="dense")
    assert Page(client.get("/runs/")).one("table", class_="tbl runs dense")
    choose(client, density="loose")
    client.post("/account/theme/", {"theme": "dark"})
    vic.refresh_from_db()
    assert vic.preferences == {"run_list": {"columns": ["lines"], "density": "dense"}, "theme": "dark"}


@pytest.mark.parametrize(
    "kept", ["x", 5, ["a"], {"columns": "lines"}, {"columns": [1, None, "lines"]}, {"density": ["dense"]}]
)
def test_what_was_kept_by_something_else_breaks_nothing(client: Client, vic: User, kept: Any) -> None:
    vic.preferences = {"run_list": kept}
    vic.save()
    titles(client)
    choose(client, density="dense")
    titles(client)


def test_an_open_list_asks_for_its_own_columns(client: Client) -> None:
    asked = Page(client.get("/runs/?columns=lines")).one("span", id="live").attrs["hx-get"]
    choose(client, columns="yes", column=["waited"])
    news = client.get(asked).content.decode()
    assert 'class="c-lines r"' in news
    assert "c-wait" not in news


def test_choices_made_at_once_do_not_undo_each_other(vic: User) -> None:
    here, there = User.objects.get(pk=vic.pk), User.objects.get(pk=vic.pk)
    here.choose(theme="dark")
    there.choose(log="dense")
    assert User.objects.get(pk=vic.pk).preferences == {"theme": "dark", "log": "dense"}
