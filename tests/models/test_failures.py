"""The groups of errors hold exactly the failed runs that there are, and which of them are unresolved."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from runs_dashboard.models import (
    ErrorGroup,
    FailureChange,
    Flow,
    Report,
    Run,
    Status,
    fold_failures,
    purge,
    recount_failures,
)

from .failures import check, the_group
from .runs import ENGINE, actor, claim, make_flow, make_run
from .test_rollups import Crowd

if TYPE_CHECKING:
    from datetime import datetime

    from runs_dashboard.models import Tenant, User


def fail(flow: Flow, error: str = "boom", **fields: Any) -> Run:
    run = make_run(flow, Status.RUNNING, **fields)
    return run.finish(Status.FAILED, token=run.token, error=error)


def succeed(run: Run) -> Run:
    run = claim(run)
    return run.finish(Status.SUCCEEDED, token=run.token)


def moved(run: Run, at: datetime) -> Run:
    """The run as if it had failed at another time."""
    Run.across_tenants.filter(pk=run.pk).update(finished_at=at, ordered_at=at, started_at=at)
    return run


class FailingCrowd(Crowd):
    """Does to failures, too, whatever can be done."""

    def do_retry(self) -> None:
        if run := self.any_run(status="failed", is_external=False):
            run.retry(by=ENGINE)

    def do_review(self) -> None:
        if run := self.any_run(status="failed"):
            run.review(by=ENGINE)

    def do_retry_with_success(self) -> None:
        if run := self.any_run(status="failed", is_external=False):
            succeed(run.retry(by=ENGINE))

    def do_tell_another_error(self) -> None:
        if run := self.any_run(is_external=True):
            run.take_report(Report(error=self.random.choice(["disk full", "no route to host"])), by=ENGINE)

    def do_fold_some_failures(self) -> None:
        fold_failures(self.random.randrange(1, 20))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_the_groups_are_what_is_there(tenant: Tenant, oli: User, vic: User, seed: int) -> None:
    crowd = FailingCrowd(tenant, [oli, vic], seed)
    for number in range(160):
        crowd.act()
        if number % 40 == 39:
            check(tenant)


def test_a_failed_run_is_unresolved_until_somebody_reviews_it(tenant: Tenant, sue: User) -> None:
    run = fail(make_flow(tenant), "order 4711 is unknown")
    group = the_group(tenant)
    assert (group.open_count, group.total_count, group.sample) == (1, 1, "order 4711 is unknown")
    assert group.first_seen_at == group.last_seen_at == group.opened_at == run.finished_at
    assert group.is_new
    assert not group.is_back
    assert run.is_unresolved
    assert Run.objects.of(tenant).unresolved().get() == run

    run.review(by=actor(sue))
    group = the_group(tenant)
    assert (group.open_count, group.total_count, group.emptied_at) == (0, 1, run.reviewed_at)
    assert not run.is_unresolved
    assert not Run.objects.of(tenant).unresolved().exists()


def test_a_retry_that_succeeds_resolves_every_failure_before_it(tenant: Tenant) -> None:
    first = fail(make_flow(tenant))
    second = claim(first.retry(by=ENGINE))
    second = second.finish(Status.FAILED, token=second.token, error="bang")
    assert Run.objects.of(tenant).unresolved().count() == 2
    third = succeed(second.retry(by=ENGINE))
    for run in (first, second):
        run.refresh_from_db()
        assert run.resolved_run == third
        assert run.resolved_at is not None
        assert not run.is_unresolved
    check(tenant)
    assert not Run.objects.of(tenant).unresolved().exists()


def test_a_retry_that_fails_resolves_nothing_and_the_first_success_stands(tenant: Tenant) -> None:
    first = fail(make_flow(tenant))
    one, other, last = (first.retry(by=ENGINE) for _ in range(3))
    running = claim(one)
    running.finish(Status.FAILED, token=running.token, error="bang")
    first.refresh_from_db()
    assert first.is_unresolved
    succeed(other)
    succeed(last)
    first.refresh_from_db()
    assert first.resolved_run == other
    one.refresh_from_db()
    assert one.is_unresolved, "nothing that retried it has succeeded"


def test_the_sub_runs_of_what_a_retry_made_good_are_resolved_too(tenant: Tenant) -> None:
    flow, called = make_flow(tenant), make_flow(tenant, "called")
    parent = make_run(flow, Status.RUNNING)
    child = fail(called, parent_run=parent)
    parent = parent.finish(Status.FAILED, token=parent.token, error="its sub-run failed")
    retry = succeed(parent.retry(by=ENGINE))
    child.refresh_from_db()
    assert child.resolved_run == retry


def test_a_failure_that_comes_again_after_all_was_resolved_is_back(tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    long_ago = timezone.now() - timedelta(days=12)
    old = moved(fail(flow, "timeout after 3 s"), long_ago)
    Run.across_tenants.filter(pk=old.pk).update(reviewed_at=long_ago + timedelta(hours=1), reviewed_by=sue)
    assert not the_group(tenant).is_back
    again = fail(flow, "timeout after 7 s")
    group = the_group(tenant)
    assert group.is_back
    assert not group.is_new
    assert (group.open_count, group.total_count) == (1, 2)
    assert (group.first_seen_at, group.opened_at) == (long_ago, again.finished_at)
    assert group.sample == "timeout after 7 s"
    assert list(ErrorGroup.objects.of(tenant).back()) == [group]
    assert not ErrorGroup.objects.of(tenant).new().exists()


def test_a_second_failure_while_the_first_is_open_is_not_back(tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    first = fail(flow)
    the_group(tenant)
    fail(flow)
    first.review(by=actor(sue))
    group = the_group(tenant)
    assert group.open_count == 1
    assert not group.is_back
    assert group.emptied_at is None


def test_each_flow_has_its_own_group_of_one_error(tenant: Tenant) -> None:
    one, other = make_flow(tenant), make_flow(tenant, "other")
    fail(one)
    fail(other)
    fail(other, "boom")
    check(tenant)
    assert sorted(ErrorGroup.objects.of(tenant).values_list("flow__slug", "open_count")) == [
        ("orders", 1),
        ("other", 2),
    ]


def test_an_engines_run_counts_whatever_order_its_messages_have(tenant: Tenant) -> None:
    flow = Flow.named("spark-jobs", tenant=tenant, by=ENGINE)
    run = Run.report_new(flow=flow, uid="a", by=ENGINE, report=Report(phase="failed"))
    assert the_group(tenant).fingerprint == ""
    run.take_report(Report(error="disk full"), by=ENGINE)
    group = the_group(tenant)
    assert (group.sample, group.open_count) == ("disk full", 1), "no group of failures without a word is left"
    run.take_report(Report(phase="failed", finished_at=timezone.now() - timedelta(days=3)), by=ENGINE)
    check(tenant)


def test_deleting_runs_takes_them_out_and_keeps_what_was_known(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    long_ago = timezone.now() - timedelta(days=100)
    moved(fail(flow), long_ago)
    assert the_group(tenant).open_count == 1
    purge(days=90)
    group = the_group(tenant)
    assert (group.open_count, group.total_count) == (0, 0)
    assert group.emptied_at is not None
    assert group.first_seen_at == long_ago
    fail(flow)
    assert the_group(tenant).is_back


def test_a_group_that_lost_its_runs_a_year_ago_is_forgotten(tenant: Tenant) -> None:
    run = moved(fail(make_flow(tenant)), timezone.now() - timedelta(days=370))
    the_group(tenant)
    purge(days=0)
    assert the_group(tenant).total_count == 1
    run.delete_whole(by=ENGINE)
    the_group(tenant)
    purge(days=0)
    assert not ErrorGroup.objects.of(tenant).exists()


def test_a_resolved_run_stays_so_when_the_retry_is_deleted(tenant: Tenant) -> None:
    first = fail(make_flow(tenant))
    retry = succeed(first.retry(by=ENGINE))
    retry.delete_whole(by=ENGINE)
    first.refresh_from_db()
    assert first.resolved_run is None
    assert first.resolved_at is not None
    assert not first.is_unresolved
    check(tenant)


def test_failures_are_counted_by_the_hour_for_a_week(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    now = timezone.now()
    for ago in (timedelta(0), timedelta(hours=30), timedelta(days=6), timedelta(days=9)):
        moved(fail(flow), now - ago)
    group = the_group(tenant)
    assert sum(group.hours.values()) == 3
    assert group.count_since(now - timedelta(hours=31)) == 2
    assert group.total_count == 4
    assert group.first_seen_at == now - timedelta(days=9)


def test_a_recount_says_the_same(tenant: Tenant, oli: User, vic: User) -> None:
    crowd = FailingCrowd(tenant, [oli, vic], 77)
    for _ in range(120):
        crowd.act()
    check(tenant)
    fail(crowd.flows[0])  # waits to be folded
    ErrorGroup.across_tenants.update(open_count=41, total_count=42)
    assert recount_failures() == Run.objects.of(tenant).filter(status="failed", removing_at=None).count()
    check(tenant)
    call_command("recount")
    check(tenant)


def test_a_recount_of_history_finds_what_is_back(tenant: Tenant, sue: User) -> None:
    flow = make_flow(tenant)
    now = timezone.now()
    old = moved(fail(flow), now - timedelta(days=20))
    Run.across_tenants.filter(pk=old.pk).update(reviewed_at=now - timedelta(days=19), reviewed_by=sue)
    fail(flow)
    ErrorGroup.across_tenants.all().delete()
    FailureChange.across_tenants.all().delete()
    recount_failures()
    group = the_group(tenant)
    assert group.is_back
    assert group.emptied_at == now - timedelta(days=19)


def test_the_triggers_come_back_when_a_migration_has_dropped_them(tenant: Tenant) -> None:
    from runs_dashboard.models import failure_triggers

    flow = make_flow(tenant)
    with connection.cursor() as cursor:
        on = " ON runs_dashboard_run" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER failure_changed{on}")
    fail(flow)
    failure_triggers.TRIGGERS.install()
    check(tenant)
    fail(flow)
    check(tenant)


@pytest.mark.django_db(transaction=True)
def test_several_fold_and_fail_at_once_and_nothing_is_counted_twice(tenant: Tenant) -> None:
    flows = [make_flow(tenant, f"flow-{number}") for number in range(3)]
    runs = [make_run(flow, Status.RUNNING) for flow in flows for _ in range(8)]
    start, broken = Barrier(6), []

    def work(share: list[Run]) -> None:
        try:
            start.wait()
            for run in share:
                run.finish(Status.FAILED, token=run.token, error="boom")
                fold_failures(3)
                run.review(by=ENGINE)
        except Exception as error:  # noqa: BLE001  (told by the test below)
            broken.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(runs[number::6],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    check(tenant)
    assert set(ErrorGroup.objects.of(tenant).values_list("open_count", "total_count")) == {(0, 8)}
