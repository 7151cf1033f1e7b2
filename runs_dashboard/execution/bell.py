"""How an idle worker waits: short on the clock, cheap on the database."""

from __future__ import annotations

import threading
import time

from django.db import OperationalError, connection

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
        self._is_listening = False

    def strike(self) -> None:
        self._struck.set()

    def wait(self, seconds: float = SURE_SECONDS) -> None:
        """Returns when there may be something to do, at the latest after `seconds`."""
        if connection.vendor == "postgresql":
            self._listen(seconds)
        else:
            self._watch(seconds)
        self._struck.clear()

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._struck.is_set():
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA data_version")
                version = cursor.fetchone()[0]
            if version != self._version:
                self._version = version
                return
            if time.monotonic() >= end or self._struck.wait(LOOK_SECONDS):
                return

    def _listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        try:
            if not self._is_listening or connection.connection is None:
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {QUEUE_CHANNEL}")
                self._is_listening = True
                return  # what was queued before we listened is found by the look that follows
            while not self._struck.is_set() and time.monotonic() < end:
                # Short, since a strike of another thread must be heard too.
                for _ in connection.connection.notifies(timeout=LOOK_SECONDS * 2, stop_after=1):
                    return
        except OperationalError:
            self._is_listening = False
            raise
