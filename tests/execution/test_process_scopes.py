"""A killed supervisor: its program dies with it, the rest is found by its marker and ended by another process."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from runs_dashboard.execution import proctree
from runs_dashboard.execution.process import kill_scope, live_scopes

from .programs import PATH, is_alive, run, wait_until

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR = """
import sys
from runs_dashboard.execution.process import become_subreaper, supervise
become_subreaper()
argv = ["sh", "-c", "echo $$; sh -c 'echo $$; sleep 600' & setsid sh -c 'echo $$; exec sleep 600' & wait"]
def show(stream, data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
supervise(argv, env={"PATH": "/usr/bin:/bin"}, cwd="/", scope=sys.argv[1], on_output=show, on_tick=lambda: None)
"""


def test_a_killed_supervisor_takes_its_program_along_and_leaves_a_scope_to_end() -> None:
    scope = f"test:{uuid.uuid4()}"
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, scope], stdout=subprocess.PIPE, cwd=ROOT)
    assert supervisor.stdout is not None
    pids = [int(supervisor.stdout.readline()) for _ in range(3)]
    supervisor.stdout.close()
    assert sorted(pids)[0] in live_scopes(scope)[scope]

    supervisor.kill()
    supervisor.wait()

    program = min(pids)
    wait_until(lambda: not is_alive(program))
    rest = live_scopes(scope)[scope]
    assert program not in rest
    assert {pid for pid in pids if pid != program} <= set(rest)

    assert set(rest) <= set(kill_scope(scope))
    assert not any(is_alive(pid) for pid in [*pids, *rest])
    assert live_scopes(scope) == {}
    assert [p for p in proctree.scan().values() if p.is_zombie and p.pid in rest] == []


def test_ending_a_scope_that_has_nothing_left_ends_nothing() -> None:
    assert kill_scope(f"test:{uuid.uuid4()}") == []


def test_live_scopes_are_told_apart_by_their_beginning() -> None:
    stem = f"test:{uuid.uuid4()}"
    marked = [
        subprocess.Popen(["sleep", "600"], env={"PATH": PATH, proctree.MARKER: f"{stem}:{name}"}) for name in "ab"
    ]
    plain = subprocess.Popen(["sleep", "600"], env={"PATH": PATH, "X": f"{proctree.MARKER}={stem}"})
    try:
        expected = {f"{stem}:a": [marked[0].pid], f"{stem}:b": [marked[1].pid]}
        wait_until(lambda: live_scopes(stem) == expected)
        assert live_scopes(f"{stem}:b") == {f"{stem}:b": [marked[1].pid]}
        assert f"{stem}:a" in live_scopes()

        assert kill_scope(f"{stem}:a") == [marked[0].pid]
        assert is_alive(marked[1].pid)
        assert is_alive(plain.pid)
    finally:
        for process in (*marked, plain):
            process.kill()
            process.wait()


def test_the_process_that_asks_is_never_a_member() -> None:
    scope = f"test:{uuid.uuid4()}"
    ask = (
        "import os, sys\nfrom runs_dashboard.execution.process import kill_scope, live_scopes\n"
        "print(live_scopes(sys.argv[1]), kill_scope(sys.argv[1]))"
    )
    env = {"PATH": PATH, proctree.MARKER: scope}
    answer = subprocess.run([sys.executable, "-c", ask, scope], env=env, cwd=ROOT, capture_output=True, check=True)

    assert answer.stdout == b"{} []\n"


def test_exit_codes_of_other_children_are_never_taken() -> None:
    wrong: list[int] = []
    done = threading.Event()

    def other() -> None:
        while not done.is_set():
            for new_session in (False, True):
                child = subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=new_session)
                run(["true"])  # time for somebody to take it
                code = child.wait()
                if code != 7:
                    wrong.append(code)

    threads = [threading.Thread(target=other) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        run(["sh", "-c", "(true &) ; (setsid true &)"])
    done.set()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_process_that_may_not_be_signalled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        process = wait_until(lambda: proctree.look_at(child.pid))

        def refuse(handle: int, number: int) -> None:
            raise PermissionError

        monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
        assert proctree.send(process, signal.SIGTERM) is False
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


def test_a_process_is_read_right_whatever_its_name(tmp_path: Path) -> None:
    name = tmp_path / "a) Z (b c"
    name.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(name), "600"])
    try:
        process = wait_until(lambda: (p := proctree.look_at(child.pid)) and b"(b c" in _name(child.pid) and p)
        assert (process.pid, process.ppid, process.session, process.is_zombie) == (
            child.pid,
            os.getpid(),
            os.getsid(0),
            False,
        )
    finally:
        child.kill()
        child.wait()


def _name(pid: int) -> bytes:
    return Path(f"/proc/{pid}/comm").read_bytes()
