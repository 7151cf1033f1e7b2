"""Counts of runs: exact where an index counts, else among the newest, and said so; never a walk over all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from runs_dashboard import filters
from runs_dashboard.filters import RunFilter
from runs_dashboard.models import Run, RunTag, Status, TrackedData, counting
from runs_dashboard.text.fingerprint import fingerprint

from .runs import make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User

pytestmark = pytest.mark.django_db
SIGHT = 4
STATUSES = [str(status) for status in Status]


@pytest.fixture
def runs(tenant: Tenant, other_tenant: Tenant, oli: User, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Ten runs, the oldest first: the third and every third after it failed, even ones have the tag, one waits."""
    monkeypatch.setattr(counting, "LOOKED_AT", SIGHT)
    monkeypatch.setattr(filters, "FEW_RUNS", 1)
    flow, now = make_flow(tenant), timezone.now()
    made = []
    for number in range(10):
        status = Status.QUEUED if number == 0 else Status.FAILED if number % 3 == 0 else Status.SUCCEEDED
        run = make_run(flow, status)
        at = now - timedelta(hours=10 - number)
        has_user = oli if number % 2 else None
        Run.objects.of(tenant).filter(pk=run.pk).update(
            ordered_at=at, created_at=at, trigger="api", has_warnings=number % 2 == 0, created_by=has_user
        )
        if number % 2 == 0:
            RunTag.across_tenants.create(tenant=tenant, run=run, key="team", value="web")
            for value in ("1", "2"):
                TrackedData.across_tenants.create(tenant=tenant, run=run, key="order", value=value)
        made.append(run)
    foreign = make_run(make_flow(other_tenant), Status.FAILED)
    RunTag.across_tenants.create(tenant=other_tenant, run=foreign, key="team", value="web")
    return made


def ask(tenant: Tenant, **asked: str) -> Any:
    given = MultiValueDict[str, str]({name: [value] for name, value in asked.items()})
    found = RunFilter(given, queryset=Run.objects.of(tenant), tenant=tenant)
    assert found.is_valid(), found.errors
    return found.qs


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (10, True)),
        ({"status": "failed"}, (3, True)),
        ({"status": "failed,succeeded"}, (9, True)),
        ({"flow": "orders"}, (10, True)),
        ({"flow": "orders", "status": "failed"}, (3, True)),
        ({"trigger": "api"}, (10, True)),
        ({"has_warnings": "true"}, (5, True)),
        ({"flow": "nothing"}, (0, True)),
        ({"tag": "team:web"}, (5, True)),
        ({"tag": "team"}, (5, True)),
        ({"tracked": "order:2"}, (5, True)),
        ({"tracked": "order"}, (2, False)),  # a run may have several: no index counts runs
        ({"tag": "team:web", "status": "failed"}, (1, True)),  # of three failed runs all are in sight
        ({"tag": "team:web", "status": "succeeded"}, (2, False)),
        ({"tag": "team:web", "flow": "orders"}, (2, False)),
        ({"trigger": "api", "status": "succeeded"}, (4, False)),
        ({"level": "error"}, (0, False)),
        ({"unresolved": "true"}, (3, True)),
        ({"unresolved": "true", "flow": "orders"}, (3, True)),
        ({"error": fingerprint("boom")}, (3, True)),
        ({"error": fingerprint("boom"), "unresolved": "true", "flow": "orders"}, (3, True)),
        ({"unresolved": "true", "status": "succeeded"}, (0, True)),
        ({"not_status": "failed"}, (2, False)),
        ({"user": "0"}, (2, False)),
        ({"not_tag": "team:web", "since": "3h"}, (1, True)),
        ({"not_tag": "team:web", "until": "6h"}, (2, False)),
    ],
)
def test_what_no_index_counts_is_counted_among_the_newest(
    tenant: Tenant, runs: list[Run], asked: dict[str, str], expected: tuple[int, bool]
) -> None:
    assert tuple(ask(tenant, **asked).count_capped(10_000)) == expected


def test_beyond_the_limit_a_count_is_a_lower_bound(tenant: Tenant, runs: list[Run]) -> None:
    assert tuple(ask(tenant).count_capped(9)) == (9, False)
    assert tuple(ask(tenant).count_capped(10)) == (10, True)
    assert tuple(ask(tenant, tag="team:web").count_capped(4)) == (4, False)
    assert tuple(ask(tenant, tracked="order:1").count_capped(5)) == (5, True)
    assert tuple(Run.objects.of(tenant).count_capped(9, by="created_at")) == (9, False)


def test_each_status_is_counted_under_the_other_filters(tenant: Tenant, runs: list[Run]) -> None:
    def count(**asked: str) -> dict[str, tuple[int, bool]]:
        counts = ask(tenant, **asked).count_by_status(STATUSES, 10_000)
        return {status: tuple(counted) for status, counted in counts.items() if counted.number or status == "queued"}

    exact = {"queued": (1, True), "failed": (3, True), "succeeded": (6, True)}
    assert count() == count(flow="orders") == exact
    # The oldest run, which waits, is out of sight, but runs in progress are counted one by one.
    assert count(trigger="api") == {"queued": (1, True), "failed": (2, False), "succeeded": (2, False)}
    assert count(tag="team:web") == {"queued": (1, True), "failed": (1, False), "succeeded": (1, False)}
    assert count(not_tag="team:web") == {"queued": (0, True), "failed": (1, False), "succeeded": (1, False)}
    assert count(unresolved="true") == {"queued": (0, True), "failed": (3, True)}
    assert count(search=runs[3].uid) == {"queued": (0, True), "failed": (1, True)}


def test_too_many_runs_in_progress_are_counted_as_the_others(
    tenant: Tenant, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "FEW_LIVE", 0)
    assert tuple(ask(tenant, trigger="api").count_by_status(STATUSES, 10_000)["queued"]) == (0, False)


def test_each_count_is_bounded(tenant: Tenant, runs: list[Run]) -> None:
    for asked in ({}, {"tag": "team:web"}, {"level": "error"}, {"trigger": "api", "status": "failed"}):
        with CaptureQueriesContext(connection) as captured:
            rows = ask(tenant, **asked)
            rows.count_capped(100)
            rows.count_by_status(STATUSES, 100)
        counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
        assert counts
        assert all(" LIMIT " in sql for sql in counts)
