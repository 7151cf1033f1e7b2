"""Faults: a database that fails or is away, a claim that was taken away, a worker that died."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from runs_dashboard.execution import proctree
from runs_dashboard.execution.control import Control
from runs_dashboard.execution.engine import Walk
from runs_dashboard.execution.engine import execute as execute_here
from runs_dashboard.execution.instance import host, make_worker_name, scope_of
from runs_dashboard.execution.reaper import (
    expire_dead_workers,
    forget_old_workers,
    reap,
    sweep_folders,
    sweep_processes,
)
from runs_dashboard.execution.surroundings import work_folder
from runs_dashboard.models import FINAL, AuditEntry, LeaseLost, LogChunk, Run, Status, Step, Worker

from .programs import is_alive
from .workers import (
    OLI,
    entries,
    execute,
    living,
    load,
    printed,
    program,
    said,
    start,
    wait_for_line,
    wait_until,
    working,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

LONG = ["sh", "-c", "echo begun; exec sleep 300"]
MAY_FOLLOW = {
    ("", "queued"),
    ("queued", "running"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "stopped"),
    ("queued", "stopped"),
}


def assert_oracles(run: Run) -> None:
    """What holds after whatever happened: legal changes, each once; a whole log; nothing open in an ended run."""
    run.refresh_from_db()
    changes = [
        (entry.from_status, entry.to_status)
        for entry in AuditEntry.across_tenants.filter(run=run).order_by("id")
        if entry.to_status
    ]
    assert set(changes) <= MAY_FOLLOW
    assert [after for _, after in changes[:-1]] == [before for before, _ in changes[1:]]
    assert changes[-1][1] == run.status
    assert sum(after in FINAL for _, after in changes) == run.is_final
    entries(run)
    if run.is_final:
        assert not run.steps.exclude(status__in=FINAL).exists()
        assert (run.worker, run.lease_until) == ("", None)
    assert run.steps_done == run.steps.filter(status=Status.SUCCEEDED).count()


class FailingDatabase:
    """The n-th statement of this connection fails, as if the database had gone in that moment."""

    def __init__(self, number: int, error: Exception) -> None:
        self.left, self.error = number, error

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return execute(sql, params, many, context)

    @property
    def has_failed(self) -> bool:
        return self.left <= 0


def failing(error: Exception, act: Callable[[], object]) -> int:
    """Lets each statement of `act` fail in turn until it needs no more of them. Returns how many there were."""
    for number in range(1, 200):
        database = FailingDatabase(number, error)
        with connection.execute_wrapper(database):
            try:
                act()
            except type(error):
                assert database.has_failed
        if not database.has_failed:
            return number - 1
    raise AssertionError("never without a fault")


BROKEN = OperationalError("the connection was lost")


def test_a_claim_that_fails_anywhere_leaves_the_run_waiting_or_claimed(tenant: Tenant) -> None:
    flow = load(tenant, [["true"]], concurrency=100)
    runs: list[Run] = []

    def claim() -> None:
        runs.append(start_unwatched(flow))
        Run.across_tenants.claim(worker="w", only=runs[-1].pk)

    assert failing(BROKEN, claim) > 5
    for run in runs:
        assert_oracles(run)
        if run.status == Status.QUEUED:
            assert Run.across_tenants.claim(worker="w", only=run.pk) == run
    assert {run.status for run in runs} == {Status.QUEUED, Status.RUNNING}


def start_unwatched(flow: Any) -> Run:
    """Starts a run with no fault: the fault is for what follows."""
    wrappers, connection.execute_wrappers = connection.execute_wrappers, []
    try:
        return start(flow)
    finally:
        connection.execute_wrappers = wrappers


@pytest.mark.parametrize("act", ["stop", "retry"])
def test_a_verb_that_fails_anywhere_has_happened_or_not_and_can_be_repeated(tenant: Tenant, act: str) -> None:
    flow = load(tenant, [["true"]])
    runs: list[Run] = []

    def do() -> None:
        run = start_unwatched(flow)
        runs.append(run)
        if act == "stop":
            run.request_stop(by=OLI)
            return
        wrappers, connection.execute_wrappers = connection.execute_wrappers, []
        run.request_stop(by=OLI)
        connection.execute_wrappers = wrappers
        run.retry(by=OLI)

    assert failing(BROKEN, do) > 3
    for run in runs:
        assert_oracles(run)
        if act == "stop" and run.is_live:
            run.request_stop(by=OLI)
            assert run.status == Status.STOPPED
        elif act == "retry":
            assert run.retries.count() == run.is_retried
    assert Run.across_tenants.filter(status=Status.QUEUED).count() == sum(run.retries.count() for run in runs)


@pytest.mark.parametrize("error", [BROKEN, ValueError("a fault of our own")], ids=["database", "product"])
def test_a_run_ends_whatever_statement_of_it_fails(
    tenant: Tenant, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("patience", "step_log"):
        monkeypatch.setattr(f"runs_dashboard.execution.{module}.AGAIN_SECONDS", 0.001)
    monkeypatch.setattr("runs_dashboard.execution.engine.logger.exception", lambda *args: None)
    report = """echo one; printf '{"output": {"a": 1}}\\n{"track": {"k": "v"}}\\n' > "$RUN_REPORT" """
    flow = load(tenant, [["sh", "-c", report], ["echo", "two"]])
    for number in range(1, 200):
        run = Run.across_tenants.claim(worker="w", only=start(flow).pk)
        assert run is not None
        database = FailingDatabase(number, error)
        with connection.execute_wrapper(database):
            execute_here(run, Control())
        assert_oracles(run)
        assert living(run) == []
        if error is BROKEN:
            # A fault that passes is no failure: the worker tries again, and nothing is there twice.
            assert (run.status, printed(run)) == (Status.SUCCEEDED, ["one", "two"])
            assert run.outputs == {"s1": {"a": 1}}
            assert run.tracked_data.count() == 1
        else:
            assert run.is_final
            assert run.status == Status.SUCCEEDED or "Fault of the product: ValueError" in run.error
        if not database.has_failed:
            break
    assert number > 12
    assert not list(work_folder().iterdir())


# --- the database is away ---------------------------------------------------------------------------------------------


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="a lock on the file is SQLite's own")
def test_a_database_that_is_locked_for_longer_than_a_lease_costs_no_line_and_no_run(
    tenant: Tenant, quick: Settings
) -> None:
    quick.LEASE_SECONDS = 1.0
    connection.settings_dict["OPTIONS"]["timeout"] = 0.2
    connection.close()
    source = "import time\nfor n in range(60):\n  print(n, flush=True); time.sleep(0.05)"
    try:
        with working():
            run = start(load(tenant, [program(source)]))
            wait_for_line(run)
            lock = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            time.sleep(2.5)
            lock.execute("COMMIT")
            lock.close()
            wait_until(run)
    finally:
        connection.settings_dict["OPTIONS"]["timeout"] = 20
        connection.close()

    assert (run.status, run.error) == (Status.SUCCEEDED, "")
    assert printed(run) == [str(n) for n in range(60)]
    assert_oracles(run)


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="connections to a server are PostgreSQL's own")
def test_connections_that_break_again_and_again_cost_no_line_and_no_run(tenant: Tenant) -> None:
    source = "import time\nfor n in range(60):\n  print(n, flush=True); time.sleep(0.05)"
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with working():
        run = start(load(tenant, [program(source), ["echo", "second"]]))
        wait_for_line(run)
        database = connection.settings_dict["NAME"]
        with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as admin:
            for _ in range(15):
                admin.execute(cut, [database])
                time.sleep(0.1)
        connection.close()
        wait_until(run)

    assert (run.status, run.error) == (Status.SUCCEEDED, "")
    assert printed(run) == [*(str(n) for n in range(60)), "second"]
    assert_oracles(run)


def test_a_store_that_fails_for_a_while_loses_and_doubles_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third append fails, and every sixth of them only after it was committed."""
    from runs_dashboard.execution import step_log

    append, calls = step_log.append, [0]

    def unsure(*args: Any, **options: Any) -> int:
        calls[0] += 1
        if calls[0] % 6 == 0:
            append(*args, **options)
        if calls[0] % 3 == 0:
            raise BROKEN
        return append(*args, **options)

    monkeypatch.setattr(step_log, "append", unsure)
    source = "import time\nfor n in range(400):\n  print(n, flush=True); time.sleep(0.005)"
    run = execute(load(tenant, [program(source)]))

    assert calls[0] > 9
    assert (run.status, printed(run)) == (Status.SUCCEEDED, [str(n) for n in range(400)])
    assert run.steps.get().line_count == 400
    assert_oracles(run)


