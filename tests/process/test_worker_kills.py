"""Kills: whatever dies, no run stays "running", no line is lost or doubled, nothing of a dead run lives on."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import psutil

from ..product import wait_for

if TYPE_CHECKING:
    import httpx

    from ..product import Product

# Numbers its lines; a grandchild in a session of its own; ignores SIGTERM.
COUNTING = """
id: counting
steps:
  - id: count
    component: command
    with:
      run:
        - python3
        - -uc
        - |
          import os, signal, subprocess, time
          signal.signal(signal.SIGTERM, signal.SIG_IGN)
          subprocess.Popen(["sleep", "600"], start_new_session=True)
          for number in range(1, 100000):
              print("line", number, flush=True)
              time.sleep(0.01)
"""
SHORT = "id: short\nsteps:\n  - {id: s, component: command, with: {run: [sh, -c, 'echo begun; sleep 1; echo done']}}\n"
WORDS_OF_LOSS = "Worker lost: "


def begin(api: httpx.Client, flow: str) -> str:
    answer = api.post(f"/webhooks/{flow}", json={})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def look(api: httpx.Client, run: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/flow-runs/{run}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def read_lines(api: httpx.Client, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["line"] if found else 0
        answer = api.get(f"/api/v1/flow-runs/{run}/flow-run-logs", params={"after": after, "per_page": 100})
        assert answer.status_code == 200, answer.text
        if not answer.json()["items"]:
            return found
        found += answer.json()["items"]


def begin_two(product: Product, api: httpx.Client) -> list[str]:
    """Two runs in the middle of their printing."""
    product.load_flow(COUNTING)
    runs = [begin(api, "counting") for _ in range(2)]
    for run in runs:
        wait_for(lambda run=run: len(read_lines(api, run)) > 20, "lines of both", seconds=30, every=0.1)
    return runs


def programs(product: Product) -> list[psutil.Process]:
    return [process for process in product.processes() if "manage.py" not in " ".join(process.cmdline())]


def assert_closed(product: Product, api: httpx.Client, run: str, seen: int) -> None:
    """Closed with a reason, numbered without gaps, everything there that was acknowledged."""
    closed = wait_for(
        lambda: (found := look(api, run))["phase"] != "running" and found, f"the end of {run}", seconds=15, every=0.05
    )
    assert closed["phase"] == "failed"
    assert closed["error"].startswith(WORDS_OF_LOSS), closed["error"]
    lines = read_lines(api, run)
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))
    printed = [line["message"] for line in lines if not line["system"]]
    assert printed == [f"line {number}" for number in range(1, len(printed) + 1)]
    assert len(printed) >= seen
    assert [line["message"] for line in lines if line["system"]] == [closed["error"]]


def test_the_runs_of_a_killed_worker_are_closed_with_a_reason(fresh_dashboard: Product) -> None:
    with fresh_dashboard.api() as api:
        runs = begin_two(fresh_dashboard, api)
        victims = programs(fresh_dashboard)
        assert len(victims) >= 4
        seen = {run: len(read_lines(api, run)) for run in runs}
        worker = find_worker(fresh_dashboard)
        worker.kill()
        killed = time.monotonic()
        for run in runs:
            assert_closed(fresh_dashboard, api, run, seen[run])
        assert time.monotonic() - killed < 10
        _, alive = psutil.wait_procs(victims, timeout=5)
        assert alive == []
        # And the next worker works.
        fresh_dashboard.load_flow(SHORT)
        run = begin(api, "short")
        wait_for(lambda: look(api, run)["phase"] == "succeeded", "the next run", seconds=20, every=0.1)


def find_worker(product: Product) -> psutil.Process:
    """The child of the product that has programs below it."""
    (found,) = [child for child in psutil.Process(product.pid).children() if child.children()]
    return found


def test_after_a_power_cut_both_runs_are_closed_and_their_lines_are_there(fresh_dashboard: Product) -> None:
    with fresh_dashboard.api() as api:
        runs = begin_two(fresh_dashboard, api)
        seen = {run: len(read_lines(api, run)) for run in runs}
    # What a power cut leaves of a program that it does not end: a grandchild in a session of its own.
    orphans = [process for process in programs(fresh_dashboard) if process.name() == "sleep"]
    everything = [process for process in fresh_dashboard.processes() if process not in orphans]
    for process in everything:
        process.send_signal(signal.SIGSTOP)  # nobody tidies up after the first of them
    for process in everything:
        process.kill()
    fresh_dashboard.kill()  # and collect it
    psutil.wait_procs(everything, timeout=10)
    assert len(orphans) == 2
    assert all(orphan.is_running() for orphan in orphans)

    fresh_dashboard.start()

    with fresh_dashboard.api() as api:
        for run in runs:
            assert_closed(fresh_dashboard, api, run, seen[run])
        _, alive = psutil.wait_procs(orphans, timeout=10)
        assert alive == []
        assert not list((fresh_dashboard.data_dir / "work").iterdir())


def test_sigterm_lets_a_run_end_and_a_second_start_keeps_everything(fresh_dashboard: Product) -> None:
    fresh_dashboard.load_flow(SHORT)
    with fresh_dashboard.api() as api:
        run = begin(api, "short")
        wait_for(lambda: look(api, run)["phase"] == "running", "its start", every=0.05)
        wait_for(lambda: read_lines(api, run), "its first line", every=0.05)

    assert fresh_dashboard.stop() == 0

    fresh_dashboard.start()
    with fresh_dashboard.api() as api:
        assert look(api, run)["phase"] == "succeeded"
        assert [line["message"] for line in read_lines(api, run)] == ["begun", "done"]


def test_sigterm_ends_what_does_not_end_by_itself_and_says_so(fresh_dashboard: Product) -> None:
    with fresh_dashboard.api() as api:
        runs = begin_two(fresh_dashboard, api)
        victims = programs(fresh_dashboard)
    began = time.monotonic()

    assert fresh_dashboard.stop() == 0

    # The time for running runs, that between SIGTERM and SIGKILL, and a busy machine's own.
    assert time.monotonic() - began < 3 + 4 + 5
    _, alive = psutil.wait_procs(victims, timeout=1)
    assert alive == []
    fresh_dashboard.start()
    with fresh_dashboard.api() as api:
        for run in runs:
            ended = look(api, run)
            assert ended["phase"] == "failed"
            assert ended["error"] == "Interrupted: the worker was shut down and its grace was over."
