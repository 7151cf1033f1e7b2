"""The inbox for programs: kinds of failure, and their review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import BulkAction, ErrorGroup, Run, settle_failures

from ..models.runs import ENGINE, make_flow
from ..models.test_failures import fail, succeed
from .world import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant, User


@pytest.fixture
def api(key_of: Callable[[User], str], sue: User) -> Caller:
    return Caller(key_of(sue))


def test_kinds_of_failure_are_listed_with_what_finds_their_runs(api: Caller, tenant: Tenant) -> None:
    orders = make_flow(tenant)
    runs = {fail(orders, "order 1 has no price").uid, fail(orders, "order 2 has no price").uid}
    last = fail(make_flow(tenant, "other"), "no such table")
    listed = api.get("/api/v1/failures").json()
    assert listed["total"] == 2
    newest, other = listed["items"]
    assert (newest["flow_id"], newest["unresolved"], newest["last_run_id"]) == ("other", 1, last.uid)
    assert (other["error"], other["unresolved"], other["total"]) == ("order 2 has no price", 2, 2)
    assert other["is_new"] is True
    assert other["is_back"] is False
    query = {"unresolved": "true", "error": other["fingerprint"], "flow_id": other["flow_id"]}
    found = api.get("/api/v1/flow-runs", query_params={f"filter[{name}]": text for name, text in query.items()}).json()
    assert {run["id"] for run in found["items"]} == runs

    by_count = api.get("/api/v1/failures?sort=-unresolved&per_page=1").json()
    assert by_count["items"][0]["flow_id"] == "orders"
    rest = api.get(
        "/api/v1/failures", query_params={"sort": "-unresolved", "per_page": 1, "cursor": by_count["next_page"]}
    )
    assert [item["flow_id"] for item in rest.json()["items"]] == ["other"]
    assert api.get("/api/v1/failures?filter[flow_id]=other").json()["total"] == 1
    assert api.get("/api/v1/failures?filter[kind]=back").json()["total"] == 0
    assert api.get("/api/v1/failures?filter[seen_after]=1h").json()["total"] == 2
    assert api.get("/api/v1/failures?filter[kind]=nonsense").status_code == 422


def test_it_empties_when_retries_succeed(api: Caller, tenant: Tenant) -> None:
    run = fail(make_flow(tenant))
    succeed(run.retry(by=ENGINE))
    assert api.get("/api/v1/failures").json()["items"] == []


def test_a_kind_is_reviewed_as_a_bulk_action_once(api: Caller, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    mine = [fail(flow), fail(flow)]
    fail(flow, "something else")
    settle_failures()
    group = ErrorGroup.objects.of(tenant).get(open_count=2)
    address = f"/api/v1/failures/{group.uuid}/review"
    for _ in range(2):
        answer = api.post(address, headers={"Idempotency-Key": "night-7"})
        assert answer.status_code == 202, answer.content
    assert answer.json()["total"] == 2
    while BulkAction.across_tenants.act_next():
        continue
    assert all(run.reviewed_at for run in Run.objects.of(tenant).filter(pk__in=[run.pk for run in mine]))
    assert api.get("/api/v1/failures").json()["total"] == 1
    assert api.post(address).json()["total"] == 0, "nothing of it is unresolved any more"


def test_another_tenants_kind_is_not_there(api: Caller, other_tenant: Tenant) -> None:
    fail(make_flow(other_tenant))
    assert api.get("/api/v1/failures").json()["items"] == []
    group = ErrorGroup.across_tenants.get()
    for failure in (group.uuid, "nonsense"):
        assert api.post(f"/api/v1/failures/{failure}/review").status_code == 404
