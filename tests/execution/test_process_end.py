"""What is known of a program after its end, and why it could not start."""

import os
import resource
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from runs_dashboard.execution import launch
from runs_dashboard.execution.process import CannotStart, Limits

from .programs import PATH, find_zombies, python, run


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_the_exit_code_is_the_programs(code: int) -> None:
    outcome = run(["sh", "-c", f"exit {code}"]).outcome

    assert (outcome.exit_code, outcome.signal, outcome.reason, outcome.killed) == (code, None, None, False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_told_from_an_exit_code(number: int) -> None:
    outcome = run(["sh", "-c", f"kill -{number:d} $$"]).outcome

    assert (outcome.exit_code, outcome.signal, outcome.reason) == (None, number, None)


def test_both_streams_are_told_apart_and_complete() -> None:
    ran = run(["sh", "-c", "echo out; echo err >&2; printf 'no end'"])

    assert ran.stdout == b"out\nno end"
    assert ran.output["stderr"] == b"err\n"


def test_the_environment_is_exactly_what_was_given_and_the_marker() -> None:
    ran = run(["env"], env={"PATH": PATH, "GREETING": "grüß dich"})

    names = dict(line.split("=", 1) for line in ran.stdout.decode().splitlines())
    assert names == {"PATH": PATH, "GREETING": "grüß dich", "RUNS_DASHBOARD_SCOPE": ran.scope}


def test_no_descriptor_of_the_worker_reaches_the_program() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        ran = run(["ls", "/proc/self/fd"])
    finally:
        os.close(reading)
        os.close(writing)

    assert ran.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the folder that ls reads


def test_standard_input_is_empty() -> None:
    assert run(["cat"]).stdout == b""


def test_the_working_folder_is_the_one_given(tmp_path: Path) -> None:
    assert run(["pwd"], cwd=str(tmp_path)).stdout.decode().strip() == str(tmp_path)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "empty"),
        (["no-such-program"], "no program no-such-program"),
        (["./no-such-program"], "no program"),
        (["/"], "may not be executed"),
        (["echo", "a\0b"], "NUL"),
        (["echo", "x" * 3_000_000], "too long"),
    ],
)
def test_a_program_that_cannot_start_says_why(argv: list[str], words: str) -> None:
    with pytest.raises(CannotStart, match=words):
        run(argv)


@pytest.mark.parametrize("env", [{"A": "x\0"}, {"A\0": "x"}, {"A=B": "x"}, {"": "x"}])
def test_an_impossible_variable_says_why(env: dict[str, str]) -> None:
    with pytest.raises(CannotStart, match="variable"):
        run(["/bin/true"], env=env)


def test_a_missing_working_folder_says_why(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="working folder"):
        run(["true"], cwd=str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("#!/bin/sh\n", 0o644, "may not be executed"),
        ("#!/no/such/interpreter\n", 0o755, "interpreter /no/such/interpreter"),
        ("#!\n", 0o755, "interpreter"),
        ("echo hello\n", 0o755, "not a program"),
        ("", 0o755, "not a program"),
    ],
)
def test_a_file_that_is_no_program_says_why(tmp_path: Path, content: str, mode: int, words: str) -> None:
    path = tmp_path / "program"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(CannotStart, match=words):
        run([str(path)])
    with pytest.raises(CannotStart, match=words):
        run(["program"], env={"PATH": f"/nowhere:{tmp_path}"})


def test_a_script_beside_the_working_folder_starts(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\necho it is $0\n")
    path.chmod(stat.S_IRWXU)

    assert run(["./script"], cwd=str(tmp_path)).stdout == b"it is ./script\n"


def test_nothing_stays_open_after_runs_that_work_and_that_do_not() -> None:
    run(["true"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(["sh", "-c", "echo x; sleep 600 & echo y"], drain=0.01)
        with pytest.raises(CannotStart):
            run(["no-such-program"])
    assert len(os.listdir("/proc/self/fd")) == before
    assert find_zombies() == []


def test_cpu_time_is_that_of_the_whole_tree() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    fork = f"if os.fork() == 0:\n  exec({burn!r})\n  os._exit(0)"
    tree = f"import os\n{fork}\n{fork}\nos.wait()\nos.wait()"

    assert 0.4 <= run(python(tree)).outcome.cpu_seconds < 1.5


def test_cpu_time_of_an_adopted_orphan_counts() -> None:
    orphan = (
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  while time.process_time() < 0.3: pass\n  time.sleep(60)"
    )

    ran = run(python(orphan), drain=1.0)

    assert ran.outcome.leftovers == 1
    assert 0.3 <= ran.outcome.cpu_seconds < 1.5


def test_memory_is_the_programs_and_not_the_workers() -> None:
    ballast = bytearray(os.urandom(1) * 60_000_000)  # the worker is bigger than the first program
    small = run(python("import time; time.sleep(0.3)"), tick=0.02).outcome.max_rss
    big = run(python("x = bytearray(b'x' * 90_000_000); import time; time.sleep(0.3)"), tick=0.02).outcome.max_rss

    assert len(ballast) <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 1_000_000 < small < 40_000_000
    assert 90_000_000 < big < 250_000_000


def test_times_are_of_both_clocks() -> None:
    before = time.time()
    outcome = run(["sleep", "0.1"]).outcome

    assert before <= outcome.started_at < outcome.ended_at <= time.time() + 0.01
    assert 0.1 <= outcome.seconds == pytest.approx(outcome.ended_at - outcome.started_at, abs=0.001)


def test_a_limit_holds_in_the_program() -> None:
    ran = run(["sh", "-c", "ulimit -n; ulimit -f"], limits=Limits(open_files=32, file_size=512 * 1024))

    assert ran.stdout.split() == [b"32", b"1024"]  # the second in blocks of 512 bytes


def test_a_program_over_its_memory_limit_fails_alone() -> None:
    ran = run(python("x = bytearray(10**10)"), limits=Limits(address_space=500_000_000))

    assert ran.outcome.exit_code == 1
    assert b"MemoryError" in ran.output["stderr"]


@pytest.mark.parametrize("has_setpriv", [True, False])
def test_the_kernel_is_asked_to_kill_the_program_with_its_thread(
    monkeypatch: pytest.MonkeyPatch, has_setpriv: bool
) -> None:
    if not has_setpriv:
        monkeypatch.setattr(launch, "_SETPRIV", None)

    show = "import ctypes as c; n = c.c_int(); c.CDLL(None).prctl(2, c.byref(n)); print(n.value)"
    ran = run(python(show))

    assert ran.stdout == b"9\n", ran.output
    assert ran.outcome.exit_code == 0


def test_eight_threads_lose_no_exit_code_and_leave_no_zombie() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(25):
            code = (number * 25 + turn) % 256
            ran = run(["sh", "-c", f"(true &) ; (setsid true &) ; echo {code}; exit {code}"])
            if (ran.outcome.exit_code, ran.stdout) != (code, b"%d\n" % code):
                wrong.append((code, ran))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert find_zombies() == []
