"""The reaper: no run stays "running" without a worker, nothing of a dead run stays alive on this machine."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models.functions import Now

from ..models import LIVE, REAPER, Run, Status, StatusConflict, Worker, append_system, move
from ..text.fingerprint import fingerprint
from .instance import host, instance_prefix, is_running, read_scope, scope_of
from .process import kill_scope, live_scopes
from .surroundings import remove, work_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

logger = logging.getLogger(__name__)

FORGET_AFTER = timedelta(hours=1)


def expire_dead_workers() -> None:
    """Ends at once the leases of workers of this machine whose process is gone: no need to wait for their time."""
    for worker in Worker.objects.filter(host=host()):
        if is_running(worker):
            continue
        leases = Run.across_tenants.filter(worker=worker.name)
        if leases.exists():
            leases.filter(lease_until__gt=Now()).update(lease_until=Now() - timedelta(seconds=1))
        else:
            worker.delete()


def forget_old_workers() -> int:
    """Removes the rows of workers, of any machine, that have been silent for long and hold nothing."""
    silent = Worker.objects.filter(seen_at__lt=Now() - FORGET_AFTER)
    return silent.exclude(name__in=Run.across_tenants.exclude(worker="").values("worker")).delete()[0]


def sweep_processes() -> int:
    """Kills what is left on this machine of runs that no worker holds. Returns how many processes went."""
    scopes = {scope: known for scope in live_scopes(instance_prefix()) if (known := read_scope(scope))}
    held = _held({pk for pk, _ in scopes.values()})
    return sum(len(kill_scope(scope)) for scope, known in scopes.items() if known not in held)


def sweep_folders() -> int:
    """Removes the private folders of runs that no worker holds: a killed worker left them. Returns how many."""
    folders: dict[tuple[int, int], Path] = {}
    for folder in work_folder().glob("*-*"):
        pk, _, token = folder.name.partition("-")
        if pk.isdigit() and token.isdigit():
            folders[int(pk), int(token)] = folder
    left = folders.keys() - _held({pk for pk, _ in folders})
    for known in left:
        try:
            remove(folders[known])
        except OSError as error:
            logger.warning("The folder %s cannot be removed: %s", folders[known], error)
    return len(left)


def _held(pks: set[int]) -> set[tuple[int, int]]:
    """Of these runs those that a worker holds, with their token: also under a lapsed lease, which is the reaper's."""
    rows = Run.across_tenants.filter(pk__in=pks, status=Status.RUNNING)
    return set(rows.values_list("pk", "token"))


def reap(*, spare: Collection[int] = ()) -> int:
    """Closes runs whose lease is over, reported runs that fell silent, approvals nobody gave. Returns how many.

    spare: runs that the caller itself works on, so that it knows better than their lease.
    """
    count = 0
    lapsed = Run.across_tenants.lapsed().filter(status=Status.RUNNING).exclude(pk__in=spare)
    for run in lapsed.select_related("version", "flow")[:100]:
        try:
            count += _reap_lapsed(run)
        except OSError:
            logger.exception("Run %s: its processes cannot be looked at; the others are looked after.", run.uid)
    for run in Run.across_tenants.silent().select_related("flow")[:100]:
        count += _fail(
            run,
            f"The engine has been silent for more than {run.flow.heartbeat_timeout or 0:g} s.",
            where=models.Q(silent_after__lt=Now()),
            silent_after=None,
        )
    for run in Run.across_tenants.filter(status=Status.PAUSED, paused_until__lt=Now())[:100]:
        count += _fail(run, "Nobody resumed the run in time.", where=models.Q(paused_until__lt=Now()))
    return count


def _reap_lapsed(run: Run) -> int:
    worker = Worker.objects.filter(name=run.worker).first()
    is_here = worker is not None and worker.host == host()
    kill_scope(scope_of(run))
    name = run.worker
    reason = f"{name} has not been heard of for longer than its lease."
    if is_here and worker is not None and not is_running(worker):
        reason = f"the process of {name} has ended without a word."
    with transaction.atomic():  # a page that sees the end sees the reason too
        closed = run.lose(reason=reason, is_confirmed_dead=is_here)
        if closed is None:
            return 0
        append_system(closed, f"Worker lost: {reason}", level=3)
    logger.warning("Run %s: worker lost (%s); it is %s now.", closed.uid, reason, closed.status)
    return 1


def _fail(run: Run, error: str, *, where: models.Q, **fields: Any) -> int:
    fields |= {"error": error, "error_fingerprint": fingerprint(error)}
    try:
        with transaction.atomic():
            closed = move(run, Status.FAILED, by=REAPER, allowed=LIVE, where=where, **fields)
            closed.close_steps(Status.FAILED, error=error)
            append_system(closed, error, level=3)
    except StatusConflict:
        return 0
    return 1
