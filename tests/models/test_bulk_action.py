"""Bulk actions: a fixed set of runs, each acted on exactly once, whoever dies, changes or aborts meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from runs_dashboard.models import (
    ApiKey,
    AuditEntry,
    BulkAction,
    BulkRefused,
    BulkResult,
    Flow,
    Membership,
    Run,
    Status,
    StatusConflict,
    bulk_action,
)
from runs_dashboard.models.retention import delete_runs, purge

from .bulk import ask, make_failed, outcomes, work, work_off
from .runs import actor, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


def test_everything_that_matched_is_retried_the_oldest_first(tenant: Tenant, oli: User) -> None:
    runs = make_failed(tenant, 12)
    action = ask(tenant, oli)
    assert (action.total, action.status, action.query) == (12, "queued", "status:failed")
    later = make_run(make_flow(tenant), Status.FAILED)

    work_off(action)

    assert (action.status, action.done, action.refused, action.skipped) == ("done", 12, 0, 0)
    assert list(action.results.order_by("id").values_list("run", flat=True)) == [run.pk for run in runs]
    for result in action.results.select_related("new_run"):
        assert result.new_run is not None
        assert (result.new_run.retried_run_id, result.new_run.created_by) == (result.run_id, oli)
    assert not later.retries.exists(), "what matches later does not belong to it"


def test_what_changed_since_is_refused_with_its_reason(tenant: Tenant, oli: User) -> None:
    retried, gone, disabled, fine = make_failed(tenant, 4)
    off = make_flow(tenant, "off")
    Run.across_tenants.filter(pk=disabled.pk).update(flow=off)
    action = ask(tenant, oli)
    retried.retry(by=actor(oli))
    delete_runs([gone.pk])
    Flow.across_tenants.filter(pk=off.pk).update(is_enabled=False)

    work_off(action)

    assert (action.status, action.done, action.refused) == ("done", 1, 3)
    assert outcomes(action) == [
        ("refused", "It was retried already."),
        ("refused", "The run was deleted."),
        ("refused", "The flow off is switched off."),
        ("done", ""),
    ]
    assert action.results.order_by("id")[1].run_uid == gone.uid
    assert fine.retries.count() == 1
    assert sorted(action.results.count_reasons())[0] == ("refused", "It was retried already.", 1)


def test_stops_and_reviews_pass_over_what_is_so_already(tenant: Tenant, sue: User, oli: User) -> None:
    flow = make_flow(tenant)
    waiting, running, ended = make_run(flow), make_run(flow, Status.RUNNING), make_run(flow, Status.FAILED)
    stopping = make_run(flow, Status.RUNNING)
    stopping.request_stop(by=actor(oli))
    uids = [run.uid for run in (waiting, running, ended, stopping)]
    stop = work_off(ask(tenant, oli, "stop", uids=uids))
    assert [outcome for outcome, _ in outcomes(stop)] == ["done", "done", "refused", "skipped"]
    waiting.refresh_from_db()
    assert waiting.status == Status.STOPPED

    ended.review(by=actor(oli))
    review = work_off(ask(tenant, sue, "review", uids=uids))
    assert [outcome for outcome, _ in outcomes(review)] == ["done", "refused", "skipped", "refused"]
    assert review.per_second is None


def test_ids_that_are_nobodys_or_anothers_are_refused_alike_and_the_own_ones_done(
    tenant: Tenant, other_tenant: Tenant, oli: User
) -> None:
    foreign, own = make_run(make_flow(other_tenant), Status.FAILED), make_run(make_flow(tenant), Status.FAILED)
    action = work_off(ask(tenant, oli, uids=[foreign.uid, own.uid, "nothing", own.uid]))
    missing = ("refused", "There is no such run.")
    assert outcomes(action) == [missing, ("done", ""), missing]
    assert (action.total, action.done, action.refused) == (3, 1, 2)
    assert not action.results.filter(run=foreign).exists()
    assert not Run.objects.of(other_tenant).exclude(pk=foreign.pk).exists()
    none = ask(tenant, oli, uids=["nothing"])
    assert (none.status, none.refused) == ("done", 1)


def test_a_set_that_is_too_large_or_larger_than_agreed_is_refused(
    tenant: Tenant, oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_failed(tenant, 4)
    with pytest.raises(BulkRefused, match="4 runs match now, more than the 3 that were agreed to"):
        ask(tenant, oli, at_most=3)
    monkeypatch.setattr(bulk_action, "MOST_RUNS", 3)
    with pytest.raises(BulkRefused, match=r"More than 3 runs match.*narrow the filter"):
        ask(tenant, oli)
    assert not BulkAction.across_tenants.exists()
    assert not BulkResult.across_tenants.exists()


def test_a_set_of_none_is_over_at_once(tenant: Tenant, oli: User) -> None:
    action = ask(tenant, oli)
    assert (action.status, action.total) == ("done", 0)
    assert action.finished_at is not None


# --- nothing twice -------------------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """Nobody tidies up after it."""


@pytest.mark.parametrize("where", ["settle", "retry", "save"])
def test_a_worker_that_dies_in_the_middle_of_an_act_has_done_nothing_of_it(
    tenant: Tenant, oli: User, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    make_failed(tenant, 3)
    action = ask(tenant, oli)
    assert work(most=1) == 1
    target: Any = {"settle": BulkResult, "retry": Run, "save": BulkAction}[where]
    real = getattr(target, where)

    def die(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(target, where, die)
        with pytest.raises(PowerCut):
            BulkAction.across_tenants.act_next(timezone.now() + timedelta(seconds=5))
    action.refresh_from_db()
    assert (action.done, Run.objects.of(tenant).exclude(retried_run=None).count()) == (1, 1)

    work_off(action)  # by another

    assert (action.status, action.done) == ("done", 3)
    retried = Run.objects.of(tenant).exclude(retried_run=None).values_list("retried_run", flat=True)
    assert len(retried) == len(set(retried)) == 3


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_do_each_run_once(tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 40)
    action, second = ask(tenant, oli, per_second=50), ask(tenant, oli, per_second=50)
    until = timezone.now() + timedelta(hours=1)

    def drudge() -> None:
        try:
            for second in range(400):
                BulkAction.across_tenants.act_next(until + timedelta(seconds=second))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        for future in [workers.submit(drudge) for _ in range(4)]:
            future.result()

    retried = list(Run.objects.of(tenant).exclude(retried_run=None).values_list("retried_run", flat=True))
    assert len(retried) == len(set(retried)) == 40
    for one in (action, second):
        one.refresh_from_db()
        assert (one.status, one.left) == ("done", 0)
    assert (action.done + second.done, action.refused + second.refused) == (40, 40)


def test_one_run_that_breaks_does_not_keep_the_others(
    tenant: Tenant, oli: User, monkeypatch: pytest.MonkeyPatch, expected_server_errors: list[list[str]]
) -> None:
    first, _ = make_failed(tenant, 2)
    real = Run.retry

    def retry(self: Run, **options: Any) -> Run:
        if self.pk == first.pk:
            raise ZeroDivisionError
        return real(self, **options)

    monkeypatch.setattr(Run, "retry", retry)
    action = work_off(ask(tenant, oli))
    assert [outcome for outcome, _ in outcomes(action)] == ["refused", "done"]
    assert expected_server_errors[0]


def test_what_its_asker_works_on_is_left_alone_by_workers_until_he_is_lost(tenant: Tenant, oli: User) -> None:
    runs = make_failed(tenant, 2)
    action = ask(tenant, oli, uids=[run.uid for run in runs], is_watched=True)
    now = timezone.now()
    assert work(now + timedelta(seconds=50)) == 0
    assert work(now + timedelta(seconds=70), most=1) == 1
    assert action.work_now().status == "done"
    assert (action.done, action.refused) == (2, 0)


# --- pace ----------------------------------------------------------------------------------------------------------


def test_retries_keep_the_pace_that_was_asked_for(tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 40)
    action = ask(tenant, oli, per_second=4)
    now = action.created_at
    done = []
    for _ in range(5):
        work(now)
        action.refresh_from_db()
        done.append(action.done)
        now += timedelta(seconds=0.5)
    assert done == [1, 3, 5, 7, 9]
    work(now + timedelta(minutes=10))
    action.refresh_from_db()
    assert action.done <= 9 + 5, "a delay is not made good at once"


@pytest.mark.parametrize(("asked", "kept"), [(None, 5), (7, 7), (10_000, 50)])
def test_a_pace_has_its_bounds(tenant: Tenant, oli: User, asked: int | None, kept: int) -> None:
    assert ask(tenant, oli, per_second=asked).per_second == kept


def test_actions_take_turns(tenant: Tenant, oli: User, sue: User) -> None:
    make_failed(tenant, 30)
    slow, quick = ask(tenant, oli, per_second=1), ask(tenant, sue, "review")
    work(timezone.now() + timedelta(seconds=1), most=20)
    slow.refresh_from_db()
    quick.refresh_from_db()
    assert slow.done <= 3
    assert quick.done >= 17


# --- abort and rights ----------------------------------------------------------------------------------------------


def test_an_abort_ends_it_at_once_and_says_what_is_done(tenant: Tenant, oli: User, ada: User) -> None:
    runs = make_failed(tenant, 5)
    action = ask(tenant, oli, per_second=1)
    work(most=1)
    action.abort(by=actor(ada))
    assert (action.status, action.done, action.skipped, action.left) == ("aborted", 1, 4, 0)
    assert (action.abort_requested_by, action.finished_at is not None) == ("Ada", True)
    assert work(timezone.now() + timedelta(hours=1)) == 0
    assert [outcome for outcome, _ in outcomes(action)] == ["done", *["skipped"] * 4]
    assert not Run.objects.of(tenant).filter(retried_run__in=runs[1:]).exists()
    with pytest.raises(StatusConflict, match="is aborted"):
        action.abort(by=actor(ada))
    trail = AuditEntry.objects.of(tenant).filter(object_id=action.uid).order_by("id")
    assert [(entry.action, entry.actor, entry.detail) for entry in trail] == [
        ("bulk.retry", oli, {"query": "status:failed", "total": 5}),
        ("bulk.abort", ada, {"done": 1, "left": 4}),
    ]


def test_who_may_not_any_more_does_nothing_more(tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 3)
    action = ask(tenant, oli)
    work(most=1)
    Membership.objects.of(tenant).filter(user=oli).update(role="support")
    work(timezone.now() + timedelta(seconds=5))
    action.refresh_from_db()
    assert (action.status, action.done, action.skipped) == ("failed", 1, 2)
    assert action.error == "Oli may not do this any more."


def test_a_revoked_key_ends_what_it_began(tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 2)
    key, _ = ApiKey.make(user=oli, tenant=tenant, role="operator", by=actor(oli))
    by = type(actor(oli))(user=oli, key=key)
    runs = Run.objects.of(tenant).filter(status=Status.FAILED)
    action = BulkAction.ask(tenant, "retry", by=by, runs=runs, pairs=[("status", "failed")])
    work(most=1)
    key.revoke(by=actor(oli))
    work(timezone.now() + timedelta(seconds=5))
    action.refresh_from_db()
    assert (action.status, action.done) == ("failed", 1)
    assert action.results.get(outcome="done").new_run.created_by_key == key  # type: ignore[union-attr]


# --- what stays ----------------------------------------------------------------------------------------------------


def test_what_is_deleted_leaves_the_outcomes_of_the_others(tenant: Tenant, oli: User) -> None:
    run, other = make_failed(tenant, 2)
    action = work_off(ask(tenant, oli))
    new = Run.objects.of(tenant).get(retried_run=run)
    Run.across_tenants.filter(pk=new.pk).update(status=Status.FAILED, finished_at=timezone.now())
    delete_runs([run.pk, new.pk])
    first, second = action.results.order_by("id")
    assert (first.run, first.new_run, first.run_uid, first.outcome) == (None, None, run.uid, "done")
    assert second.run == other


def test_an_action_goes_with_its_outcomes_some_time_after_its_end(tenant: Tenant, oli: User) -> None:
    make_failed(tenant, 2)
    action, other = work_off(ask(tenant, oli)), ask(tenant, oli, "review")
    BulkAction.across_tenants.update(created_at=timezone.now() - timedelta(days=100))
    BulkAction.across_tenants.filter(pk=action.pk).update(finished_at=timezone.now() - timedelta(days=91))
    purge(days=0)
    assert list(BulkAction.across_tenants.all()) == [other]
    assert not BulkResult.across_tenants.exclude(bulk=other).exists()


def test_a_look_for_work_takes_no_lock_while_there_is_none(tenant: Tenant, oli: User) -> None:
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        assert not BulkAction.across_tenants.act_next()
    assert len(queries) == 1
    make_failed(tenant, 30)
    action = ask(tenant, oli)
    with CaptureQueriesContext(connection) as queries:
        work(action.created_at, most=1)
    assert len(queries) <= 30


def test_a_list_can_be_asked_for_what_an_action_took_and_made(
    tenant: Tenant, other_tenant: Tenant, oli: User, vic: User
) -> None:
    from runs_dashboard.filters import RunFilter

    runs = make_failed(tenant, 3)
    make_run(make_flow(tenant), Status.FAILED)
    action = work_off(ask(tenant, oli, uids=[run.uid for run in runs]))

    def find(value: str, of: Tenant = tenant) -> set[int]:
        rows = RunFilter({"bulk": value}, queryset=Run.objects.of(of), tenant=of).qs
        return set(rows.for_list().values_list("pk", flat=True))

    made = set(Run.objects.of(tenant).exclude(retried_run=None).values_list("pk", flat=True))
    assert len(made) == 3
    assert find(action.uid) == {run.pk for run in runs} | made
    assert find(action.uid, other_tenant) == find("nothing") == find("\ud800") == set()
