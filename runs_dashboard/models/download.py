"""Downloads: files made in the background from a run's log."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from .audit import Actor, AuditEntry
from .lease import Leased, LeaseQuerySet, lease_end
from .lifecycle import LeaseLost
from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from .run import Run


class DownloadQuerySet(LeaseQuerySet, TenantQuerySet):
    def for_list(self) -> Self:
        return self.select_related("run__flow", "requested_by").order_by("-created_at", "-id")

    def claim(self, *, worker: str) -> Download | None:
        """Takes the next waiting download, or one whose worker was lost; or None."""
        waiting = models.Q(status=Download.Status.QUEUED) | models.Q(
            status=Download.Status.RUNNING, lease_until__lt=Now()
        )
        for pk in self.filter(waiting).order_by("id").values_list("pk", flat=True)[:4]:
            rows = self.model.across_tenants.filter(waiting, pk=pk)
            if rows.update(
                status=Download.Status.RUNNING,
                worker=worker,
                lease_until=lease_end(),
                token=models.F("token") + 1,
                started_at=timezone.now(),
                progress=0,
            ):
                return self.model.across_tenants.select_related("run__flow", "tenant").get(pk=pk)
        return None

    def expire(self) -> int:
        """Removes the files whose time is over; the rows say so. Returns how many."""
        rows = self.filter(status=Download.Status.READY, expires_at__lt=timezone.now())
        count = 0
        for download in rows.iterator(chunk_size=200):
            download.path.unlink(missing_ok=True)
            count += self.model.across_tenants.filter(pk=download.pk, status=Download.Status.READY).update(
                status=Download.Status.EXPIRED
            )
        return count


class Download(Leased, TenantRow):
    """A file of a run's log, cut at the line the log had when it was asked for."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Expired"

    class Format(models.TextChoices):
        TXT = "txt", "Text"
        RAW = "raw", "Text as printed, with escape codes"
        NDJSON = "ndjson", "JSON lines"
        CSV = "csv", "CSV"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="downloads")
    run_uid = models.CharField(max_length=255)
    format = models.CharField(max_length=8, choices=Format, default=Format.TXT)
    filters = models.JSONField(default=dict, blank=True, help_text="step, levels")
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    last_line = models.BigIntegerField(default=0, help_text="The log's end when the download was asked for.")
    is_cut = models.BooleanField(default=False, help_text="The log was still growing.")
    progress = models.BigIntegerField(default=0, help_text="Lines written so far.")
    size = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey("User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects, across_tenants = tenant_managers(DownloadQuerySet)

    class Meta(TenantRow.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["queued", "running", "ready", "failed", "expired"]),
                name="download_status",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="download_newest"),
            models.Index(fields=["id"], name="download_waiting", condition=models.Q(status__in=["queued", "running"])),
            models.Index(fields=["expires_at"], name="download_expiring", condition=models.Q(status="ready")),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def path(self) -> Path:
        """Where its bytes are: named by its own id, never by anybody's text."""
        return Path(settings.DATA_DIR) / "downloads" / f"{self.uuid}.{self.format}"

    @property
    def file_name(self) -> str:
        return f"run-{self.run_uid}.{'log' if self.format == 'raw' else self.format}"

    @property
    def is_waiting(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @classmethod
    def request(cls, run: Run, *, by: Actor, format: str = "txt", filters: dict[str, Any] | None = None) -> Download:
        """Asks for a download; the same one asked for again before it is made is one job."""
        filters = filters or {}
        run.refresh_from_db(fields=["line_count", "status"])
        with transaction.atomic():
            same = cls.objects.of(run.tenant_id).filter(
                run=run, format=format, filters=filters, requested_by=by.user, last_line=run.line_count
            )
            known = same.filter(status__in=[cls.Status.QUEUED, cls.Status.RUNNING]).first()
            if known is not None:
                return known
            download = cls.across_tenants.create(
                tenant_id=run.tenant_id,
                run=run,
                run_uid=run.uid,
                format=cls.Format(format),
                filters=filters,
                last_line=run.line_count,
                is_cut=run.is_live,
                requested_by=by.user,
            )
            AuditEntry.record("run.download", run, by=by, run=run, format=format, download=str(download.uuid))
        return download

    def advance(self, lines: int) -> None:
        """Notes progress and keeps the lease. Raises LeaseLost when another worker has it."""
        rows = type(self).across_tenants.filter(pk=self.pk, token=self.token, status=self.Status.RUNNING)
        if not rows.update(progress=lines, lease_until=lease_end()):
            raise LeaseLost("The download is another worker's now.")

    def end(self, *, size: int = 0, sha256: str = "", error: str = "") -> None:
        """The worker's last word: ready, or failed with the reason. Raises LeaseLost."""
        now = timezone.now()
        rows = type(self).across_tenants.filter(pk=self.pk, token=self.token, status=self.Status.RUNNING)
        if not rows.update(
            status=self.Status.FAILED if error else self.Status.READY,
            worker="",
            lease_until=None,
            size=None if error else size,
            sha256=sha256,
            error=error[:500],
            finished_at=now,
            expires_at=None if error else now + timedelta(days=settings.DOWNLOAD_DAYS),
        ):
            raise LeaseLost("The download is another worker's now.")
        self.refresh_from_db()

    advance.alters_data = end.alters_data = True  # type: ignore[attr-defined]
