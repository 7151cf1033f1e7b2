"""The list's filter as a call of the API: it answers with the same runs."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from runs_dashboard.api.run_queries import FILTERS
from runs_dashboard.filters import RunFilter, name_for_api
from runs_dashboard.models import Actor, Environment, Run

from ..api.world import Caller
from ..models.runs import make_flow
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def runs(tenant: Tenant, ada: User, oli: User) -> list[Run]:
    """A run for each thing that can be asked for, four hours apart from 2026-03-01 19:00 UTC."""
    orders, billing = make_flow(tenant), make_flow(tenant, "billing")
    Environment.objects.of(tenant).create(name="staging").publish({"A": "1"}, by=Actor(user=ada))
    made = [
        orders.start({}, trigger="manual", by=Actor(user=ada)),
        orders.start({}, trigger="api", by=Actor(user=oli)),
        billing.start({}, trigger="schedule", by=Actor(name="scheduler")),
        orders.start({}, trigger="manual", by=Actor(user=ada), environment="staging"),
        orders.start({}, trigger="manual", by=Actor(user=ada), tags={"shop": "a=b&c:d 'é'"}),
        orders.start({}, trigger="manual", by=Actor(user=ada), tracked=[("order_id", "1234")]),
    ]
    for place, run in enumerate(made):
        at = datetime(2026, 3, 1, 19, tzinfo=UTC) + timedelta(hours=4 * place)
        Run.across_tenants.filter(pk=run.pk).update(started_at=at, ordered_at=at)
    Run.across_tenants.filter(pk=made[1].pk).update(has_warnings=True, is_retried=True)
    made.append(orders.start({}, trigger="flow", by=Actor(name="worker"), parent_run=made[0], uid="child"))
    return made


ASKED = [
    ({}, 7),
    ({"status": "queued"}, 7),
    ({"status": "failed,stopped"}, 0),
    ({"flow": "billing"}, 1),
    ({"trigger": "api,schedule"}, 2),
    ({"user": "oli"}, 1),
    ({"environment": "staging"}, 1),
    ({"tag": "shop:a=b&c:d 'é'"}, 1),
    ({"tag": "shop"}, 1),
    ({"tracked": "order_id=1234"}, 1),
    ({"search": "1234"}, 1),
    ({"search": "$(touch x)';`id`"}, 0),
    ({"has_warnings": "yes"}, 1),
    ({"retried": "0"}, 6),
    ({"reviewed": "false"}, 7),
    ({"started_after": "2026-03-02T00:00"}, 5),  # 23:00 UTC
    ({"started_before": "2026-03-02T00:00"}, 1),
    ({"started_on": "2026-03-02"}, 5),  # from 2026-03-01 23:00 UTC
    ({"started_on": "2026-03-02", "started_after": "2026-03-02T04:00"}, 4),
    ({"flow": "orders", "sort": "started_at"}, 6),
    ({"tag": ["shop:a=b&c:d 'é'", "shop"]}, 1),
    ({"not_tracked": "order_id:1234", "not_user": "oli"}, 5),
    ({"not_status": "failed", "not_trigger": "api,schedule"}, 5),
    ({"started_after": "2h"}, 0),
    ({"duration_over": "2h"}, 6),
    ({"level": "warning"}, 1),
]


@pytest.mark.parametrize(("asked", "count"), ASKED, ids=[urlencode(asked, doseq=True) for asked, _ in ASKED])
def test_the_call_answers_with_the_runs_of_the_page(
    client_of: Callable[[User], Client],
    key_of: Callable[[User], str],
    vic: User,
    runs: list[Run],
    asked: dict[str, str | list[str]],
    count: int,
) -> None:
    vic.time_zone = "Europe/Berlin"
    vic.save()

    page = Page(client_of(vic).get("/runs/", asked))
    url = page.one("pre", id="api-url").text
    answer = Caller(key_of(vic)).get(url.removeprefix("http://testserver"))

    assert answer.status_code == 200, answer.content
    rows = [element.attrs.get("id", "") for element in page.find("tr")]
    shown = [name.removeprefix("run-") for name in rows if name.startswith("run-")]
    assert [item["id"] for item in answer.json()["items"]] == shown
    assert len(shown) == count


def test_a_sub_runs_parent_is_asked_for_too(
    client_of: Callable[[User], Client], key_of: Callable[[User], str], vic: User, runs: list[Run]
) -> None:
    page = Page(client_of(vic).get("/runs/", {"parent_run_id": runs[0].uid}))
    answer = Caller(key_of(vic)).get(page.one("pre", id="api-url").text.removeprefix("http://testserver"))

    assert [item["id"] for item in answer.json()["items"]] == ["child"]


def test_the_command_is_one_word_after_the_other_for_a_shell(
    client_of: Callable[[User], Client], vic: User, runs: list[Run]
) -> None:
    page = Page(client_of(vic).get("/runs/", {"tag": "shop:a'b\"c$(id) `id`", "status": "failed"}))
    words = shlex.split(page.one("pre", id="api-curl").text)

    assert words == ["curl", "-g", "-H", "Authorization: Bearer $KEY", page.one("pre", id="api-url").text]
    assert "filter[status]=failed" in words[-1]
    assert not set(words[-1]) & set("'\"$` ")


def test_copy_buttons_name_what_they_copy_and_the_reader_finds_keys_and_docs(
    client_of: Callable[[User], Client], vic: User
) -> None:
    page = Page(client_of(vic).get("/runs/"))

    assert [button.attrs["data-copy"] for button in page.find("button") if "data-copy" in button.attrs] == [
        "#api-url",
        "#api-curl",
    ]
    assert page.links["your API keys"] == "/account/keys/"
    assert page.links["the API documentation"] == "/api/v1/docs"


def test_a_filter_that_cannot_be_is_no_call(client_of: Callable[[User], Client], vic: User) -> None:
    assert Page(client_of(vic).get("/runs/?status=nothing")).by_id("api-url") is None


def test_the_api_knows_every_filter_of_the_pages() -> None:
    known = {parameter.name for parameter in FILTERS}

    assert {name_for_api(name) for name in RunFilter.base_filters} == known


@pytest.mark.parametrize("day", ["0001-01-01T00:30:00Z", "9999-12-31T23:30:00Z", "9999-12-31", "0001-01-01"])
def test_the_ends_of_time_break_nothing(client_of: Callable[[User], Client], vic: User, day: str) -> None:
    for zone in ("Europe/Berlin", "America/New_York", "UTC"):
        vic.time_zone = zone
        vic.save()
        assert client_of(vic).get("/runs/", {"started_on": day}).status_code in (200, 400)
