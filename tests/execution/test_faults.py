"""Faults: a database that fails or is away, a claim that was taken away, a worker that died."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now

from runs_dashboard.execution import proctree
from runs_dashboard.execution.control import Control
from runs_dashboard.execution.engine import Walk
from runs_dashboard.execution.engine import execute as execute_here
from runs_dashboard.execution.instance import scope_of
from runs_dashboard.execution.surroundings import work_folder
from runs_dashboard.models import LeaseLost, LogChunk, Run, Status, Step

from .workers import (
    OLI,
    assert_oracles,
    execute,
    living,
    load,
    printed,
    program,
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
