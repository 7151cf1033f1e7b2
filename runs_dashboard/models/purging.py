"""When the retention rules were applied, so that of many workers one does it, once an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from .retention import purge

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = timedelta(hours=1)
KEPT = 24 * 30  # rows


class Purge(models.Model):
    """One application of the rules by a worker: of the machine, not of a tenant."""

    due_at = models.DateTimeField(unique=True)
    began_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    runs = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"purge of {self.due_at:%Y-%m-%d %H:%M}"

    @classmethod
    def apply_due(cls, should_stop: Callable[[], bool]) -> Purge | None:
        """Applies the rules unless that was done this hour, or is being done; None then."""
        due_at = last_due(timezone.now())
        if cls.objects.filter(due_at=due_at).exists():
            return None
        try:
            with transaction.atomic():
                this = cls.objects.create(due_at=due_at)
        except IntegrityError:
            return None  # another worker was first
        this.runs, this.log_bytes = purge(should_stop=should_stop)
        this.ended_at = timezone.now()
        this.save(update_fields=["runs", "log_bytes", "ended_at"])
        cls.objects.filter(due_at__lt=due_at - KEPT * EVERY).delete()
        return this

    @classmethod
    def next_at(cls) -> datetime:
        """When the rules are applied next."""
        due_at = last_due(timezone.now())
        return due_at + EVERY if cls.objects.filter(due_at=due_at).exists() else due_at


def last_due(now: datetime) -> datetime:
    """The full hour before a moment, UTC."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
