"""The doorbell: tells an executor that a row waits, and open pages that something changed. The row is the truth.

Knows the database's notifications and Celery's message by name; knows no model, so that models may ring.
"""

import logging

from django.conf import settings
from django.db import connection, transaction

QUEUE_CHANNEL = "runs_dashboard_queue"
LIVE_CHANNEL = "runs_dashboard_live"
logger = logging.getLogger(__name__)


def ring(run_pk: int) -> None:
    """A run waits in the queue. Call it inside the transaction that makes it wait; it rings after the commit.

    A lost ring delays a run until the worker's next look, a doubled one does nothing.
    """
    _notify(QUEUE_CHANNEL, str(run_pk))
    if settings.BROKER_URL:
        transaction.on_commit(lambda: _send(run_pk))


def announce(run_pk: int) -> None:
    """Something of a run changed (status, lines): PostgreSQL tells every process's hub, SQLite is read by it."""
    _notify(LIVE_CHANNEL, str(run_pk))


def _notify(channel: str, payload: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # delivered at commit, once per transaction and payload
            cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


def _send(run_pk: int) -> None:
    from kombu.exceptions import OperationalError  # imported late: the embedded product never loads Celery

    from .celery import app

    try:
        app.send_task("runs_dashboard.execute_run", [run_pk], retry=False)
    except OperationalError as error:  # the sweeper finds the run
        logger.warning("The broker does not answer (%s): run %s starts at the next sweep.", error, run_pk)
