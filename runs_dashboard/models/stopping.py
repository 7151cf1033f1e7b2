"""Stop: a ladder that is visible, and never said before it is true (DESIGN invariant 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone

from .. import dispatch
from ..text.intake import clean
from .audit import Actor, AuditEntry
from .lifecycle import LIVE, Status, StatusConflict, move

if TYPE_CHECKING:
    from .run import Run


class Stoppable(models.Model):
    """How a run is stopped. Requested → signal sent → grace → killed → confirmed."""

    class Meta:
        abstract = True

    def request_stop(self: Run, *, by: Actor, reason: str = "", is_forced: bool = False) -> Run:  # type: ignore[misc]
        """Asks for a stop, of its sub-runs too. A run that nobody works on is stopped at once.

        A second request changes nothing, unless it is forced and the first was not: then the grace ends.
        Raises StatusConflict when the run has ended.
        """
        reason = clean(reason)[:500]
        asked: dict[str, Any] = {
            "stop_requested_at": timezone.now(),
            "stop_requested_by": clean(by.label)[:300],
            "stop_reason": reason,
            "is_stop_forced": is_forced,
        }
        detail = {"reason": reason, "is_forced": is_forced}
        with transaction.atomic():
            try:
                # Nothing of a waiting run is alive, so its stop costs nothing and is true at once.
                move(
                    self,
                    Status.STOPPED,
                    by=by,
                    allowed=[Status.QUEUED, Status.PAUSED],
                    where=models.Q(worker=""),
                    action="run.stop",
                    detail=detail,
                    **asked,
                )
                self.close_steps(Status.STOPPED)
            except StatusConflict as conflict:
                if conflict.status not in LIVE:
                    raise StatusConflict(f"The run has {conflict.status or 'gone'} already.", conflict.status) from None
                self._ask_worker(asked, detail, by=by)
        for sub_run in self.sub_runs.filter(status__in=LIVE):
            try:
                sub_run.request_stop(by=by, reason=reason or f"its parent {self.uid} is stopped", is_forced=is_forced)
            except StatusConflict:
                continue  # it ended by itself meanwhile
        self.refresh_from_db()
        return self

    request_stop.alters_data = True  # type: ignore[attr-defined]

    def _ask_worker(self: Run, asked: dict[str, Any], detail: dict[str, Any], *, by: Actor) -> None:  # type: ignore[misc]
        rows = type(self).across_tenants.filter(pk=self.pk, status__in=LIVE)
        is_forced = asked["is_stop_forced"]
        is_first = rows.filter(stop_requested_at=None).update(**asked)
        if not is_first and not (is_forced and rows.filter(is_stop_forced=False).update(is_stop_forced=True)):
            return
        AuditEntry.record("run.stop", self, by=by, run=self, **detail)
        if self.is_external and is_forced:
            move(
                self,
                Status.STOPPED,
                by=by,
                error="Stopped by force: the engine that reported the run has not confirmed it.",
            )
            self.close_steps(Status.STOPPED)
        dispatch.announce(self.pk)

    def climb(self: Run, stage: str, *, token: int, **detail: Any) -> None:  # type: ignore[misc]
        """The worker's report of a rung reached (`signal`, `grace`, `kill`, `confirmed`), shown on the page."""
        rung = {"stage": stage, "at": timezone.now().isoformat(timespec="milliseconds"), **detail}
        with transaction.atomic():
            row = type(self).across_tenants.select_for_update().filter(pk=self.pk, token=token)
            ladder = row.values_list("stop_ladder", flat=True).first()
            if ladder is not None:
                row.update(stop_ladder=[*ladder, rung], updated_at=timezone.now())
                dispatch.announce(self.pk)

    climb.alters_data = True  # type: ignore[attr-defined]
