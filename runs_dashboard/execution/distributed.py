"""The distributed engine's worker: Celery brings the rings, our own worker does the work.

Celery's part runs in a thread and without its own signals, so that a drain is the same as without it. A message only
says which run waits; the claim decides. What no message came for (a broker that forgot it, or is away) is found
after a few seconds by a look at the queue itself.
"""

from __future__ import annotations

import logging
import signal
import threading
import time

from celery.worker import state

from ..celery import app
from .instance import host
from .tasks import serve_with
from .worker import EmbeddedWorker

logger = logging.getLogger(__name__)

LOST_SECONDS = 5.0  # a run that waits for longer has no message, or one behind many others
LOOK_SECONDS = 0.05


class CeleryEnded(Exception):
    """Celery's part ended by itself: the process starts anew, with all of its parts."""


def run_distributed_worker() -> None:
    """Works until SIGTERM or SIGINT, then drains. Raises CeleryEnded."""
    worker = EmbeddedWorker()

    def end(number: int, frame: object) -> None:
        worker.drain()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    worker.begin_work()
    worker.start_thread("lost messages", lambda: _sweep(worker), 1.0)
    serve_with(worker)
    celery = threading.Thread(target=_consume, args=(worker,), name="celery", daemon=True)
    celery.start()
    while not worker.is_draining and celery.is_alive():
        time.sleep(LOOK_SECONDS)
    has_ended = not celery.is_alive()
    worker.drain() if has_ended else None
    state.should_stop = 0  # takes no more messages; those that wait here go back to the broker
    worker.end_work()
    celery.join(LOOK_SECONDS * 100)
    if has_ended:
        raise CeleryEnded("Celery's part of the worker has ended by itself.")


def _consume(worker: EmbeddedWorker) -> None:
    app.WorkController(
        pool="threads",
        concurrency=worker.slots,
        hostname=f"celery@{host()}-{worker.name.rsplit('-', 2)[1]}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


def _sweep(worker: EmbeddedWorker) -> None:
    while worker.claim_one(waiting_for=LOST_SECONDS):
        continue
