"""`approval`: the run is paused until somebody resumes it. No worker waits meanwhile."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ...models import Status, Step
from ..control import StopAsked
from ..patience import patiently
from .task import Result, Task


class Paused(Exception):
    """The run has been given out of the worker's hands."""


def perform(task: Task) -> Result:
    """Pauses the run; Run.resume ends the step and puts the run back into the queue. Always raises Paused."""
    if message := task.options.get("message"):
        task.log.write(str(message))
    task.log.close()
    patiently(lambda: _pause(task))
    raise Paused


def _pause(task: Task) -> None:
    until = timezone.now() + timedelta(seconds=task.definition.timeout) if task.definition.timeout else None
    with transaction.atomic():
        task.run.pause(token=task.log.token, until=until)
        if task.run.stop_requested_at is not None:
            raise StopAsked  # asked for a moment ago: nobody would pass it on to a paused run
        Step.across_tenants.filter(pk=task.step.pk).update(status=Status.PAUSED, **task.log.counts())
