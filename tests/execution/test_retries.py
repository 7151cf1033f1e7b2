"""Attempts of a step, retries of a run, and how many runs go at once."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import LogView, Run, Status

from .workers import OLI, execute, load, printed, program, start, wait_for_line, wait_until, working

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

THIRD_TIME = "import os, sys; n = os.environ['ATTEMPT']; print('try', n); sys.exit(n != '3')"


def test_attempts_are_kept_apart_and_wait_longer_each_time(tenant: Tenant) -> None:
    run = execute(load(tenant, [program(THIRD_TIME, retry={"attempts": 3, "backoff": 0.3})]))

    assert run.status == Status.SUCCEEDED
    steps = list(run.steps.all())
    assert [(step.attempt, step.status, step.line_count) for step in steps] == [
        (1, "failed", 1),
        (2, "failed", 1),
        (3, "succeeded", 1),
    ]
    assert [[entry.message for entry in LogView(run, step=step).stream()] for step in steps] == [
        ["try 1"],
        ["try 2"],
        ["try 3"],
    ]
    pauses = [(after.started_at - before.finished_at).total_seconds() for before, after in itertools.pairwise(steps)]
    assert 0.3 <= pauses[0] < 0.6 <= pauses[1]
    assert run.steps_done == 1


def test_when_the_attempts_are_used_up_the_run_has_failed(tenant: Tenant) -> None:
    run = execute(load(tenant, [program(THIRD_TIME, retry={"attempts": 2})]))

    assert (run.status, run.steps.count(), run.error) == (Status.FAILED, 2, "Exit code 1.")


def test_a_stop_ends_the_wait_for_the_next_try(tenant: Tenant) -> None:
    with working():
        run = start(load(tenant, [["false"]], retry={"attempts": 2, "backoff": 600}))
        wait_until_tried(run)
        run.request_stop(by=OLI)
        wait_until(run, seconds=5)

    assert (run.status, run.steps.get().status) == (Status.STOPPED, Status.FAILED)


def wait_until_tried(run: Run) -> None:
    until = time.monotonic() + 10
    while not run.steps.filter(status=Status.FAILED).exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_retry_from_the_failed_step_uses_what_was_kept(tenant: Tenant, tmp_path: Path) -> None:
    first = program(
        "import os; print('made', flush=True);"
        " open(os.environ['RUN_REPORT'], 'w').write('{\"output\": {\"rows\": 12}}')"
    )
    env = {"ROWS": "${{ steps.s1.outputs.rows }}", "DAY": "${{ inputs.day }}"}
    source = "import os, sys; print(os.environ['ROWS'], os.environ['DAY']); sys.exit(os.environ['DAY'] == 'monday')"
    flow = load(tenant, [first, {**program(source, env=env), "id": "s2"}], inputs={"day": {"type": "string"}})
    failed = execute(flow, {"day": "monday"})
    assert (failed.status, printed(failed)) == (Status.FAILED, ["made", "12 monday"])

    with working():
        again = wait_until(failed.retry(by=OLI, start_at="failed", args={"day": "friday"}))
        whole = wait_until(failed.retry(by=OLI))

    assert (again.status, printed(again)) == (Status.SUCCEEDED, ["12 friday"])
    assert again.outputs == {"s1": {"rows": 12}}
    assert [step.is_kept for step in again.steps.all()] == [True, False]
    assert (again.steps_done, again.retried_run) == (2, failed)
    assert (whole.status, printed(whole)) == (Status.FAILED, ["made", "12 monday"])


def test_a_retry_of_a_run_whose_steps_all_succeeded_ends_at_once(tenant: Tenant) -> None:
    done = execute(load(tenant, [["echo", "once"]]))

    with working():
        again = wait_until(done.retry(by=OLI, start_at="failed"))

    assert (again.status, printed(again)) == (Status.SUCCEEDED, [])


def test_a_run_uses_the_version_that_it_was_started_with(tenant: Tenant) -> None:
    run = start(load(tenant, [["echo", "old"]]))
    load(tenant, [["echo", "new"]])

    with working():
        wait_until(run)

    assert printed(run) == ["old"]


def test_runs_of_a_limited_flow_wait_for_each_other(tenant: Tenant) -> None:
    flow = load(tenant, [["sleep", "0.2"]], concurrency=1)
    with working(slots=4):
        runs = [start(flow) for _ in range(3)]
        for run in runs:
            wait_until(run)

    spans = sorted((run.started_at, run.finished_at) for run in runs)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_slots_limit_how_many_runs_go_at_once(tenant: Tenant) -> None:
    flow = load(tenant, [["sh", "-c", "echo go; sleep 300"]])
    with working(slots=2):
        runs = [start(flow) for _ in range(3)]
        for run in runs[:2]:
            wait_for_line(run)
        time.sleep(0.3)
        runs[2].refresh_from_db()
        assert runs[2].status == Status.QUEUED
        runs[0].request_stop(by=OLI)
        wait_for_line(runs[2])


def test_a_connection_pool_smaller_than_the_slots_starves_nobody(tenant: Tenant, quick: Settings) -> None:
    flow = load(tenant, [["sh", "-c", "echo go; sleep 1; echo gone"]])
    with working(slots=30):
        runs = [start(flow) for _ in range(30)]
        for run in runs:
            wait_until(run, seconds=60)

    assert {run.status for run in runs} == {Status.SUCCEEDED}
    assert all(printed(run) == ["go", "gone"] for run in runs)
