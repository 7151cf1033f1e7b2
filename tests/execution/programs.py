"""Real programs for the tests of the supervisor, and how they are run and looked at."""

import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runs_dashboard.execution import proctree
from runs_dashboard.execution.process import Outcome, Stop, supervise

PATH = "/usr/local/bin:/usr/bin:/bin"

# Ignores SIGTERM, has a child in its own session and a daemon (setsid, forked twice) that do so too. Prints all pids.
# They sleep until the test has them killed; should it fail to, not for ever.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def tell(): os.write(1, b"%d\\n" % os.getpid())
def live():
    tell()
    time.sleep(600)
    os._exit(0)
if os.fork() == 0: live()
if os.fork() == 0:
    os.setsid()
    live()
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork() == 0: live()
    os._exit(0)
os.waitpid(middle, 0)
live()
"""


@dataclass
class Ran:
    """What one supervised run showed."""

    scope: str = field(default_factory=lambda: f"test:{uuid.uuid4()}")
    stages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    output: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0

    @property
    def stdout(self) -> bytes:
        return bytes(self.output["stdout"])

    @property
    def stage_names(self) -> list[str]:
        return [name for name, _ in self.stages]

    def pids(self) -> list[int]:
        return [int(line) for line in self.stdout.split()]

    def keep(self, stream: str, data: bytes) -> None:
        self.output[stream] += data


def run(argv: list[str], ran: Ran | None = None, **options: Any) -> Ran:
    """Supervise `argv`; options as `supervise` has them."""
    ran = ran or Ran()
    options = {
        "env": {"PATH": PATH},
        "cwd": "/",
        "on_output": ran.keep,
        "on_tick": lambda: None,
        "on_stage": lambda stage, detail: ran.stages.append((stage, detail)),
        **options,
    }
    began = time.monotonic()
    ran.outcome = supervise(argv, scope=ran.scope, **options)
    ran.seconds = time.monotonic() - began
    return ran


def python(source: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", source]


def stop_when(condition: Callable[[], bool], *, force: bool = False) -> Callable[[], Stop | None]:
    return lambda: Stop(force, "Oli pressed Stop") if condition() else None


def is_alive(pid: int) -> bool:
    process = proctree.look_at(pid)
    return process is not None and not process.is_zombie


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's value once it is true; fails after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


_earlier: set[int] = set()


def forget_zombies() -> None:
    """From here on only new ones are found: this process adopts what other tests' killed products leave."""
    _earlier.clear()
    _earlier.update(find_zombies())


def find_zombies() -> list[int]:
    """The dead children of this process that nobody has collected, but those that were forgotten."""
    dead = [p.pid for p in proctree.scan().values() if p.is_zombie and p.ppid == os.getpid()]
    return [pid for pid in dead if pid not in _earlier]


proctree.become_subreaper()
