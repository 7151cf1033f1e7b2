"""Command steps: what a program prints, how it fails, how long it may take."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import LogView, Status
from runs_dashboard.text.export import as_raw

from .workers import entries, execute, living, load, printed, program, said, start, working

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
REAL_FILES = sorted([*SAMPLES.glob("logs/*.log"), *SAMPLES.glob("terminal/*.raw")])


def test_steps_run_in_order_and_the_first_failure_ends_the_run(tenant: Tenant) -> None:
    run = execute(load(tenant, [["echo", "one"], ["sh", "-c", "echo two; echo no >&2; exit 3"], ["echo", "three"]]))

    assert (run.status, run.error, run.error_step) == (Status.FAILED, "no (exit code 3)", "s2")
    assert [(step.slug, step.status, step.exit_code) for step in run.steps.all()] == [
        ("s1", "succeeded", 0),
        ("s2", "failed", 3),
    ]
    assert [(entry.stream, entry.message) for entry in entries(run)[:2]] == [("stdout", "one"), ("stdout", "two")]
    assert run.error_fingerprint


def test_the_error_of_a_run_is_the_last_line_that_says_error(tenant: Tenant) -> None:
    step = ["sh", "-c", "echo 'ERROR: disk full'; echo cleaning up >&2; echo done; exit 1"]

    run = execute(load(tenant, [step]))

    assert (run.error, run.error_line) == ("ERROR: disk full (exit code 1)", 1)
    assert (run.error_count, run.steps.get().error_count) == (1, 1)


def test_a_program_ended_by_a_signal_says_so(tenant: Tenant) -> None:
    run = execute(load(tenant, [["sh", "-c", "kill -SEGV $$"]]))

    assert run.error == "The program was ended by signal 11."


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/nowhere/program"], "there is no program /nowhere/program"),
        (["no-such-program-anywhere"], "there is no program no-such-program-anywhere on the PATH"),
    ],
    ids=["no such path", "not on the PATH"],
)
def test_a_program_that_cannot_start_fails_the_step_with_the_reason(tenant: Tenant, argv: list[str], said: str) -> None:
    run = execute(load(tenant, [argv]))

    assert (run.status, run.steps.get().status) == (Status.FAILED, Status.FAILED)
    assert said in run.error


def test_a_value_too_long_for_the_system_fails_the_step_with_the_reason(tenant: Tenant) -> None:
    step = {"id": "s1", "component": "command", "with": {"run": ["true"], "env": {"A": "${{ inputs.a }}"}}}
    run = execute(load(tenant, [step], inputs={"a": {"type": "string"}}), {"a": "x" * 900_000})

    assert run.error == (
        "The program could not be started: the arguments and the environment are too long for this system"
    )


def test_the_worker_takes_the_next_run_after_any_kind_of_end(tenant: Tenant) -> None:
    ends = ["exit 1", "kill -9 $$", "exec /nowhere", "ulimit -t 1; while :; do :; done"]
    for place, end in enumerate(ends):
        assert execute(load(tenant, [["sh", "-c", end]], slug=f"flow{place}")).status == Status.FAILED
    assert execute(load(tenant, [["true"]], slug="good")).status == Status.SUCCEEDED


def test_odd_bytes_come_out_as_lines(tenant: Tenant) -> None:
    source = r"import os; os.write(1, b'nul \0 here\nbad \xff\xfe utf\n\xf0\x9f\x9a\x80\n\nno end')"
    run = execute(load(tenant, [program(source)]))

    assert [(entry.message, entry.is_open) for entry in entries(run)] == [
        ("nul \N{REPLACEMENT CHARACTER} here", False),
        ("bad \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} utf", False),
        ("\N{ROCKET}", False),
        ("", False),
        ("no end", True),
    ]


def test_a_very_long_line_goes_on_in_further_entries(tenant: Tenant) -> None:
    run = execute(load(tenant, [program("print('a' * 200_000); print('short')")]))

    found = entries(run)
    assert [len(entry.message) for entry in found] == [65_536, 65_536, 65_536, 3_392, 5]
    assert b"".join(as_raw(found)) == b"a" * 200_000 + b"\nshort\n"


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_output_comes_back_byte_for_byte(tenant: Tenant, path: Path) -> None:
    run = execute(load(tenant, [["cat", str(path)]]))

    assert b"".join(as_raw(LogView(run).stream())) == path.read_bytes()


@pytest.mark.skipif(bool(REAL_FILES), reason="the samples are there")
def test_real_output_is_missing() -> None:
    pytest.skip(f"no samples of real logs and terminals in {SAMPLES}")


def test_a_printed_line_is_stored_within_half_a_second_while_the_program_goes_on(tenant: Tenant) -> None:
    source = "import time\nfor _ in range(8):\n  print(time.time(), flush=True); time.sleep(0.13)"
    seen: dict[str, float] = {}
    with working():
        run = start(load(tenant, [program(source)]))
        while run.is_live:
            run.refresh_from_db()
            for message in printed(run):
                seen.setdefault(message, time.time())
            time.sleep(0.01)

    assert len(seen) == 8
    assert max(at - float(message) for message, at in seen.items()) < 0.5
    assert run.log_chunks.count() == 1, "merged when the step has ended"


def test_stdout_and_stderr_are_told_apart_and_levels_are_read(tenant: Tenant) -> None:
    step = ["sh", "-c", 'echo out; echo \'WARNING: hm\' >&2; echo \'{"level": "error", "m": 1}\'']
    run = execute(load(tenant, [step]))

    assert {(entry.stream, entry.level) for entry in entries(run)} == {("stdout", 1), ("stderr", 2), ("stdout", 3)}
    assert (run.warning_count, run.error_count, run.has_warnings, run.status) == (1, 1, True, Status.SUCCEEDED)


def test_a_background_child_that_keeps_stdout_does_not_hold_the_step(tenant: Tenant) -> None:
    began = time.monotonic()
    run = execute(load(tenant, [["sh", "-c", "sleep 300 & echo done"]]))

    assert (run.status, printed(run)) == (Status.SUCCEEDED, ["done"])
    assert time.monotonic() - began < 10
    assert said(run) == ["The program ended and left 1 running processes behind; they were ended."]
    assert living(run) == []


def test_a_step_that_takes_too_long_is_ended_and_has_failed(tenant: Tenant) -> None:
    step = {
        "id": "slow",
        "component": "command",
        "timeout": 0.3,
        "with": {"run": ["sh", "-c", "echo begun; sleep 300"]},
    }
    run = execute(load(tenant, [step, ["echo", "never"]]))

    assert (run.status, run.error_step) == (Status.FAILED, "slow")
    assert run.error == "The step took longer than its 0.3 s and was ended."
    assert [stage["stage"] for stage in run.stop_ladder] == ["signal", "grace", "confirmed"]
    assert printed(run) == ["begun"]
    assert living(run) == []


def test_a_run_that_takes_too_long_is_ended_and_is_not_tried_again(tenant: Tenant) -> None:
    flow = load(tenant, [["sleep", "0.2"], ["sleep", "300"]], timeout=1, retry={"attempts": 3, "backoff": 0})
    run = execute(flow)

    assert (run.status, run.error) == (Status.FAILED, "The run took longer than its 1 s and was ended.")
    assert [(step.slug, step.attempt, step.status) for step in run.steps.all()] == [
        ("s1", 1, "succeeded"),
        ("s2", 1, "failed"),
    ]
    assert living(run) == []


def test_a_runs_time_can_be_over_while_it_waits_for_the_next_try(tenant: Tenant) -> None:
    run = execute(load(tenant, [["false"]], timeout=1, retry={"attempts": 5, "backoff": 60}))

    assert run.error == "The run took longer than its 1 s and was ended."
    assert run.steps.get().status == Status.FAILED
