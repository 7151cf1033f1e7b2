"""Retention: runs go with all that hangs on them, in small batches, so that no writer waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from .audit import AuditEntry
from .delivery import KEEP_DAYS, WebhookDelivery
from .download import Download
from .flow import Flow
from .log import LogChunk
from .log_index import drop_dead_parts
from .once import IdempotencyKey
from .retry_call import RetryCall
from .run import Run
from .step import Step
from .tenant import delete_in_batches
from .tracked import LogMetadata, Payload, RunTag, TrackedData

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

IDEMPOTENCY_DAYS = 7


def delete_runs(pks: Iterable[int]) -> int:
    """Deletes final runs whole: first what hangs on them, then the rows. Stopped half way, the next call goes on."""
    pks = list(pks)
    for model in (LogChunk, LogMetadata, Payload, TrackedData, RunTag, RetryCall, Step):
        if model is Step:
            Step.across_tenants.filter(kept_from__run__in=pks).update(kept_from=None)
        delete_in_batches(model.across_tenants.filter(run__in=pks), size=500 if model is LogChunk else 2_000)
    with transaction.atomic():
        runs = Run.across_tenants.filter(pk__in=pks).final()
        gone = list(runs.values_list("pk", flat=True))
        for kept in (Download, WebhookDelivery):
            kept.across_tenants.filter(run__in=gone).update(run=None)
        for field in ("retried_run", "parent_run"):
            Run.across_tenants.filter(**{f"{field}__in": gone}).update(**{field: None})
        AuditEntry.across_tenants.filter(run__in=gone).update(run=None)
        return runs._raw_delete(runs.db)


def purge(*, days: int | None = None, batch: int = 200) -> int:
    """Applies the retention rules: a flow's own days, else those of the settings (or `days`). 0 keeps everything.

    Pinned runs and runs in progress stay. Returns how many runs went.
    """
    if days is not None and days < 0:
        raise ValueError("days must be 0 (keep everything) or more")
    default = settings.RETENTION_DAYS if days is None else days
    now = timezone.now()
    gone = 0
    ended = Run.across_tenants.final().filter(is_pinned=False)
    own_rules = set()
    with_own = Flow.across_tenants.filter(retention_days__gt=0).values_list("pk", "retention_days")
    for flow_pk, own_days in with_own:
        own_rules.add(flow_pk)
        before = now - timedelta(days=own_days)  # type: ignore[arg-type]  # more than 0, so not null
        gone += _purge_rows(ended.filter(flow_id=flow_pk, finished_at__lt=before), batch)
    if default:
        rows = ended.filter(finished_at__lt=now - timedelta(days=default)).exclude(flow_id__in=own_rules)
        gone += _purge_rows(rows, batch)
    drop_dead_parts()
    Download.across_tenants.expire()
    _purge_deliveries(now - timedelta(days=KEEP_DAYS))
    delete_in_batches(IdempotencyKey.across_tenants.filter(created_at__lt=now - timedelta(days=IDEMPOTENCY_DAYS)))
    return gone


def _purge_rows(rows: models.QuerySet, batch: int) -> int:
    gone = 0
    while pks := list(rows.order_by("finished_at").values_list("pk", flat=True)[:batch]):
        gone += delete_runs(pks)
    return gone


def _purge_deliveries(before: datetime) -> None:
    old = WebhookDelivery.across_tenants.filter(received_at__lt=before)
    WebhookDelivery.across_tenants.filter(resent_from__in=old).update(resent_from=None)
    delete_in_batches(old, size=500)
