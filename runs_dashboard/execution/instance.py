"""Which installation the processes on this machine belong to."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from ..models import Run

HOST = platform.node()


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
