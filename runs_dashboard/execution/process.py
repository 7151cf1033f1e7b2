"""The one supervisor of programs: starts one, reads what it prints, ends it, proves that nothing is left.

`supervise` runs in the calling thread and returns (or raises) only when nothing of the program is alive. The
program is tied to that thread: if it dies, the kernel kills the program.
"""

import os
import resource
import selectors
import signal
import time
from array import array
from collections.abc import Callable
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from . import proctree
from .launch import CannotStart, Limits, start
from .outcome import Outcome, Stop
from .proctree import Process, become_subreaper, kill_scope, live_scopes

__all__ = [
    "CannotStart",
    "Limits",
    "Outcome",
    "Stop",
    "become_subreaper",
    "kill_scope",
    "live_scopes",
    "supervise",
]

READ_SIZE = 256 * 1024
LEFTOVER_GRACE = 1.0
SETTLE = 0.05
LOOK_AGAIN = 0.02  # seconds between looks while waiting for processes to die


def supervise(
    argv: list[str],
    *,
    env: dict[str, str],
    cwd: str,
    scope: str,
    on_output: Callable[[str, bytes], None],
    on_tick: Callable[[], Stop | None],
    on_stage: Callable[[str, dict[str, Any]], None] = lambda stage, detail: None,
    grace: float = 10.0,
    drain: float = 0.5,
    timeout: float | None = None,
    tick: float = 0.05,
    limits: Limits | None = None,
) -> Outcome:
    """Run `argv` (no shell) with exactly `env` and the scope's marker, until nothing of it is alive.

    `on_output(stream, bytes)` gets "stdout" and "stderr" in order as they come, and may block: the program
    then waits too. `on_tick()` is called every `tick` seconds as long as anything lives; it returns a Stop
    to begin, or to harden, the end; if it raises (the lease is lost), everything is killed and the
    exception goes on.

    `on_stage(stage, detail)` tells the ladder of a stop: "signal" (pids, count, reason), "grace" (until in
    Unix seconds, seconds), "kill" (pids, count), "confirmed" (seconds it took). Besides: "leftovers" (pids,
    count) when a program ended and left some running, "beyond_reach" (pids) of what we may not signal; as
    long as such a process lives, nothing is confirmed.

    `grace` seconds lie between SIGTERM and SIGKILL; `drain` seconds are given to a background process that
    holds the pipes after the program ended; `timeout` seconds after the start the program is stopped.

    Raises CannotStart; and whatever a callback raises, after everything was killed.
    """
    return _Supervision(scope, on_output, on_tick, on_stage, grace, drain, timeout, tick).run(
        argv, env, cwd, limits or Limits()
    )


