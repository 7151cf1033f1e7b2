"""Which installation the processes on this machine belong to, and which process a worker is."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from . import proctree

if TYPE_CHECKING:
    from ..models import Run, Worker

NAME_MAX = 60


@cache
def host() -> str:
    """This machine's name; of containers that share one, each has a name of its own, as its processes are its own."""
    name = platform.node()[:NAME_MAX]
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return name
    return name if namespace == _FIRST_NAMESPACE else f"{name}-{namespace}"


_FIRST_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h


def make_worker_name() -> str:
    """A name for this process as a worker: no other process has had it, whatever the clock says."""
    own = proctree.look_at(os.getpid())
    return f"{host()}-{secrets.token_hex(2)}-{os.getpid()}-{own.started if own else 0}"


def is_running(worker: Worker) -> bool:
    """Whether a worker of this machine lives. Its number alone may be another process's by now."""
    process = proctree.look_at(worker.pid)
    return process is not None and not process.is_zombie and worker.name.endswith(f"-{worker.pid}-{process.started}")


@cache
def instance_prefix() -> str:
    """The beginning of every scope of this installation: a name for its database."""
    database = settings.DATABASES["default"]
    parts = [str(database.get(name) or "") for name in ("ENGINE", "HOST", "PORT", "NAME")]
    return "rd-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12] + ":"


def scope_of(run: Run) -> str:
    """The mark that every process of this claim of this run carries in its environment."""
    return f"{instance_prefix()}{run.pk}:{run.token}"


def read_scope(scope: str) -> tuple[int, int] | None:
    """The run's primary key and token of a scope of this installation."""
    prefix = instance_prefix()
    parts = scope.removeprefix(prefix).split(":")
    if not scope.startswith(prefix) or len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    return int(parts[0]), int(parts[1])
