"""The worker: executes claimed runs in threads, keeps their leases, and drains. `Housekeeping` does the rest."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now

from ..models import Run, Status, Worker
from .bell import Bell
from .control import Control
from .engine import execute
from .housekeeping import Housekeeping
from .instance import host, make_worker_name
from .patience import let_go
from .process import become_subreaper

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

STOP_LOOK_SECONDS = 0.1
LOOK_SECONDS = 0.05
IDLE_THREAD_SECONDS = 30.0
# What a program gets between SIGTERM and SIGKILL once the drain's own time is over, and after a second signal.
INTERRUPT_GRACE_SECONDS = 4.0
HURRIED_GRACE_SECONDS = 1.0


class EmbeddedWorker:
    """One process that executes runs. `run` works until `drain` is called."""

    def __init__(self, *, slots: int | None = None) -> None:
        self.name = make_worker_name()
        self.slots = slots or settings.WORKER_SLOTS
        self.bell = Bell()
        self.lock = threading.Lock()
        self.active: dict[int, tuple[int, Control]] = {}  # run → its token and control
        self.busy = 0  # runs that count among the slots
        self.idle_threads = 0
        self.work: queue.SimpleQueue[tuple[Run, Control] | None] = queue.SimpleQueue()
        self.drains_asked = 0
        self.is_done = threading.Event()
        self.threads: list[threading.Thread] = []
        self.beaten_at = 0.0

    # --- the main thread ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Works until drained. Returns when nothing of any run is alive."""
        self.begin_work()
        while not self.is_draining:
            try:
                if not self.claim_one():
                    self.bell.wait()
            except DatabaseError as error:
                logger.warning("The database does not answer: %s", str(error).strip())
                connection.close()
                time.sleep(LOOK_SECONDS * 4)
            except Exception:
                # The runs that are being executed must not die of one that cannot be claimed.
                logger.exception("A run could not be claimed; the worker goes on.")
                time.sleep(1.0)  # what fails at once would fill the log
        self.end_work()

    def begin_work(self) -> None:
        """Registers the worker, closes what a dead one left, and starts the threads that keep leases and time."""
        become_subreaper()
        Worker.objects.create(name=self.name, host=host(), pid=os.getpid(), slots=self.slots, seen_at=Now())
        house = Housekeeping(self)
        house.open()
        for name, work, seconds in [("beat", self._beat, STOP_LOOK_SECONDS), *house.chores()]:
            self.start_thread(name, work, seconds)

    def start_thread(self, name: str, work: Callable[[], None], seconds: float) -> None:
        """Does the work again and again, with so many seconds between, until the worker ends."""
        thread = threading.Thread(target=self._repeat, args=(work, seconds), name=name, daemon=True)
        thread.start()
        self.threads.append(thread)

    def drain(self) -> None:
        """No new run starts, running ones get their grace; asked again, they get less. Safe in a signal handler."""
        # A plain number: a signal handler that took a lock could wait for the very code that it interrupted.
        self.drains_asked += 1

    @property
    def is_draining(self) -> bool:
        return self.drains_asked > 0

    def end_work(self) -> None:
        """Lets running runs end, then ends them; returns when nothing of them is alive and the worker is signed off."""
        until = time.monotonic() + settings.DRAIN_SECONDS
        if self.active:
            logger.info("Draining: %d runs get %g s to end.", len(self.active), settings.DRAIN_SECONDS)
        while self.active:
            if self.drains_asked > 1:
                self._interrupt_all(HURRIED_GRACE_SECONDS)
            elif time.monotonic() >= until:
                self._interrupt_all(INTERRUPT_GRACE_SECONDS)
            time.sleep(LOOK_SECONDS)
        self.is_done.set()
        for _ in range(self.idle_threads):
            self.work.put(None)
        for thread in self.threads:
            thread.join(LOOK_SECONDS * 40)
        try:
            Worker.objects.filter(name=self.name).delete()
        except DatabaseError as error:
            logger.warning("The database does not answer, others will sign this worker off: %s", str(error).strip())
        connection.close()

    def _interrupt_all(self, grace: float) -> None:
        for _, control in list(self.active.values()):
            control.interrupt(grace)

    # --- runs -----------------------------------------------------------------------------------------------------

    def claim_one(self, *, waiting_for: float = 0.0) -> bool:
        """Claims a run and begins with it, if there is one and a slot is free. Returns whether it did."""
        if self.busy >= self.slots or self.is_draining:
            return False
        run = Run.across_tenants.claim(worker=self.name, waiting_for=waiting_for)
        if run is None:
            return False
        self.begin(run)
        return True

    def begin(self, run: Run) -> Control:
        """Hands a claimed run to a thread."""
        with self.lock:
            control = Control(give_slot=lambda: self._count(-1), take_slot=lambda: self._count(1))
            self.active[run.pk] = (run.token, control)
            self.busy += 1
            needs_thread = self.idle_threads < self.work.qsize() + 1
            self.work.put((run, control))
        if needs_thread:
            threading.Thread(target=self._work, name="run", daemon=True).start()
        return control

    def _count(self, change: int) -> None:
        with self.lock:
            self.busy += change
        self.bell.strike()

    def _work(self) -> None:
        """A thread that executes runs; it ends when it has been idle for a while."""
        with self.lock:
            self.idle_threads += 1
        while True:
            try:
                handed = self.work.get(timeout=IDLE_THREAD_SECONDS)
            except queue.Empty:
                handed = None
            with self.lock:
                if handed is None and not self.work.empty() and not self.is_done.is_set():
                    continue  # handed over in the moment that this thread gave up
                self.idle_threads -= 1
            if handed is None:
                connection.close()
                return
            run, control = handed
            try:
                execute(run, control)
            except Exception:
                # The run is let go: its lease will not be renewed, and the reaper closes it. The thread lives on.
                logger.exception("Run %s: its end could not be written.", run.uid)
                connection.close()
            let_go()
            with self.lock:
                self.idle_threads += 1
                self.busy -= 1
                # A run that was paused and resumed may be held anew already.
                if self.active.get(run.pk, (0, None))[1] is control:
                    del self.active[run.pk]
            control.end()
            self.bell.strike()

    # --- the other threads ------------------------------------------------------------------------------------------

    def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        while not self.is_done.is_set():
            try:
                work()
            except DatabaseError as error:
                logger.warning("The database does not answer: %s", str(error).strip())
                connection.close()
                self.is_done.wait(1.0)
            except Exception:
                # Without this thread no lease would be renewed and every run be lost: it must live on.
                logger.exception("%s failed and is tried again.", threading.current_thread().name)
                self.is_done.wait(1.0)
            let_go()
            self.is_done.wait(seconds)
        connection.close()

    def _beat(self) -> None:
        """Passes stops on at once, renews the leases in time, notices what was taken away."""
        if self.active:
            for pk, is_forced in Run.across_tenants.stop_requested(self.name).items():
                if (entry := self.active.get(pk)) is not None:
                    entry[1].ask_stop(is_forced=is_forced)
        if time.monotonic() - self.beaten_at < settings.BEAT_SECONDS:
            return
        known = dict(self.active)
        if known:
            # Only those that a thread works on: what it had to let go of must lapse.
            mine = Run.across_tenants.filter(pk__in=known)
            mine.beat(self.name)
            held = dict(mine.filter(worker=self.name, status=Status.RUNNING).values_list("pk", "token"))
            for pk, (token, control) in known.items():
                # A run that paused or ended a moment ago is not held either; telling its control does nothing then.
                if held.get(pk) != token:
                    control.lose()
        Worker.objects.filter(name=self.name).update(seen_at=Now(), busy=self.busy, is_draining=self.is_draining)
        self.beaten_at = time.monotonic()


def run_worker() -> None:
    """Runs a worker in this process until SIGTERM or SIGINT, then drains; a second signal cuts the grace short."""
    if settings.BROKER_URL:
        from .distributed import run_distributed_worker

        run_distributed_worker()
        return
    worker = EmbeddedWorker()

    def end(number: int, frame: object) -> None:
        worker.drain()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    worker.run()
