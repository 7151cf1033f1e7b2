"""What a message of the distributed engine does: it names a run, the claim decides. A doubled one does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..celery import app
from ..models import Run
from .patience import let_go

if TYPE_CHECKING:
    from .worker import EmbeddedWorker

_serving: list[EmbeddedWorker] = []


def serve_with(worker: EmbeddedWorker) -> None:
    """Says which worker of this process executes what messages name."""
    _serving[:] = [worker]


@app.task(name="runs_dashboard.execute_run")
def execute_run(run_pk: int) -> None:
    """Executes the run, if it still waits, for as long as it takes up a slot: Celery brings no more than fit."""
    (worker,) = _serving
    if worker.is_draining:
        return  # another worker finds the run when it has waited for a while
    run = Run.across_tenants.claim(worker=worker.name, only=run_pk)
    let_go()
    if run is not None:
        worker.begin(run).wait_off_slot()
