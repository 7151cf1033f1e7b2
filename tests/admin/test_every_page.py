"""Every page of every model in the admin opens, with hostile rows and hostile addresses."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs_dashboard.models import (
    ApiKey,
    AuditEntry,
    Flow,
    Membership,
    Run,
    RunTag,
    Step,
    TrackedData,
    User,
)

from .rows import SETUP

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [model for model in MODELS if model._meta.app_label == "runs_dashboard"]
# Those with filters, searches and forms; the others have what these have.
RICH = [Run, Flow, ApiKey, AuditEntry, Membership]
ids = {"ids": lambda model: getattr(getattr(model, "_meta", None), "label", None)}

ADDRESSES = [
    "?p=-1",
    "?p=0",
    "?p=99999999999999999999999999",
    "?p=abc",
    "?p=" + "9" * 5_000,
    "?o=abc",
    "?o=-1.2.99999999999999999999",
    "?o=" + "1." * 500,
    "?q=%00",
    "?q=%ED%A0%80",
    "?q=" + "x" * 5_000,
    "?q=%27%22%3Cscript%3E%25%25_",
    "?all=",
    "?e=1",
    "?status__exact=%00",
    "?status__exact=nothing",
    "?flow__id__exact=%00",
    "?flow__id__exact=abc",
    "?flow__id__exact=99999999999999999999999",
    "?run__id__exact=99999999999999999999999",
    "?tenant__id__exact=-1",
    "?nothing=1",
    "?id__in=1,abc",
    "?user__password__startswith=a",
    "?created_by__password__startswith=a",
    "?_to_field=password",
    "?_popup=1&_to_field=id",
    "?ordered_at__gte=0000-00-00",
    "?_facets=True",
]


def address(model: Any, kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def test_every_model_is_in_the_admin() -> None:
    expected = set(apps.get_app_config("runs_dashboard").get_models())

    assert expected <= set(MODELS)
    assert Group not in MODELS


@pytest.mark.parametrize("model", MODELS, **ids)
def test_lists_and_forms_open_and_show_hostile_text_as_text(
    model: Any, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    listed = client.get(address(model, "changelist"))
    assert listed.status_code == 200
    pages = [listed]
    for row in model._base_manager.all()[:3]:
        for kind in ("change", "history"):
            opened = client.get(address(model, kind, row.pk))
            assert opened.status_code == 200, kind
            pages.append(opened)
        deleting = client.get(address(model, "delete", row.pk))
        assert deleting.status_code in (200, 403)
        pages.append(deleting)
    adding = client.get(address(model, "add"))
    assert adding.status_code in (200, 403)
    for page in [*pages, adding]:
        text = page.content.decode()
        assert "<script>alert" not in text
        assert "7000007" not in text, "a row's text was read as a template"
        assert "Traceback" not in text


def test_every_model_has_a_row_that_is_looked_at(shop: SimpleNamespace) -> None:
    without = [model._meta.label for model in OURS if not model._base_manager.exists()]

    assert not without


@pytest.mark.parametrize("query", ADDRESSES, ids=lambda query: query[:40])
def test_no_address_is_a_server_error(
    query: str, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    for model in RICH:
        assert client.get(address(model, "changelist") + query).status_code in (200, 302, 400), model


def test_common_mistakes_are_none_in_any_list(
    shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    for model in MODELS:
        for query in ("?p=-1", "?o=abc", "?q=%00", "?q=%ED%A0%80"):
            assert client.get(address(model, "changelist") + query).status_code in (200, 302, 400), (model, query)


@pytest.mark.parametrize("key", ["0", "-1", "abc", "99999999999999999999999", "%00", "_5F", "1/../2"])
def test_a_key_that_names_nothing_is_no_server_error(
    key: str, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    for model in RICH:
        for kind in ("change", "delete", "history"):
            answer = client.get(f"{address(model, 'changelist')}{key}/{kind}/")
            assert answer.status_code in (302, 400, 403, 404), (model, kind)


@pytest.mark.parametrize("selected", ["abc", "\0", "-1", "9" * 30, "<script>"])
def test_a_selection_that_names_nothing_is_refused(
    selected: str, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    answer = enter(root).post(address(Run, "changelist"), {"action": "stop", "_selected_action": selected})

    assert answer.status_code == 400


@pytest.mark.parametrize("model", OURS, **ids)
def test_a_list_counts_no_further_than_the_limit_and_asks_a_fixed_number_of_questions(
    model: Any, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    client = enter(root)
    with CaptureQueriesContext(connection) as queries:
        client.get(address(model, "changelist"))
    counts = [query["sql"] for query in queries if re.search(r"\bCOUNT\(", query["sql"])]

    assert all(re.search(r"LIMIT \d+\)", sql) for sql in counts), counts
    assert len(queries) <= 16, [query["sql"] for query in queries]


@pytest.mark.parametrize("model", [Run, Step, RunTag, TrackedData, AuditEntry], ids=lambda model: model.__name__)
def test_a_large_list_joins_nothing_and_begins_at_an_index(
    model: Any, shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]
) -> None:
    """SQLite began a join at its small end, and sorted a million rows for fifty."""
    client = enter(root)
    table = model._meta.db_table
    for query in (
        "",
        "?status__exact=failed",
        "?is_pinned__exact=1",
        "?q=nothing",
        f"?tenant__id__exact={shop.tenant.pk}",
    ):
        with CaptureQueriesContext(connection) as queries:
            client.get(address(model, "changelist") + query)
        asked = [one["sql"] for one in queries if f'FROM "{table}"' in one["sql"]]
        assert not [sql for sql in asked if "DISTINCT" in sql]
        listing = [sql for sql in asked if "ORDER BY" in sql and "LIMIT" in sql]
        assert not [sql for sql in listing if " JOIN " in sql]
        if connection.vendor == "sqlite":
            for sql in listing:
                plan = [row[3] for row in connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
                assert not [step for step in plan if "TEMP B-TREE" in step and "SCAN" in plan[0]], plan


def test_times_are_written_to_the_second(shop: SimpleNamespace, root: User, enter: Callable[[Any], Client]) -> None:
    text = enter(root).get(address(Run, "changelist")).content.decode()

    assert f"{shop.run.started_at:%Y-%m-%d %H:%M:%S}" in text


def test_a_long_list_is_counted_up_to_the_limit(
    shop: SimpleNamespace, root: User, enter: Callable[[Any], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "COUNT_LIMIT", 3)
    for _ in range(5):
        shop.flow.start({}, trigger="manual", by=SETUP)
    text = enter(root).get(address(Run, "changelist")).content.decode()

    assert "3 results" in text or "3 runs" in text
