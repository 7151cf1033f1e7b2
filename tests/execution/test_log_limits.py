"""The limits of a step's log: what is dropped is counted and said, memory stays flat."""

from __future__ import annotations

import resource
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from runs_dashboard.models import Status

from .workers import entries, execute, load, printed, program, said, start, wait_until, working

if TYPE_CHECKING:
    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def test_what_is_printed_after_the_limit_is_counted_and_not_kept(tenant: Tenant) -> None:
    source = "for n in range(5_000): print(f'line {n:05}')"  # 11 bytes each
    run = execute(load(tenant, [program(source)], log={"max_bytes": 11_005}))

    assert run.status == Status.SUCCEEDED
    assert printed(run) == [f"line {n:05}" for n in range(1_000)]
    assert said(run) == [
        "The log limit of 11,005 bytes is reached: what follows is counted and not kept. The step goes on.",
        "Dropped: 4,000 lines (44,000 bytes) printed after the limit.",
    ]
    assert (run.dropped_lines, run.warning_count) == (4_000, 2)
    assert run.steps.get().line_count == 1_002


def test_a_last_line_without_its_end_is_counted_too(tenant: Tenant) -> None:
    source = "import sys; sys.stdout.write('12345\\n' * 3 + 'the end'); sys.stderr.write('')"
    run = execute(load(tenant, [program(source)], log={"max_bytes": 1_000}))
    assert printed(run) == ["12345", "12345", "12345", "the end"]

    source = "import sys; sys.stdout.write('1234567\\n' * 300 + 'the end')"
    run = execute(load(tenant, [program(source)], log={"max_bytes": 1_000}))

    assert printed(run) == ["1234567"] * 125
    assert said(run)[-1] == "Dropped: 176 lines (1,407 bytes) printed after the limit."
    assert run.dropped_lines == 176


def test_a_single_line_longer_than_the_limit_is_dropped_whole(tenant: Tenant) -> None:
    run = execute(load(tenant, [program("print('x' * 5_000)")], log={"max_bytes": 1_000}))

    assert printed(run) == []
    assert said(run)[-1] == "Dropped: 1 line (5,001 bytes) printed after the limit."


def test_each_attempt_has_the_limit_for_itself_and_the_run_one_for_all(tenant: Tenant, quick: Settings) -> None:
    quick.LOG_MAX_BYTES = 1_500
    step = program("for n in range(100): print(f'{n:09}')")
    run = execute(load(tenant, [step, {**step, "id": "s2"}, {**step, "id": "s3"}], log={"max_bytes": 1_000}))

    assert run.status == Status.SUCCEEDED
    assert [step.line_count for step in run.steps.all()] == [100, 50 + 2, 0 + 2]
    assert run.dropped_lines == 50 + 100


def test_a_flood_of_200_mb_leaves_the_memory_as_it_was(tenant: Tenant) -> None:
    line = "a line of a flood, as long as lines usually are, with a number at its end: "
    flood = ["sh", "-c", f"yes '{line}' | head -c 200000000"]
    peaks: list[int] = []
    done = threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not done.is_set():
            peaks.append(me.memory_info().rss)
            time.sleep(0.02)

    with working():
        wait_until(start(load(tenant, [["true"]], slug="warm")))
        before = psutil.Process().memory_info().rss
        watcher = threading.Thread(target=watch)
        watcher.start()
        run = wait_until(start(load(tenant, [flood], log={"max_bytes": 10_000_000})), seconds=90)
        done.set()
        watcher.join()

    assert run.status == Status.SUCCEEDED
    kept = run.line_count - 2
    assert kept + run.dropped_lines == 200_000_000 // (len(line) + 1) + 1, "the last one was cut by head"
    assert max(peaks) - before < 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


def test_lines_of_a_fast_program_are_all_there_in_order(tenant: Tenant) -> None:
    run = execute(load(tenant, [["seq", "1", "100000"]]), seconds=60)

    assert [entry.message for entry in entries(run)] == [str(n) for n in range(1, 100_001)]
