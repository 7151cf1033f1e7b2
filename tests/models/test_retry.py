"""Retry: what is kept, what runs again, and that the old run only gets a mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.definition.inputs import InputError
from runs_dashboard.models import LogView, RetryRefused, Run, Status, Step, append, once
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
    with pytest.raises(RetryRefused, match="'b' before 'c' has not succeeded"):
        old.plan_retry(start_at="c")
    with pytest.raises(RetryRefused, match="There is no step 'z'"):
        old.plan_retry(start_at="z")


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
