"""The ladder of a stop: asked, signalled, grace, killed, proved."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from runs_dashboard.execution import proctree
from runs_dashboard.execution.process import Stop

from .programs import STUBBORN, Ran, find_zombies, is_alive, python, run, stop_when, wait_until


class LeaseLost(Exception):
    """What the engine raises when another worker has the run."""


def test_a_stopped_program_that_obeys_is_not_killed() -> None:
    ran = Ran()
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"

    run(["sh", "-c", script], ran, on_tick=stop_when(lambda: b"ready" in ran.stdout))

    assert ran.stage_names == ["signal", "grace", "confirmed"]
    assert ran.stages[0][1]["reason"] == "Oli pressed Stop"
    assert (ran.outcome.reason, ran.outcome.exit_code, ran.outcome.killed) == ("stopped", 7, False)
    assert ran.stdout.endswith(b"bye\n"), "what a program prints while it ends belongs to its log"
    assert ran.seconds < 3


def test_nothing_is_alive_once_a_stop_is_confirmed() -> None:
    ran = Ran()
    alive_at: dict[str, list[int]] = {}

    def watch(stage: str, detail: dict[str, Any]) -> None:
        ran.stages.append((stage, detail))
        alive_at[stage] = [pid for pid in ran.pids() if is_alive(pid)]

    run(python(STUBBORN), ran, on_tick=stop_when(lambda: len(ran.pids()) == 4), on_stage=watch, grace=0.3)

    assert ran.stage_names == ["signal", "grace", "kill", "confirmed"]
    assert ran.stages[0][1]["pids"] == sorted(ran.pids())
    assert ran.stages[0][1]["count"] == 4
    assert len(alive_at["kill"]) > 0 or ran.outcome.killed
    assert alive_at["confirmed"] == []
    assert (ran.outcome.reason, ran.outcome.signal, ran.outcome.killed) == ("stopped", 9, True)
    assert ran.seconds >= 0.3
    assert find_zombies() == []


def test_force_skips_the_grace() -> None:
    ran = Ran()

    run(python(STUBBORN), ran, on_tick=stop_when(lambda: len(ran.pids()) == 4, force=True), grace=60.0)

    assert ran.stage_names == ["signal", "kill", "confirmed"]
    assert ran.stages[-1][1]["seconds"] < 3
    assert not any(is_alive(pid) for pid in ran.pids())


def test_a_stop_can_be_hardened_while_the_grace_runs() -> None:
    ran = Ran()

    def press() -> Stop | None:
        if len(ran.pids()) < 4:
            return None
        return Stop(force="grace" in ran.stage_names, reason="Ada")

    run(python(STUBBORN), ran, on_tick=press, grace=60.0)

    assert ran.stage_names == ["signal", "grace", "kill", "confirmed"]
    assert ran.seconds < 5


def test_a_process_without_session_parent_and_environment_is_found() -> None:
    ran = Ran()
    script = "setsid sh -c 'env -i setsid -f sleep 611; echo $$' & wait; echo ready; exec sleep 612"

    def find() -> list[int]:
        return [p.pid for p in proctree.scan().values() if p.ppid == os.getpid() and _runs(p.pid, b"sleep\x00611")]

    run(["sh", "-c", script], ran, on_tick=stop_when(lambda: b"ready" in ran.stdout and bool(find())))

    assert ran.stage_names == ["signal", "grace", "confirmed"]
    assert ran.stages[0][1]["count"] == 2
    assert find() == []


def test_a_program_that_makes_processes_all_the_time_is_ended() -> None:
    ran = Ran()
    bomb = "trap '' TERM; echo go; while :; do sleep 600 & setsid sleep 600 & done"

    run(["sh", "-c", bomb], ran, on_tick=stop_when(lambda: b"go" in ran.stdout, force=True))

    assert ran.stage_names[-1] == "confirmed"
    assert proctree.live_scopes(ran.scope) == {}
    assert find_zombies() == []


def test_a_timeout_is_a_stop_with_its_own_reason() -> None:
    ran = run(["sleep", "600"], timeout=0.2)

    assert ran.stage_names == ["signal", "grace", "confirmed"]
    assert (ran.outcome.reason, ran.outcome.signal) == ("timeout", 15)
    assert 0.2 <= ran.seconds < 3


def test_a_program_that_ends_before_its_timeout_is_not_stopped() -> None:
    ran = run(["true"], timeout=30.0)

    assert (ran.outcome.reason, ran.stages) == (None, [])


@pytest.mark.parametrize("where", ["on_tick", "on_output", "on_stage"])
def test_everything_is_killed_when_a_callback_raises(where: str) -> None:
    ran = Ran()

    def lose(*_: Any) -> None:
        raise LeaseLost

    def keep_then_lose(stream: str, data: bytes) -> None:
        ran.keep(stream, data)
        if len(ran.pids()) == 4:
            raise LeaseLost

    options: dict[str, Callable[..., Any]] = {
        "on_tick": {"on_tick": lambda: lose() if len(ran.pids()) == 4 else None}.get(
            where, stop_when(lambda: len(ran.pids()) == 4)
        ),
        "on_output": keep_then_lose if where == "on_output" else ran.keep,
        "on_stage": lose if where == "on_stage" else lambda stage, detail: None,
    }
    with pytest.raises(LeaseLost):
        run(python(STUBBORN), ran, grace=60.0, **options)

    assert len(ran.pids()) == 4
    assert not any(is_alive(pid) for pid in ran.pids())
    assert find_zombies() == []


def test_a_stop_is_confirmed_within_half_a_second() -> None:
    ran = Ran()
    asked: list[float] = []

    def press() -> Stop | None:
        if b"ready" not in ran.stdout:
            return None
        asked.append(time.monotonic())
        return Stop(False, "Oli")

    run(["sh", "-c", "echo ready; sleep 600 & sleep 601"], ran, on_tick=press)

    assert time.monotonic() - asked[0] < 0.5


def test_a_recycled_process_id_is_not_signalled() -> None:
    ran = Ran()

    def check() -> Stop | None:
        if b"ready" not in ran.stdout:
            return None
        pid = int(ran.stdout.split()[1])
        process = wait_until(lambda: proctree.look_at(pid))
        stranger = process._replace(started=process.started - 1)
        assert proctree.send(stranger, 9), "one that is gone counts as signalled"
        assert proctree.is_alive(process)
        assert not proctree.is_alive(stranger)
        return Stop(False, "enough")

    run(["sh", "-c", "echo ready $$; exec sleep 600"], ran, on_tick=check)

    assert ran.outcome.signal == 15


def _runs(pid: int, command: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return command in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_daemon_born_while_its_program_ends_is_found() -> None:
    hop = "import os, time\nfor _ in range(30):\n  if os.fork(): os._exit(0)\n  os.setsid()\ntime.sleep(600)"
    for _ in range(5):
        ran = run(python(hop), drain=0.0)

        assert ran.outcome.leftovers >= 1, "a hop that is just ending may be seen, too"
        assert proctree.live_scopes(ran.scope) == {}
    assert find_zombies() == []
