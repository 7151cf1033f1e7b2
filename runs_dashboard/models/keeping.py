"""How long a run is kept: until its age lets it go, or, pinned, until somebody unpins it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction

from .audit import Actor, AuditEntry
from .lifecycle import StatusConflict

if TYPE_CHECKING:
    from datetime import datetime

    from .run import Run


class Keepable(models.Model):
    """What retention asks of a run."""

    class Meta:
        abstract = True

    def pin(self: Run, *, by: Actor) -> None:  # type: ignore[misc]
        """Keeps it whatever the retention rules say. Safe twice. Raises StatusConflict when it is being removed."""
        self._set_pinned(True, by=by)

    def unpin(self: Run, *, by: Actor) -> None:  # type: ignore[misc]
        """Leaves it to the retention rules again. Safe twice. Raises StatusConflict when it is being removed."""
        self._set_pinned(False, by=by)

    def _set_pinned(self: Run, is_pinned: bool, *, by: Actor) -> None:  # type: ignore[misc]
        rows = type(self).across_tenants.filter(pk=self.pk)
        with transaction.atomic():
            if rows.filter(removing_at=None).exclude(is_pinned=is_pinned).update(is_pinned=is_pinned):
                AuditEntry.record("run.pin" if is_pinned else "run.unpin", self, by=by, run=self)
            elif not rows.filter(removing_at=None).exists():
                raise StatusConflict("The run is being removed by retention.", self.status)
        self.is_pinned = is_pinned

    @property
    def kept_until(self: Run) -> datetime | None:  # type: ignore[misc]
        """When its age lets retention remove it; None while it lives or is pinned, and where nothing bounds it."""
        if self.finished_at is None or self.is_pinned or not self.flow.kept_days:
            return None
        return self.finished_at + timedelta(days=self.flow.kept_days)

    pin.alters_data = unpin.alters_data = True  # type: ignore[attr-defined]
