"""Stop and drain: a ladder that is visible, and "stopped" is never said before nothing is alive."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from runs_dashboard.models import LogView, Run, Status, StatusConflict

from .programs import STUBBORN, is_alive
from .workers import OLI, entries, living, load, printed, program, said, start, wait_for_line, wait_until, working

if TYPE_CHECKING:
    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

LONG = ["sh", "-c", "echo begun; exec sleep 300"]


def read_pids(run: Run, count: int) -> list[int]:
    wait_for_line(run)
    until = time.monotonic() + 10
    while len(pids := printed(run)) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    return [int(pid) for pid in pids]


@pytest.mark.parametrize("is_forced", [False, True], ids=["with grace", "by force"])
def test_nothing_is_alive_once_a_run_is_stopped(tenant: Tenant, is_forced: bool) -> None:
    with working():
        run = start(load(tenant, [program(STUBBORN), ["echo", "never"]]))
        pids = read_pids(run, 4)
        run.request_stop(by=OLI, reason="enough", is_forced=is_forced)
        looks: list[tuple[str, int]] = []
        while run.is_live:
            # Read in this order: what is alive after the status was read was alive when it was.
            run.refresh_from_db()
            looks.append((run.status, sum(map(is_alive, pids))))
            time.sleep(0.002)

    assert looks[-1] == (Status.STOPPED, 0)
    assert looks[0] == (Status.RUNNING, 4)
    assert all(alive == 0 for status, alive in looks if status != Status.RUNNING)
    ladder = [rung["stage"] for rung in run.stop_ladder]
    assert ladder == (["signal", "kill", "confirmed"] if is_forced else ["signal", "grace", "kill", "confirmed"])
    assert (run.stop_requested_by, run.stop_reason) == ("Oli", "enough")
    assert [(step.slug, step.status, step.error) for step in run.steps.all()] == [("s1", "stopped", "Stopped.")]
    assert living(run) == []


def test_force_cuts_a_long_grace_short(tenant: Tenant, quick: Settings) -> None:
    quick.STOP_GRACE_SECONDS = 60.0
    with working():
        run = start(load(tenant, [program(STUBBORN)]))
        read_pids(run, 4)
        run.request_stop(by=OLI)
        time.sleep(0.4)
        run.refresh_from_db()
        assert (run.status, run.is_stopping) == (Status.RUNNING, True)
        run.request_stop(by=OLI, is_forced=True)
        wait_until(run, seconds=5)

    assert run.status == Status.STOPPED


def test_a_program_that_obeys_is_stopped_long_before_the_grace_is_over(tenant: Tenant, quick: Settings) -> None:
    quick.STOP_GRACE_SECONDS = 60.0
    with working():
        run = start(
            load(tenant, [["sh", "-c", "trap 'echo bye; exit' TERM; echo begun; while :; do sleep 0.01; done"]])
        )
        wait_for_line(run)
        asked = time.monotonic()
        run.request_stop(by=OLI)
        wait_until(run)
        took = time.monotonic() - asked

    assert run.status == Status.STOPPED
    assert "bye" in printed(run), "what a program prints while it ends belongs to its log"
    assert took < 10


def test_a_waiting_run_is_stopped_at_once_and_never_executed(tenant: Tenant) -> None:
    flow = load(tenant, [LONG])
    with working(slots=1):
        first, second = start(flow), start(flow)
        wait_for_line(first)
        second.request_stop(by=OLI)
        assert second.status == Status.STOPPED
        first.request_stop(by=OLI)
        wait_until(first)

    assert (second.steps.count(), second.started_at) == (0, None)


def test_a_stop_that_meets_the_claim_always_ends_the_run(tenant: Tenant) -> None:
    flow = load(tenant, [["sleep", "300"]])
    with working():
        for round_ in range(25):
            run = start(flow)
            time.sleep(0.002 * round_)
            run.request_stop(by=OLI)
            assert wait_until(run, seconds=10).status == Status.STOPPED
            assert living(run) == []


def test_a_flood_does_not_keep_a_stop_out(tenant: Tenant) -> None:
    with working():
        run = start(load(tenant, [["yes", "a line of a flood that nobody reads"]], log={"max_bytes": 5_000_000}))
        wait_until_full(run)
        asked = time.monotonic()
        run.request_stop(by=OLI)
        wait_until(run)
        took = time.monotonic() - asked

    assert run.status == Status.STOPPED
    assert took < 3
    assert said(run)[-1].startswith("Dropped: ")


def wait_until_full(run: Run) -> None:
    until = time.monotonic() + 30
    while not any(entry.is_system for entry in LogView(run).before(limit=5)):
        assert time.monotonic() < until
        time.sleep(0.05)


# --- the worker's own end ---------------------------------------------------------------------------------------------


def test_a_drain_lets_running_runs_end(tenant: Tenant, quick: Settings) -> None:
    quick.DRAIN_SECONDS = 20.0
    flow = load(tenant, [["sh", "-c", "echo begun; sleep 0.5"], ["echo", "second"]])
    with working(is_hurried=False):
        run = start(flow)
        wait_for_line(run)
    run.refresh_from_db()

    assert (run.status, printed(run)) == (Status.SUCCEEDED, ["begun", "second"])
    waiting = start(flow)
    waiting.refresh_from_db()
    assert waiting.status == Status.QUEUED


@pytest.mark.parametrize("choice", ["fail", "queue"])
def test_what_does_not_end_in_the_grace_is_ended_as_its_flow_says(tenant: Tenant, choice: str) -> None:
    flow = load(tenant, [["echo", "first"], LONG], on_worker_lost=choice)
    with working(is_hurried=False):
        run = start(flow)
        wait_for_line(run, lambda line: line == "begun")
        first_claim = run.pk, 1
    run.refresh_from_db()

    reason = "Interrupted: the worker was shut down and its grace was over."
    assert first_claim == (run.pk, run.token)
    assert said(run) == [reason]
    assert run.steps.get(slug="s2").status == Status.FAILED
    if choice == "fail":
        assert (run.status, run.error) == (Status.FAILED, reason)
        return
    assert (run.status, run.worker, run.lease_until) == (Status.QUEUED, "", None)
    with working():
        wait_for_line(run, lambda line: line == "begun")
        assert printed(run) == ["first", "begun"], "what succeeded is not done again"
        run.request_stop(by=OLI)
        wait_until(run)


def test_a_stubborn_program_does_not_hold_up_the_workers_end(tenant: Tenant, quick: Settings) -> None:
    quick.STOP_GRACE_SECONDS = 60.0
    with working():  # its end is a second signal
        run = start(load(tenant, [program(STUBBORN)]))
        pids = read_pids(run, 4)
        began = time.monotonic()
    run.refresh_from_db()

    assert time.monotonic() - began < 6
    assert run.status == Status.FAILED
    assert not any(map(is_alive, pids))


def test_the_drain_ends_a_parent_and_its_sub_run(tenant: Tenant) -> None:
    load(tenant, [LONG], slug="child")
    with working(is_hurried=False):
        run = start(load(tenant, [{"id": "sub", "component": "flow", "with": {"flow": "child"}}]))
        wait_until(run, Status.RUNNING)
        wait_for_line(run)
        child = run.sub_runs.get()
        wait_for_line(child)
    run.refresh_from_db()
    child.refresh_from_db()

    assert run.status == Status.FAILED
    assert child.is_final
    assert living(child) == []


def test_a_worker_signs_off(tenant: Tenant) -> None:
    from runs_dashboard.models import Worker

    with working() as worker:
        until = time.monotonic() + 5
        while not Worker.objects.filter(name=worker.name).exists():
            assert time.monotonic() < until
            time.sleep(0.01)
    chores = {
        "housekeeping",
        "bulk",
        "downloads",
        "index",
        "retention",
        "retry calls",
        "roll-ups",
        "statistics",
        "storage",
    }
    assert {thread.name for thread in worker.threads} == {"beat", *chores}
    assert not Worker.objects.exists()
    assert not any(thread.is_alive() for thread in worker.threads)
    assert [thread.name for thread in threading.enumerate() if thread.name == "run"] == []
    connection.close()


def test_stopping_twice_is_one_stop(tenant: Tenant) -> None:
    with working():
        run = start(load(tenant, [LONG]))
        wait_for_line(run)
        run.request_stop(by=OLI, reason="first")
        run.request_stop(by=OLI, reason="second")
        wait_until(run)
        with pytest.raises(StatusConflict):
            run.request_stop(by=OLI)

    assert run.stop_reason == "first"
    assert run.audit.filter(action="run.stop").count() == 1
    assert entries(run)
