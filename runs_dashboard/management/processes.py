"""A small family of processes: forked from one warm parent, started again when they die, ended with it.

A fork shares what the parent has imported: a child is there in milliseconds and costs only what it changes.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead child is started again
STEADY_SECONDS = 60.0  # a child that lived so long has no bad record
HURRY_SECONDS = 3.0  # what is left once a second signal came
_PR_SET_PDEATHSIG = 1  # prctl(2)
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HEARD = (*_ENDING, signal.SIGCHLD)

logger = logging.getLogger(__name__)


@dataclass
class Child:
    """One process of the family. `work` returns when SIGTERM came; `grace` is what it gets for that, in seconds."""

    name: str
    work: Callable[[], None]
    grace: float
    pid: int = 0
    started_at: float = 0.0  # monotonic, as all times here
    due_at: float = 0.0
    failures: int = 0


class Family:
    """Keeps children alive until a signal asks for the end. Use it as a context: it hears signals within."""

    def __init__(self) -> None:
        self.asked = 0  # how many times somebody asked for the end
        self._before: dict[int, object] = {}

    def __enter__(self) -> Family:
        self._ear, mouth = os.pipe()
        for end in (self._ear, mouth):
            os.set_blocking(end, False)
        self._before = {number: signal.signal(number, self._hear) for number in _HEARD}
        signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
        self._mouth = mouth
        return self

    def __exit__(self, *problem: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._ear)
        os.close(self._mouth)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number in _ENDING:
            self.asked += 1

    # --- one piece of work ----------------------------------------------------------------------------------------

    def begin(self, work: Callable[[], None]) -> int:
        """Starts work in a child of its own; `finish` waits for it."""
        return self._fork(work)

    def finish(self, pid: int) -> int:
        """Waits for the child and returns its exit code; 0 as well when the end was asked for meanwhile."""
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return 0 if self.asked else abs(os.waitstatus_to_exitcode(status))
            if self.asked:
                os.kill(pid, signal.SIGTERM)
            self._sleep(1.0)

    # --- children that stay ---------------------------------------------------------------------------------------

    def keep(self, children: Sequence[Child], *, on_end: Callable[[], None]) -> None:
        """Keeps all children running until the end is asked for; then calls `on_end` and lets them drain."""
        while not self.asked:
            now = time.monotonic()
            self._collect(children, now)
            for child in children:
                if not child.pid and child.due_at <= now:
                    child.pid, child.started_at = self._fork(child.work), now
            waiting = [child.due_at - now for child in children if not child.pid]
            self._sleep(min(waiting, default=None))
        on_end()
        self._drain(children)

    def _collect(self, children: Sequence[Child], now: float) -> None:
        """Notes which children have ended, and when they are due again."""
        for child in children:
            if not child.pid:
                continue
            done, status = os.waitpid(child.pid, os.WNOHANG)
            if not done:
                continue
            code = os.waitstatus_to_exitcode(status)
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            pid, child.pid = child.pid, 0
            if self.asked:
                continue
            child.failures = child.failures + 1 if now - child.started_at < STEADY_SECONDS else 1
            pause = min(FIRST_PAUSE * 2 ** (child.failures - 1), LONGEST_PAUSE)
            child.due_at = now + pause
            logger.warning("The %s (process %d) %s; it starts again in %g s.", child.name, pid, how, pause)

    def _drain(self, children: Sequence[Child]) -> None:
        """SIGTERM, then time to end; a second request shortens it, a third ends it."""
        until = {child.name: time.monotonic() + child.grace for child in children}
        heard = 0
        while True:
            now = time.monotonic()
            self._collect(children, now)
            living = [child for child in children if child.pid]
            if not living:
                return
            if self.asked > heard:
                heard = self.asked
                left = {1: None, 2: HURRY_SECONDS}.get(heard, 0.0)
                for child in living:
                    os.kill(child.pid, signal.SIGTERM)
                    if left is not None:
                        until[child.name] = min(until[child.name], now + left)
            for child in living:
                if until[child.name] <= now:
                    logger.warning("The %s did not end in time and was killed.", child.name)
                    os.kill(child.pid, signal.SIGKILL)
                    until[child.name] = now + HURRY_SECONDS
            self._sleep(max(0.01, min(until[child.name] for child in living) - now))

    # --- the system's side ----------------------------------------------------------------------------------------

    def _sleep(self, seconds: float | None) -> None:
        """Until a signal comes, or the time is over."""
        ready, _, _ = select.select([self._ear], [], [], seconds)
        if ready:
            os.read(self._ear, 4096)

    def _fork(self, work: Callable[[], None]) -> int:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        gc.collect()
        gc.freeze()  # the child's collector would touch, and so copy, all that is shared
        parent = os.getpid()
        # A signal between the fork and the child's own handlers would be lost in the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            return pid
        code = 1
        try:
            self._become_child(parent)
            work()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001  (the outermost frame of a process: nobody else can say it)
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)  # the parent's frames above must not run twice
        return 0

    def _become_child(self, parent: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in _HEARD:
            signal.signal(number, signal.SIG_DFL)
        os.close(self._ear)
        os.close(self._mouth)
        os.setpgid(0, 0)  # Ctrl-C is the parent's: it alone says when a child is to end
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != parent:  # it died before the kernel knew
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
