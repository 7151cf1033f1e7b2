"""The roll-ups hold exactly what there is, whoever changed it and however, folded or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from runs_dashboard.models import (
    Actor,
    Flow,
    Report,
    RollupCell,
    RollupChange,
    RollupState,
    Run,
    Status,
    StatusConflict,
    Step,
    StepReport,
    count_for_ever,
    fold,
    fold_all,
    look,
    purge,
    recount,
)
from runs_dashboard.models.insights import Span
from runs_dashboard.models.rollup import DAY, HOUR, HOURS_KEPT, hour_of

from .recount import check
from .runs import ENGINE, claim, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User

NOW = timezone.now()
ALWAYS = Span(hour_of(datetime(2020, 1, 1, tzinfo=UTC)), hour_of(datetime(2040, 1, 1, tzinfo=UTC)))


def lately(days: int = 40) -> Span:
    today = hour_of(timezone.now()) // DAY * DAY
    return Span(today - days * DAY, today + DAY)


class Crowd:
    """Does whatever can be done to runs, at random."""

    def __init__(self, tenant: Tenant, users: list[User], seed: int) -> None:
        self.random = Random(seed)
        self.tenant, self.users = tenant, users
        self.flows = [make_flow(tenant, f"flow-{number}") for number in range(2)]
        self.engines = Flow.named("engine", tenant=tenant, by=ENGINE)
        self.number = 0

    def any_run(self, **filters: Any) -> Run | None:
        return Run.objects.of(self.tenant).filter(**filters).order_by("?").select_related("flow", "version").first()

    def act(self) -> str:
        verbs = [name for name in dir(self) if name.startswith("do_")]
        verb = self.random.choice(verbs)
        try:
            getattr(self, verb)()
        except StatusConflict:
            return f"{verb} refused"
        return verb

    def moment(self) -> datetime:
        return NOW - timedelta(minutes=self.random.randrange(0, 35 * 24 * 60))

    def do_start(self) -> None:
        by = Actor(user=self.random.choice(self.users)) if self.random.random() < 0.7 else ENGINE
        self.random.choice(self.flows).start({}, trigger="manual", by=by)

    def do_claim_and_work(self) -> None:
        if run := self.any_run(status="queued", is_external=False):
            run = claim(run)
            for position, definition in enumerate(run.version.parsed.steps):
                step = Step.begin(run, definition, position=position, attempt=1)
                if self.random.random() < 0.8:
                    step.end(Status.SUCCEEDED, token=run.token, outputs={"a": 1})

    def do_finish(self) -> None:
        if run := self.any_run(status="running", is_external=False):
            status = self.random.choice([Status.SUCCEEDED, Status.FAILED])
            run.finish(status, token=run.token, error="boom" if status == Status.FAILED else "", has_warnings=True)

    def do_stop(self) -> None:
        if run := self.any_run(status="queued"):
            run.request_stop(by=ENGINE)

    def do_retry(self) -> None:
        if run := self.any_run(status="failed", is_external=False):
            run.retry(by=ENGINE, start_at="failed")

    def do_delete(self) -> None:
        if run := self.any_run(status__in=["succeeded", "failed", "stopped"]):
            run.delete_whole(by=ENGINE)

    def do_report(self) -> None:
        self.number += 1
        at = self.moment()
        steps = [StepReport("a", phase="succeeded", component="spark", started_at=at, finished_at=at)]
        report = Report(phase="running", started_at=at, steps=steps)
        Run.report_new(flow=self.engines, uid=f"engine-{self.number}", by=ENGINE, report=report)

    def do_report_again(self) -> None:
        if run := self.any_run(is_external=True):
            at = self.moment()
            phase = self.random.choice([None, "succeeded", "failed"]) if not run.is_final else None
            report = Report(phase=phase, started_at=at)
            if phase or run.is_final:
                report.finished_at = at + timedelta(seconds=self.random.randrange(1, 9_000))
            report.steps = [StepReport(self.random.choice("ab"), phase="running", component="query")]
            run.take_report(report, by=ENGINE)

    def do_change_by_hand(self) -> None:
        if run := self.any_run():
            at = self.moment()
            Run.across_tenants.filter(pk=run.pk).update(ordered_at=at, started_at=at, created_at=at, has_warnings=True)

    def do_fold_some(self) -> None:
        fold(self.random.randrange(1, 30))

    def do_forget_a_user(self) -> None:
        if self.random.random() < 0.1 and len(self.users) > 1:
            self.users.pop().delete()

    def do_purge(self) -> None:
        if self.random.random() < 0.2:
            purge(days=20)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_the_figures_are_what_is_there(tenant: Tenant, oli: User, vic: User, seed: int) -> None:
    crowd = Crowd(tenant, [oli, vic], seed)
    done = []
    for number in range(60):
        done.append(crowd.act())
        if number % 20 == 19:
            flows = tuple(flow.pk for flow in crowd.flows)
            check(tenant, ALWAYS, flows=flows)
            check(tenant, lately(7), flows=flows)
    assert len({name for name in done if not name.endswith("refused")}) > 5


def test_each_hour_and_day_of_a_period_has_its_own(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    begin = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
    for hours in (0, 0, 1, 29):
        run = make_run(flow, Status.SUCCEEDED)
        at = begin + timedelta(hours=hours, minutes=30)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=at, started_at=at, finished_at=at + timedelta(seconds=9))
    first = hour_of(begin)
    span = Span(first, first + 30)
    for _ in range(2):
        found = look(tenant, span, lambda seen: seen.series(span, HOUR))
        assert {hour - first: one.runs for hour, one in found.items()} == {0: 2, 1: 1, 29: 1}
        assert found[first].median == pytest.approx(9_000, rel=0.05)
        assert look(tenant, span, lambda seen: seen.total(span)).runs == 4
        fold_all()
    check(tenant, Span(first + 1, first + 2))


@pytest.mark.parametrize("seed", range(20))
def test_a_span_is_cut_into_cells_that_cover_it_once(seed: int) -> None:
    random = Random(seed)
    begin = random.randrange(-5_000, 500_000)
    span = Span(begin, begin + random.choice([0, 1, 23, 24, 25, 167, 168, 169, 336, 2_160, 9_999]))
    covered = []
    for level, first, last in span.cut():
        assert first % level == last % level == 0
        covered += range(first, last)
    assert covered == list(range(span.begin, span.end))


def test_another_tenants_runs_do_not_count(tenant: Tenant, other_tenant: Tenant) -> None:
    make_run(make_flow(other_tenant), Status.SUCCEEDED)
    for _ in range(2):
        assert look(tenant, ALWAYS, lambda seen: seen.total(ALWAYS)).runs == 0
        assert look(other_tenant, ALWAYS, lambda seen: seen.total(ALWAYS)).runs == 1
        fold_all()


def test_folding_leaves_no_change_and_no_empty_cell(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    assert fold_all() > 0
    assert not RollupChange.across_tenants.exists()
    assert RollupCell.across_tenants.exists()
    run.delete_whole(by=ENGINE)
    fold_all()
    assert not RollupCell.across_tenants.exists()


def test_cells_of_hours_are_kept_for_a_week_only(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    young = make_run(flow, Status.SUCCEEDED)
    old = make_run(flow, Status.SUCCEEDED)
    Run.across_tenants.filter(pk=old.pk).update(ordered_at=NOW - timedelta(days=20))
    fold_all()
    hours = RollupCell.across_tenants.filter(level=HOUR)
    assert set(hours.values_list("begin", flat=True)) == {hour_of(young.ordered_at)}
    RollupState.objects.update(hours_from=0)
    hours.update(begin=hour_of(NOW) // DAY * DAY - HOURS_KEPT - 1)
    Run.across_tenants.filter(pk=old.pk).update(has_warnings=True)
    fold_all()
    assert not hours.exists()
    check(tenant, ALWAYS)


def test_what_was_lost_is_counted_afresh(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for days in (0, 9, 30, 300):
        run = make_run(flow, Status.SUCCEEDED)
        Run.across_tenants.filter(pk=run.pk).update(ordered_at=NOW - timedelta(days=days))
    fold_all()
    ever = count_for_ever()
    RollupCell.across_tenants.filter(by="flow").delete()
    RollupCell.across_tenants.filter(by="total").update(succeeded=99)
    late = make_run(flow, Status.FAILED)
    assert recount() >= 4
    check(tenant, ALWAYS, flows=(flow.pk,))
    assert count_for_ever() == {**ever, "failed": ever["failed"] + 1}, late
    recount()
    check(tenant, ALWAYS)


def test_the_command_counts_afresh_and_says_so(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(make_flow(tenant), Status.SUCCEEDED)
    RollupChange.across_tenants.all().delete()
    call_command("recount")
    assert "1 week" in capsys.readouterr().out
    check(tenant, ALWAYS)


def test_what_counts_for_ever_stays_when_runs_go(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    before = count_for_ever()
    runs = [make_run(flow, status) for status in (Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED)]
    for _ in range(2):
        now = count_for_ever()
        assert [now[name] - before[name] for name in ("succeeded", "failed", "stopped")] == [2, 1, 0]
        fold_all()
    for run in runs:
        run.delete_whole(by=ENGINE)
    for _ in range(2):
        assert count_for_ever() == now
        fold_all()


def test_a_change_that_commits_while_another_is_folded_is_not_lost(tenant: Tenant) -> None:
    """The late one has the smaller number."""
    flow = make_flow(tenant)
    make_run(flow)
    waiting = list(RollupChange.across_tenants.order_by("id"))
    late = waiting[0]
    RollupChange.across_tenants.filter(pk=late.pk).delete()
    make_run(flow)
    fold_all()
    late.save(force_insert=True)
    check(tenant, ALWAYS)


def test_the_usual_duration_is_the_median_of_what_succeeded(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for seconds in (10, 20, 30, 40, 900):
        run = make_run(flow, Status.SUCCEEDED)
        run = Run.across_tenants.get(pk=run.pk)
        assert run.started_at is not None
        finished = run.started_at + timedelta(seconds=seconds)
        Run.across_tenants.filter(pk=run.pk).update(finished_at=finished)
    failed = make_run(flow, Status.FAILED)
    Run.across_tenants.filter(pk=failed.pk).update(finished_at=NOW + timedelta(days=1))
    fold_all()
    flow.refresh_from_db()
    assert flow.usual_ms == pytest.approx(30_000, rel=0.05)


def test_the_triggers_come_back_when_a_migration_has_dropped_them(tenant: Tenant) -> None:
    from runs_dashboard.models import rollup_triggers

    flow = make_flow(tenant)
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TRIGGER rollup_run_added" + (" ON runs_dashboard_run" if connection.vendor == "postgresql" else "")
        )
    make_run(flow)
    rollup_triggers.TRIGGERS.install()
    check(tenant, ALWAYS)
    make_run(flow)
    check(tenant, ALWAYS)
