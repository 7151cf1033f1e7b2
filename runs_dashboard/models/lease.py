"""Leases and fencing tokens: how a worker owns a row, and how it loses it (DESIGN invariant 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


def lease_end() -> models.expressions.CombinedExpression:
    """One lease from now, by the database's clock: the workers' own may differ."""
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)


class LeaseQuerySet(models.QuerySet):
    def leased(self, worker: str) -> Self:
        return self.filter(worker=worker)

    def lapsed(self) -> Self:
        """Rows whose worker has been silent for longer than its lease."""
        return self.exclude(worker="").filter(lease_until__lt=Now())

    def beat(self, worker: str) -> int:
        """Renews all leases of a worker in one statement; a lapsed lease that nobody took is renewed too.

        Returns how many rows it still holds.
        """
        return self.leased(worker).update(lease_until=lease_end())


class Leased(models.Model):
    """A row that one worker at a time works on. token grows by one at each claim: an older token writes nothing."""

    worker = models.CharField(max_length=100, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    token = models.BigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
