"""Which processes of this machine belong to a scope, and how to signal them without hitting a stranger.

A scope is one attempt of one step. A process belongs to it when it carries the scope's marker in its
environment, is in the session or group of the scope's root, or descends from one that does. Reads `/proc`
(proc(5)); where there is none, psutil answers the same questions, more slowly, with neither a parent-death
signal nor a subreaper.

A process that leaves the session, loses its parent and wipes its environment is known by a tag: the hard limit of
its core dumps, which is inherited, cannot be taken off without privilege, and is readable even of the dead. It is
looked for only among the processes that this process adopted.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import psutil

MARKER = "RUNS_DASHBOARD_SCOPE"
IS_LINUX = sys.platform == "linux"

_MARKER = MARKER.encode() + b"="
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
RSS_UNIT = 1024 if IS_LINUX else 1  # ru_maxrss is in kilobytes, on macOS in bytes
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl if IS_LINUX else None
_TAGS = range(1, 4096)  # bytes: too small for any core dump
_taken: set[int] = set()
_roots: dict[int, int | None] = {}  # children of ours whose exit code somebody here waits for: their tag
_roots_lock = threading.Lock()


class Process(NamedTuple):
    """One process as one look saw it; its id and `started` (clock ticks since boot) together are unique."""

    pid: int
    started: int
    ppid: int
    group: int
    session: int
    is_zombie: bool
    cpu_seconds: float  # its own and its waited-for children's


def become_subreaper() -> None:
    """Make this process the parent of orphans below it, and forbid core dumps (they would hold secrets)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if _prctl is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphaned processes")


def look_at(pid: int) -> Process | None:
    """The process with this id now, or None."""
    if not IS_LINUX:
        return _look_with_psutil(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(4096)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, brackets and spaces too: count from the last one.
    fields = text[text.rindex(b")") + 2 :].split(b" ", 21)
    if int(fields[6]) & _KERNEL_THREAD:
        return None
    cpu = sum(map(int, fields[11:15])) / _TICKS
    # A first thread that ended before its others shows as a zombie too.
    is_zombie = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Process(pid, int(fields[19]), int(fields[1]), int(fields[2]), int(fields[3]), is_zombie, cpu)


def scan() -> dict[int, Process]:
    """Every process on this machine that can be seen, by id."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit()) if IS_LINUX else psutil.pids()
    return {pid: process for pid in pids if (process := look_at(pid)) is not None}


def read_marker(pid: int) -> str | None:
    """The scope that a process of our own user was started for; None without one, or if it cannot be read."""
    return _find_marker(_read_environment(pid) or b"")


def _find_marker(environment: bytes) -> str | None:
    if environment.startswith(_MARKER):
        start = len(_MARKER)
    else:
        at = environment.find(b"\0" + _MARKER)
        if at < 0:
            return None
        start = at + 1 + len(_MARKER)
    end = environment.find(b"\0", start)
    return environment[start : end if end >= 0 else None].decode("utf-8", "replace")


def find_members(scope: str, root: int | None = None, seen: Iterable[Process] = ()) -> dict[int, Process]:
    """Everything of a scope, zombies included, this process excluded.

    `root` is the process id of the scope's first program, still unreaped (else its number may be another's
    session). `seen` are members known from an earlier look: what descends from them belongs too.
    """
    everything = scan()
    everything.pop(os.getpid(), None)
    members = {p.pid: everything[p.pid] for p in seen if _is_same(everything.get(p.pid), p)}
    unread = []
    # Nothing of a scope is older than its root: most of a machine need not be asked for its environment.
    oldest = everything[root].started if root in everything else 0
    own, tag = os.getpid(), _roots.get(root) if root is not None else None
    for process in everything.values():
        is_tagged = (
            tag is not None and process.ppid == own and process.pid not in _roots and _read_tag(process.pid) == tag
        )
        if is_tagged or root in (process.pid, process.group, process.session):
            members[process.pid] = process
        elif process.pid not in members and not process.is_zombie and process.started >= oldest:
            environment = _read_environment(process.pid)
            if environment == b"":
                unread.append(process)
            elif environment and _find_marker(environment) == scope:
                members[process.pid] = process
    # In the middle of an exec an environment reads as empty: such a process is asked once more.
    members.update({process.pid: process for process in unread if read_marker(process.pid) == scope})
    return _with_descendants(members, everything)


def _with_descendants(members: dict[int, Process], everything: dict[int, Process]) -> dict[int, Process]:
    children: dict[int, list[Process]] = {}
    for process in everything.values():
        children.setdefault(process.ppid, []).append(process)
    waiting = list(members)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child.pid not in members:
                members[child.pid] = child
                waiting.append(child.pid)
    return members


def read_peak_memory(pid: int) -> int:
    """The most memory (bytes) that this process had resident; 0 if it is dead or it cannot be known."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            text = file.read(8192)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    at = text.find(b"VmHWM:")
    return int(text[at + 6 :].split(None, 1)[0]) * 1024 if at >= 0 else 0


def is_alive(process: Process) -> bool:
    """True while this very process, not another with its number, still runs."""
    now = look_at(process.pid)
    return _is_same(now, process) and now is not None and not now.is_zombie


