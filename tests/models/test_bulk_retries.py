"""How many runs are retried at once: from where, in which version, with which inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from runs_dashboard.models import (
    AuditEntry,
    BulkAction,
    BulkRetry,
    Environment,
    Run,
    Status,
    preview,
)

from .bulk import ask, make_failed, outcomes, work_off
from .runs import actor, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


def test_a_retry_keeps_what_has_succeeded_where_it_can(tenant: Tenant, oli: User) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    part = work_off(ask(tenant, oli)).results.get().new_run
    assert part is not None
    assert part.retried_from == "load"
    Run.across_tenants.filter(pk=run.pk).update(is_retried=False)
    whole = work_off(ask(tenant, oli, how=BulkRetry("start"))).results.get().new_run
    assert whole is not None
    assert whole.retried_from == ""


DAYS = "inputs:\n  day: {type: string, format: date, required: true}\n  dry: {type: boolean}"
OTHER_STEPS = "  - {id: only, component: command, with: {run: [echo, only]}}\n"


def test_retries_take_the_newest_version_and_environment_where_that_was_asked_for(tenant: Tenant, oli: User) -> None:
    environment = Environment.objects.of(tenant).create(name="production")
    environment.publish({"HOST": "old"}, by=actor(oli))
    for _ in range(2):
        make_run(make_flow(tenant), Status.FAILED, environment="production")
    flow, newest = make_flow(tenant, steps=OTHER_STEPS), environment.publish({"HOST": "new"}, by=actor(oli))
    runs = Run.objects.of(tenant)
    said = preview(runs, "retry")
    assert (said.flow, said.older, said.older_environment) == (flow, 2, 2)
    first, second = runs.order_by("id")

    same = work_off(ask(tenant, oli, runs=runs.filter(pk=first.pk))).results.get().new_run
    new = work_off(ask(tenant, oli, runs=runs.filter(pk=second.pk), how=BulkRetry("failed", True, True)))
    mended = new.results.get().new_run

    assert same is not None
    assert (same.version_id, same.environment_version_id) == (first.version_id, first.environment_version_id)
    assert mended is not None
    assert (mended.version, mended.environment_version) == (flow.latest, newest)
    assert mended.retried_from == "", "of what succeeded, nothing is in the newest version"
    detail = AuditEntry.objects.of(tenant).get(action="bulk.retry", object_id=new.uid).detail
    assert (detail["version"], detail["environment"]) == ("newest", "newest")


def test_changed_inputs_go_into_every_retry_and_what_a_flow_refuses_is_told(tenant: Tenant, oli: User) -> None:
    flow, free = make_flow(tenant, "dated", extra=DAYS), make_flow(tenant, "free")
    runs = [flow.start({"day": f"2026-11-0{day}", "keep": day}, trigger="manual", by=actor(oli)) for day in (1, 2)]
    runs.append(free.start({"day": "soon"}, trigger="manual", by=actor(oli)))
    Run.objects.of(tenant).update(status=Status.FAILED, finished_at=timezone.now())
    uids = [run.uid for run in runs]

    action = work_off(ask(tenant, oli, uids=uids, how=BulkRetry(changes={"dry": True, "more": ["\0x"]})))
    made = [result.new_run.args for result in action.results.order_by("id") if result.new_run]

    more = {"dry": True, "more": ["\ufffdx"]}
    assert made == [{"day": f"2026-11-0{day}", "keep": day, **more} for day in (1, 2)] + [{"day": "soon", **more}]
    assert AuditEntry.objects.of(tenant).get(action="bulk.retry").detail["changed_inputs"] == ["dry", "more"]
    Run.objects.of(tenant).filter(uid__in=uids).update(is_retried=False)
    wrong = work_off(ask(tenant, oli, uids=uids, how=BulkRetry(changes={"day": "never"})))
    assert [outcome for outcome, _ in outcomes(wrong)] == ["refused", "refused", "done"]
    assert "day: " in outcomes(wrong)[0][1]


@pytest.mark.parametrize("changes", [{"x": float("nan")}, {"x": "y" * 70_000}, {"x": [[[]]] * 200_000}])
def test_changes_that_cannot_be_kept_are_refused_before_anything_is_done(
    tenant: Tenant, oli: User, changes: dict[str, Any]
) -> None:
    make_failed(tenant, 1)
    with pytest.raises(ValueError, match=r"[a-z]"):
        ask(tenant, oli, how=BulkRetry(changes=changes))
    assert not BulkAction.across_tenants.exists()
