"""Why a run waits: one sentence, found for a whole page of runs at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_dashboard.models import Run, Status, Worker, explain_waiting
from runs_dashboard.models.waiting import PLACES

from .runs import claim, make_flow, make_run

if TYPE_CHECKING:
    import pytest

    from runs_dashboard.models import Tenant


def make_worker(**fields: Any) -> Worker:
    shown = {"name": "w", "host": "h", "pid": 1, "slots": 2, "seen_at": timezone.now(), **fields}
    return Worker.objects.create(**shown)


def test_without_a_worker_that_is_what_is_said(tenant: Tenant) -> None:
    make_worker(seen_at=timezone.now() - timedelta(days=1))
    run = make_run(make_flow(tenant))
    assert run.waiting_reason == "No worker is alive: nothing executes runs now."


def test_a_run_has_a_place_in_its_tenants_queue(tenant: Tenant, other_tenant: Tenant) -> None:
    make_worker()
    make_run(make_flow(other_tenant))
    flow = make_flow(tenant)
    runs = [make_run(flow) for _ in range(3)]
    assert [run.waiting_reason for run in runs] == [
        "It is the next in the queue.",
        "Place 2 in the queue.",
        "Place 3 in the queue.",
    ]


def test_a_flow_at_its_limit_says_behind_how_many_of_its_runs(tenant: Tenant) -> None:
    make_worker(slots=8)
    flow = make_flow(tenant, extra="concurrency: 1")
    claim(make_run(flow))
    other = make_run(make_flow(tenant, "free"))
    first, second, third = make_run(flow), make_run(flow), make_run(flow)
    assert first.waiting_reason == "Behind 1 run of this flow, which runs one at a time."
    assert second.waiting_reason == "Behind 1 run of this flow, which runs one at a time; 1 more waits before it."
    assert third.waiting_reason == "Behind 1 run of this flow, which runs one at a time; 2 more wait before it."
    assert other.waiting_reason == "It is the next in the queue."


def test_full_and_ending_workers_are_told_apart(tenant: Tenant) -> None:
    run, worker = make_run(make_flow(tenant)), make_worker(busy=2)
    assert run.waiting_reason == "All 2 slots are busy. It is the next in the queue."
    Worker.objects.filter(pk=worker.pk).update(slots=1, busy=1)
    assert run.waiting_reason == "The one slot is busy. It is the next in the queue."
    Worker.objects.filter(pk=worker.pk).update(is_draining=True)
    assert run.waiting_reason == "The workers are ending and take no new run."


def test_a_run_of_another_engine_waits_for_that(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    Run.across_tenants.filter(pk=run.pk).update(is_external=True)
    run.refresh_from_db()
    assert run.waiting_reason == "Its own engine has not reported it yet."


def test_what_does_not_wait_in_the_queue_has_no_reason(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = [make_run(flow, status) for status in Status if status != Status.QUEUED]
    with CaptureQueriesContext(connection) as asked:
        assert explain_waiting(runs) == {}
    assert len(asked) == 0


def test_a_page_of_waiting_runs_asks_no_more_than_one_run(tenant: Tenant) -> None:
    make_worker()
    flows = [make_flow(tenant, f"flow-{number}", extra="concurrency: 1") for number in range(3)]
    for flow in flows:
        claim(make_run(flow))
    runs = [make_run(flow) for flow in flows for _ in range(5)]
    with CaptureQueriesContext(connection) as asked:
        said = explain_waiting(runs)
    assert len(said) == len(runs)
    assert len(asked) <= 4


def test_beyond_the_places_that_are_counted_it_says_so(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    make_worker()
    monkeypatch.setattr("runs_dashboard.models.waiting.PLACES", 2)
    flow = make_flow(tenant)
    runs = [make_run(flow) for _ in range(3)]
    assert PLACES == 1_000
    assert runs[2].waiting_reason == "More than 2 runs wait before it."
