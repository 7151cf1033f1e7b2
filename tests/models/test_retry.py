"""Retry: what is kept, what runs again, and that the old run only gets a mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.definition.inputs import InputError
from runs_dashboard.models import (
    AuditEntry,
    Environment,
    LogView,
    RetryRefused,
    Run,
    StaleResult,
    Status,
    Step,
    append,
    changed_keys,
    once,
)
from runs_dashboard.text.intake import Line

from .runs import ENGINE, claim, make_flow, make_run
from .test_claim import in_threads

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

THREE = "\n".join(f"  - {{id: {name}, component: command, with: {{run: [echo, {name}]}}}}" for name in "abc")


def failed_at_b(tenant: Tenant) -> Run:
    run = claim(make_run(make_flow(tenant, steps=THREE, extra="inputs: {day: {type: string, default: monday}}")))
    steps = run.version.parsed.steps
    Step.begin(run, steps[0], position=0, attempt=1).end(Status.SUCCEEDED, outputs={"rows": 7})
    second = Step.begin(run, steps[1], position=1, attempt=1)
    append(run, [Line("broken", 3, "stderr", 1_700_000_000.0)], step=second, token=run.token)
    second.end(Status.FAILED, error="broken")
    run.tag({"team": "blue"})
    run.track([("order_id", "4711")])
    return run.finish(Status.FAILED, token=run.token, error="broken", error_step="b")


def test_a_whole_retry_keeps_nothing_and_has_a_log_of_its_own(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    new = old.retry(by=ENGINE)
    assert (new.status, new.trigger, new.retried_run, new.attempt) == (Status.QUEUED, "retry", old, 2)
    assert not new.steps.exists()
    assert LogView(new).after(0, limit=1) == []
    assert new.args == old.args == {"day": "monday"}
    old.refresh_from_db()
    assert old.is_retried
    assert old.status == Status.FAILED
    assert dict(new.tags.values_list("key", "value")) == {"team": "blue"}
    assert list(new.tracked_data.values_list("key", "value")) == [("order_id", "4711")]


def test_a_retry_from_the_failed_step_keeps_what_succeeded(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    plan = old.plan_retry(start_at="failed")
    assert ([step.slug for step in plan.kept], plan.runs) == (["a"], ["b", "c"])
    new = old.retry(by=ENGINE, start_at="failed")
    kept = new.steps.get()
    assert (kept.slug, kept.status, kept.outputs, kept.is_kept) == ("a", Status.SUCCEEDED, {"rows": 7}, True)
    new.refresh_from_db()
    assert (new.steps_done, new.step_count, new.retried_from) == (1, 3, "b")


def test_a_retry_of_a_retry_still_knows_where_a_result_came_from(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    second = claim(old.retry(by=ENGINE, start_at="failed"))
    second.finish(Status.FAILED, token=second.token, error="again")
    third = second.retry(by=ENGINE, start_at="failed")
    assert third.steps.get().kept_from == old.steps.get(slug="a")
    assert third.attempt == 3


def test_inputs_may_change_and_are_checked(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    assert old.retry(by=ENGINE, start_at="failed", args={"day": "friday"}).args == {"day": "friday"}
    with pytest.raises(InputError):
        old.retry(by=ENGINE, args={"day": 5})
    assert old.retries.count() == 1


def test_the_newest_version_may_be_chosen(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    make_flow(tenant, steps=THREE + "\n  - {id: d, component: command, with: {run: [echo, d]}}")
    assert old.retry(by=ENGINE).version == old.version
    new = old.retry(by=ENGINE, start_at="failed", is_newest=True)
    assert (new.version.number, new.step_count) == (2, 4)


def test_a_step_can_only_be_begun_with_when_those_before_it_succeeded(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    assert old.plan_retry(start_at="b").runs == ["b", "c"]
    with pytest.raises(RetryRefused, match=r"cannot begin with 'c'\. Step 'b' before it has not succeeded"):
        old.plan_retry(start_at="c")
    with pytest.raises(RetryRefused, match="There is no step 'z'"):
        old.plan_retry(start_at="z")


def test_a_succeeded_run_is_retried_from_any_of_its_steps(tenant: Tenant) -> None:
    run = claim(make_run(make_flow(tenant, steps=THREE)))
    for place, step in enumerate(run.version.parsed.steps):
        Step.begin(run, step, position=place, attempt=1).end(Status.SUCCEEDED)
    run = run.finish(Status.SUCCEEDED, token=run.token)
    new = run.retry(by=ENGINE, start_at="c")
    assert [step.slug for step in new.steps.all()] == ["a", "b"]
    assert new.retried_from == "c"


def test_the_environments_newest_version_may_be_chosen(tenant: Tenant) -> None:
    environment = Environment.across_tenants.create(tenant=tenant, name="production")
    environment.publish({"HOST": "one"}, by=ENGINE)
    flow = make_flow(tenant, steps=THREE)
    run = flow.start({}, trigger="manual", by=ENGINE, environment="production")
    run = claim(run).finish(Status.FAILED, token=1, error="broken")
    environment.refresh_from_db()
    environment.publish({"HOST": "two"}, by=ENGINE)
    assert run.retry(by=ENGINE).environment_version.variables == {"HOST": "one"}
    assert run.retry(by=ENGINE, is_newest_environment=True).environment_version.variables == {"HOST": "two"}
    assert AuditEntry.objects.of(tenant).filter(action="run.retry").latest("id").detail["environment_version"] == 2


def test_a_kept_steps_outputs_may_be_changed_and_that_is_said(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    new = old.retry(by=ENGINE, start_at="failed", outputs={"a": {"rows": 8}})
    kept = new.steps.get()
    assert (kept.outputs, kept.kept_from.outputs) == ({"rows": 8}, {"rows": 7})
    assert [entry.message for entry in LogView(new).after(0, limit=9)] == [
        f"The outputs of a were changed by {ENGINE.label} before this retry."
    ]
    assert old.audit.get(action="run.retry").detail["changed_outputs"] == ["a"]


def test_outputs_that_are_the_same_are_no_change(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    new = old.retry(by=ENGINE, start_at="failed", outputs={"a": {"rows": 7}})
    assert LogView(new).after(0, limit=9) == []
    assert "changed_outputs" not in old.audit.get(action="run.retry").detail


def test_outputs_of_a_step_that_runs_again_cannot_be_changed(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    with pytest.raises(RetryRefused, match="'a' is not kept"):
        old.retry(by=ENGINE, outputs={"a": {"rows": 8}})
    with pytest.raises(InputError, match=r"outputs\.a"):
        old.retry(by=ENGINE, start_at="failed", outputs={"a": {"rows": float("nan")}})
    assert not old.retries.exists()


def test_the_trail_names_the_changed_inputs(tenant: Tenant) -> None:
    old = failed_at_b(tenant)
    old.retry(by=ENGINE, args={"day": "friday", "more": 1})
    assert old.audit.get(action="run.retry").detail["changed_inputs"] == ["day", "more"]


STALE = """
  - {id: a, component: command, with: {run: [echo], env: {DAY: "${{ inputs.day }}"}}}
  - {id: b, component: command, with: {run: [echo], env: {ROWS: "${{ steps.a.outputs.rows }}"}}}
  - {id: c, component: http, with: {method: GET, url: "https://shop.example/${{ environment.HOST }}"}}
  - {id: d, component: command, with: {run: [echo]}}