def send(process: Process, number: int) -> bool:
    """Signal this very process. True if it is gone or got the signal, False if we may not signal it."""
    try:
        handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return True
    except OSError:  # no such system call (Linux before 5.3, a sandbox)
        handle = None
    try:
        # The handle pins the process: looked at after it was opened, the number cannot have changed hands.
        if not _is_same(look_at(process.pid), process):
            return True
        if handle is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    finally:
        if handle is not None:
            os.close(handle)
    return True


def kill_scope(scope: str, deadline: float = 10.0) -> list[int]:
    """End whatever is alive of a scope that nobody supervises any more; the ids of what was killed.

    Raises TimeoutError if something is alive after `deadline` seconds (another user's process, a hung disk).
    """
    until = time.monotonic() + deadline
    killed: set[int] = set()
    is_empty = False
    seen: dict[int, Process] = {}
    while True:
        seen.update(find_members(scope, seen=list(seen.values())))
        alive = [process for process in seen.values() if is_alive(process)]
        if not alive and is_empty:
            reap_orphans(seen.values())
            return sorted(killed)
        is_empty = not alive  # a second look finds what was forked during the first
        if time.monotonic() > until:
            raise TimeoutError(f"still alive after {deadline:g} s: {sorted(p.pid for p in alive)}")
        for process in alive:
            if send(process, signal.SIGKILL):
                killed.add(process.pid)
        _wait_for_end(alive, min(until, time.monotonic() + 0.2))


def live_scopes(prefix: str = "") -> dict[str, list[int]]:
    """Each scope starting with `prefix` that has processes of our user alive here, with their ids."""
    found: dict[str, list[int]] = {}
    own = os.getpid()
    for process in scan().values():
        if process.is_zombie or process.pid == own:
            continue
        marker = read_marker(process.pid)
        if marker is not None and marker.startswith(prefix):
            found.setdefault(marker, []).append(process.pid)
    return found


def take_tag() -> int | None:
    """A tag of its own for a program to start, in bytes; None where there is none to be had. `return_tag` it."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if not IS_LINUX or 0 <= hard < _TAGS.stop:
        return None  # a lower limit of our own could not be raised
    with _roots_lock:
        tag = next((number for number in _TAGS if number not in _taken), None)
        if tag is not None:
            _taken.add(tag)
        return tag


def return_tag(tag: int | None) -> None:
    """Say that nothing with this tag is left."""
    with _roots_lock:
        _taken.discard(tag or 0)


def register_root(pid: int, tag: int | None) -> None:
    """Say that somebody waits for this child, which was started with the tag: its exit code is left to them."""
    with _roots_lock:
        _roots[pid] = tag


def forget_root(pid: int) -> None:
    """Say that this child has been waited for."""
    with _roots_lock:
        _roots.pop(pid, None)


def reap_orphans(members: Iterable[Process] = ()) -> float:
    """Collect the dead that this process adopted as a subreaper; the CPU seconds that `members` used.

    A child of our own is never collected: one that we forked is in our session or leads its own; a dead
    child that does neither must have been adopted. Beyond those only `members`, known from their scope, are
    collected.
    """
    cpu = 0.0
    for process in members:
        now = look_at(process.pid)
        if now is not None and now.is_zombie and now.ppid == os.getpid() and _is_same(now, process):
            used = _collect(process.pid)
            if used is not None:
                cpu += used.ru_utime + used.ru_stime
    for pid in _adopted_zombies():
        _collect(pid)
    return cpu


def _adopted_zombies() -> Iterator[int]:
    if not IS_LINUX:
        return
    own, session = os.getpid(), os.getsid(0)
    try:
        # The kernel hands orphans to the main thread of a subreaper.
        with open(f"/proc/{own}/task/{own}/children", "rb") as file:
            children = [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        children = [process.pid for process in scan().values() if process.ppid == own]
    with _roots_lock:
        busy = set(_roots)
    for pid in children:
        process = look_at(pid)
        if process is None or not process.is_zombie or process.ppid != own or pid in busy:
            continue
        # Those of a program that still runs are left to its supervisor, who counts them.
        if process.session not in (session, pid) and process.session not in busy and _read_tag(pid) not in _taken:
            yield pid


def _read_tag(pid: int) -> int | None:
    try:
        return resource.prlimit(pid, resource.RLIMIT_CORE)[1]
    except (PermissionError, ProcessLookupError):
        return None


def _collect(pid: int) -> resource.struct_rusage | None:
    with _roots_lock:
        if pid in _roots:
            return None
    try:
        got, _, used = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return used if got == pid else None


def _wait_for_end(processes: list[Process], until: float) -> None:
    while time.monotonic() < until and any(is_alive(process) for process in processes):
        time.sleep(0.005)


def _is_same(now: Process | None, then: Process) -> bool:
    return now is not None and now.started == then.started


def _read_environment(pid: int) -> bytes | None:
    if not IS_LINUX:
        try:
            return b"".join(f"{k}={v}\0".encode() for k, v in psutil.Process(pid).environ().items())
        except (psutil.Error, OSError):
            return None
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return None
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            return file.read()
    except OSError:
        # Gone, or it may not be read (another user's, set-uid): not ours either way.
        return None


def _look_with_psutil(pid: int) -> Process | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Process(
                pid,
                int(process.create_time() * 100),
                process.ppid(),
                os.getpgid(pid),
                os.getsid(pid),
                process.status() == psutil.STATUS_ZOMBIE,
                times.user + times.system,
            )
    except (psutil.Error, ProcessLookupError, PermissionError):
        return None
