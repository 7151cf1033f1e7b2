"""The growing line is the worker's to note, and goes with the line's end, the step's, and every change of status."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import WORKER, GrowingLine, RollupChange, Run, Status, Step, append, move, read_growing
from runs_dashboard.text.intake import Line

from .runs import claim, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.django_db

LINE = GrowingLine("fetch", 2, "stderr", "10%\r20%")


@pytest.fixture
def run(tenant: Tenant) -> Run:
    """A run in a worker's hands, with a line that grows."""
    run = make_run(make_flow(tenant), Status.RUNNING)
    run.grow(LINE, token=run.token)
    return run


def growing(run: Run) -> GrowingLine | None:
    run = Run.across_tenants.get(pk=run.pk)
    return read_growing(run.status, run.growing_line)


def test_what_the_worker_notes_is_read_again_until_it_takes_it_away(run: Run) -> None:
    assert growing(run) == LINE
    run.grow(None, token=run.token)
    assert growing(run) is None


def test_a_worker_that_has_lost_the_run_notes_nothing_and_is_told_nothing(run: Run) -> None:
    run.grow(GrowingLine("fetch", 1, "stdout", "mine"), token=run.token - 1)
    assert growing(run) == LINE


def test_the_batch_that_brings_its_end_takes_it_away(run: Run) -> None:
    lines = [Line("20%", 1, "stdout", 1_700_000_000.0)]
    append(run, lines, token=run.token)
    assert growing(run) == LINE, "a line of the other stream"
    append(run, lines, token=run.token, ends_growing=True)
    assert growing(run) is None


def test_the_end_of_its_step_takes_it_away(run: Run) -> None:
    step = Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    step.end(Status.FAILED, token=run.token)
    assert growing(run) is None


@pytest.mark.parametrize("to", [Status.QUEUED, Status.PAUSED, Status.SUCCEEDED, Status.FAILED, Status.STOPPED])
def test_every_change_of_status_takes_it_away(run: Run, to: Status) -> None:
    more = {} if to in (Status.SUCCEEDED, Status.FAILED, Status.STOPPED) else {"worker": "", "lease_until": None}
    move(run, to, by=WORKER, **more)
    assert Run.across_tenants.get(pk=run.pk).growing_line is None


def test_a_run_whose_worker_was_lost_has_none_when_another_takes_it_up(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant, extra="on_worker_lost: queue"), Status.RUNNING)
    run.grow(LINE, token=run.token)
    Run.across_tenants.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    assert run.lose(reason="no heartbeat", is_confirmed_dead=True) is not None
    assert claim(run, worker="worker-2").status == Status.RUNNING
    assert growing(run) is None


def test_only_what_runs_has_one(run: Run) -> None:
    column = Run.across_tenants.get(pk=run.pk).growing_line
    assert [status for status in Status if read_growing(status, column)] == [Status.RUNNING]


def test_it_belongs_to_the_parts_of_the_log_that_its_line_will_be_in() -> None:
    line = GrowingLine("fetch", 2, "stderr", "ERROR: half")
    assert line.is_in()
    assert line.is_in(action="fetch", attempt=2, stream="stderr", levels=frozenset({3, 4}))
    assert not line.is_in(action="load")
    assert not line.is_in(action="fetch", attempt=1)
    assert not line.is_in(stream="stdout")
    assert not line.is_in(levels=frozenset({1}))


def test_noting_it_writes_down_no_change_for_the_figures(run: Run) -> None:
    before = RollupChange.objects.of(run.tenant_id).count()
    run.grow(GrowingLine("fetch", 2, "stderr", "30%"), token=run.token)
    assert RollupChange.objects.of(run.tenant_id).count() == before
