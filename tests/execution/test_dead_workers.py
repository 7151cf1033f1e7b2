"""Workers that died, and what they left: runs, processes, folders, rows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest
from django.db import OperationalError
from django.db.models.functions import Now
from django.utils import timezone

from runs_dashboard.execution import proctree
from runs_dashboard.execution.control import Control
from runs_dashboard.execution.instance import host, make_worker_name, scope_of
from runs_dashboard.execution.reaper import (
    expire_dead_workers,
    forget_old_workers,
    reap,
    sweep_folders,
    sweep_processes,
)
from runs_dashboard.execution.surroundings import work_folder
from runs_dashboard.models import Run, Status, Step, Worker

from .programs import is_alive
from .workers import (
    OLI,
    assert_oracles,
    load,
    said,
    start,
    wait_until,
    working,
)

if TYPE_CHECKING:
    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def make_dead_worker() -> str:
    """The row of a worker of this machine whose process is gone."""
    process = subprocess.Popen(["true"])
    name = f"{host()}-dead-{process.pid}-{proctree.look_at(process.pid).started}"  # type: ignore[union-attr]
    process.wait()
    Worker.objects.create(name=name, host=host(), pid=process.pid, slots=1, seen_at=timezone.now())
    return name


@pytest.mark.parametrize("choice", ["fail", "queue"])
def test_a_run_of_a_dead_worker_is_closed_at_once_and_its_processes_and_folder_go(tenant: Tenant, choice: str) -> None:
    flow = load(tenant, [["echo", "again"]], on_worker_lost=choice)
    name = make_dead_worker()
    run = Run.across_tenants.claim(worker=name, only=start(flow).pk)
    assert run is not None
    Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    orphan = subprocess.Popen(
        ["setsid", "sleep", "300"], env={proctree.MARKER: scope_of(run), "PATH": os.environ["PATH"]}
    )
    folder = work_folder() / f"{run.pk}-{run.token}"
    folder.mkdir(parents=True)
    reaping = threading.Thread(target=orphan.wait)  # the orphan is our child only in this test
    reaping.start()

    expire_dead_workers()
    assert reap() == 1
    reaping.join(10)
    assert sweep_folders() == 1

    run.refresh_from_db()
    assert_oracles(run)
    assert not is_alive(orphan.pid)
    assert not folder.exists()
    reason = f"Worker lost: the process of {name} has ended without a word."
    assert said(run) == [reason]
    assert run.steps.get().status == Status.FAILED
    if choice == "fail":
        assert (run.status, run.error) == (Status.FAILED, reason)
        return
    with working():
        wait_until(run)
    assert (run.status, [step.attempt for step in run.steps.all()]) == (Status.SUCCEEDED, [1, 2])
    expire_dead_workers()
    assert not Worker.objects.filter(name=name).exists()


def test_a_stop_that_its_worker_did_not_live_to_carry_out_is_carried_out(tenant: Tenant) -> None:
    run = Run.across_tenants.claim(worker=make_dead_worker(), only=start(load(tenant, [["true"]])).pk)
    assert run is not None
    run.request_stop(by=OLI)
    expire_dead_workers()
    reap()

    run.refresh_from_db()
    assert run.status == Status.STOPPED


def test_the_runs_of_a_living_worker_are_left_alone(tenant: Tenant) -> None:
    name = make_worker_name()
    Worker.objects.create(name=name, host=host(), pid=os.getpid(), slots=1, seen_at=timezone.now())
    run = Run.across_tenants.claim(worker=name, only=start(load(tenant, [["true"]])).pk)
    assert run is not None
    program = subprocess.Popen(["sleep", "300"], env={proctree.MARKER: scope_of(run)})
    try:
        expire_dead_workers()
        assert reap() == 0
        assert sweep_processes() == 0
        # Nor when its lease is over and it is the reaper's to decide.
        Run.across_tenants.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
        assert sweep_processes() == 0
        assert reap(spare=[run.pk]) == 0
        assert psutil.pid_exists(program.pid)
    finally:
        program.kill()
        program.wait()


def test_a_worker_is_not_taken_for_dead_because_the_clock_was_put_back(tenant: Tenant) -> None:
    row = Worker.objects.create(name=make_worker_name(), host=host(), pid=os.getpid(), slots=1, seen_at=timezone.now())
    Worker.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(hours=5))
    run = Run.across_tenants.claim(worker=row.name, only=start(load(tenant, [["true"]])).pk)
    assert run is not None

    expire_dead_workers()

    assert reap() == 0


def test_a_worker_of_another_machine_that_never_came_back_is_forgotten(tenant: Tenant) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    for name in ("gone", "holds a run"):
        Worker.objects.create(name=name, host="elsewhere", pid=1, slots=1, seen_at=long_ago)
    Worker.objects.create(name="alive", host="elsewhere", pid=1, slots=1, seen_at=timezone.now())
    assert Run.across_tenants.claim(worker="holds a run", only=start(load(tenant, [["true"]])).pk)

    assert forget_old_workers() == 1

    assert set(Worker.objects.values_list("name", flat=True)) == {"holds a run", "alive"}


def test_a_run_whose_end_could_not_be_written_is_closed_by_its_own_worker(
    tenant: Tenant, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread gave the run up: its lease must lapse although the worker lives."""
    from runs_dashboard.execution import worker as worker_module

    quick.LEASE_SECONDS = 1.0
    monkeypatch.setattr(worker_module.logger, "exception", lambda *args: None)

    def fail(run: Run, control: Control) -> None:
        raise OperationalError("away for too long")

    monkeypatch.setattr(worker_module, "execute", fail)
    with working():
        run = wait_until(start(load(tenant, [["true"]])))

    assert run.status == Status.FAILED
    assert run.error.startswith("Worker lost: ")


def test_a_chore_that_fails_does_not_end_its_thread(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, expected_server_errors: list[list[str]]
) -> None:
    from runs_dashboard.execution import housekeeping

    calls = []

    def fail_once() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a schedule nobody foresaw")
        return 0

    monkeypatch.setattr(housekeeping, "start_due", fail_once)
    with working():
        until = time.monotonic() + 10
        while len(calls) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert "a schedule nobody foresaw" in expected_server_errors[0][0]
    assert sys.version_info >= (3, 11)
