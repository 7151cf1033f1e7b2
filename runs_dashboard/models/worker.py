"""The workers that are alive, so that a page can say why a run waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class WorkerQuerySet(models.QuerySet):
    def alive(self) -> Self:
        return self.filter(seen_at__gt=Now() - timedelta(seconds=settings.LEASE_SECONDS))


class Worker(models.Model):
    """A process that executes runs. `name` is what its leases carry."""

    name = models.CharField(max_length=100, unique=True)
    host = models.CharField(max_length=100)
    pid = models.IntegerField()
    slots = models.PositiveIntegerField()
    busy = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()
    is_draining = models.BooleanField(default=False)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name
