"""Downloads: files made in the background from a run's log."""

from __future__ import annotations

import time
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

RAW = "raw"  # the short word for txt as printed
SWEEP_AGE = 3_600  # seconds; a younger file may be on its way
MEDIA_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "ndjson": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "bundle": "application/zip",
}


def downloads_folder() -> Path:
    return Path(settings.DATA_DIR) / "downloads"


def uuid_of(path: Path) -> uuid.UUID | None:
    """Of the download that a file belongs to, by its name."""
    try:
        return uuid.UUID(path.name.partition(".")[0])
    except ValueError:
        return None


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
        return rows.remove_files()

    def over(self) -> Self:
        """Those whose file is gone, or never was."""
        return self.filter(status__in=[Download.Status.FAILED, Download.Status.EXPIRED])

    def remove_files(self, why: str = "") -> int:
        """Removes the ready files among the rows; the rows stay and say that they are expired, and why."""
        count = 0
        for download in self.filter(status=Download.Status.READY).iterator(chunk_size=200):
            download.path.unlink(missing_ok=True)
            ready = self.model.across_tenants.filter(pk=download.pk, status=Download.Status.READY)
            count += ready.update(status=Download.Status.EXPIRED, error=why)
        return count

    def sweep_folder(self) -> int:
        """Removes files that no download knows: their rows are gone, or their worker died. Returns how many."""
        gone = 0
        for path in downloads_folder().glob("*"):
            known = self.filter(uuid=uuid_of(path)).first() if uuid_of(path) else None
            is_needed = known is not None and (
                path == known.path if known.status == Download.Status.READY else known.is_waiting
            )
            if not is_needed and path.is_file() and time.time() - path.stat().st_mtime > SWEEP_AGE:
                path.unlink(missing_ok=True)
                gone += 1
        return gone


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
        NDJSON = "ndjson", "JSON lines"
        CSV = "csv", "CSV"
        BUNDLE = "bundle", "Support bundle"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="downloads")
    run_uid = models.CharField(max_length=255)
    format = models.CharField(max_length=8, choices=Format, default=Format.TXT)
    is_raw = models.BooleanField(default=False, help_text="As printed, with escape codes.")
    filters = models.JSONField(default=dict, blank=True, help_text="step, attempt, levels, stream, text")
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
        return downloads_folder() / f"{self.uuid}.{RAW if self.is_printed else self.format}"

    @property
    def is_printed(self) -> bool:
        """Whether it is byte for byte what the programs printed."""
        return self.is_raw and self.format == self.Format.TXT

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.Format(self.format)]

    @property
    def file_name(self) -> str:
        """What it is called where it is kept: whose log, which part of it, and whether its end was still to come."""
        parts = [f"run-{self.run_uid}", *([self.filters["step"]] if "step" in self.filters else [])]
        if self.filters.keys() - {"step"}:
            parts.append("filtered")
        if self.is_cut:
            parts.append(f"until-line-{self.last_line}")
        ending = "log" if self.is_printed else "zip" if self.format == self.Format.BUNDLE else self.format
        return f"{'.'.join(parts)}.{ending}"

    @property
    def is_waiting(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @property
    def percent(self) -> int:
        """How much of it is made."""
        if self.status == self.Status.READY or not self.last_line:
            return 100 if self.status == self.Status.READY else 0
        return min(99, 100 * self.progress // self.last_line)

    @property
    def current_status(self) -> str:
        """The status as of now: a file is expired at its time, not when housekeeping comes to remove it."""
        is_over = self.status == self.Status.READY and self.expires_at is not None and self.expires_at <= timezone.now()
        return self.Status.EXPIRED if is_over else self.status

    @property
    def has_file(self) -> bool:
        """Whether its bytes can be had."""
        return self.current_status == self.Status.READY and self.path.is_file()

    @classmethod
    def request(
        cls, run: Run, *, by: Actor, format: str = "txt", is_raw: bool = False, filters: dict[str, Any] | None = None
    ) -> Download:
        """Asks for a download; the same one asked for again before it is made is one job.

        format: a Format, or `raw`, which is txt as printed. filters: step (an id), attempt, levels (a list), stream,
        text; a support bundle has the whole log whatever they say.
        """
        if format == RAW:
            format, is_raw = cls.Format.TXT, True
        if format == cls.Format.BUNDLE:
            is_raw, filters = False, None
        filters = filters or {}
        run.refresh_from_db(fields=["line_count", "status"])
        with transaction.atomic():
            same = cls.objects.of(run.tenant_id).filter(
                run=run, format=format, is_raw=is_raw, filters=filters, requested_by=by.user, last_line=run.line_count
            )
            known = same.filter(status__in=[cls.Status.QUEUED, cls.Status.RUNNING]).first()
            if known is not None:
                return known
            download = cls.across_tenants.create(
                tenant_id=run.tenant_id,
                run=run,
                run_uid=run.uid,
                format=cls.Format(format),
                is_raw=is_raw,
                filters=filters,
                last_line=run.line_count,
                is_cut=run.is_live,
                requested_by=by.user,
            )
            kind = str(download.format)
            AuditEntry.record(
                "run.download", run, by=by, run=run, format=kind, download=str(download.uuid), filters=filters
            )
        return download

    def request_again(self, *, by: Actor) -> Download | None:
        """The same file made anew, from the log as it is now; None when its run is gone."""
        if self.run is None:
            return None
        return self.request(self.run, by=by, format=self.format, is_raw=self.is_raw, filters=self.filters)

    def note_fetch(self, *, by: Actor, is_part: bool) -> None:
        """Who takes the file, for the trail. Of a file taken in parts the first one a person takes is told."""
        fetches = AuditEntry.objects.of(self.tenant_id).filter(
            action="run.fetch", object_id=str(self.pk), actor=by.user, key=by.key, at__gte=self.created_at
        )
        if not (is_part and fetches.exists()):
            AuditEntry.record("run.fetch", self, by=by, run=self.run, format=self.format, download=str(self.uuid))

    def advance(self, lines: int) -> None:
        """Notes progress and keeps the lease. Raises LeaseLost when another worker has it."""
        rows = type(self).across_tenants.filter(pk=self.pk, token=self.token, status=self.Status.RUNNING)
        if not rows.update(progress=lines, lease_until=lease_end()):
            raise LeaseLost("The download is another worker's now.")

    def end(self, *, size: int = 0, sha256: str = "", error: str = "") -> None:
        """The worker's last word: ready, or failed with the reason. Raises LeaseLost.

        Of a run that is gone, or going, meanwhile nothing is given: its log may have been read half.
        """
        now = timezone.now()
        rows = type(self).across_tenants.filter(pk=self.pk, token=self.token, status=self.Status.RUNNING)
        over: dict[str, Any] = {"worker": "", "lease_until": None, "finished_at": now}
        if not error:
            expires_at = now + timedelta(days=settings.DOWNLOAD_DAYS)
            still = rows.filter(run__in=self._standing_runs())
            if not still.update(
                status=self.Status.READY, size=size, sha256=sha256, error="", expires_at=expires_at, **over
            ):
                error = "The run was deleted."
        if error:
            if not rows.update(status=self.Status.FAILED, error=error[:500], **over):
                raise LeaseLost("The download is another worker's now.")
            self.path.unlink(missing_ok=True)
        self.refresh_from_db()

    def _standing_runs(self) -> models.QuerySet:
        from .run import Run

        return Run.across_tenants.filter(pk=self.run_id, removing_at=None).order_by().values("pk")

    advance.alters_data = end.alters_data = request_again.alters_data = True  # type: ignore[attr-defined]