def test_a_stop_is_obeyed_while_lines_cannot_be_stored(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from runs_dashboard.execution import step_log

    append, is_away = step_log.append, threading.Event()

    def away(*args: Any, **options: Any) -> int:
        if is_away.is_set():
            raise BROKEN
        return append(*args, **options)

    monkeypatch.setattr(step_log, "append", away)
    source = "import time\nfor n in range(10_000):\n  print(n, flush=True); time.sleep(0.01)"
    with working():
        run = start(load(tenant, [program(source)]))
        wait_for_line(run)
        is_away.set()
        run.request_stop(by=OLI)
        until = time.monotonic() + 10
        while living(run):
            assert time.monotonic() < until, "the program goes on"
            time.sleep(0.02)
        is_away.clear()
        wait_until(run)

    assert run.status == Status.STOPPED
    assert [int(line) for line in printed(run)] == list(range(run.line_count))


# --- the claim is another's -------------------------------------------------------------------------------------------


def test_a_worker_whose_claim_was_taken_kills_the_program_and_writes_nothing_more(tenant: Tenant) -> None:
    source = "import time\nwhile True:\n  print('still here', flush=True); time.sleep(0.05)"
    with working():
        run = start(load(tenant, [program(source)]))
        wait_for_line(run)
        scope = scope_of(Run.across_tenants.get(pk=run.pk))
        Run.across_tenants.filter(pk=run.pk).update(worker="another", token=7, lease_until=Now() + timedelta(hours=1))
        run.refresh_from_db()
        lines, steps = run.line_count, list(Step.across_tenants.filter(run=run).values())
        until = time.monotonic() + 10
        while proctree.live_scopes(scope):
            assert time.monotonic() < until
            time.sleep(0.02)
    run.refresh_from_db()

    assert (run.line_count, run.status, run.worker, run.token) == (lines, Status.RUNNING, "another", 7)
    assert list(Step.across_tenants.filter(run=run).values()) == steps
    assert LogChunk.across_tenants.filter(run=run).latest("first_line").last_line == lines


@pytest.mark.parametrize("when", ["between two steps", "before the end of a step"])
def test_a_worker_that_slept_through_its_lease_begins_and_ends_nothing(
    tenant: Tenant, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.across_tenants.claim(worker="w", only=start(load(tenant, [["true"], ["true"]])).pk)
    assert run is not None
    method, call = ("_begin", 2) if when == "between two steps" else ("_end", 1)
    wake, calls = getattr(Walk, method), []

    def sleep_first(self: Walk, *args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            # As if the process had been asleep: meanwhile the reaper has closed the run.
            Run.across_tenants.filter(pk=self.run.pk).update(lease_until=Now() - timedelta(seconds=1))
            assert Run.across_tenants.get(pk=self.run.pk).lose(reason="asleep", is_confirmed_dead=True) is not None
        return wake(self, *args, **options)

    monkeypatch.setattr(Walk, method, sleep_first)
    execute_here(run, Control())

    assert_oracles(run)
    assert (run.status, run.error) == (Status.FAILED, "Worker lost: asleep")
    assert [step.status for step in run.steps.all()] == [
        Status.SUCCEEDED if when == "between two steps" else Status.FAILED
    ]
    with pytest.raises(LeaseLost), run.held(1):
        pytest.fail("the claim stands")


# --- the worker died --------------------------------------------------------------------------------------------------


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
