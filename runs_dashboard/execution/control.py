"""What the worker tells a run's thread: stop, lost, shutting down. Set by one thread, read by another."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ..models import LeaseLost
from .process import Stop

if TYPE_CHECKING:
    from collections.abc import Callable


class StopAsked(Exception):
    """Somebody asked for the run's stop, and nothing of the current step is alive any more."""


class Interrupted(Exception):
    """The worker is being shut down and its grace is over; nothing of the current step is alive any more."""


class RunTimeout(Exception):
    """The run's own time is over; nothing of the current step is alive any more."""


class Control:
    """The signals of one run in this worker."""

    def __init__(
        self, give_slot: Callable[[], None] = lambda: None, take_slot: Callable[[], None] = lambda: None
    ) -> None:
        self._changed = threading.Condition()
        self._is_forced: bool | None = None
        self._is_lost = self._is_interrupted = False
        # A run that waits for a sub-run does not count among the worker's slots, or parents would block children.
        self.give_slot, self.take_slot = give_slot, take_slot

    def ask_stop(self, *, is_forced: bool) -> None:
        with self._changed:
            self._is_forced = is_forced or bool(self._is_forced)
            self._changed.notify_all()

    def lose(self) -> None:
        with self._changed:
            self._is_lost = True
            self._changed.notify_all()

    def interrupt(self) -> None:
        with self._changed:
            self._is_interrupted = True
            self._changed.notify_all()

    @property
    def is_stopping(self) -> bool:
        return self._is_forced is not None

    def read(self) -> Stop | None:
        """What a running program should be told. Raises LeaseLost."""
        if self._is_lost:
            raise LeaseLost("The run is not this worker's any more.")
        if self._is_forced is not None:
            return Stop(force=self._is_forced, reason="stopped")
        if self._is_interrupted:
            return Stop(force=False, reason="interrupted")
        return None

    def check(self) -> None:
        """Raises what there is to be told: LeaseLost, StopAsked, Interrupted."""
        stop = self.read()
        if stop is not None:
            raise Interrupted if stop.reason == "interrupted" else StopAsked

    def wait(self, seconds: float) -> None:
        """Waits, unless told something; then raises it."""
        end = time.monotonic() + seconds
        with self._changed:
            while (left := end - time.monotonic()) > 0:
                self.check()
                self._changed.wait(left)
        self.check()
