"""What the worker tells a run's thread: stop, lost, shutting down. Set by one thread, read by another."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ..models import LeaseLost
from .patience import let_go
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
        self._is_lost = False
        self._kill_at: float | None = None  # by the monotonic clock: the end of what an interrupt leaves
        # A run that waits for a sub-run does not count among the worker's slots, or parents would block children.
        self._give_slot, self._take_slot = give_slot, take_slot
        self._is_off_slot = threading.Event()

    def give_slot(self) -> None:
        """The run only waits now: another may be executed in its place."""
        self._give_slot()
        self._is_off_slot.set()

    def take_slot(self) -> None:
        """The run goes on, even if that is one too many for a while."""
        self._take_slot()

    def end(self) -> None:
        """The worker is done with the run."""
        self._is_off_slot.set()

    def wait_off_slot(self) -> None:
        """Waits until the run has ended, or has given its slot away."""
        self._is_off_slot.wait()

    def ask_stop(self, *, is_forced: bool) -> None:
        with self._changed:
            self._is_forced = is_forced or bool(self._is_forced)
            self._changed.notify_all()

    def lose(self) -> None:
        with self._changed:
            self._is_lost = True
            self._changed.notify_all()

    def interrupt(self, grace: float) -> None:
        """The worker ends. grace: seconds that a program gets between SIGTERM and SIGKILL."""
        kill_at = time.monotonic() + grace
        with self._changed:
            self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
            self._changed.notify_all()

    @property
    def is_stopping(self) -> bool:
        return self._is_forced is not None

    @property
    def is_interrupted(self) -> bool:
        return self._kill_at is not None

    def read(self) -> Stop | None:
        """What a running program should be told. Raises LeaseLost."""
        if self._is_lost:
            raise LeaseLost("The run is not this worker's any more.")
        if self._kill_at is not None:
            is_over = time.monotonic() >= self._kill_at
            return Stop(force=is_over or bool(self._is_forced), reason="interrupted")
        if self._is_forced is not None:
            return Stop(force=self._is_forced, reason="stopped")
        return None

    def check(self) -> None:
        """Raises what there is to be told: LeaseLost, StopAsked, Interrupted."""
        if self.read() is not None:
            raise StopAsked if self.is_stopping else Interrupted

    def wait(self, seconds: float) -> None:
        """Waits, unless told something; then raises it."""
        let_go()
        end = time.monotonic() + seconds
        with self._changed:
            while (left := end - time.monotonic()) > 0:
                self.check()
                self._changed.wait(left)
        self.check()
