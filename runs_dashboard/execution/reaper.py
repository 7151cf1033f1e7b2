"""The reaper: no run stays "running" without a worker, nothing of a dead run stays alive on this machine."""

from __future__ import annotations

import logging
from datetime import timedelta

import psutil
from django.db import models
from django.db.models.functions import Now

from ..models import LIVE, REAPER, Run, Status, StatusConflict, Worker, append_system, move
from ..text.fingerprint import fingerprint
from .instance import HOST, instance_prefix, read_scope
from .process import kill_scope, live_scopes

logger = logging.getLogger(__name__)


def expire_dead_workers() -> None:
    """Ends at once the leases of workers of this machine whose process is gone: no need to wait for their time."""
    for worker in Worker.objects.filter(host=HOST):
        if _is_running(worker):
            continue
        leases = Run.across_tenants.filter(worker=worker.name)
        if leases.exists():
            leases.filter(lease_until__gt=Now()).update(lease_until=Now() - timedelta(seconds=1))
        else:
            worker.delete()


def _is_running(worker: Worker) -> bool:
    try:
        # A process that began after the worker's row did has only got its number.
        return psutil.Process(worker.pid).create_time() <= worker.started_at.timestamp() + 1
    except psutil.Error:
        return False


def sweep_processes() -> int:
    """Kills what is left on this machine of runs that no worker holds. Returns how many processes went."""
    gone = 0
    scopes = {scope: known for scope in live_scopes(instance_prefix()) if (known := read_scope(scope))}
    held = {
        (pk, token)
        for pk, token in Run.across_tenants.filter(
            pk__in={pk for pk, _ in scopes.values()}, status=Status.RUNNING, lease_until__gt=Now()
        ).values_list("pk", "token")
    }
    for scope, known in scopes.items():
        if known not in held:
            gone += len(kill_scope(scope))
    return gone


def reap() -> int:
    """Closes runs whose lease is over, reported runs that fell silent, approvals nobody gave. Returns how many."""
    count = 0
    for run in Run.across_tenants.lapsed().filter(status=Status.RUNNING).select_related("version", "flow")[:100]:
        count += _reap_lapsed(run)
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
    is_here = worker is not None and worker.host == HOST
    if is_here:
        kill_scope(f"{instance_prefix()}{run.pk}:{run.token}")
    name = run.worker
    reason = f"{name} has not been heard of for longer than its lease."
    if is_here and worker is not None and not _is_running(worker):
        reason = f"the process of {name} has ended without a word."
    closed = run.lose(reason=reason, is_confirmed_dead=is_here)
    if closed is None:
        return 0
    append_system(closed, f"Worker lost: {reason}", level=3)
    logger.warning("Run %s: worker lost (%s); it is %s now.", closed.uid, reason, closed.status)
    return 1


def _fail(run: Run, error: str, *, where: models.Q, **fields: object) -> int:
    try:
        closed = move(
            run,
            Status.FAILED,
            by=REAPER,
            allowed=LIVE,
            where=where,
            error=error,
            error_fingerprint=fingerprint(error),
            **fields,
        )
    except StatusConflict:
        return 0
    closed.close_steps(Status.FAILED, error=error)
    append_system(closed, error, level=3)
    return 1
