"""What every worker does beside executing runs: close what others left, start what is due, make files."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseError

from ..models import BulkAction, Purge, count_storage, fold, fold_failures, index_pending, keep_statistics
from .downloads import make_next
from .reaper import expire_dead_workers, forget_old_workers, reap, sweep_folders, sweep_processes
from .retry_calls import call_next
from .scheduler import start_due

if TYPE_CHECKING:
    from collections.abc import Callable

    from .worker import EmbeddedWorker

HOUSEKEEPING_SECONDS = 1.0
SWEEP_SECONDS = 30.0
DOWNLOAD_LOOK_SECONDS = 0.3
CALL_LOOK_SECONDS = 1.0
BULK_LOOK_SECONDS = 0.2
STORAGE_SECONDS = 60.0
COUNT_FOR_SECONDS = 5.0
RETENTION_LOOK_SECONDS = 60.0
INDEX_SECONDS = 1.0
STATISTICS_SECONDS = 3_600.0
INDEX_FOR_SECONDS = 0.5
FOLD_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Housekeeping:
    """The chores of one worker's threads."""

    def __init__(self, worker: EmbeddedWorker) -> None:
        self.worker = worker
        self.swept_at = self.trusted_from = 0.0

    def open(self) -> None:
        """Before the first run: nothing of a dead worker of this machine stays."""
        expire_dead_workers()
        reap()
        self._sweep()

    def chores(self) -> list[tuple[str, Callable[[], None], float]]:
        """Each chore's name, its work, and the seconds between two times."""
        return [
            ("housekeeping", self._keep_house, HOUSEKEEPING_SECONDS),
            ("downloads", self._make_downloads, DOWNLOAD_LOOK_SECONDS),
            ("retry calls", self._call_engines, CALL_LOOK_SECONDS),
            ("bulk", self._act_in_bulk, BULK_LOOK_SECONDS),
            ("index", self._index, INDEX_SECONDS),
            ("storage", self._count_storage, STORAGE_SECONDS),
            ("retention", self._apply_retention, RETENTION_LOOK_SECONDS),
            ("statistics", keep_statistics, STATISTICS_SECONDS),
            ("roll-ups", self._fold, FOLD_SECONDS),
        ]

    def _keep_house(self) -> None:
        try:
            expire_dead_workers()
            if time.monotonic() >= self.trusted_from:
                reap(spare=set(self.worker.active))
            if not self.worker.is_draining:
                start_due()
            if time.monotonic() - self.swept_at > SWEEP_SECONDS:
                self._sweep()
        except DatabaseError:
            # Nobody could renew a lease meanwhile: living workers get time to, before their runs are taken for lost.
            self.trusted_from = time.monotonic() + settings.LEASE_SECONDS
            raise

    def _sweep(self) -> None:
        sweep_processes()
        sweep_folders()
        forget_old_workers()
        self.swept_at = time.monotonic()

    def _make_downloads(self) -> None:
        while not self.worker.is_draining and make_next(self.worker.name):
            continue

    def _call_engines(self) -> None:
        """Asks engines for the retries of runs that they reported."""
        while not self.worker.is_draining and call_next(self.worker.name, lambda: self.worker.is_draining):
            continue

    def _act_in_bulk(self) -> None:
        """Goes on with bulk actions, and lets others have as long a turn in between: SQLite's one lock is not fair."""
        while not self.worker.is_draining:
            began = time.monotonic()
            if not BulkAction.across_tenants.act_next():
                return
            time.sleep(time.monotonic() - began)

    def _index(self) -> None:
        """Puts the words of sealed chunks into the index, a little at a time: writers come first."""
        while not self.worker.is_draining and index_pending(INDEX_FOR_SECONDS):
            continue

    def _count_storage(self) -> None:
        if not self.worker.is_draining:
            count_storage(COUNT_FOR_SECONDS)

    def _apply_retention(self) -> None:
        """Deletes what the rules no longer keep, once an hour; what a drained worker leaves is for the next hour."""
        if not self.worker.is_draining:
            purged = Purge.apply_due(should_stop=lambda: self.worker.is_draining)
            if purged is not None and purged.runs:
                logger.info("Retention has deleted %s runs with %s bytes of log.", purged.runs, purged.log_bytes)

    def _fold(self) -> None:
        """Adds what changed to the roll-ups, and to the groups of failures."""
        while not self.worker.is_draining and fold():
            continue
        while not self.worker.is_draining and fold_failures():
            continue