class _Supervision:
    def __init__(
        self,
        scope: str,
        on_output: Callable[[str, bytes], None],
        on_tick: Callable[[], Stop | None],
        on_stage: Callable[[str, dict[str, Any]], None],
        grace: float,
        drain: float,
        timeout: float | None,
        tick: float,
    ) -> None:
        self.scope = scope
        self.on_output, self.on_tick, self.on_stage = on_output, on_tick, on_stage
        self.grace, self.drain, self.timeout, self.tick = grace, drain, timeout, tick
        self.outcome = Outcome()
        self.seen: dict[tuple[int, int], Process] = {}
        self.asked: set[tuple[int, int]] = set()
        self.has_ended = False  # the program itself; it stays unreaped, so that its number remains ours
        self.phase: str | None = None  # None, "term", "kill", "done"
        self.is_proved = False  # the last look found nothing of it alive
        self.is_told = False  # a stop somebody asked for, or a timeout: its stages are told
        self.own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.out_of_reach: list[Process] = []
        self.kill_at = self.stop_began = self.look_at = 0.0

    def run(self, argv: list[str], env: dict[str, str], cwd: str, limits: Limits) -> Outcome:
        self.outcome.started_at = time.time()
        self.began = self.next_tick = time.monotonic()
        tag = proctree.take_tag()
        try:
            self.child, self.pipes = start(argv, {**env, proctree.MARKER: self.scope}, cwd, limits, tag)
            proctree.register_root(self.child.pid, tag)
            try:
                self._run()
            finally:
                proctree.forget_root(self.child.pid)
        finally:
            proctree.return_tag(tag)
        return self.outcome

    def _run(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.handle = _open_handle(self.child.pid)
        try:
            for name, fd in self.pipes.items():
                self.selector.register(fd, selectors.EVENT_READ, name)
            if self.handle is not None:
                self.selector.register(self.handle, selectors.EVENT_READ)
            self._watch()
            self._finish()
            self._read_remainder()
        except BaseException:
            self._kill_everything()
            raise
        finally:
            self._release()

    def _watch(self) -> None:
        """Until the program itself has ended."""
        while not self.has_ended:
            now = time.monotonic()
            if self.timeout is not None and now - self.began >= self.timeout and self.phase is None:
                self._begin_stop("timeout", f"no end after {self.timeout:g} s", force=False)
            self._climb(now)
            self._read(self._until_next(now))
            self._beat()
            self._notice_end()

    def _finish(self) -> None:
        """The program has ended: what it printed, then what it left running."""
        if self.phase is None:
            self._drain()
        if self.phase is None:
            members = self._settle()
            if not members:
                self.phase = "done"
            else:
                self.outcome.leftovers = len(members)
                self.on_stage("leftovers", _detail(members))
                self.grace = min(self.grace, LEFTOVER_GRACE)
                self._signal(members)
        while self.phase != "done":
            self._climb(time.monotonic())
            if self.phase != "done":
                self._read(min(LOOK_AGAIN, max(0.0, self.look_at - time.monotonic())))
                self._beat()

    def _settle(self) -> list[Process]:
        """What outlives the program; a process that closed its pipes may just be about to end by itself."""
        until = time.monotonic() + SETTLE
        members = self._find()
        while not self.is_proved and (not members or time.monotonic() < until):
            self._read(0.0)
            time.sleep(0.002)
            members = self._find()
        return members

    def _drain(self) -> None:
        # What the program itself wrote is in the pipes now and is read however long its reader takes.
        owed = {name: _count_waiting(fd) for name, fd in self.pipes.items()}
        until = time.monotonic() + self.drain
        while self.pipes and self.phase is None:
            now = time.monotonic()
            if now >= until and not any(owed[name] > 0 for name in self.pipes):
                return
            for name, size in self._read(max(0.0, min(until, self.next_tick) - now)):
                owed[name] -= size
            self._beat()

    def _read_remainder(self) -> None:
        """Nothing of the scope is alive: whatever is still in the pipes is all there will be."""
        for name, fd in list(self.pipes.items()):
            owed = _count_waiting(fd)
            while owed > 0 and (data := os.read(fd, min(owed, READ_SIZE))):
                owed -= len(data)
                self.on_output(name, data)
                self._beat()

    def _read(self, wait: float) -> list[tuple[str, int]]:
        """At most one piece of each stream, so that the clock is looked at between pieces."""
        if not self.selector.get_map():
            time.sleep(wait)
            return []
        sizes = []
        for key, _ in self.selector.select(wait):
            if key.fd == self.handle:
                self._notice_end()
                continue
            data = os.read(key.fd, READ_SIZE)
            if data:
                self.on_output(key.data, data)
                sizes.append((key.data, len(data)))
            else:
                self.selector.unregister(key.fd)
                os.close(self.pipes.pop(key.data))
        return sizes

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self.next_tick:
            return
        self.next_tick = now + self.tick
        if not self.has_ended:
            self._collect_group()
            self.outcome.max_rss = max(self.outcome.max_rss, proctree.read_peak_memory(self.child.pid))
        stop = self.on_tick()
        if stop is not None and self.phase != "done":
            self._begin_stop("stopped", stop.reason, stop.force)

    def _until_next(self, now: float) -> float:
        times = [self.next_tick]
        if self.phase is not None:
            times.append(now + LOOK_AGAIN)
        elif self.timeout is not None:
            times.append(self.began + self.timeout)
        if self.handle is None:
            times.append(now + LOOK_AGAIN)
        return max(0.0, min(times) - now)

    def _begin_stop(self, kind: str, why: str, force: bool) -> None:
        if not self.is_told:
            self.is_told = True
            self.outcome.reason = kind
            self.stop_began = time.monotonic()
            members = self._find()
            if not force and self.phase is None:
                self._signal(members)
            self.on_stage("signal", {**_detail(members), "reason": why})
            if self.phase == "term" and not force:
                left = self.kill_at - time.monotonic()
                self.on_stage("grace", {"until": time.time() + left, "seconds": left})
        if force and self.phase != "kill":
            self._begin_kill()

    def _signal(self, members: list[Process]) -> None:
        self.phase = "term"
        self.kill_at = time.monotonic() + self.grace
        self._terminate(members)

    def _terminate(self, members: list[Process]) -> None:
        """SIGTERM once to each: a second one makes some programs give up what they were about to save."""
        for process in members:
            if (process.pid, process.started) not in self.asked:
                self.asked.add((process.pid, process.started))
                self._send(process, signal.SIGTERM)

    def _begin_kill(self) -> None:
        self.phase = "kill"
        self.outcome.killed = True
        self.look_at = 0.0
        members = self._find()
        self._kill(members)
        if self.is_told:
            self.on_stage("kill", _detail(members))

    def _climb(self, now: float) -> None:
        """One look at where the ladder is."""
        if self.phase is None or self.phase == "done" or now < self.look_at:
            return
        if self.phase == "term" and now >= self.kill_at:
            self._begin_kill()
        if self.phase == "term" and (not self.has_ended or self._has_living()):
            self.look_at = now + LOOK_AGAIN
            return
        # All that we know is dead, or is to be: only a look at the whole machine proves it.
        members = self._find()
        if self.phase == "kill":
            self._kill(members)
        else:
            self._terminate(members)  # those born since
        if self.is_proved:
            self._confirm()
        self.look_at = time.monotonic() + (LOOK_AGAIN if members else 0.002)

    def _confirm(self) -> None:
        self.phase = "done"
        self.outcome.beyond_reach = [p.pid for p in self.out_of_reach if proctree.is_alive(p)]
        if self.is_told and not self.outcome.beyond_reach:
            self.on_stage("confirmed", {"seconds": time.monotonic() - self.stop_began})

    def _find(self) -> list[Process]:
        """What of the scope is alive and within reach, by a look at the whole machine; collects what died.

        A process may fork and die during the look, its child unseen; but then its parent lives, or we have adopted
        the dead one. So a look proves the end only if it found no new dead either.
        """
        found = proctree.find_members(self.scope, self.child.pid, list(self.seen.values()))
        for process in found.values():
            self.seen[process.pid, process.started] = process
        own = os.getpid()
        dead = [p for p in found.values() if p.is_zombie and p.ppid == own and p.pid != self.child.pid]
        self.outcome.cpu_seconds += proctree.reap_orphans(dead)
        living = [process for process in found.values() if not process.is_zombie and process not in self.out_of_reach]
        self.is_proved = self.has_ended and not living and not dead
        return living

    def _kill(self, members: list[Process]) -> None:
        for process in members:
            self._send(process, signal.SIGKILL)

    def _has_living(self) -> bool:
        return any(proctree.is_alive(process) for process in self.seen.values())

    def _send(self, process: Process, number: int) -> None:
        if not proctree.send(process, number) and process not in self.out_of_reach:
            self.out_of_reach.append(process)
            self.on_stage("beyond_reach", {"pids": [process.pid]})

    def _collect_group(self) -> None:
        """Orphans of the program's own group that died while it runs (`( … & )` in a shell script)."""
        while (ended := _peek(os.P_PGID, self.child.pid)) is not None and ended != self.child.pid:
            try:
                self._account(ended)
            except ChildProcessError:
                return  # another thread was quicker, and the process is collected

    def _notice_end(self) -> None:
        if self.has_ended or _peek(os.P_PID, self.child.pid) is None:
            return
        self.has_ended = True
        if self.handle is not None:
            self.selector.unregister(self.handle)

    def _account(self, pid: int) -> int:
        _, status, used = os.wait4(pid, 0)
        self.outcome.cpu_seconds += used.ru_utime + used.ru_stime
        # A started process inherits our own peak in its accounts: only what lies above says something of it.
        if used.ru_maxrss > self.own_peak:
            self.outcome.max_rss = max(self.outcome.max_rss, used.ru_maxrss * proctree.RSS_UNIT)
        return os.waitstatus_to_exitcode(status)

    def _kill_everything(self) -> None:
        """Without a word to anybody, and without reading: a callback failed."""
        while True:
            self._notice_end()
            members = self._find()
            if self.is_proved:
                return
            self._kill(members)
            time.sleep(0.005)

    def _release(self) -> None:
        self.selector.close()
        for fd in self.pipes.values():
            os.close(fd)
        if self.handle is not None:
            os.close(self.handle)
        if not self.has_ended:
            os.kill(self.child.pid, signal.SIGKILL)
        code = self._account(self.child.pid)
        self.child.returncode = code
        self.outcome.exit_code, self.outcome.signal = (code, None) if code >= 0 else (None, -code)
        self.outcome.seconds = time.monotonic() - self.began
        self.outcome.ended_at = self.outcome.started_at + self.outcome.seconds


def _detail(members: list[Process]) -> dict[str, Any]:
    return {"pids": sorted(process.pid for process in members), "count": len(members)}


def _peek(kind: int, number: int) -> int | None:
    """The id of a dead child, left uncollected."""
    try:
        ended = os.waitid(kind, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended is not None else None


def _count_waiting(fd: int) -> int:
    size = array("i", [0])
    ioctl(fd, FIONREAD, size)
    return size[0]


def _open_handle(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; without one the end is looked for."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
