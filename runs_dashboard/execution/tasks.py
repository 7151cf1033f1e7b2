"""The distributed engine: Celery delivers the ring, the claim decides. A doubled message does nothing."""

from __future__ import annotations

import threading

from ..celery import app
from ..models import Run
from .worker import EmbeddedWorker

_lock = threading.Lock()
_worker: EmbeddedWorker | None = None


def get_worker() -> EmbeddedWorker:
    """This process's worker: it keeps the leases of what Celery's threads execute, reaps and schedules."""
    global _worker
    with _lock:
        if _worker is None:
            _worker = EmbeddedWorker(takes_from_queue=False)
            _worker.start_housekeeping()
        return _worker


@app.task(name="runs_dashboard.execute_run")
def execute_run(run_pk: int) -> None:
    """Executes the run that a message names, if it still waits."""
    worker = get_worker()
    run = Run.across_tenants.claim(worker=worker.name, only=run_pk)
    if run is not None:
        worker.execute_here(run)
