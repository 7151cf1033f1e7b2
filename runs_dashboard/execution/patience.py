"""The database may be away for a while: what must reach it waits, and who waits holds no connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from django.db import InterfaceError, OperationalError, connection

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 300.0
AGAIN_SECONDS = 0.2
AWAY = (OperationalError, InterfaceError)  # what Django raises when the database cannot be reached, or is locked

Answer = TypeVar("Answer")


def patiently(act: Callable[[], Answer], *, seconds: float = PATIENCE_SECONDS) -> Answer:
    """Does what needs the database, again and again while it is away. act: one transaction. Returns its answer.

    Raises what the database says when it has been away for so many seconds.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return act()
        except AWAY:
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            connection.close()
        time.sleep(AGAIN_SECONDS)


def let_go() -> None:
    """Before a thread waits: gives its connection back to PostgreSQL's pool. SQLite's takes nothing from anybody."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()
