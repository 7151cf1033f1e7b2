"""Retention: ended runs go with all that hangs on them, oldest first, in small batches, so that no writer waits.

A flow's own rule (`retention` in its definition) bounds the age, the number and the bytes of its ended runs; the
settings have the age for flows without a rule, and a bound for all bytes of a tenant. Runs in progress and pinned ones
stay, and no bound of bytes takes the newest run: a single log that is larger would leave nothing at all.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from .audit import Actor, AuditEntry, Machine
from .bulk_action import KEEP_DAYS as BULK_DAYS
from .bulk_action import BulkAction
from .bulk_result import BulkResult
from .delivery import KEEP_DAYS, WebhookDelivery
from .download import Download
from .error_group import FORGOTTEN_AFTER
from .failure_folding import forget_groups
from .flow import Flow
from .log import LogChunk
from .log_index import drop_dead_parts
from .note import RunNote
from .once import IdempotencyKey
from .retry_call import RetryCall
from .run import Run
from .step import Step
from .storage import StoredDay, count_storage, midnight
from .tenant import Tenant, delete_in_batches
from .tracked import LogMetadata, Payload, RunTag, TrackedData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

IDEMPOTENCY_DAYS = 7
DOWNLOAD_ROW_DAYS = 90  # the row of a file that is gone
BATCH = 200  # runs that go together
ROWS, CHUNKS = 2_000, 100  # in one transaction: of small rows, of chunks of a log
COUNT_SECONDS = 300.0
PAGES = 256  # of SQLite's file given back in one transaction
SPARE_PAGES = 4_096  # that it keeps for the next rows
RETENTION = Machine(name="retention")


class Gone(NamedTuple):
    """What a purge has deleted."""

    runs: int = 0
    log_bytes: int = 0

    def plus(self, runs: int, log_bytes: int) -> Gone:
        return Gone(self.runs + runs, self.log_bytes + log_bytes)


def delete_runs(pks: Iterable[int], *, why: str = "Its run was deleted.") -> list[tuple[int, int]]:
    """Deletes ended runs whole: first what hangs on them, then the rows. Stopped half way, the next purge goes on.

    why: what their downloads, whose files go too, say from then on. Returns flow and bytes of log of each.
    """
    pks = list(pks)
    # From here on nobody sees them, pins them or asks for their log: what is half gone must not be taken for whole.
    Run.across_tenants.filter(pk__in=pks, removing_at=None).final().update(removing_at=timezone.now())
    pks = list(Run.across_tenants.filter(pk__in=pks, removing_at__isnull=False).values_list("pk", flat=True))
    Download.across_tenants.filter(run__in=pks).remove_files(why)
    for model in (LogChunk, LogMetadata, Payload, TrackedData, RunTag, RunNote, RetryCall, Step):
        if model is Step:
            Step.across_tenants.filter(kept_from__run__in=pks).update(kept_from=None)
        rows = model.across_tenants.filter(run__in=pks)
        delete_in_batches(rows, size=CHUNKS if model is LogChunk else ROWS, is_patient=True)
    Download.across_tenants.filter(run__in=pks).remove_files(why)  # of one that was made meanwhile
    with transaction.atomic():
        runs = Run.across_tenants.filter(pk__in=pks)
        gone = list(runs.values_list("tenant_id", "flow_id", "finished_at", "log_bytes"))
        StoredDay.mark((tenant, flow, at) for tenant, flow, at, _ in gone)
        for kept in (Download, WebhookDelivery):
            kept.across_tenants.filter(run__in=pks).update(run=None)
        for field in ("retried_run", "parent_run", "resolved_run"):
            Run.across_tenants.filter(**{f"{field}__in": pks}).update(**{field: None})
        for field in ("run", "new_run"):
            BulkResult.across_tenants.filter(**{f"{field}__in": pks}).update(**{field: None})
        AuditEntry.across_tenants.filter(run__in=pks).update(run=None)
        runs._raw_delete(runs.db)
    return [(flow, log_bytes) for _, flow, _, log_bytes in gone]


def purge(*, days: int | None = None, by: Actor = RETENTION, should_stop: Callable[[], bool] = lambda: False) -> Gone:
    """Applies the retention rules, and removes what else is over: files, index parts, keys, deliveries.

    days: instead of the settings' number, for flows without one of their own; 0 keeps everything. should_stop: asked
    between batches. What goes of each flow is in the trail. Raises ValueError.
    """
    if days is not None and days < 0:
        raise ValueError("days must be 0 (keep everything) or more")
    count_storage(COUNT_SECONDS)
    gone = _Purge(days, by, should_stop).apply()
    count_storage(COUNT_SECONDS)
    now = timezone.now()
    drop_dead_parts()
    downloads = Download.across_tenants
    downloads.expire()
    downloads.sweep_folder()
    delete_in_batches(downloads.over().filter(created_at__lt=now - timedelta(days=DOWNLOAD_ROW_DAYS)))
    _purge_deliveries(now - timedelta(days=KEEP_DAYS))
    BulkAction.across_tenants.purge(now - timedelta(days=BULK_DAYS))
    delete_in_batches(IdempotencyKey.across_tenants.filter(created_at__lt=now - timedelta(days=IDEMPOTENCY_DAYS)))
    delete_in_batches(forget_groups(now - FORGOTTEN_AFTER))
    delete_in_batches(StoredDay.across_tenants.filter(runs=0, is_stale=False, day__lt=now.date() - timedelta(days=7)))
    give_back_space(should_stop)
    return gone


class _Purge:
    """One application of the rules. gone: by flow."""

    def __init__(self, days: int | None, by: Actor, should_stop: Callable[[], bool]) -> None:
        self.days, self.by, self.should_stop = days, by, should_stop
        self.ended = Run.across_tenants.final().filter(is_pinned=False)
        self.now = timezone.now()
        self.gone: dict[int, Gone] = {}

    def apply(self) -> Gone:
        self._delete(Run.across_tenants.filter(removing_at__isnull=False))  # what an interrupted purge left
        flows = list(Flow.across_tenants.order_by("pk"))
        self._apply_ages(flows)
        for flow in flows:
            self._apply_bounds(flow)
        if settings.RETENTION_BYTES:
            for tenant in Tenant.objects.order_by("pk"):
                self._bound_tenant(tenant)
        for flow in flows:
            if flow.pk in self.gone:
                AuditEntry.record("flow.purge", flow, by=self.by, **self.gone[flow.pk]._asdict())
        return Gone(sum(one.runs for one in self.gone.values()), sum(one.log_bytes for one in self.gone.values()))

    def _apply_ages(self, flows: list[Flow]) -> None:
        by_days: dict[int, list[int]] = {}
        for flow in flows:
            days = self.days if self.days is not None and flow.retention_days is None else flow.kept_days
            if days:
                by_days.setdefault(days, []).append(flow.pk)
        for days, pks in by_days.items():
            before = self.now - timedelta(days=days)
            # The counts lead to the few days on which something ended that is too old: the runs are not walked through.
            stored = StoredDay.across_tenants.filter(flow__in=pks, day__lte=before.date(), runs__gt=0)
            # Said by the flows that have another rule, for of those that have it SQLite reads all runs of each (2 s for
            # a batch at 1,000,000 runs, against 3 ms). A flow made since is left for the next time.
            others = {flow.pk for flow in flows}.difference(pks)
            of_rule = Run.across_tenants.filter(is_pinned=False, flow_id__lte=max(pks)).exclude(flow__in=others)
            for day in stored.order_by("day").values_list("day", flat=True).distinct():
                end = min(before, midnight(day) + timedelta(days=1))
                self._delete(
                    of_rule.filter(finished_at__gte=midnight(day), finished_at__lt=end).order_by("finished_at")
                )

    def _apply_bounds(self, flow: Flow) -> None:
        runs = self.ended.filter(flow=flow).order_by("ordered_at", "id")
        if flow.retention_runs:
            beyond = runs.reverse().values_list("ordered_at", "pk")[flow.retention_runs :]
            for at, pk in beyond[:1]:
                self._delete(runs.filter(ordered_at__lte=at).filter(models.Q(ordered_at__lt=at) | models.Q(pk__lte=pk)))
        if flow.retention_bytes:
            total = count_bytes(StoredDay.across_tenants.filter(flow=flow)) - self._count_gone([flow.pk])
            self._delete(but_newest(runs), bytes_over=total - flow.retention_bytes)

    def _bound_tenant(self, tenant: Tenant) -> None:
        flows = Flow.objects.of(tenant).values_list("pk", flat=True)
        total = count_bytes(StoredDay.objects.of(tenant)) - self._count_gone(flows)
        runs = self.ended.filter(tenant=tenant).order_by("ordered_at", "id")
        self._delete(but_newest(runs), bytes_over=total - settings.RETENTION_BYTES)

    def _count_gone(self, flows: Iterable[int]) -> int:
        """Bytes of log that the counts of days still hold."""
        return sum(self.gone[flow].log_bytes for flow in flows if flow in self.gone)

    def _delete(self, runs: models.QuerySet, *, bytes_over: int | None = None) -> None:
        """Deletes runs in their order: all, or until so many bytes of log are gone."""
        while not self.should_stop() and (bytes_over is None or bytes_over > 0):
            batch = []
            for pk, log_bytes in runs.values_list("pk", "log_bytes")[:BATCH]:
                batch.append(pk)
                if bytes_over is not None:
                    bytes_over -= log_bytes
                    if bytes_over <= 0:
                        break
            if not batch:
                return
            for flow, log_bytes in delete_runs(batch, why="Its run was removed by retention."):
                self.gone[flow] = self.gone.get(flow, Gone()).plus(1, log_bytes)


def count_bytes(days: models.QuerySet) -> int:
    """Bytes of log of the ended runs, by the days' counts."""
    return days.aggregate(total=models.Sum("log_bytes"))["total"] or 0


