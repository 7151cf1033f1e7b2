"""A retry of a reported run is its engine's work: the call that asks for it, until it was taken or given up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import models, transaction
from django.db.models.functions import Now

from ..text.fingerprint import fingerprint
from .audit import WORKER, AuditEntry
from .lease import Leased, LeaseQuerySet
from .lifecycle import LeaseLost, Status, StatusConflict, move
from .log import append_system
from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from .run import Run

CALL_LEASE = timedelta(seconds=60)  # several times as long as one call may take
BACKOFF = (10.0, 60.0, 300.0, 1_800.0)  # seconds before the second, third, … call


class RetryCallQuerySet(LeaseQuerySet, TenantQuerySet):
    def claim(self, *, worker: str) -> RetryCall | None:
        """Takes the next call that is due, or one whose worker was lost; or None."""
        free = models.Q(worker="") | models.Q(lease_until__lt=Now())
        due = self.filter(free, next_at__lte=Now())
        for pk in due.order_by("next_at", "id").values_list("pk", flat=True)[:4]:
            if self.model.across_tenants.filter(free, pk=pk, next_at__lte=Now()).update(
                worker=worker,
                lease_until=Now() + CALL_LEASE,
                token=models.F("token") + 1,
                attempts=models.F("attempts") + 1,
            ):
                rows = self.model.across_tenants.select_related("run__flow", "run__retried_run", "tenant")
                return rows.get(pk=pk)
        return None


class RetryCall(Leased, TenantRow):
    """The signed request to a flow's `retry_webhook` for one new run. Without `next_at` it is over."""

    run = models.OneToOneField("Run", on_delete=models.CASCADE, related_name="retry_call")
    url = models.CharField(max_length=2_000)
    start_at = models.CharField(max_length=200)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    note_count = models.PositiveSmallIntegerField(default=0, help_text="Lines in the run's log that tell of it.")
    outcome = models.CharField(max_length=500, blank=True)

    objects, across_tenants = tenant_managers(RetryCallQuerySet)

    class Meta(TenantRow.Meta):
        indexes = [
            models.Index(fields=["next_at", "id"], name="retry_call_due", condition=models.Q(next_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.address

    @classmethod
    def ask(cls, run: Run, url: str, *, start_at: str) -> RetryCall:
        """The call for a new run, due at once by the database's clock."""
        return cls.across_tenants.create(tenant_id=run.tenant_id, run=run, url=url, start_at=start_at, next_at=Now())

    @property
    def address(self) -> str:
        """The address without its query, which may hold a key."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"

    @property
    def message(self) -> dict[str, Any]:
        """What the engine is told."""
        run = self.run
        old = run.retried_run.uid if run.retried_run else None
        return {"run": run.uid, "retryOf": old, "args": run.args, "from": self.start_at}

    def succeed(self, said: str) -> None:
        """The engine has taken it: the run waits for its reports. Raises LeaseLost."""
        with transaction.atomic():
            self._write(said, next_at=None)
            self.run.keep_alive()  # from here on silence counts, where the flow has a limit for it
            self._tell(f"The engine was asked to retry: {said}", said, level=1)

    def postpone(self, why: str) -> None:
        """It is tried again later; after the last time the run fails. Raises LeaseLost."""
        if self.attempts > len(BACKOFF):
            self.fail(why)
            return
        seconds = BACKOFF[self.attempts - 1]
        with transaction.atomic():
            self._write(why, next_at=Now() + timedelta(seconds=seconds))
            self._tell(f"{why} It is tried again in {seconds:g} s.", why, level=2)

    def fail(self, why: str) -> None:
        """It is given up: the run that still waits fails with the reason. Raises LeaseLost."""
        error = f"The engine could not be asked to retry: {why}"
        with transaction.atomic():
            self._write(why, next_at=None)
            try:
                move(
                    self.run,
                    Status.FAILED,
                    by=WORKER,
                    allowed=[Status.QUEUED],
                    error=error,
                    error_fingerprint=fingerprint(error),
                )
            except StatusConflict as conflict:
                error = f"{error} The run is {conflict.status or 'gone'} all the same."
            self._tell(error, why, level=3)

    def drop(self) -> None:
        """The run needs no call any more: it was stopped, or its engine began by itself. Raises LeaseLost."""
        self._write("Not needed any more.", next_at=None)

    def give_back(self) -> None:
        """The worker ends before the answer came: another one calls. Raises LeaseLost."""
        self._write("", next_at=Now(), attempts=models.F("attempts") - 1)

    succeed.alters_data = postpone.alters_data = fail.alters_data = True  # type: ignore[attr-defined]
    drop.alters_data = give_back.alters_data = True  # type: ignore[attr-defined]

    def _write(self, outcome: str, **fields: Any) -> None:
        rows = type(self).across_tenants.filter(pk=self.pk, token=self.token).exclude(worker="")
        if not rows.update(worker="", lease_until=None, outcome=outcome[:500], **fields):
            raise LeaseLost("The call is another worker's now.")

    def _tell(self, text: str, outcome: str, *, level: int) -> None:
        """Says it where people look: in the run's log and in its audit trail."""
        run: Run = self.run
        append_system(run, text, level=level)
        type(self).across_tenants.filter(pk=self.pk).update(note_count=models.F("note_count") + 1)
        AuditEntry.record("run.retry_call", run, by=WORKER, run=run, attempt=self.attempts, outcome=outcome[:500])