"""


def half_done(tenant: Tenant, args: dict[str, str] | None = None) -> Run:
    flow = make_flow(tenant, "stale", steps=STALE, extra="inputs: {day: {type: string, default: monday}}")
    run = claim(flow.start(args or {}, trigger="manual", by=ENGINE))
    for place, step in enumerate(run.version.parsed.steps[:3]):
        Step.begin(run, step, position=place, attempt=1).end(Status.SUCCEEDED, outputs={"rows": 1})
    return run.finish(Status.FAILED, token=run.token, error="broken", error_step="d")


def test_kept_results_that_were_made_with_a_changed_input_are_named(tenant: Tenant) -> None:
    run = half_done(tenant)
    plan = run.plan_retry(start_at="failed")
    assert run.find_stale(plan, {"day": "monday"}) == []
    assert run.find_stale(plan, {"day": "friday"}) == [
        StaleResult("a", ["inputs.day"], []),
        StaleResult("b", [], ["day"]),  # a program may read any input
    ]
    assert run.find_stale(run.plan_retry(start_at="a"), {"day": "friday"}) == []


def test_kept_results_that_were_made_from_changed_outputs_are_named(tenant: Tenant) -> None:
    run = half_done(tenant)
    plan = run.plan_retry(start_at="failed")
    assert run.find_stale(plan, run.args, ["a"]) == [StaleResult("b", ["steps.a"], [])]


def test_a_result_is_compared_with_the_run_that_made_it(tenant: Tenant) -> None:
    first = half_done(tenant)
    second = claim(first.retry(by=ENGINE, start_at="failed", args={"day": "friday"}))
    second = second.finish(Status.FAILED, token=second.token, error="again", error_step="d")
    plan = second.plan_retry(start_at="failed")
    assert [one.slug for one in second.find_stale(plan, {"day": "friday"})] == ["a", "b"]
    assert second.find_stale(plan, {"day": "monday"}) == []
    assert set(second.name_origins(plan.done).values()) == {first.uid}


def test_true_and_one_are_two_values() -> None:
    assert changed_keys({"a": True, "b": 1, "c": None}, {"a": 1, "b": 1}) == ["a", "c"]


def test_a_run_that_its_engine_reported_is_retried_there(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, "reported", steps="  []"))
    run.request_stop(by=ENGINE)
    with pytest.raises(RetryRefused, match="retry it there"):
        run.retry(by=ENGINE)


@pytest.mark.django_db(transaction=True)
def test_a_retry_clicked_eight_times_at_once_is_one_run(tenant: Tenant) -> None:
    old = failed_at_b(tenant)

    def click(number: int) -> str:
        run = Run.across_tenants.select_related("flow__latest", "version").get(pk=old.pk)
        answer, _ = once(tenant, f"retry:{old.uid}", "one-time", b"", lambda: {"id": run.retry(by=ENGINE).uid})
        return str(answer["id"])

    assert len(set(in_threads(8, click))) == 1
    assert old.retries.count() == 1