def but_newest(runs: models.QuerySet) -> models.QuerySet:
    """Runs that are ordered by their age, without the last."""
    return runs.exclude(pk=runs.reverse().values_list("pk", flat=True).first())


def give_back_space(should_stop: Callable[[], bool] = lambda: False) -> None:
    """Gives empty pages of SQLite's file back to the disk, a few at a time; a share of them is kept for new rows."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        while not should_stop():
            free, total = (_ask(cursor, f"PRAGMA {name}") for name in ("freelist_count", "page_count"))
            if _ask(cursor, "PRAGMA auto_vacuum") != 2 or free <= max(SPARE_PAGES, total // 20):
                return
            began = time.monotonic()
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES})")
            cursor.fetchall()  # a row a page: SQLite works only as far as it is asked
            time.sleep(time.monotonic() - began)


def _ask(cursor: object, sql: str) -> int:
    cursor.execute(sql)  # type: ignore[attr-defined]
    return int(cursor.fetchone()[0])  # type: ignore[attr-defined]


def _purge_deliveries(before: datetime) -> None:
    old = WebhookDelivery.across_tenants.filter(received_at__lt=before)
    WebhookDelivery.across_tenants.filter(resent_from__in=old).update(resent_from=None)
    delete_in_batches(old, size=500)
