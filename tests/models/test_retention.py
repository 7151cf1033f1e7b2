"""Retention by number and bytes, pins, what stays seen while it goes, and who does it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.models import (
    AuditEntry,
    Download,
    Flow,
    LogChunk,
    Purge,
    Run,
    Status,
    StatusConflict,
    append_system,
    count_storage,
    purge,
)
from runs_dashboard.models import retention as module
from runs_dashboard.models.retention import delete_runs, give_back_space

from .runs import ENGINE, actor, make_flow, make_run

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from runs_dashboard.models import Tenant, User


def make_ended(flow: Flow, count: int, *, size: int = 1_000, days_apart: int = 1) -> list[Run]:
    """Ended runs, the oldest first, with `size` bytes of log each."""
    runs = []
    for number in range(count):
        run = make_run(flow, Status.SUCCEEDED)
        append_system(run, "x" * (size - 1))
        ended = timezone.now() - timedelta(days=(count - number) * days_apart)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=ended, started_at=ended, finished_at=ended)
        runs.append(run)
    return runs


def left() -> list[Run]:
    return list(Run.across_tenants.order_by("ordered_at", "pk"))


def test_of_a_flow_the_newest_runs_are_kept_by_number(tenant: Tenant) -> None:
    runs = make_ended(make_flow(tenant, extra="retention: {runs: 2}"), 5)
    others = make_ended(make_flow(tenant, "others"), 3)

    assert purge().runs == 3
    assert set(left()) == {*runs[3:], *others}
    assert purge().runs == 0


def test_of_a_flow_the_newest_runs_are_kept_by_bytes(tenant: Tenant) -> None:
    runs = make_ended(make_flow(tenant, extra="retention: {bytes: 2.5kB}"), 5)

    gone = purge()
    assert (gone.runs, gone.log_bytes) == (3, 3_000)
    assert left() == runs[3:]


def test_a_log_larger_than_the_bound_does_not_take_everything(tenant: Tenant) -> None:
    runs = make_ended(make_flow(tenant, extra="retention: {bytes: 500}"), 3)
    purge()
    assert left() == runs[2:]


def test_a_tenant_is_bounded_as_a_whole_and_no_other(tenant: Tenant, other_tenant: Tenant, settings: Settings) -> None:
    settings.RETENTION_BYTES = 3_000
    first, second = make_flow(tenant, "first"), make_flow(tenant, "second")
    old, young = make_ended(first, 2, days_apart=10), make_ended(second, 3)
    foreign = make_ended(make_flow(other_tenant), 2)

    assert purge().runs == 2
    assert set(left()) == {*young, *foreign}
    entry = AuditEntry.across_tenants.get(action="flow.purge")
    assert (entry.object_id, entry.detail) == ("first", {"runs": 2, "log_bytes": 2_000})
    assert not {run.pk for run in old} & {run.pk for run in left()}


def test_zero_in_a_flows_rule_keeps_its_runs_for_ever(tenant: Tenant) -> None:
    runs = make_ended(make_flow(tenant, extra="retention: {days: 0}"), 2, days_apart=10_000)
    assert purge().runs == 0
    assert purge(days=1).runs == 0
    assert left() == runs


def test_a_rule_that_leaves_the_definition_is_no_rule_any_more(tenant: Tenant) -> None:
    assert make_flow(tenant, extra="retention: {days: 5, runs: 3}").retention_runs == 3
    flow, _ = Flow.load(parse("id: orders\nsteps: []"), tenant=tenant, by=ENGINE)
    assert (flow.retention_days, flow.retention_bytes, flow.retention_runs) == (None, None, None)


def test_what_goes_first_is_the_oldest(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    runs = make_ended(make_flow(tenant), 4, days_apart=100)
    asked = iter([False, False, False, True])

    purge(should_stop=lambda: next(asked, True))
    assert left() == runs[1:]


def test_a_purge_goes_on_where_another_was_interrupted(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, sue: User
) -> None:
    (run,) = make_ended(make_flow(tenant), 1, days_apart=100)

    def be_killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.StoredDay, "mark", be_killed)
        with pytest.raises(KeyboardInterrupt):
            purge()
    assert not LogChunk.across_tenants.filter(run=run).exists()
    assert Run.objects.of(tenant).get().removing_at is not None
    with pytest.raises(StatusConflict):
        run.pin(by=actor(sue))

    assert purge(days=0).runs == 1
    assert left() == []


def test_parents_and_children_go_in_any_order(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    parent = make_run(flow, Status.SUCCEEDED)
    child = make_run(flow, Status.SUCCEEDED, parent_run=parent)
    grandchild = make_run(flow, Status.SUCCEEDED, parent_run=child)
    delete_runs([child.pk])
    grandchild.refresh_from_db()
    assert grandchild.parent_run is None
    delete_runs([parent.pk, grandchild.pk])
    assert left() == []


def test_a_run_in_progress_is_never_deleted(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    Run.across_tenants.filter(pk=run.pk).update(ordered_at=timezone.now() - timedelta(days=900))
    assert delete_runs([run.pk]) == []
    assert purge(days=1).runs == 0
    run.refresh_from_db()
    assert run.removing_at is None


def test_the_files_of_its_downloads_go_with_a_run(tenant: Tenant, settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    (run,) = make_ended(make_flow(tenant), 1, days_apart=100)
    Download.request(run, by=ENGINE)
    made = Download.across_tenants.claim(worker="w1")
    assert made is not None
    made.path.parent.mkdir()
    made.path.write_bytes(b"x")
    made.end(size=1, sha256="0" * 64)

    purge()
    made.refresh_from_db()
    assert (made.status, made.error, made.run) == ("expired", "Its run was removed by retention.", None)
    assert not made.path.exists()


def test_pinning_is_audited_and_safe_twice(tenant: Tenant, oli: User) -> None:
    (run,) = make_ended(make_flow(tenant), 1, days_apart=100)
    for _ in range(2):
        run.pin(by=actor(oli))
    assert purge().runs == 0
    for _ in range(2):
        run.unpin(by=actor(oli))
    acts = AuditEntry.across_tenants.filter(object_id=run.uid, action__endswith="pin").order_by("pk")
    assert list(acts.values_list("action", "actor_name")) == [("run.pin", "Oli"), ("run.unpin", "Oli")]
    assert purge().runs == 1


def test_a_run_says_until_when_it_is_kept(tenant: Tenant, settings: Settings, oli: User) -> None:
    settings.RETENTION_DAYS = 90
    run = make_run(make_flow(tenant), Status.FAILED)
    assert run.kept_until == run.finished_at + timedelta(days=90)
    run.flow = make_flow(tenant, extra="retention: {days: 7}")
    assert run.kept_until == run.finished_at + timedelta(days=7)
    run.pin(by=actor(oli))
    assert run.kept_until is None
    settings.RETENTION_DAYS = 0
    assert make_run(make_flow(tenant, "other"), Status.FAILED).kept_until is None
    assert make_run(make_flow(tenant, "third")).kept_until is None


def test_of_many_workers_one_applies_the_rules_once_an_hour(tenant: Tenant) -> None:
    make_ended(make_flow(tenant), 2, days_apart=100)
    assert Purge.next_at() <= timezone.now()
    done = Purge.apply_due(lambda: False)
    assert done is not None
    assert (done.runs, done.log_bytes) == (2, 2_000)
    assert done.ended_at is not None
    assert Purge.apply_due(lambda: False) is None
    assert Purge.next_at() > timezone.now()

    Purge.objects.update(due_at=done.due_at - timedelta(hours=1))
    assert Purge.apply_due(lambda: False) is not None


def test_the_sums_are_right_after_a_purge(tenant: Tenant) -> None:
    from runs_dashboard.models.storage_sums import sum_up_storage

    make_ended(make_flow(tenant), 4, days_apart=40)
    purge()
    count_storage()
    found = sum_up_storage(tenant)
    assert (found.runs, found.log_bytes) == (2, 2_000)


@pytest.mark.django_db(transaction=True)
def test_sqlite_gives_space_back_only_where_its_file_can(tenant: Tenant) -> None:
    give_back_space()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check(1)")
            assert cursor.fetchone() == ("ok",)
