"""How an idle worker waits: short on the clock, cheap on the database."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection

from ..dispatch import QUEUE_CHANNEL

LOOK_SECONDS = 0.02
SURE_SECONDS = 1.0  # looks at the queue anyway, whatever was heard


class Bell:
    """Rings when the database changed (SQLite: PRAGMA data_version) or a run was queued (PostgreSQL: LISTEN).

    Used by one thread, with that thread's own connection. `strike` may be called from any thread.
    """

    def __init__(self) -> None:
        self._struck = threading.Event()
        self._version: int | None = None
        self._listening: Any = None  # the driver's connection that hears the notifications

    def strike(self) -> None:
        self._struck.set()

    def wait(self, seconds: float | None = None) -> None:
        """Returns when there may be something to do, at the latest after `seconds` (a second)."""
        seconds = SURE_SECONDS if seconds is None else seconds
        if connection.vendor == "postgresql":
            self._listen(seconds)
        else:
            self._watch(seconds)
        self._struck.clear()

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._struck.is_set():
            connection.ensure_connection()
            # The driver's own call, a twentieth of a query by Django: an idle worker makes fifty a second.
            with connection.wrap_database_errors:
                version = connection.connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                return
            if time.monotonic() >= end or self._struck.wait(LOOK_SECONDS):
                return

    def _listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        if connection.connection is None or connection.connection is not self._listening:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {QUEUE_CHANNEL}")
            self._listening = connection.connection
            return  # what was queued before we listened is found by the look that follows
        # The driver's own call: its errors become Django's here.
        with connection.wrap_database_errors:
            while not self._struck.is_set() and time.monotonic() < end:
                # Short, since a strike of another thread must be heard too.
                for _ in connection.connection.notifies(timeout=LOOK_SECONDS * 2, stop_after=1):
                    return
