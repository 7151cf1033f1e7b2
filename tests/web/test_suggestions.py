"""Completion of the typed query: filters first, then the tenant's own names; few questions, no scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Actor, Environment, RunTag, Status, TrackedData, fold_all
from runs_dashboard.models.tracked import HOPS
from runs_dashboard.text.run_query import QUALIFIERS, parse
from runs_dashboard.web import suggesting
from runs_dashboard.web.suggesting import suggest

from ..models.runs import make_flow, make_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def known(tenant: Tenant, other_tenant: Tenant, ada: User, oli: User) -> Tenant:
    make_run(
        make_flow(tenant, "orders"),
        tags={"team": "light blue", "shop": "eu"},
        tracked=[("order_id", "4711"), ("order_id", "4712"), ("customer", "c1")],
    )
    make_run(make_flow(tenant, "nightly-orders"), Status.SUCCEEDED)
    fold_all()
    Environment.objects.of(tenant).create(name="production").publish({}, by=Actor(user=ada))
    make_run(make_flow(other_tenant, "orders-of-others"), tracked=[("order_secret", "1")])
    return tenant


@pytest.mark.parametrize(
    ("token", "texts"),
    [
        ("sta", ["status:", "started:"]),
        ("status:f", ["status:failed"]),
        ("status:failed,s", ["status:failed,succeeded", "status:failed,stopped"]),
        ("-status:f", ["-status:failed"]),
        ("-started:", []),
        ("flow:ord", ["flow:nightly-orders", "flow:orders"]),
        ("flow:orders,night", ["flow:orders,nightly-orders"]),
        ("ord", ["flow:nightly-orders", "flow:orders", "order_id:"]),
        ("by:", ["by:ada", "by:oli"]),
        ("env:pro", ["env:production"]),
        ("tag:", ["tag:shop=", "tag:team="]),
        ("tag:team=", ['tag:"team=light blue"']),
        ("order_id:", ["order_id:4711", "order_id:4712"]),
        ("order_id:4712", ["order_id:4712"]),
        ("tracked:order_id=", ["tracked:order_id=4711", "tracked:order_id=4712"]),
        ("order_s", []),
        ("reviewed:", ["reviewed:yes", "reviewed:no"]),
        ("level:", ["level:error", "level:warning"]),
        ("parent:", []),
        ("component:com", ["component:command"]),
        ("component:command=f", ["component:command=failed"]),
    ],
)
def test_a_word_may_become(known: Tenant, token: str, texts: list[str]) -> None:
    assert [text for text, _ in suggest(known, token)] == texts


def test_at_first_the_filters_are_offered_with_what_they_ask(known: Tenant) -> None:
    offered = suggest(known, "")
    assert offered == [(f"{one.word}:", one.about) for one in QUALIFIERS][: suggesting.LIMIT]


def test_every_finished_suggestion_is_a_query_that_is_understood(known: Tenant) -> None:
    for one in QUALIFIERS:
        for text, _ in suggest(known, f"{one.word}:"):
            if not text.endswith(("=", ":")):
                assert parse(text).problems == [], text
                assert parse(text).pairs, text


def test_known_words_are_found_by_hops_and_then_remembered(known: Tenant) -> None:
    run = make_run(make_flow(known, "many"))
    for number in range(200):
        TrackedData.across_tenants.create(tenant=known, run=run, key=f"key{number:03}", value="x")
    with CaptureQueriesContext(connection) as asked:
        found = suggest(known, "tracked:key")
    assert [text for text, _ in found] == [f"tracked:key{number:03}=" for number in range(suggesting.LIMIT)]
    assert len(asked) <= suggesting.LIMIT + 1
    with CaptureQueriesContext(connection) as asked:
        assert suggest(known, "tracked:key") == found
    assert len(asked) == 0
    assert not any("DISTINCT" in query["sql"] for query in asked.captured_queries)


def test_hops_have_an_end(known: Tenant) -> None:
    run = make_run(make_flow(known, "many"))
    for number in range(HOPS + 5):
        RunTag.across_tenants.create(tenant=known, run=run, key=f"k{number:03}", value="x")
    assert len(RunTag.objects.of(known).known("key", "k", limit=1_000)) == HOPS
    assert RunTag.objects.of(known).known("key", "zzz") == []


def test_the_answer_is_json_and_another_tenants_names_are_not_in_it(
    known: Tenant, client_of: Callable[[User], Client], eve: User, oli: User
) -> None:
    mine = client_of(oli).get("/live/suggestions/?token=flow:orders").json()
    assert mine == {
        "items": [
            {"text": "flow:nightly-orders", "about": "Nightly-Orders"},
            {"text": "flow:orders", "about": "Orders"},
        ]
    }
    theirs = client_of(eve).get("/live/suggestions/?token=flow:orders").json()
    assert [item["text"] for item in theirs["items"]] == ["flow:orders-of-others"]


@given(
    token=st.text(max_size=40)
    | st.builds("{}:{}".format, st.sampled_from([one.word for one in QUALIFIERS]), st.text(max_size=12))
)
def test_no_word_breaks_it(token: str) -> None:
    from runs_dashboard.models import Tenant

    unknown = Tenant(pk=0)
    rows: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggesting, "_known", lambda *asked: rows)
        kinds = ("flows", "environments", "people", "components")
        patch.setattr(suggesting, "find_choices", lambda tenant: dict.fromkeys(kinds, rows))
        assert isinstance(suggest(unknown, token), list)
