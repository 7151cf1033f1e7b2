"""`approval`: the run is paused until somebody resumes it. No worker waits meanwhile."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ...models import Status, Step
from .task import Result, Task


class Paused(Exception):
    """The run has been given out of the worker's hands."""


def perform(task: Task) -> Result:
    """Pauses the run; Run.resume ends the step and puts the run back into the queue. Always raises Paused."""
    until = timezone.now() + timedelta(seconds=task.definition.timeout) if task.definition.timeout else None
    message = task.options.get("message")
    if message:
        task.log.write(str(message))
    Step.across_tenants.filter(pk=task.step.pk).update(status=Status.PAUSED, **task.log.counts())
    task.run.pause(token=task.log.token, until=until)
    raise Paused
