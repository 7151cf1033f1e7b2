"""Bulk actions by programs: the run list's own filters, a dry run, results, an abort."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.models import AuditEntry, BulkAction, Run, bulk_action, bulk_preview
from runs_dashboard.models.bulk_action import MOST_RUNS

from ..models.bulk import make_failed, work, work_off
from .world import ids, listed, make_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant, User

    from .world import Caller

BULK = "/api/v1/bulk-actions"
FAILED = {"action": "retry", "filter": {"status": "failed"}}


def ask(caller: Caller, body: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = caller.post(BULK, body, **options)
    assert answer.status_code == 202, answer.content
    assert answer["Location"] == f"{BULK}/{answer.json()['id']}"
    return answer.json()


def problem(answer: Any) -> tuple[int, list[Any], str]:
    (found,) = answer.json()["detail"]
    return answer.status_code, found["loc"], found["msg"]


def test_everything_that_matches_is_acted_on_in_the_background(api: Caller, tenant: Tenant, ada: User) -> None:
    runs = make_failed(tenant, 3)
    made = ask(api, {**FAILED, "start_at": "failed", "per_second": 20})
    assert {name: made[name] for name in ("action", "status", "total", "waiting", "filter", "query", "per_second")} == {
        "action": "retry",
        "status": "queued",
        "total": 3,
        "waiting": 3,
        "filter": {"status": ["failed"]},
        "query": "status:failed",
        "per_second": 20,
    }
    action = work_off(BulkAction.across_tenants.get())
    shown = api.get(f"{BULK}/{made['id']}").json()
    assert (shown["status"], shown["done"], shown["waiting"]) == ("done", 3, 0)
    assert shown["created_by"] == action.created_by_name
    results = api.get(f"{BULK}/{made['id']}/results").json()
    assert [(item["run_id"], item["outcome"]) for item in results["items"]] == [(run.uid, "done") for run in runs]
    new = {item["new_run_id"] for item in results["items"]}
    assert set(ids(listed(api, f"filter[bulk]={made['id']}"))) == {run.uid for run in runs} | new
    assert AuditEntry.objects.of(tenant).get(action="bulk.retry").key_id is not None
    assert [item["id"] for item in api.get(BULK).json()["items"]] == [made["id"]]


def test_retries_take_what_a_single_one_takes(api: Caller, tenant: Tenant) -> None:
    make_failed(tenant, 2)
    made = ask(api, {**FAILED, "version": "newest", "environment": "newest", "args": {"day": "2026-11-22"}})
    assert {name: made[name] for name in ("start_at", "version", "environment", "args")} == {
        "start_at": "start",
        "version": "newest",
        "environment": "newest",
        "args": {"day": "2026-11-22"},
    }
    action = work_off(BulkAction.across_tenants.get())
    assert [result.new_run.args for result in action.results.all() if result.new_run] == [{"day": "2026-11-22"}] * 2
    reviewed = ask(api, {**FAILED, "action": "review"})
    assert (reviewed["start_at"], reviewed["version"], reviewed["environment"], reviewed["args"]) == (None,) * 4
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    assert problem(api.post(BULK, {**FAILED, "args": {"day": deep}}))[0] == 422


def test_the_filters_are_those_of_the_run_list(api: Caller, zoo: dict[str, Run]) -> None:
    for asked, query in (
        ({"flow_id": "billing"}, "filter[flow_id]=billing"),
        ({"status": "failed,queued"}, "filter[status]=failed,queued"),
        ({"status": ["failed", "queued"]}, "filter[status]=failed,queued"),
        ({"tag": ["shop:rome"]}, "filter[tag]=shop:rome"),
        ({"tracked": "order_id:1234"}, "filter[tracked]=order_id:1234"),
        ({"reviewed": True}, "filter[reviewed]=true"),
        ({"user_id": "oli"}, "filter[user_id]=oli"),
        ({"user_id": zoo["olis"].created_by_id}, f"filter[user_id]={zoo['olis'].created_by_id}"),
        ({"started_after": "2026-03-05"}, "filter[started_after]=2026-03-05"),
        ({"not_flow": "orders", "trigger": "schedule"}, "filter[not_flow]=orders&filter[trigger]=schedule"),
    ):
        said = api.post(BULK, {"action": "review", "filter": asked, "dry_run": True})
        assert said.status_code == 200, said.content
        assert set(said.json()["sample"]) == set(ids(listed(api, query))) != set(), asked
    assert ask(api, {"action": "review", "filter": {"user_id": "oli", "flow_id": "orders"}})["filter"] == {
        "flow_id": ["orders"],
        "user_id": ["oli"],
    }


def test_a_dry_run_does_nothing(api: Caller, tenant: Tenant, ada: User) -> None:
    from ..models.runs import actor

    runs = make_failed(tenant, 12)
    runs[0].retry(by=actor(ada))
    said = api.post(BULK, {**FAILED, "dry_run": True}).json()
    assert (said["total"], said["refused"], said["total_is_lower_bound"]) == (12, 1, False)
    assert said["refusals"] == [{"count": 1, "reason": "retried already"}]
    assert len(said["sample"]) == 10
    by_id = api.post(BULK, {"action": "retry", "runs": [runs[0].uid, runs[1].uid, "nothing"], "dry_run": True}).json()
    assert (by_id["total"], by_id["refused"]) == (3, 2)
    assert not BulkAction.across_tenants.exists()


def test_the_same_key_is_one_action(api: Caller, tenant: Tenant) -> None:
    make_failed(tenant, 2)
    first, second = (ask(api, FAILED, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first == second
    assert BulkAction.across_tenants.count() == 1
    other = api.post(BULK, {"action": "review", "filter": {"status": "failed"}}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "loc", "said"),
    [
        ({"action": "retry", "filter": {}}, ["body", "filter"], "An empty filter would mean all runs"),
        ({"action": "retry"}, ["body", "filter"], "Give either filter or runs"),
        ({**FAILED, "runs": ["x"]}, ["body", "filter"], "Give either filter or runs"),
        ({"action": "retry", "filter": {"colour": "red"}}, ["body", "filter", "colour"], "Allowed: user_id, flow_id"),
        ({"action": "retry", "filter": {"status": "broken"}}, ["body", "filter", "status"], "Allowed: queued"),
        ({"action": "retry", "filter": {"status": ""}}, ["body", "filter", "status"], "an empty value"),
        ({"action": "retry", "filter": {"status": []}}, ["body", "filter", "status"], "an empty value"),
        ({"action": "retry", "filter": {"started_after": "soon"}}, ["body", "filter", "started_after"], "ISO 8601"),
        ({"action": "delete", "filter": {"status": "failed"}}, ["body", "action"], "Invalid enum value"),
        ({**FAILED, "per_second": 0}, ["body", "per_second"], ">= 1"),
        ({**FAILED, "per_second": 51}, ["body", "per_second"], "<= 50"),
        ({"action": "retry", "runs": []}, ["body", "runs"], "length >= 1"),
        ({"action": "retry", "runs": ["x"] * (MOST_RUNS + 1)}, ["body", "runs"], "length <= 10000"),
    ],
)
def test_what_is_no_question_is_refused(
    api: Caller, tenant: Tenant, body: dict[str, Any], loc: list[str], said: str
) -> None:
    make_failed(tenant, 1)
    status, where, text = problem(api.post(BULK, body))
    assert (status, where) == (422, loc)
    assert said in text
    assert not BulkAction.across_tenants.exists()


def test_too_many_or_more_than_agreed_is_a_conflict(
    api: Caller, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_failed(tenant, 4)
    assert problem(api.post(BULK, {**FAILED, "at_most": 3}))[0] == 409
    for module in (bulk_action, bulk_preview):
        monkeypatch.setattr(module, "MOST_RUNS", 3)
    status, _, said = problem(api.post(BULK, FAILED))
    assert (status, "narrow the filter" in said) == (409, True)
    assert api.post(BULK, {**FAILED, "dry_run": True}).json()["total_is_lower_bound"] is True


def test_foreign_ids_are_missing_ones(api: Caller, tenant: Tenant, other_tenant: Tenant, eves: Caller) -> None:
    foreign = make_flow(other_tenant).start({}, trigger="manual", by=_test_actor())
    own = make_failed(tenant, 1)[0]
    made = ask(api, {"action": "review", "runs": [foreign.uid, own.uid, "nothing"]})
    work_off(BulkAction.across_tenants.get())
    found = api.get(f"{BULK}/{made['id']}/results").json()["items"]
    assert [(item["outcome"], item["reason"]) for item in found] == [
        ("refused", "There is no such run."),
        ("done", None),
        ("refused", "There is no such run."),
    ]
    foreign.refresh_from_db()
    assert foreign.reviewed_at is None
    assert eves.get(f"{BULK}/{made['id']}").status_code == 404
    assert eves.get(BULK).json()["total"] == 0


def _test_actor() -> Any:
    from runs_dashboard.models import Actor

    return Actor(name="test")


def test_an_abort_answers_what_is_done_and_a_second_one_is_a_conflict(api: Caller, tenant: Tenant) -> None:
    make_failed(tenant, 3)
    made = ask(api, {**FAILED, "per_second": 1})
    work()
    answer = api.post(f"{BULK}/{made['id']}/abort")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["done"], answer.json()["skipped"]) == ("aborted", 1, 2)
    assert answer.json()["abort_requested_by"]
    assert api.post(f"{BULK}/{made['id']}/abort").status_code == 409


def test_results_are_paged_by_cursor_both_ways(api: Caller, tenant: Tenant) -> None:
    runs = make_failed(tenant, 7)
    made = ask(api, {"action": "review", "filter": {"status": "failed"}})
    work(timezone.now() + timedelta(seconds=1))
    address = f"{BULK}/{made['id']}/results?per_page=3&outcome=done"
    page = api.get(address).json()
    seen, pages = [], []
    while True:
        pages.append(page)
        seen += [item["run_id"] for item in page["items"]]
        assert page["total"] == 7
        if page["next_page"] is None:
            break
        page = api.get(f"{address}&cursor={page['next_page']}").json()
    assert seen == [run.uid for run in runs]
    back = api.get(f"{address}&cursor={pages[-1]['previous_page']}").json()
    assert back["items"] == pages[1]["items"]
    first = api.get(f"{address}&cursor={back['previous_page']}").json()
    assert (first["items"], first["previous_page"]) == (pages[0]["items"], None)
    assert api.get(f"{BULK}/{made['id']}/results?outcome=refused").json()["items"] == []
    assert api.get(f"{address}&cursor=x").status_code == 422
    assert api.get(f"{BULK}/{made['id']}/results?outcome=lost").status_code == 422


@pytest.mark.parametrize(("act", "status"), [("retry", 403), ("stop", 403), ("review", 202)])
def test_who_may_do_it_to_one_may_do_it_to_many(
    caller_of: Callable[[User], Caller], tenant: Tenant, sue: User, api: Caller, act: str, status: int
) -> None:
    make_failed(tenant, 1)
    sues = caller_of(sue)
    body = {"action": act, "filter": {"status": "failed"}}
    assert sues.post(BULK, body).status_code == status
    assert sues.post(BULK, {**body, "dry_run": True}).status_code == (200 if status == 202 else 403)
    made = ask(api, body)
    assert sues.post(f"{BULK}/{made['id']}/abort").status_code == (200 if status == 202 else 403)
