"""The Celery application of the distributed engine (BROKER_URL). A message is a run's number and nothing else."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")

app = Celery("runs_dashboard", broker=settings.BROKER_URL or "memory://")
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a broker that is away only delays
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_enable_remote_control=False,
    broker_transport_options={
        "visibility_timeout": 12 * 3600,  # seconds; the lease decides, a redelivery is refused by the claim
        # A page that starts a run does not wait for a broker that is away: the worker's own look finds the run.
        "socket_connect_timeout": 1.0,
        "max_retries": 0,
        "interval_start": 0.0,
        "interval_max": 0.1,
    },
    imports=["runs_dashboard.execution.tasks"],
    timezone="UTC",
)
