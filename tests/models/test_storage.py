"""What is kept is counted by day in the background, and the count follows whatever changes the runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import Report, Run, Status, StoredDay, append_system, count_day, count_storage
from runs_dashboard.models import storage as module
from runs_dashboard.models.retention import delete_runs
from runs_dashboard.models.storage_sums import sum_up_storage

from .runs import ENGINE, actor, make_flow, make_run
from .test_retention import make_ended

if TYPE_CHECKING:
    from pytest_django import Settings

    from runs_dashboard.models import Flow, Tenant, User


def days_of(flow: Flow) -> dict[str, tuple[int, int]]:
    rows = StoredDay.across_tenants.filter(flow=flow, runs__gt=0)
    return {str(row.day): (row.runs, row.log_bytes) for row in rows}


def truth(flow: Flow) -> dict[str, tuple[int, int]]:
    """The same by reading every run."""
    found: dict[str, tuple[int, int]] = {}
    for run in Run.across_tenants.filter(flow=flow, finished_at__isnull=False):
        day = str(run.finished_at.astimezone(UTC).date())  # type: ignore[union-attr]
        runs, size = found.get(day, (0, 0))
        found[day] = (runs + 1, size + run.log_bytes)
    return found


def test_days_are_counted_by_flow(tenant: Tenant, other_tenant: Tenant) -> None:
    flows = [make_flow(tenant), make_flow(tenant, "other"), make_flow(other_tenant)]
    for flow in flows:
        make_ended(flow, 3, days_apart=2)
    make_run(flows[0], Status.SUCCEEDED)
    make_run(flows[0], Status.RUNNING)
    count_storage()

    for flow in flows:
        assert days_of(flow) == truth(flow)
    assert sum(runs for runs, _ in days_of(flows[0]).values()) == 4


def test_a_day_that_is_over_is_not_counted_again_and_today_is(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = make_flow(tenant)
    make_ended(flow, 3, days_apart=3)
    make_run(flow, Status.SUCCEEDED)
    count_storage()
    counted: list[object] = []
    real = module.count_day
    monkeypatch.setattr(module, "count_day", lambda day: (counted.append(day), real(day)))
    make_run(flow, Status.SUCCEEDED)
    count_storage()

    assert counted == [timezone.now().date()]
    assert days_of(flow) == truth(flow)


def test_a_deleted_run_makes_its_day_be_counted_again(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = make_ended(flow, 3)
    count_storage()
    delete_runs([runs[0].pk])
    count_storage()

    assert days_of(flow) == truth(flow)
    assert len(days_of(flow)) == 2


def test_runs_and_lines_that_are_reported_late_are_counted(tenant: Tenant, oli: User) -> None:
    flow = make_flow(tenant, steps="  []")
    make_ended_at = timezone.now() - timedelta(days=5)
    count_storage()
    report = Report(phase="succeeded", started_at=make_ended_at, finished_at=make_ended_at)
    run = Run.report_new(flow=flow, uid="late", by=actor(oli), report=report)
    count_storage()
    assert days_of(flow) == truth(flow) != {}

    append_system(run, "a line")
    run.take_report(Report(finished_at=make_ended_at - timedelta(days=1)), by=actor(oli))
    count_storage()
    assert days_of(flow) == truth(flow)
    assert len(days_of(flow)) == 1


def test_a_mark_that_comes_while_a_day_is_counted_is_not_lost(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = make_flow(tenant)
    runs = make_ended(flow, 2, days_apart=0)
    ended = timezone.now() - timedelta(days=3)
    Run.across_tenants.update(finished_at=ended)
    StoredDay.mark([(tenant.pk, flow.pk, ended)])
    real = module._keep

    def be_overtaken(row: StoredDay, **counted: int) -> None:
        monkeypatch.setattr(module, "_keep", real)
        delete_runs([runs[0].pk])
        real(row, **counted)

    monkeypatch.setattr(module, "_keep", be_overtaken)
    count_day(ended.date())
    assert StoredDay.across_tenants.get().is_stale
    count_storage()
    assert days_of(flow) == truth(flow)
    assert not StoredDay.across_tenants.get().is_stale


def test_a_count_stopped_by_its_time_goes_on_with_the_next(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    make_ended(flow, 4)
    passes = 0
    while days_of(flow) != truth(flow):
        assert count_storage(0) <= 1
        passes += 1
        assert passes < 9
    assert passes == 4


def test_years_without_runs_cost_nothing(tenant: Tenant, django_assert_max_num_queries: object) -> None:
    flow = make_flow(tenant)
    make_ended(flow, 1)
    Run.across_tenants.update(finished_at=datetime(2001, 1, 1, tzinfo=UTC))
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        assert count_storage() == 1


def test_sums_tell_what_goes_next_by_age_number_and_bytes(
    tenant: Tenant, other_tenant: Tenant, settings: Settings
) -> None:
    settings.RETENTION_DAYS = 90
    old = make_ended(make_flow(tenant, "old"), 4, days_apart=40)  # 160, 120, 80 and 40 days ago
    make_ended(make_flow(tenant, "many", extra="retention: {runs: 2}"), 5)
    make_ended(make_flow(tenant, "large", extra="retention: {bytes: 2kB}"), 3)
    make_ended(make_flow(other_tenant), 7)
    old[0].pin(by=ENGINE)
    count_storage()
    found = {one.flow.slug: one for one in sum_up_storage(tenant).flows}

    assert {slug: (one.runs, one.going_runs) for slug, one in found.items()} == {
        "old": (4, 1),
        "many": (5, 3),
        "large": (3, 1),
    }
    assert (found["old"].pinned_runs, found["old"].pinned_bytes) == (1, 1_000)
    assert found["large"].going_bytes == 1_000


def test_a_day_adds_what_the_last_full_days_added(tenant: Tenant) -> None:
    make_ended(make_flow(tenant), 4, size=7_000)
    count_storage()
    assert sum_up_storage(tenant).daily_bytes == 7_000
