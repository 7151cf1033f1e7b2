"""Every status × every verb: what is allowed does one thing, what is not changes nothing."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_dashboard.models import FINAL, AuditEntry, Run, Status, StatusConflict, move
from runs_dashboard.models.lifecycle import MAY_FOLLOW

from .runs import ENGINE, claim, make_flow, make_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant

QUEUED, RUNNING, PAUSED = Status.QUEUED, Status.RUNNING, Status.PAUSED
SUCCEEDED, FAILED, STOPPED = Status.SUCCEEDED, Status.FAILED, Status.STOPPED


def lose(run: Run) -> Run:
    Run.across_tenants.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    lost = run.lose(reason="test", is_confirmed_dead=True)
    if lost is None:
        raise StatusConflict("nothing to lose", run.status)
    return lost


def take(run: Run) -> Run:
    claimed = Run.across_tenants.claim(worker="w", only=run.pk)
    if claimed is None:
        raise StatusConflict("not claimed", run.status)
    return claimed


def delete(run: Run) -> None:
    run.delete_whole(by=ENGINE)


# verb → the statuses it works from, and the status it leaves (None: the run's own, or no run at all).
VERBS: dict[str, tuple[Callable[[Run], Any], dict[Status, Status | None]]] = {
    "claim": (take, {QUEUED: RUNNING}),
    "finish": (lambda run: run.finish(SUCCEEDED, token=run.token), {RUNNING: SUCCEEDED}),
    "fail": (lambda run: run.finish(FAILED, token=run.token, error="x"), {RUNNING: FAILED}),
    "pause": (lambda run: run.pause(token=run.token), {RUNNING: PAUSED}),
    "give back": (lambda run: run.give_back(token=run.token, reason="x"), {RUNNING: QUEUED}),
    "lose": (lose, {RUNNING: FAILED}),
    "resume": (lambda run: run.resume(by=ENGINE), {PAUSED: QUEUED}),
    "stop": (lambda run: run.request_stop(by=ENGINE), {QUEUED: STOPPED, PAUSED: STOPPED, RUNNING: RUNNING}),
    "retry": (lambda run: run.retry(by=ENGINE), {status: status for status in FINAL}),
    "review": (lambda run: run.review(by=ENGINE), {status: status for status in FINAL}),
    "delete": (delete, dict.fromkeys(FINAL)),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_in_every_status_does_its_work_or_changes_nothing(tenant: Tenant, status: Status, verb: str) -> None:
    act, allowed = VERBS[verb]
    run = make_run(make_flow(tenant), status)
    trail = AuditEntry.across_tenants.filter(run=run).count()
    if status in allowed:
        act(run)
        expected = allowed[status]
        found = Run.across_tenants.filter(pk=run.pk).first()
        assert (found.status if found else None) == expected
        if found is not None:
            assert AuditEntry.across_tenants.filter(run=run).count() > trail, "every act is in the trail"
    else:
        with pytest.raises(StatusConflict):
            act(run)
        run.refresh_from_db()
        assert run.status == status
        assert run.stop_requested_at is None
        assert AuditEntry.across_tenants.filter(run=run).count() == trail


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
def test_move_follows_the_table_and_nothing_else(tenant: Tenant, before: Status, after: Status) -> None:
    run = make_run(make_flow(tenant), before)
    if after in MAY_FOLLOW[before]:
        assert move(run, after, by=ENGINE).status == after
    else:
        with pytest.raises(StatusConflict):
            move(run, after, by=ENGINE)


def test_a_stop_of_a_running_run_is_asked_for_once_and_only_hardened_by_force(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), RUNNING)
    run.request_stop(by=ENGINE, reason="wrong day")
    asked_at = run.stop_requested_at
    run.request_stop(by=ENGINE, reason="again")
    assert (run.stop_requested_at, run.stop_reason, run.is_stop_forced) == (asked_at, "wrong day", False)
    run.request_stop(by=ENGINE, is_forced=True)
    assert run.is_stop_forced
    assert run.status == RUNNING, "the worker says when it is true"
    assert Run.across_tenants.stop_requested("worker-1") == {run.pk: True}


def test_a_late_worker_writes_nothing_after_its_run_was_claimed_anew(tenant: Tenant) -> None:
    first = make_run(make_flow(tenant, extra="on_worker_lost: queue"), RUNNING)
    Run.across_tenants.filter(pk=first.pk).update(lease_until=Now() - timedelta(seconds=1))
    lost = Run.across_tenants.get(pk=first.pk).lose(reason="silent", is_confirmed_dead=False)
    assert lost is not None
    assert lost.status == QUEUED
    second = claim(lost, worker="worker-2")
    assert second.token > first.token
    with pytest.raises(StatusConflict):
        first.finish(SUCCEEDED, token=first.token)
    second.refresh_from_db()
    assert (second.status, second.worker) == (RUNNING, "worker-2")


def test_a_run_that_its_workers_do_not_survive_is_not_tried_for_ever(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, extra="on_worker_lost: queue"))
    # A claim and a loss each raise the token: the third claim is the fifth of its steps.
    statuses = [lose(claim(Run.across_tenants.get(pk=run.pk))).status for _ in range(3)]
    assert statuses == [QUEUED, QUEUED, FAILED]


def test_a_worker_that_beats_in_time_is_not_lost(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), RUNNING)
    assert Run.across_tenants.beat("worker-1") == 1
    assert run.lose(reason="impatient", is_confirmed_dead=True) is None
    run.refresh_from_db()
    assert run.status == RUNNING


def test_sub_runs_are_stopped_with_their_parent(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    parent = make_run(flow, RUNNING)
    waiting = make_run(flow, parent_run=parent)
    running = make_run(flow, RUNNING, parent_run=parent)
    ended = make_run(flow, SUCCEEDED, parent_run=parent)
    parent.request_stop(by=ENGINE, reason="enough")
    for run in (waiting, running, ended):
        run.refresh_from_db()
    assert waiting.status == STOPPED
    assert running.is_stopping
    assert ended.status == SUCCEEDED


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verbs=st.lists(st.sampled_from(sorted(set(VERBS) - {"delete"})), max_size=12))
def test_no_order_of_verbs_leaves_the_legal_path(tenant: Tenant, verbs: list[str]) -> None:
    run = make_run(make_flow(tenant))
    for verb in verbs:
        before = run.status
        with suppress(StatusConflict):
            VERBS[verb][0](Run.across_tenants.get(pk=run.pk))
        run.refresh_from_db()
        assert run.status == before or run.status in MAY_FOLLOW[before]
        assert (run.finished_at is not None) == (run.status in FINAL)
    path = AuditEntry.across_tenants.filter(run=run).exclude(to_status="").order_by("id")
    status = ""
    for entry in path:
        assert entry.from_status == status
        assert not status or entry.to_status in MAY_FOLLOW[Status(status)]
        status = entry.to_status
    assert status == run.status
