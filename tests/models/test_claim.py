"""Who gets which run, and that nobody gets one twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from runs_dashboard.models import Run, Status, StatusConflict

from .runs import ENGINE, make_flow, make_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs_dashboard.models import Tenant


def in_threads(count: int, act: Callable[[int], object]) -> list[object]:
    """What `act(n)` returned in each of so many threads that began together. What one raises is raised."""
    barrier = threading.Barrier(count)

    def work(number: int) -> object:
        barrier.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(work, number) for number in range(count)]]


def test_the_longest_waiting_run_is_claimed_first(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = [make_run(flow) for _ in range(3)]
    assert [Run.across_tenants.claim(worker="w") for _ in range(4)] == [*runs, None]


def test_a_flow_at_its_limit_waits_and_others_do_not(tenant: Tenant) -> None:
    narrow, wide = make_flow(tenant, "narrow", extra="concurrency: 1"), make_flow(tenant, "wide")
    first, second = make_run(narrow), make_run(narrow)
    other = make_run(wide)
    assert Run.across_tenants.claim(worker="w") == first
    assert Run.across_tenants.claim(worker="w") == other
    assert Run.across_tenants.claim(worker="w") is None
    first.refresh_from_db()
    first.finish(Status.SUCCEEDED, token=first.token)
    assert Run.across_tenants.claim(worker="w") == second


def test_a_tenant_with_a_long_queue_does_not_hold_up_another(tenant: Tenant, other_tenant: Tenant) -> None:
    many = make_flow(tenant)
    for _ in range(30):
        make_run(many)
    make_run(many, Status.RUNNING)
    late = make_run(make_flow(other_tenant))
    assert Run.across_tenants.claim(worker="w") == late


def test_a_run_that_its_engine_reports_is_never_claimed(tenant: Tenant) -> None:
    make_run(make_flow(tenant, "reported", steps="  []"))
    assert Run.across_tenants.claim(worker="w") is None


@pytest.mark.django_db(transaction=True)
def test_six_workers_claim_each_of_twenty_runs_once(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = {make_run(flow).pk for _ in range(20)}

    def claim_all(number: int) -> list[int]:
        mine = []
        while (run := Run.across_tenants.claim(worker=f"w{number}")) is not None:
            mine.append(run.pk)
        return mine

    claimed = [pk for part in in_threads(6, claim_all) for pk in part]  # type: ignore[attr-defined]
    assert sorted(claimed) == sorted(runs)


@pytest.mark.django_db(transaction=True)
def test_a_concurrency_limit_holds_among_workers(tenant: Tenant) -> None:
    flow = make_flow(tenant, extra="concurrency: 2")
    for _ in range(8):
        make_run(flow)
    claimed = in_threads(6, lambda number: Run.across_tenants.claim(worker=f"w{number}"))
    assert len([run for run in claimed if run is not None]) == 2


@pytest.mark.django_db(transaction=True)
def test_of_six_stops_of_waiting_runs_one_each_wins(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    runs = [make_run(flow) for _ in range(10)]

    def stop_all(number: int) -> int:
        won = 0
        for run in runs:
            try:
                Run.across_tenants.get(pk=run.pk).request_stop(by=ENGINE)
                won += 1
            except StatusConflict:
                continue
        return won

    assert sum(in_threads(6, stop_all)) == len(runs)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_a_stop_and_a_claim_at_once_never_leave_a_run_stopped_and_claimed(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    for _ in range(10):
        run = make_run(flow)

        def race(number: int, run: Run = run) -> object:
            if number:
                return Run.across_tenants.claim(worker="w", only=run.pk)
            return Run.across_tenants.get(pk=run.pk).request_stop(by=ENGINE)

        in_threads(2, race)
        run.refresh_from_db()
        if run.status == Status.STOPPED:
            assert run.worker == ""
        else:
            assert (run.status, run.is_stopping) == (Status.RUNNING, True)
            run.finish(Status.STOPPED, token=run.token)
