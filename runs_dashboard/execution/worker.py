"""The embedded worker: claims runs, executes each in a thread, keeps their leases, reaps, schedules, drains."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import signal
import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from ..models import Run, Status, Worker
from .bell import Bell
from .control import Control
from .downloads import make_next
from .engine import execute
from .instance import HOST
from .process import become_subreaper
from .reaper import expire_dead_workers, reap, sweep_processes
from .scheduler import start_due

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

STOP_LOOK_SECONDS = 0.1
HOUSEKEEPING_SECONDS = 1.0
SWEEP_SECONDS = 30.0
DOWNLOAD_LOOK_SECONDS = 0.3


class EmbeddedWorker:
    """One process that executes runs. `run` works until `drain` is called."""

    def __init__(self, *, slots: int | None = None, takes_from_queue: bool = True) -> None:
        self.name = f"{HOST}-{os.getpid()}-{secrets.token_hex(3)}"
        self.slots = slots or settings.WORKER_SLOTS
        self.takes_from_queue = takes_from_queue
        self.bell = Bell()
        self.lock = threading.Lock()
        self.active: dict[int, tuple[int, Control]] = {}  # run → its token and control
        self.busy = 0  # runs that count among the slots
        self.idle_threads = 0
        self.work: queue.SimpleQueue[tuple[Run, Control]] = queue.SimpleQueue()
        self.is_draining = threading.Event()
        self.is_done = threading.Event()
        self.row: Worker | None = None

    # --- the main thread ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Works until drained. Returns when nothing of any run is alive."""
        become_subreaper()
        self.start_housekeeping()
        while not self.is_draining.is_set():
            try:
                if not self._claim_one():
                    self.bell.wait()
            except DatabaseError as error:
                logger.warning("The database does not answer: %s", str(error).strip())
                connection.close()
                self.is_draining.wait(1.0)
        self._drain()

    def start_housekeeping(self) -> None:
        """Registers the worker, closes what a dead one left, and starts the threads that keep leases and time."""
        self.row = Worker.objects.create(
            name=self.name, host=HOST, pid=os.getpid(), slots=self.slots, seen_at=timezone.now()
        )
        expire_dead_workers()
        sweep_processes()
        reap()
        threads = [("beat", self._beat, STOP_LOOK_SECONDS), ("housekeeping", self._keep_house, HOUSEKEEPING_SECONDS)]
        threads.append(("downloads", self._make_downloads, DOWNLOAD_LOOK_SECONDS))
        for name, work, seconds in threads:
            threading.Thread(target=self._repeat, args=(work, seconds), name=name, daemon=True).start()

    def drain(self) -> None:
        """No new run starts; running ones get their grace. Safe to call from a signal handler, and twice."""
        if self.is_draining.is_set():
            self.interrupt_all()
        self.is_draining.set()
        self.bell.strike()

    def interrupt_all(self) -> None:
        for _, control in list(self.active.values()):
            control.interrupt()

    def _drain(self) -> None:
        end = time.monotonic() + settings.DRAIN_SECONDS
        if self.active:
            logger.info("Draining: %d runs get %g s to end.", len(self.active), settings.DRAIN_SECONDS)
        while self.active and time.monotonic() < end:
            self.is_done.wait(0.05)
        self.interrupt_all()
        while self.active:
            self.is_done.wait(0.05)
        self.is_done.set()
        Worker.objects.filter(name=self.name).delete()

    def _claim_one(self) -> bool:
        if not self.takes_from_queue or self.busy >= self.slots:
            return False
        run = Run.across_tenants.claim(worker=self.name)
        if run is None:
            return False
        self.begin(run)
        return True

    # --- runs -----------------------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """Hands a claimed run to a thread."""
        with self.lock:
            control = self._hold(run)
            needs_thread = self.idle_threads < self.work.qsize() + 1
            self.work.put((run, control))
        if needs_thread:
            threading.Thread(target=self._work, name="run", daemon=True).start()

    def execute_here(self, run: Run) -> None:
        """Executes a claimed run in the calling thread."""
        with self.lock:
            control = self._hold(run)
        self._execute(run, control)

    def _hold(self, run: Run) -> Control:
        control = Control(give_slot=lambda: self._count(-1), take_slot=lambda: self._count(1))
        self.active[run.pk] = (run.token, control)
        self.busy += 1
        return control

    def _execute(self, run: Run, control: Control) -> None:
        try:
            execute(run, control)
        finally:
            with self.lock:
                # A run that was paused and resumed may be held anew already.
                if self.active.get(run.pk, (0, None))[1] is control:
                    del self.active[run.pk]
                self.busy -= 1
            self.bell.strike()

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
                run, control = self.work.get(timeout=30)
            except queue.Empty:
                with self.lock:
                    if not self.work.empty():
                        continue  # handed over in the moment that this thread gave up
                    self.idle_threads -= 1
                connection.close()
                return
            with self.lock:
                self.idle_threads -= 1
            close_old_connections()
            try:
                self._execute(run, control)
            except DatabaseError:
                # The lease says what becomes of the run; this thread must live on for the next.
                logger.exception("Run %s: the database failed at its end.", run.uid)
                connection.close()
            with self.lock:
                self.idle_threads += 1

    # --- the other threads ------------------------------------------------------------------------------------------

    def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        while not self.is_done.is_set():
            try:
                work()
            except DatabaseError as error:
                logger.warning("The database does not answer: %s", str(error).strip())
                connection.close()
                self.is_done.wait(1.0)
            self.is_done.wait(seconds)
        connection.close()

    _beaten_at = 0.0

    def _beat(self) -> None:
        """Passes stops on at once, renews the leases in time, notices what was taken away."""
        if self.active:
            for pk, is_forced in Run.across_tenants.stop_requested(self.name).items():
                if (entry := self.active.get(pk)) is not None:
                    entry[1].ask_stop(is_forced=is_forced)
        if time.monotonic() - self._beaten_at < settings.BEAT_SECONDS:
            return
        known = dict(self.active)
        Run.across_tenants.beat(self.name)
        held = dict(Run.across_tenants.filter(worker=self.name, status=Status.RUNNING).values_list("pk", "token"))
        for pk, (token, control) in known.items():
            # A run that paused or ended a moment ago is not held either; telling its control does nothing then.
            if held.get(pk) != token:
                control.lose()
        Worker.objects.filter(name=self.name).update(
            seen_at=timezone.now(), busy=self.busy, is_draining=self.is_draining.is_set()
        )
        self._beaten_at = time.monotonic()

    _swept_at = 0.0

    def _keep_house(self) -> None:
        expire_dead_workers()
        reap()
        if not self.is_draining.is_set():
            start_due()
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            sweep_processes()
            self._swept_at = time.monotonic()

    def _make_downloads(self) -> None:
        while not self.is_draining.is_set() and make_next(self.name):
            continue


def run_worker() -> None:
    """Runs a worker in this process until SIGTERM or SIGINT, then drains; a second signal cuts the grace short."""
    worker = EmbeddedWorker()

    def end(number: int, frame: object) -> None:
        worker.drain()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    worker.run()
