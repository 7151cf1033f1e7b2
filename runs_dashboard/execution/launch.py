"""How a program is started: checks before, its pipes, and the launcher that ties it to the calling thread.

The program is started through setpriv(1), which asks the kernel to kill it when the thread that started it
dies (prctl(2), PR_SET_PDEATHSIG; a set-uid program drops that). A launcher and not `preexec_fn`, because
forking a threaded interpreter may deadlock the child and, measured in a worker of 150 MB, takes 10 ms with
the interpreter locked; a plain vfork takes 0.9 ms, with setpriv 2.2 ms. prlimit(1) before it sets what must
hold from the first instruction on, for 0.9 ms more.
"""

import errno
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from fcntl import fcntl

from .proctree import IS_LINUX

PIPE_SIZE = 256 * 1024  # 64 pages of the 16,384 that an unprivileged user may have in pipes

_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ, absent before Python 3.10 and off Linux
_SETPRIV = shutil.which("setpriv", path="/usr/bin:/bin:/usr/local/bin") if IS_LINUX else None
_PRLIMIT = shutil.which("prlimit", path="/usr/bin:/bin:/usr/local/bin") if IS_LINUX else None
# Where util-linux is missing the interpreter does the launchers' work, for about 12 ms more.
_LAUNCHER = """
import ctypes, os, resource, sys
at = sys.argv.index("--")
for name, value in (word[2:].split("=") for word in sys.argv[1:at]):
    soft, _, hard = value.partition(":")
    resource.setrlimit(getattr(resource, "RLIMIT_" + name.upper()), (int(soft), int(hard or soft)))
ctypes.CDLL(None).prctl(1, 9)
try:
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])
except OSError as error:
    sys.exit(f"cannot start {sys.argv[at + 1]}: {error.strerror}")
"""


class CannotStart(Exception):
    """The program could not be started; the message says why, in plain words."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of each process of a program (setrlimit(2)); None leaves what the worker has. Sizes in bytes."""

    address_space: int | None = None
    open_files: int | None = None
    file_size: int | None = None
    processes: int | None = None  # counts every process of the user, not of the program alone


def start(
    argv: list[str], env: dict[str, str], cwd: str, limits: Limits, tag: int | None
) -> tuple[subprocess.Popen, dict[str, int]]:
    """Start `argv` in a session of its own; it and the reading ends (not blocking) of "stdout" and "stderr".

    `tag` becomes the hard limit of core dumps (see `proctree`). Raises CannotStart.
    """
    _check(argv, env, cwd)
    ends = {name: os.pipe() for name in ("stdout", "stderr")}
    try:
        for read_end, _ in ends.values():
            os.set_blocking(read_end, False)
            _widen(read_end)
        child = subprocess.Popen(
            [*_launcher(limits, tag), *argv],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=ends["stdout"][1],
            stderr=ends["stderr"][1],
            start_new_session=True,
        )
    except BaseException as error:
        for read_end, _ in ends.values():
            os.close(read_end)
        if isinstance(error, OSError):
            raise CannotStart(_explain(error, argv[0], cwd)) from error
        raise
    finally:
        for _, write_end in ends.values():
            os.close(write_end)
    return child, {name: read_end for name, (read_end, _) in ends.items()}


def _launcher(limits: Limits, tag: int | None) -> list[str]:
    wanted = {
        "core": None if tag is None else f"0:{tag}",
        "as": limits.address_space,
        "nofile": limits.open_files,
        "fsize": limits.file_size,
        "nproc": limits.processes,
    }
    named = [f"--{name}={value}" for name, value in wanted.items() if value is not None]
    if not IS_LINUX:
        if named:
            raise CannotStart("limits of a program are known on Linux only")
        return []
    if _PRLIMIT is None or _SETPRIV is None:
        return [sys.executable, "-I", "-S", "-c", _LAUNCHER, *named, "--"]
    return [*([_PRLIMIT, *named, "--"] if named else []), _SETPRIV, "--pdeathsig", "KILL", "--"]


def _check(argv: list[str], env: dict[str, str], cwd: str) -> None:
    """Refuse what exec would refuse: behind the launcher its error would look like the program's own."""
    if not argv or not argv[0]:
        raise CannotStart("there is no program to start: the command is empty")
    if any("\0" in argument for argument in argv):
        raise CannotStart("an argument holds a NUL character, which no program can be given")
    for name, value in env.items():
        if "\0" in name or "\0" in value or "=" in name or not name:
            raise CannotStart(f"the environment variable {name!r} has a NUL character, or a name that cannot be")
    if not os.path.isdir(cwd):
        raise CannotStart(f"the working folder {cwd} does not exist")
    path = _find_program(argv[0], env, cwd)
    try:
        with open(path, "rb") as file:
            start = file.read(256)
    except PermissionError:
        return  # may be run, may not be read
    if start.startswith(b"#!"):
        words = start[2:].split(b"\n", 1)[0].split()
        interpreter = os.path.join(cwd, os.fsdecode(words[0])) if words else ""
        if not _is_program(interpreter):
            raise CannotStart(f"{path} asks for the interpreter {interpreter or '(none)'}, which does not exist")
    elif IS_LINUX and not start.startswith(b"\x7fELF"):
        raise CannotStart(f"{path} is not a program: it is no binary and has no first line #!")


def _find_program(name: str, env: dict[str, str], cwd: str) -> str:
    if "/" in name:
        path = os.path.join(cwd, name)
        if not os.path.exists(path):
            raise CannotStart(f"there is no program {name}")
        if not _is_program(path):
            raise CannotStart(f"{name} may not be executed")
        return path
    found = [os.path.join(cwd, folder, name) for folder in env.get("PATH", "/bin:/usr/bin").split(":")]
    for path in found:
        if _is_program(path):
            return path
    if any(os.path.isfile(path) for path in found):
        raise CannotStart(f"{name} may not be executed")
    raise CannotStart(f"there is no program {name} on the PATH")


def _is_program(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _explain(error: OSError, name: str, cwd: str) -> str:
    if error.errno == errno.E2BIG:
        return "the arguments and the environment are too long for this system"
    if error.filename == cwd:
        return f"the working folder {cwd} cannot be entered: {error.strerror}"
    if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return f"this machine has no room for another program: {error.strerror}"
    return f"{name} cannot be started: {error.strerror}"


def _widen(fd: int) -> None:
    if IS_LINUX:
        try:
            fcntl(fd, _F_SETPIPE_SZ, PIPE_SIZE)
        except PermissionError:
            return  # this user's pipes have all the memory they may have: the usual size will do
