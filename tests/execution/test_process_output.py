"""What a program prints: all of it, at once, with flat memory, and never in the way of its end."""

import threading
import time
from itertools import pairwise

import pytest

from runs_dashboard.execution.process import Stop

from .programs import Ran, find_zombies, is_alive, python, run, stop_when

FLOOD = ["head", "-c", "200000000", "/dev/zero"]


def read_memory() -> int:
    """What this process has resident, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_output_comes_as_it_is_printed() -> None:
    seen: list[tuple[float, bytes]] = []
    ran = Ran()

    def keep(stream: str, data: bytes) -> None:
        seen.append((time.monotonic(), data))
        ran.keep(stream, data)

    run(python("import os, time; os.write(1, b'a'); time.sleep(0.5); os.write(1, b'b')"), ran, on_output=keep)

    assert [data for _, data in seen] == [b"a", b"b"]
    assert seen[1][0] - seen[0][0] > 0.3


def test_memory_stays_flat_in_a_flood() -> None:
    count = 0
    run(["true"])
    before = read_memory()
    peak = before

    def swallow(stream: str, data: bytes) -> None:
        nonlocal count, peak
        count += len(data)
        peak = max(peak, read_memory())

    ran = run(FLOOD, on_output=swallow)

    assert ran.outcome.exit_code == 0
    assert count == 200_000_000
    assert peak - before < 20_000_000


def test_a_stop_works_and_the_ticks_go_on_in_a_flood() -> None:
    ran, ticks = Ran(), []
    count, asked = 0, []

    def swallow(stream: str, data: bytes) -> None:
        nonlocal count
        count += len(data)

    def tick() -> Stop | None:
        ticks.append(time.monotonic())
        if count < 50_000_000:
            return None
        asked.append(time.monotonic())
        return Stop(False, "Oli")

    run(["sh", "-c", "yes & yes >&2 & yes"], ran, on_output=swallow, on_tick=tick)

    assert time.monotonic() - asked[0] < 1.0
    assert ran.stage_names[-1] == "confirmed"
    assert max(later - earlier for earlier, later in pairwise(ticks)) < 0.5


def test_a_slow_reader_makes_the_program_wait_and_gets_its_ticks() -> None:
    ticks: list[float] = []
    begun = time.monotonic()

    def tick() -> Stop | None:
        ticks.append(time.monotonic())
        return Stop(True, "enough") if time.monotonic() - begun > 0.5 else None

    run(["yes"], on_output=lambda stream, data: time.sleep(0.02), on_tick=tick)

    assert len(ticks) >= 5


def test_output_of_an_ended_program_is_read_whole_however_slowly() -> None:
    ran = Ran()

    def keep(stream: str, data: bytes) -> None:
        time.sleep(0.2)
        ran.keep(stream, data)

    run(python("import os; os.write(1, b'x' * 200_000); os.write(2, b'y' * 200_000)"), ran, on_output=keep, drain=0.01)

    assert (len(ran.output["stdout"]), len(ran.output["stderr"])) == (200_000, 200_000)


def test_a_background_child_that_keeps_stdout_does_not_hold_the_step() -> None:
    ran = run(["sh", "-c", "sleep 600 & echo $!"], drain=0.2)

    assert ran.outcome.exit_code == 0
    assert (ran.outcome.leftovers, ran.outcome.killed) == (1, False)
    assert ran.stages == [("leftovers", {"pids": ran.pids(), "count": 1})]
    assert not is_alive(ran.pids()[0])
    assert ran.seconds < 2


def test_a_background_child_that_prints_for_ever_does_not_hold_the_step() -> None:
    ran = run(["sh", "-c", "yes & echo done"], drain=0.2, on_output=lambda stream, data: None)

    assert (ran.outcome.exit_code, ran.outcome.leftovers) == (0, 1)
    assert ran.seconds < 2


def test_a_background_child_that_ends_in_time_is_heard() -> None:
    ran = run(["sh", "-c", "(sleep 0.1; echo late) & echo early"], drain=5.0)

    assert ran.stdout == b"early\nlate\n"
    assert ran.outcome.leftovers == 0
    assert ran.seconds < 3


def test_a_background_child_that_ignores_sigterm_is_killed_after_a_short_grace() -> None:
    ran = run(
        ["sh", "-c", "(trap '' TERM; echo ready; sleep 600; sleep 600) & read x < /dev/null; echo end"], drain=0.3
    )

    assert (ran.outcome.exit_code, ran.outcome.killed, ran.outcome.reason) == (0, True, None)
    assert ran.seconds < 4
    assert find_zombies() == []


def test_last_words_of_a_background_child_are_kept() -> None:
    child = "import os, signal, sys, time\n" + (
        "if os.fork() == 0:\n"
        "  signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'last words'), os._exit(0)))\n"
        "  os.write(1, b'first, ')\n"
        "  time.sleep(600)\n"
        "time.sleep(0.3)"
    )

    assert run(python(child), drain=0.1).stdout == b"first, last words"


def test_closing_both_streams_is_not_the_end() -> None:
    ran = run(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"])

    assert ran.outcome.exit_code == 4
    assert ran.seconds >= 0.3


def test_a_program_that_closed_its_streams_can_be_stopped() -> None:
    begun = time.monotonic()
    ran = run(["sh", "-c", "exec >&- 2>&-; sleep 600"], on_tick=stop_when(lambda: time.monotonic() - begun > 0.2))

    assert ran.outcome.reason == "stopped"
    assert ran.seconds < 3


@pytest.mark.parametrize("threads", [6])
def test_floods_in_several_threads_do_not_mix(threads: int) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        letter = b"%d\n" % number
        ran = run(["sh", "-c", f"yes {number} | head -c 2000000"])
        if ran.stdout != letter * 1_000_000:
            wrong.append((number, len(ran.stdout), set(ran.stdout.split())))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert wrong == []
