"""The life cycle of a run: its statuses, which may follow which, and the one function that changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone

from .. import dispatch
from .audit import Actor, AuditEntry
from .resolving import resolve_failures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .run import Run


class Status(models.TextChoices):
    """CONTRACT section 1. The last three are final and never change again."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.STOPPED})
LIVE = frozenset(Status) - FINAL

# queued → succeeded and the like are for engines that report a run only when it is over.
MAY_FOLLOW: dict[str, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, *FINAL}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.PAUSED, *FINAL}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.RUNNING, *FINAL}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.STOPPED: frozenset(),
}


class StatusConflict(Exception):
    """The run's status forbids it (409). `.status` is what it was when the database looked."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class LeaseLost(StatusConflict):
    """The worker's claim is no longer the run's claim: it must kill what it started and write nothing more."""


def measure_ms(started_at: datetime | None, finished_at: datetime | None) -> int | None:
    """Milliseconds from start to end, or to now while it lives; None before it started."""
    if started_at is None:
        return None
    return max(0, int(((finished_at or timezone.now()) - started_at).total_seconds() * 1000))


def may_precede(status: str) -> list[Status]:
    """The statuses that a run can come from into this one."""
    return [before for before in Status if status in MAY_FOLLOW[before]]


def move(
    run: Run,
    to: Status,
    *,
    by: Actor,
    allowed: Iterable[str] | None = None,
    fence: int | None = None,
    action: str = "",
    detail: dict[str, Any] | None = None,
    where: models.Q | None = None,
    is_known: bool = False,
    **fields: Any,
) -> Run:
    """Changes a run's status: one conditional UPDATE and its audit row, in one transaction.

    The database, not this possibly old instance, decides whether the run may move.

    to: the new status; allowed: the statuses it may come from, at most those of the table; fence: the
    caller's fencing token, when a worker acts; where: a further condition; is_known: the run is not read again, since
    the one status in `allowed` says what it leaves; fields: columns written with it.
    Returns the run, read afresh unless it is known. Raises StatusConflict, or LeaseLost when a fence was given and is
    not the run's.
    """
    sources = set(may_precede(to))
    if allowed is not None:
        sources &= {Status(status) for status in allowed}
    now = timezone.now()
    fields |= {"status": to, "updated_at": now, "growing_line": None}
    if to in FINAL:
        fields = {"finished_at": now, "worker": "", "lease_until": None} | fields
    with transaction.atomic():
        # Locked from here on: the status read is the one it leaves.
        before = str(*sources) if is_known else _read_locked(run)
        rows = type(run).across_tenants.filter(pk=run.pk, status__in=sources)
        if fence is not None:
            rows = rows.filter(token=fence)
        if where is not None:
            rows = rows.filter(where)
        if not rows.update(**fields):
            kind = LeaseLost if fence is not None else StatusConflict
            before = _read_locked(run) if is_known else before
            raise kind(f"The run is {before or 'gone'}: it cannot become {to}.", before)
        for name, value in fields.items():
            if hasattr(value, "resolve_expression"):
                run.__dict__.pop(name, None)  # the database computed it: read when somebody asks
            else:
                setattr(run, name, value)
        if to == Status.SUCCEEDED and run.retried_run_id is not None:
            resolve_failures(run)
        AuditEntry.record(action or f"run.{to}", run, by=by, run=run, change=(before, str(to)), **(detail or {}))
        dispatch.announce(run.pk)
        if to == Status.QUEUED:
            dispatch.ring(run.pk)
    return run


def _read_locked(run: Run) -> str:
    """Reads the run afresh, its row locked until the transaction ends (SQLite: the file is). Returns its status."""
    # A version never changes: what was read of it stays.
    version = run.version if type(run)._meta.get_field("version").is_cached(run) else None
    try:
        run.refresh_from_db(from_queryset=type(run).across_tenants.select_for_update())
    except type(run).DoesNotExist:
        return ""
    if version is not None:
        run.version = version
    return run.status
